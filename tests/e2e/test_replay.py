"""A hundred and twenty daily runs, whatever came late, again or corrected, equal one full build."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pytest
import small_company

from kpi_pipeline import catalogue, landing, warehouse, workspace
from kpi_pipeline.audit import AuditOutcome
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.periods import Period, each_day, period_of
from kpi_pipeline.reporting.compose import ALL, Context, Figure, compose
from kpi_pipeline.runlog import RunLog, SliceAudit
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import folder_of, read_slice
from kpi_pipeline.warehouse import building, publication
from kpi_pipeline.warehouse.dbt import Progress, run_dbt
from kpi_pipeline.workspace.policies import REPORTS

FIRST = date(2024, 1, 24)
LAST = date(2024, 5, 22)
KPIS = {kpi.kpi_id: kpi for kpi in catalogue.kpis(Path(__file__).parents[2] / "dbt_project")}
#: Laid out anew for each build and holding only what that build touches.
WORKING = {
    "int_completeness",
    "int_customers_scoped",
    "int_economics_days_scoped",
    "int_kpi_baselines",
    "int_kpi_forecasts",
    "int_kpi_limits",
    "int_kpi_spine",
    "int_kpi_usual_shares",
    "int_page_views_visited",
    "int_new_customers_scoped",
    "int_periods_touched",
    "int_revenue_cells",
    "int_revenue_days_scoped",
    "int_user_days",
    "int_user_values",
    "int_visitor_days",
    "int_visitor_quarters",
}
#: What it forecasts anew is kept by its end, so that a later build does not forecast it again.
FORECAST_NOW = {"int_kpi_forecasts"}
#: Names by number, kept when nothing bears them any more: a corrected day may leave some behind.
NAMES_KEPT = {"int_pages", "int_visit_sources"}


def _day(month: int, day: int) -> date:
    return date(2024, month, day)


@dataclass(frozen=True)
class Event:
    """What is not an ordinary day: `change` is done to the workspace before the run about `on`.

    again: the days landed once more. tables: `product/table` of them that have other rows now.
    scopes: what alone is told otherwise where no rows are others.
    compared: a full build is compared before the change, which redoes everything.
    """

    on: date
    change: Callable[[Path], None]
    again: tuple[date, ...] = ()
    tables: frozenset[str] = frozenset()
    scopes: tuple[str, ...] = ()
    compared: bool = False

    @property
    def feeds(self) -> set[tuple[str, str]]:
        """(product, feed) of what has other rows."""
        return {_feed_of(name) for name in self.tables}


def _feed_of(table: str) -> tuple[str, str]:
    product, name = table.split("/")
    feed = next((f for f, names in small_company.TABLES.items() if name in names), name)
    return product, feed


def _written(day: date, tables: Iterable[str], edition: int = 0) -> Callable[[Path], None]:
    return lambda space: _write(space, day, edition, tables)


def _emptied(day: date, tables: Iterable[str]) -> Callable[[Path], None]:
    def empty(space: Path) -> None:
        for table in tables:
            path = space / "data" / table / f"{day}.csv"
            path.write_text(path.read_text().splitlines()[0] + "\n")

    return empty


def _lost(day: date, tables: Iterable[str]) -> Callable[[Path], None]:
    def lose(space: Path) -> None:
        for table in tables:
            (space / "data" / table / f"{day}.csv").unlink()

    return lose


def _broken(day: date, table: str) -> Callable[[Path], None]:
    def cut(space: Path) -> None:
        (space / "data" / table / f"{day}.csv").write_text("half a header\nand a line\n")

    return cut


def _edited(table: str, lines: Mapping[str, str]) -> Callable[[Path], None]:
    """A table of the organisation with these lines instead of others; added where the key is ''."""

    def edit(space: Path) -> None:
        path = space / "organisation" / f"{table}.csv"
        text = path.read_text()
        for old, new in lines.items():
            assert old in text
            text = text.replace(old, new) if old else text + new
        path.write_text(text)

    return edit


def _all_tables(feeds: Mapping[str, Iterable[str]] = small_company.FEEDS) -> frozenset[str]:
    return frozenset(
        f"{product}/{table}"
        for product, names in feeds.items()
        for feed in names
        for table in small_company.TABLES.get(feed, (feed,))
    )


LATE = frozenset({"rio/page_views", "nara/users", "nara/activity", "nara/content"})
EMPTIED = frozenset({"rio/page_views", "rio/users", "rio/activity", "rio/content"})
EVENTS = (
    # a late slice: its page views and users come five days later, in another month
    Event(_day(1, 29), _lost(_day(1, 29), LATE)),
    Event(_day(2, 3), _written(_day(1, 29), LATE), (_day(1, 29),), LATE),
    # a repeated slice: landed again as it was
    Event(_day(2, 20), _written(_day(2, 10), _all_tables()), (_day(2, 10),)),
    # another rule of the channels: everything is built again
    Event(
        _day(2, 22),
        _edited("channel_rules", {"20,email,": "15,organic_search,utm_source,news\n20,email,"}),
        tables=frozenset({"rio/page_views", "nara/page_views", "york/traffic"}),
        scopes=("channel", "person", "team"),
        compared=True,
    ),
    Event(_day(3, 2), _written(_day(2, 25), _all_tables(), 1), (_day(2, 25),), _all_tables()),
    # what somebody owned is another's now: everything is built again
    Event(
        _day(3, 11),
        _edited(
            "ownership",
            {
                "sam,product,rio,,2024-01-01,\n": (
                    "sam,product,rio,,2024-01-01,2024-03-11\neva,product,rio,,2024-03-11,\n"
                )
            },
        ),
        compared=True,
    ),
    # from here to the end nothing is built as a whole
    # a slice that was refused, and its file mended three days later
    Event(_day(4, 6), _broken(_day(4, 6), "nara/traffic")),
    Event(
        _day(4, 9),
        _written(_day(4, 6), ["nara/traffic"]),
        (_day(4, 6),),
        frozenset({"nara/traffic"}),
    ),
    # a day of the quarter before becomes empty
    Event(_day(4, 8), _emptied(_day(3, 30), EMPTIED), (_day(3, 30),), EMPTIED),
    # a day of the quarter before is corrected, in part
    Event(
        _day(4, 10),
        _written(_day(2, 25), ["rio/exposure", "nara/users"], 2),
        (_day(2, 25),),
        frozenset({"rio/exposure", "nara/users"}),
    ),
    # a product changes its stage in mid-month
    Event(
        _day(4, 18),
        _edited(
            "product_stages",
            {
                "rio,brand,2024-01-10,\n": (
                    "rio,brand,2024-01-10,2024-04-18\nrio,growth,2024-04-18,\n"
                )
            },
        ),
    ),
    # a visitor of April turns out to have been there in March, and then not
    Event(
        _day(4, 25),
        _written(_day(3, 5), ["rio/page_views"], 1),
        (_day(3, 5),),
        frozenset({"rio/page_views"}),
    ),
    # a slice that was there is gone
    Event(
        _day(5, 4),
        _lost(_day(5, 1), ["york/traffic", "york/traffic_uniques"]),
        (_day(5, 1),),
        frozenset({"york/traffic"}),
    ),
    # a day several weeks back is corrected
    Event(_day(5, 8), _written(_day(4, 12), _all_tables(), 1), (_day(4, 12),), _all_tables()),
    Event(
        _day(5, 10),
        _written(_day(3, 5), ["rio/page_views"], 0),
        (_day(3, 5),),
        frozenset({"rio/page_views"}),
    ),
    # a month gets its targets when a third of it is over
    Event(_day(5, 12), _edited("targets", {"": "visits,product,rio,rio,month,2024-05-01,700\n"})),
    # the sign-up that came after its user's activity turns out to be none
    Event(
        _day(5, 16),
        _written(_day(4, 20), ["rio/users"], 1),
        (_day(4, 20),),
        frozenset({"rio/users"}),
    ),
)
#: Rows beside those of `small_company`, by the edition of their file.
ROWS: dict[tuple[str, date, int], dict[str, object]] = {
    **{
        ("rio/page_views", day, edition): {
            "event_id": f"wanderer-{day}",
            "occurred_at": f"{day}T15:00:00+00:00",
            "visitor_id": "wanderer",
            "url": "https://rio.example/guides",
            "device": "desktop",
            "is_bot": "false",
        }
        for day, edition in ((_day(3, 5), 1), (_day(4, 3), 0), (_day(4, 4), 0))
    },
    **{
        ("rio/activity", day, 0): {
            "event_id": f"latecomer-{day}",
            "user_id": "latecomer",
            "occurred_at": f"{day}T15:00:00+00:00",
            "kind": "post",
        }
        for day in (_day(2, 27), _day(3, 28), _day(4, 6), _day(4, 22))
    },
    ("rio/users", _day(4, 20), 0): {
        "user_id": "latecomer",
        "signed_up_at": "2024-04-20T15:00:00+00:00",
        "channel": "paid_search",
        "campaign": "spring",
    },
}
#: Days whose mails are read: one in three, ends of weeks and months, and what is landed again.
READ = {
    day
    for day in each_day(FIRST, LAST)
    if (LAST - day).days % 3 == 0
    or day.weekday() == 6
    or (day + timedelta(days=1)).day == 1
    or any(day in event.again for event in EVENTS)
}
ORGANISATION = {
    "product_stages": small_company.ORGANISATION["product_stages"].replace(
        "rio,brand,2024-01-10,2024-02-15\nrio,growth,2024-02-15,\n", "rio,brand,2024-01-10,\n"
    ),
    "ownership": small_company.ORGANISATION["ownership"]
    .replace("sam,product,rio,,2024-01-01,2024-02-12\n", "sam,product,rio,,2024-01-01,\n")
    .replace("eva,product,rio,,2024-02-12,\n", ""),
    "targets": small_company.ORGANISATION["targets"]
    + """sign_ups,company,(all),(all),quarter,2024-04-01,200
active_users,product,nara,nara,month,2024-04-01,90
""",
}


@dataclass(frozen=True)
class Replay:
    """What the daily runs left: their home, and what was there on the day itself.

    differences: day of a comparison to what differed. composed: (report, person, period) to what
    the mail said. forecasts: day to the rows forecast on it. first_seen: day to the visitors of
    the days on which the wanderer may be first.
    """

    settings: Settings
    full: Settings
    differences: dict[date, dict[str, tuple[int, int]]] = field(default_factory=dict)
    composed: dict[tuple[str, str, Period], Context] = field(default_factory=dict)
    forecasts: dict[date, list[tuple[object, ...]]] = field(default_factory=dict)
    new_visitors: dict[date, dict[date, int]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    root = tmp_path_factory.mktemp("replay")
    space = small_company.write_workspace(root / "daily", ORGANISATION)
    daily = small_company.settings_for(root / "daily", space)
    done = Replay(daily, small_company.settings_for(root / "at the end", space))
    # the data tests run on the full build at the end, and the audits have tests of their own
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "run_dbt", _run_models_only)
        patch.setattr(publication, "audit_out", lambda *_: AuditOutcome(0, 0, 0, ()))
        # most files land in one pass, as a range does; no build takes a slice before its audit
        irregular = {event.on for event in EVENTS}
        regular = [day for day in each_day(FIRST, LAST) if day not in irregular]
        for day in regular:
            _write(space, day)
        _land(daily, regular, _morning_after(LAST))
        for day in each_day(FIRST, LAST):
            events = [event for event in EVENTS if event.on == day]
            if any(event.compared for event in events):
                before = small_company.settings_for(root / f"before {day}", space)
                done.differences[day] = _differences(
                    daily, _full(daily, before, day - timedelta(days=1))
                )
            if day in irregular:
                _write(space, day)
            for event in events:
                event.change(space)
            again = [day for event in events for day in event.again]
            _land(daily, [day, *again] if day in irregular else [], _morning_after(day))
            assert _build(daily, day).models > 0
            _keep(done, day)
    _full(daily, done.full, LAST)
    done.differences[LAST] = _differences(daily, done.full)
    return done


def test_every_table_is_the_same_as_after_one_full_build(replay: Replay) -> None:
    assert len(list(each_day(FIRST, LAST))) == 120
    assert replay.differences == {_day(2, 22): {}, _day(3, 11): {}, LAST: {}}, (
        "rows only in the daily builds, only in the full build"
    )
    with _attached(replay.settings, replay.full) as connection:
        (values,) = _row(connection, "select count(*) from daily.kpis.fct_kpi_values")
        assert values > 100_000


def test_what_was_forecast_stays_as_it_was_made(replay: Replay) -> None:
    """Forecasts are not computed again, so the full build was given those of the daily runs.

    What the design promises instead: a row keeps what its day's run said, and what comes later for
    a day gone by is marked.
    """
    with warehouse.open_published(replay.settings) as connection:
        columns = [d[0] for d in connection.execute("from fct_forecasts_made").description or ()]
        kept = connection.execute("from fct_forecasts_made").fetchall()
    marked = columns.index("is_backcomputed")
    made = {row for rows in replay.forecasts.values() for row in rows}
    assert len(made) > 200
    assert {row for row in kept if not row[marked]} == made
    keys = {row[: columns.index("as_of_date") + 1] for row in kept}
    assert len(keys) == len(kept)


def test_a_first_day_moves_both_ways(replay: Replay) -> None:
    seen = replay.new_visitors
    moved = {
        day: seen[day][_day(4, 3)] - seen[day - timedelta(days=1)][_day(4, 3)]
        for day in (_day(4, 25), _day(5, 10))
    }
    assert moved == {_day(4, 25): -1, _day(5, 10): 1}


def test_reports_of_past_days_come_out_as_they_were(replay: Replay) -> None:
    """Composed at the end, a mail is what it was on its day; but for what was corrected since."""
    again = _composed(replay.settings, READ)
    assert again.keys() == replay.composed.keys()
    same, moved = set(), set()
    for key, was in replay.composed.items():
        now, period = again[key], key[2]
        later = [event for event in EVENTS if event.on > period.last_day and event.tables]
        days = {day for event in later for day in event.again}
        differing = _differing(was, now)
        assert not [f for f in differing if not _is_explained(f, later, was)], key
        if not differing:
            assert (was.number, was.attention) == (now.number, now.attention), key
        if not days & set(period.days):
            assert (was.feeds, was.checks_passed) == (now.feeds, now.checks_passed), key
        if not any(day < period.end for day in days):
            assert was.findings == now.findings, key
        for part in ("reader", "company", "previous", "zones", "stages", "owned"):
            assert getattr(was, part) == getattr(now, part), (key, part)
        (moved if differing else same).add(key)
    assert {report for report, _, _ in same} >= {"specialist_daily", "manager_weekly"}
    assert len(same) > 40
    # and where a day was corrected, a mail about it does tell
    told = {period.start for _, _, period in moved if period.grain == "day"}
    assert {day for event in EVENTS if event.tables for day in event.again} <= told


def test_a_build_with_nothing_new_touches_nothing(replay: Replay) -> None:
    _land(replay.settings, [LAST], _morning_after(LAST))
    again = _build(replay.settings, LAST)
    assert (again.slices, again.models) == (0, 0)


def _run_models_only(settings: Settings, arguments: list[str], progress: Progress) -> int:
    assert arguments[:3] == ["build", "--exclude-resource-type", "unit_test"]
    return run_dbt(settings, ["run", *arguments[3:5]], progress)


def _write(space: Path, day: date, edition: int = 0, only: Iterable[str] | None = None) -> None:
    wanted = _all_tables() if only is None else set(only)
    small_company.write_day(space, day, edition, wanted)
    for (name, its_day, its_edition), row in ROWS.items():
        if (its_day, its_edition) == (day, edition) and name in wanted:
            product, table = name.split("/")
            small_company.add_rows(space, product, table, day, [row])


def _land(settings: Settings, days: list[date], at: datetime) -> None:
    space = workspace.load(settings.workspace)
    run_id = RunLog(settings).start_run("test", {}, at)
    for feed in FEEDS:
        products = [p for p in space.products if feed in space.feeds_of(p)]
        landing.land(settings, space, feed, products, days, at, run_id)


def _build(settings: Settings, day: date) -> warehouse.BuildResult:
    """The morning's run about a day: audit what landed of it and of the days before, and build."""
    at = _morning_after(day)
    log = RunLog(settings)
    run_id = log.start_run("test", {}, at)
    # the audit has tests of its own; here every landed slice passes
    log.record_audits(
        [
            SliceAudit(piece, 1, 0, 0)
            for row in log.unaudited()
            if row["day"] <= day
            and (
                piece := read_slice(
                    folder_of(settings.landing, row["feed"], row["product_id"], row["day"])
                )
            )
        ],
        run_id,
        at,
    )
    return warehouse.build(settings, workspace.load(settings.workspace), at, run_id)


def _full(daily: Settings, full: Settings, day: date) -> Settings:
    """One build of all that landed. What was forecast is read from its files, as always."""
    shutil.copytree(daily.landing, full.landing, copy_function=os.link)
    shutil.copy(daily.home / "state.db", full.home / "state.db")
    space = workspace.load(daily.workspace)
    built = warehouse.build(full, space, _morning_after(day), "full")
    assert built.slices == sum(row["day"] <= day for row in RunLog(full).slices())
    return full


def _morning_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(20), UTC)


@contextmanager
def _attached(daily: Settings, full: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{daily.warehouse}' as daily (read_only)")
        connection.execute(f"attach '{full.warehouse}' as complete (read_only)")
        yield connection


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return tuple(row)


def _differences(daily: Settings, full: Settings) -> dict[str, tuple[int, int]]:
    """Table to how many of its rows only the daily builds have, and only the full build."""
    differing = {}
    with _attached(daily, full) as connection:
        tables = [
            {
                f"{schema}.{table}"
                for schema, table in connection.execute(
                    "select schema_name, table_name from duckdb_tables() where database_name = ? "
                    "and schema_name in ('intermediate', 'marts', 'kpis', 'reports')",
                    [name],
                ).fetchall()
            }
            for name in ("daily", "complete")
        ]
        assert tables[0] == tables[1]
        names = {table.split(".")[1] for table in tables[0]}
        assert {"fct_kpi_values", "int_visits", "rpt_findings", *WORKING, *NAMES_KEPT} <= names
        for table in sorted(tables[0]):
            only_daily, only_full = (
                _row(
                    connection,
                    f"select count(*) from (from {left}.{table} except all from {right}.{table})",
                )[0]
                for left, right in (("daily", "complete"), ("complete", "daily"))
            )
            name = table.split(".")[1]
            counts = (
                0 if name in NAMES_KEPT | FORECAST_NOW else only_daily,
                0 if name in WORKING else only_full,
            )
            if counts != (0, 0):
                differing[table] = counts
    return differing


def _keep(done: Replay, day: date) -> None:
    """What the day's run forecast, and what every mail about a period that ends with it says."""
    with duckdb.connect(str(done.settings.warehouse), read_only=True) as connection:
        done.forecasts[day] = connection.execute(
            "from marts.fct_forecasts_made where as_of_date = ?", [day]
        ).fetchall()
        done.new_visitors[day] = dict(
            connection.execute(
                "select period_start, numerator::integer from kpis.fct_kpi_values "
                "where kpi_id = 'new_visitor_share' and scope_kind = 'product' "
                "and product_id = 'rio' and grain = 'day' and period_start in (?, ?)",
                [_day(3, 5), _day(4, 3)],
            ).fetchall()
        )
    if day in READ:
        warehouse.publish(done.settings, _morning_after(day), f"{day:%Y%m%d}")
        done.composed.update(_composed(done.settings, [day]))


def _composed(settings: Settings, days: Iterable[date]) -> dict[tuple[str, str, Period], Context]:
    """What each mail about a period that ends with one of the days says, but for the run."""
    space = workspace.load(settings.workspace)
    found = {}
    with warehouse.open_published(settings) as connection:
        for day in days:
            for report, (rank, grain) in REPORTS.items():
                period = period_of(grain, day, space.calendar)
                readers = [person for person in space.people if person.rank == rank]
                for person in readers if period.last_day == day else ():
                    context = compose(
                        connection,
                        report,
                        period,
                        person.person_id,
                        calendar=space.calendar,
                        sent_on=day + timedelta(days=1),
                    )
                    found[report, person.person_id, period] = replace(
                        context, published_at=None, run_id=None
                    )
    return found


def _figures(context: Context) -> dict[tuple[object, ...], Figure]:
    return {
        (section.name, f.product_id, f.scope_kind, f.scope, f.stage, f.kpi_id): f
        for section in context.sections
        for f in section.figures
    }


def _differing(was: Context, now: Context) -> list[Figure]:
    """Figures that are not the same in both, or in one only."""
    one, other = _figures(was), _figures(now)
    return [
        one.get(key) or other[key]
        for key in one.keys() | other.keys()
        if one.get(key) != other.get(key)
    ]


def _is_explained(figure: Figure, later: Iterable[Event], context: Context) -> bool:
    """Whether something that came after the mail may move the figure."""
    kpi = KPIS[figure.kpi_id]
    # what users do belongs to the channel they sign up by, also what they did before
    owns_channels = figure.scope_kind == "channel" or figure.scope in ("Eva", "Promotion")
    if "user_growth" in kpi.feeds and owns_channels:
        return True
    feeds = {
        feed
        for name in kpi.feeds
        for feed in (("page_views", "traffic") if name == "visits" else (name,))
    }
    return any(
        feed in feeds
        and figure.product_id in (product, ALL)
        and (not event.scopes or figure.scope_kind in event.scopes)
        and (
            not event.again
            or any(
                day in (*context.period.days, *context.previous.days)
                if kpi.is_additive
                else day < context.period.end
                for day in event.again
            )
        )
        for event in later
        for product, feed in event.feeds
    )
