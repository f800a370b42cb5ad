"""From rows of the published file to what one mail says: grouping and naming, no arithmetic.

Every figure is carried as dbt computed it. What may not be shown (a value of which days are
absent) is marked `withheld` here, so no template can show it by mistake.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from kpi_pipeline.errors import PipelineError
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.periods import Calendar, Period, period_of

if TYPE_CHECKING:
    import duckdb

ALL = "(all)"
REPORTS = ("specialist_daily", "manager_weekly", "director_monthly", "director_quarterly")

Tone = Literal["good", "bad", "flat", "none"]


@dataclass(frozen=True)
class Figure:
    """One row of a report. `value` and its comparisons are None where they are withheld."""

    kpi_id: str
    label: str
    unit: str
    direction: str
    currency: str | None
    section: str
    role: str
    product_id: str
    product: str | None
    scope_kind: str
    scope: str
    stage: str | None
    as_of: date
    value: float | None
    previous_value: float | None
    previous_change: float | None
    previous_change_share: float | None
    last_year_value: float | None
    last_year_change: float | None
    last_year_change_share: float | None
    target: float | None
    attainment: float | None
    tone: Tone
    withheld: bool
    incomplete_because: str | None
    scope_changed: bool
    scope_changed_on: date | None
    reason: str | None
    gaps: tuple[str, ...]

    @property
    def name(self) -> str:
        """Whose figure it is: the product's name, or the scope's."""
        return self.product if self.product and self.scope_kind == "product" else self.scope


@dataclass(frozen=True)
class Group:
    """Figures that belong together. `stage`: set where the figures are judged by that stage.

    until: the last day they cover, where that is before the period's last day.
    """

    title: str
    subtitle: str | None
    stage: str | None
    until: date | None
    figures: tuple[Figure, ...]

    @property
    def shown(self) -> tuple[Figure, ...]:
        return tuple(f for f in self.figures if not f.withheld)

    @property
    def withheld(self) -> tuple[str, ...]:
        """Labels of the figures that are left out."""
        return tuple(f.label for f in self.figures if f.withheld)


@dataclass(frozen=True)
class Section:
    name: str
    groups: tuple[Group, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(f for g in self.groups for f in g.figures)


@dataclass(frozen=True)
class Withheld:
    """The same KPIs of one or more scopes, left out for the same reason."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    feeds: tuple[str, ...]


@dataclass(frozen=True)
class FeedState:
    """How one feed stands for the products it stands the same for. Days of the period.

    until: the product's local time at which the last day's data end, where that is well before it.
    """

    feed: str
    products: tuple[str, ...]
    for_all: bool
    expected: int
    landed: int
    absent: int
    rejected: int
    unknown: int
    through: date | None
    until: time | None

    @property
    def is_complete(self) -> bool:
        return self.landed >= self.expected


@dataclass(frozen=True)
class Finding:
    """What the checks found in the period and a reader should know of.

    kind: `reconciliation` (our own count and the backend's differ by `amount`, the `share` of our
    own `base`, on `days_beyond` of `days_judged` days) or `early_activity` (`amount` of `base` new
    users). channel: None where it is about the whole product.
    """

    kind: str
    product: str
    channel: str | None
    most_channel: str | None
    measure: str
    days_judged: int
    days_beyond: int
    amount: int
    base: int
    share: float | None


@dataclass(frozen=True)
class StageLine:
    """A product's stage, since when, and what it was before."""

    product: str
    stage: str
    since: date | None
    previous_stage: str | None
    changed_on: date | None


@dataclass(frozen=True)
class Owned:
    """One thing the reader owns: why the mail comes to them."""

    what: str
    which: str
    product: str | None


@dataclass(frozen=True)
class Reader:
    person_id: str
    name: str
    rank: str
    team: str | None
    locale: str


@dataclass(frozen=True)
class Context:
    """Everything one mail says. `sent_on`: the reader's local day of sending."""

    report: str
    reader: Reader
    company: str
    period: Period
    previous: Period
    sent_on: date
    edition: int
    left_out_before: tuple[str, ...]
    zones: tuple[str, ...]
    number: Figure | None
    sections: tuple[Section, ...]
    attention: tuple[Figure, ...]
    stages: tuple[StageLine, ...]
    withheld: tuple[Withheld, ...]
    feeds: tuple[FeedState, ...]
    findings: tuple[Finding, ...]
    owned: tuple[Owned, ...]
    checks_passed: int
    checks_warned: int
    published_at: datetime | None
    run_id: str | None

    @property
    def is_complete(self) -> bool:
        return all(f.is_complete for f in self.feeds) and not self.withheld

    @property
    def is_yesterday(self) -> bool:
        return self.period.end == self.sent_on

    @property
    def leading(self) -> tuple[Figure, ...]:
        """Headlines of the reader's own scope: the person's, the team's or the company's."""
        own = [s for s in self.sections if s.name in ("mine", "team", "company")]
        return tuple(f for s in own for f in s.figures if f.role == "headline" and not f.withheld)

    @property
    def whose(self) -> str | None:
        """Whose number leads the mail, in a subject: nobody reads their own name there."""
        if self.number is None:
            return None
        if self.number.scope_kind != "person":
            return self.number.name
        owns_products = self.owned and all(o.what == "product" for o in self.owned)
        if owns_products and len(self.owned) == 1:
            return self.owned[0].which
        return None


def compose(
    connection: duckdb.DuckDBPyConnection,
    report: str,
    period: Period,
    person_id: str,
    *,
    calendar: Calendar,
    sent_on: date,
    edition: int = 1,
    left_out_before: Sequence[str] = (),
    locale: str | None = None,
) -> Context:
    """What one reader's mail about one period says, from the published file.

    connection: the published file, read-only. left_out_before: `product/feed` names that the
    first edition lacked. locale: the reader's, when it is newer than the published one.
    Raises PipelineError when the report or the reader is not known.
    """
    if report not in REPORTS:
        raise PipelineError(f"There is no report {report!r}; expected one of {', '.join(REPORTS)}.")
    reader = _reader(connection, person_id, period)
    if locale is not None:
        reader = replace(reader, locale=locale)
    needs = _rows(
        connection,
        "select * from rpt_reader_feeds where report = ? and person_id = ? and period_start = ? "
        "order by product_id, feed",
        [report, person_id, period.start],
    )
    products = {p["product_id"]: p for p in _rows(connection, "select * from dim_products")}
    ownership = _rows(
        connection,
        "select * from dim_ownership where person_id = ? and valid_from < ? "
        "and (valid_to is null or valid_to > ?) order by what, which, product_id",
        [person_id, period.end, period.start],
    )
    previous = _previous(period, calendar)
    figures = _figures(
        connection,
        report,
        period,
        person_id,
        reader,
        needs,
        _ownership_changes(connection, previous, period),
    )
    stages = _stages(connection, report, period, person_id)
    numbers = [f for f in figures if f.section == "number"]
    attention = tuple(f for f in figures if f.section == "attention")
    listed = [f for f in figures if f.section not in ("number", "attention")]
    company = _rows(connection, "select name from dim_company")
    run = _rows(connection, 'select * from published_run order by "at" desc limit 1')
    checks = _rows(
        connection,
        "select coalesce(sum(checks_passed), 0)::bigint as passed, "
        "coalesce(sum(checks_warned), 0)::bigint as warned from rpt_reader_feeds "
        "where report = ? and person_id = ? and period_start = ?",
        [report, person_id, period.start],
    )[0]
    seen = sorted({n["product_id"] for n in needs})
    return Context(
        report=report,
        reader=reader,
        company=company[0]["name"] if company else "",
        period=period,
        previous=previous,
        sent_on=sent_on,
        edition=edition,
        left_out_before=_named(left_out_before, products),
        zones=tuple(sorted({products[p]["time_zone"] for p in seen if p in products})),
        number=numbers[0] if numbers else None,
        sections=_sections(listed, period, {p for p, line in stages.items() if line.changed_on}),
        attention=attention,
        stages=tuple(stages.values()),
        withheld=_withheld(numbers + listed),
        feeds=_feeds(needs, products),
        findings=_findings(connection, report, period, person_id),
        owned=_owned(connection, ownership, products),
        checks_passed=checks["passed"],
        checks_warned=checks["warned"],
        published_at=run[0]["at"] if run else None,
        run_id=run[0]["run_id"] if run else None,
    )


def _reader(connection: duckdb.DuckDBPyConnection, person_id: str, period: Period) -> Reader:
    rows = _rows(
        connection,
        "select p.*, t.name as team_name from dim_people p left join dim_teams t on t.team = p.team"
        " where p.person_id = ? and p.valid_from < ? order by p.valid_from desc limit 1",
        [person_id, period.end],
    )
    if not rows:
        raise PipelineError(
            f"The published data know no person {person_id!r} before {period.end}; check "
            "organisation/people.csv and run the pipeline again."
        )
    row = rows[0]
    return Reader(person_id, row["name"], row["rank"], row["team_name"], row["locale"])


def _figures(
    connection: duckdb.DuckDBPyConnection,
    report: str,
    period: Period,
    person_id: str,
    reader: Reader,
    needs: Sequence[dict[str, Any]],
    ownership_changes: Mapping[str, date],
) -> list[Figure]:
    language = reader.locale.split("_")[0]
    rows = _rows(
        connection,
        f"select r.*, k.label_en, k.label_es, k.unit, k.direction, k.feeds "  # noqa: S608
        f"from rpt_{report} r join dim_kpis k using (kpi_id) "
        "where r.person_id = ? and r.period_start = ? order by r.position",
        [person_id, period.start],
    )
    open_feeds = any(_unknown(n) > 0 for n in needs)
    figures = []
    for row in rows:
        because = row["incomplete_because"]
        withheld = because == "absent_days" or (
            because == "period_open" and open_feeds and row["value"] is not None
        )

        def shown(column: str, row: dict[str, Any] = row, hide: bool = withheld) -> Any:
            return None if hide else row[column]

        figures.append(
            Figure(
                kpi_id=row["kpi_id"],
                label=row[f"label_{language}" if language == "es" else "label_en"]
                or row["label_en"],
                unit=row["unit"],
                direction=row["direction"],
                currency=row["currency"],
                section=row["section"],
                role=row["role"],
                product_id=row["product_id"],
                product=row["product_label"],
                scope_kind=row["scope_kind"],
                scope=row["scope_label"] or row["scope_id"],
                stage=row["stage"],
                as_of=row["as_of_date"],
                value=shown("value"),
                previous_value=shown("previous_value"),
                previous_change=shown("previous_change"),
                previous_change_share=shown("previous_change_share"),
                last_year_value=shown("last_year_value"),
                last_year_change=shown("last_year_change"),
                last_year_change_share=shown("last_year_change_share"),
                target=row["target"],
                attainment=shown("attainment"),
                tone="none" if withheld else row["tone"],
                withheld=withheld,
                incomplete_because=because,
                scope_changed=row["scope_changed"],
                scope_changed_on=ownership_changes.get(row["scope_id"]),
                reason=row["reason"],
                gaps=_gaps(row, needs) if withheld else (),
            )
        )
    return figures


def _ownership_changes(
    connection: duckdb.DuckDBPyConnection, previous: Period, period: Period
) -> dict[str, date]:
    """Person or team to the last day on which what they own changed since `previous` began."""
    rows = _rows(
        connection,
        "with edges as (select person_id, unnest([valid_from, valid_to]) as changed_on "
        "from dim_ownership), "
        "scopes as (select person_id, person_id as scope_id from dim_people "
        "union select person_id, team from dim_people where team is not null) "
        "select scope_id, max(changed_on) as changed_on from edges join scopes using (person_id) "
        "where changed_on > ? and changed_on < ? group by scope_id",
        [previous.start, period.end],
    )
    return {r["scope_id"]: r["changed_on"] for r in rows}


def _gaps(row: dict[str, Any], needs: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Feeds this KPI needs that lack days in the period; empty when the gap lies before it."""
    kpi_feeds = set(row["feeds"] or ())
    return tuple(
        feed
        for feed in FEEDS
        if feed in kpi_feeds
        and any(
            n["feed"] == feed
            and row["product_id"] in (ALL, n["product_id"])
            and n["days_landed"] < n["days_expected"]
            for n in needs
        )
    )


def _sections(
    figures: Iterable[Figure], period: Period, changed: Container[str]
) -> tuple[Section, ...]:
    """Sections in the order of their rows; inside, one group per product or scope and stage.

    changed: products whose stage changed in the period; all their groups name their stage.
    """
    sections = []
    for name, rows in groupby(figures, key=lambda f: f.section):
        groups = []
        for _, members in groupby(rows, key=lambda f: (f.scope_kind, f.scope, f.product, f.stage)):
            items = tuple(members)
            first = items[0]
            narrowed = first.product if first.scope_kind != "product" else None
            named = first.scope_kind == "product" or first.product_id in changed
            groups.append(
                Group(
                    first.name,
                    narrowed if narrowed and narrowed != first.name else None,
                    first.stage if named else None,
                    first.as_of if first.as_of < period.last_day else None,
                    items,
                )
            )
        sections.append(Section(name, tuple(groups)))
    return tuple(sections)


def _withheld(figures: Sequence[Figure]) -> tuple[Withheld, ...]:
    labels: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for figure in figures:
        if figure.withheld:
            known = labels.setdefault((_whose(figure), figure.gaps), [])
            if figure.label not in known:
                known.append(figure.label)
    names: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (name, feeds), missing in labels.items():
        names.setdefault((tuple(missing), feeds), []).append(name)
    return tuple(
        Withheld(tuple(scopes), missing, feeds) for (missing, feeds), scopes in names.items()
    )


def _whose(figure: Figure) -> str:
    """The scope's name, with its product where it is narrowed to one."""
    if figure.scope_kind != "product" and figure.product:
        return f"{figure.scope} ({figure.product})"
    return figure.name


def _feeds(
    needs: Sequence[dict[str, Any]], products: dict[str, dict[str, Any]]
) -> tuple[FeedState, ...]:
    """One line per feed and standing; products that stand the same share a line."""
    states = []
    for feed in FEEDS:
        of_feed = [n for n in needs if n["feed"] == feed]
        standings: dict[tuple[Any, ...], list[str]] = {}
        for n in of_feed:
            standing = (
                n["days_expected"],
                n["days_landed"],
                n["days_absent"],
                n["days_rejected"],
                _unknown(n),
                n["data_through"],
                n["data_until"].time().replace(second=0, microsecond=0)
                if n["data_until"]
                else None,
            )
            name = products.get(n["product_id"], {}).get("name", n["product_id"])
            standings.setdefault(standing, []).append(name)
        for standing, names in standings.items():
            states.append(FeedState(feed, tuple(names), len(standings) == 1, *standing))
    return tuple(states)


def _findings(
    connection: duckdb.DuckDBPyConnection, report: str, period: Period, person_id: str
) -> tuple[Finding, ...]:
    rows = _rows(
        connection,
        "select * from rpt_findings where report = ? and person_id = ? and period_start = ? "
        "order by product_label, kind, channel_label, measure",
        [report, person_id, period.start],
    )
    return tuple(
        Finding(
            row["kind"],
            row["product_label"],
            None if row["channel"] == ALL else row["channel_label"],
            row["most_channel_label"],
            row["measure"],
            row["days_judged"],
            row["days_beyond"],
            row["amount"],
            row["base"],
            row["share"],
        )
        for row in rows
    )


def _stages(
    connection: duckdb.DuckDBPyConnection, report: str, period: Period, person_id: str
) -> dict[str, StageLine]:
    rows = _rows(
        connection,
        "select * from rpt_stages where report = ? and person_id = ? and period_start = ? "
        "order by product_label",
        [report, person_id, period.start],
    )
    return {
        r["product_id"]: StageLine(
            r["product_label"] or r["product_id"],
            r["stage"],
            r["since"],
            r["previous_stage"],
            r["changed_on"],
        )
        for r in rows
    }


def _owned(
    connection: duckdb.DuckDBPyConnection,
    ownership: Sequence[dict[str, Any]],
    products: dict[str, dict[str, Any]],
) -> tuple[Owned, ...]:
    channels = {c["channel"]: c["name"] for c in _rows(connection, "select * from dim_channels")}

    def product_name(product_id: str | None) -> str | None:
        if product_id is None or product_id == ALL:
            return None
        name: str = products.get(product_id, {}).get("name", product_id)
        return name

    owned = []
    for row in ownership:
        which = row["which"]
        if row["what"] == "product":
            owned.append(Owned("product", product_name(which) or which, None))
        else:
            name = channels.get(which, which) if row["what"] == "channel" else which
            owned.append(Owned(row["what"], name, product_name(row["product_id"])))
    return tuple(dict.fromkeys(owned))


def _named(missing: Sequence[str], products: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """`product/feed` names with the product's display name; the feed is named by the template."""
    named = []
    for item in missing:
        product_id, _, feed = item.partition("/")
        named.append(f"{products.get(product_id, {}).get('name', product_id)}/{feed}")
    return tuple(named)


def _previous(period: Period, calendar: Calendar) -> Period:
    """The period it is compared with; a day with the same weekday one week before."""
    if period.grain == "day":
        return period_of("day", period.start - timedelta(days=7), calendar)
    return period_of(period.grain, period.start - timedelta(days=1), calendar)


def _unknown(need: dict[str, Any]) -> int:
    known = need["days_landed"] + need["days_absent"] + need["days_rejected"]
    days: int = need["days_expected"] - known
    return days


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()
) -> list[dict[str, Any]]:
    cursor = connection.execute(query, list(parameters))
    names = [d[0] for d in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
