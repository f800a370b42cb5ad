"""Every expectation on landed slices: rows that break it, and rows beside them that do not.

Each case is a product of its own, so that all of them are asked in one audit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from landing_workspace import AT, PROJECT, Bench
from slice_fixture import Rows, put_organisation, put_slice, weeks_before

from kpi_pipeline.audit import AuditOutcome, audit_in, suites
from kpi_pipeline.audit.suites import Expectation
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.runlog import Check

DAY = date(2024, 6, 30)
EXPECTED = suites.load(PROJECT / "expectations" / "landing")
FEED_OF = {table.name: feed.name for feed in FEEDS.values() for table in feed.tables}


def at(hours: float, day: date = DAY) -> datetime:
    return datetime.combine(day, time()) + timedelta(hours=hours)


def page_views(count: int = 300, first: float = 0.2, last: float = 23.5, **more: Any) -> Rows:
    step = (last - first) / max(count - 1, 1)
    row = {"visitor_id": "a" * 32, "user_id": "b" * 32, "url": "/a", "is_bot": False} | more
    return [{"event_id": f"e{n}", "occurred_at": at(first + n * step), **row} for n in range(count)]


def traffic(visits: int = 100, **more: Any) -> Rows:
    row = {"date": DAY, "medium": "m", "campaign": "c", "device": "d", "visits": visits}
    row |= {"visitors": 9, "new_visitors": 2, "page_views": 2 * visits, "bounces": 1}
    return [row | {"source": f"s{n}"} | more for n in range(6)]


def exposure(impressions: int = 1000, **more: Any) -> Rows:
    row = {"date": DAY, "channel": "email", "placement": "p", "content_id": "x"}
    row |= {"impressions": impressions, "reach": 9, "clicks": 5, "cost": 10, "currency": "EUR"}
    return [row | {"campaign": f"c{n}"} | more for n in range(6)]


def users(count: int = 30, **more: Any) -> Rows:
    row = {"signed_up_at": at(9), "channel": "email", "invited_by": "c" * 32} | more
    return [{"user_id": f"{n:032x}", **row} for n in range(count)]


def activity(count: int = 300, **more: Any) -> Rows:
    row = {"user_id": "a" * 32, "kind": "post", "value": 2, "currency": "EUR"} | more
    return [{"event_id": f"e{n}", "occurred_at": at(9), **row} for n in range(count)]


PERIOD = {"scope_kind": "product", "scope_id": "p", "grain": "day", "period_start": DAY}
GOOD: dict[str, Callable[[], Rows]] = {
    "page_views": page_views,
    "traffic": traffic,
    "traffic_uniques": lambda: [PERIOD | {"visitors": 5, "new_visitors": 2}],
    "exposure": exposure,
    "exposure_reach": lambda: [PERIOD | {"reach": 5}],
    "exposure_market": lambda: [{"date": DAY, "channel": "email", "market_impressions": 5}],
    "users": users,
    "activity": activity,
    "content": lambda: [{"content_id": "x", "content_type": "own", "published_at": at(9)}],
}


@dataclass(frozen=True)
class Case:
    """What breaks an expectation (its label), and no other but those in `also`.

    before: the rows of each of the same weekdays and days before, and what their slices say.
    message: what is said of it after product, day and reason; None: not compared.
    """

    table: str
    label: str
    rows: Rows
    also: tuple[str, ...] = ()
    before: Rows | None = None
    days_before: int = 0
    weeks_before: int = 0
    said: Mapping[str, Any] = field(default_factory=dict)
    said_before: Mapping[str, Any] = field(default_factory=dict)
    asked: str | None = None
    message: str | None = None


def changed(table: str, **more: Any) -> Rows:
    """Good rows, of which the first has other values."""
    first, *rest = GOOD[table]()
    return [{**first, **more}, *rest]


def by_kind(table: str, expectation: Expectation) -> Case | None:
    """A case for what only its kwargs say: NULL, a length, a range, a set."""
    kwargs = expectation.kwargs
    wrong = {
        "expect_column_values_to_not_be_null": None,
        "expect_column_value_lengths_to_equal": "short",
        "expect_column_values_to_be_between": -1,
        "expect_column_values_to_be_in_set": "odd",
    }
    if expectation.type not in wrong:
        return None
    column = str(kwargs["column"])
    more: dict[str, Any] = {column: wrong[expectation.type]}
    if column == "visits":
        more |= {"visitors": None, "new_visitors": None, "bounces": None}
    if column == "visitors":
        more |= {"new_visitors": None}
    if column == "impressions":
        more |= {"clicks": 0, "reach": None}
    also: tuple[str, ...] = ()
    if column == "impressions" and wrong[expectation.type] is not None:
        also = ("exposure: There are no more clicks than impressions.",)
    return Case(table, expectation.label, changed(table, **more), also)


def label_of(table: str, beginning: str) -> str:
    found = [e.label for e in EXPECTED[table] if e.label.startswith(beginning)]
    assert len(found) == 1, (table, beginning, found)
    return found[0]


def between(first: float, last: float) -> dict[str, Any]:
    """What a slice says of a day whose data begin and end then."""
    return {"first_at": at(first).replace(tzinfo=UTC), "last_at": at(last).replace(tzinfo=UTC)}


WEEKS: dict[str, Any] = {"before": page_views(400), "weeks_before": 8}
YESTERDAY = DAY - timedelta(days=1)

CASES = [
    # what every slice is asked
    Case(
        "slices",
        "A day is not far below",
        page_views(150),
        asked="page_views",
        message="150 page views; the same weekday had 400 to 400 in the last 8 weeks.",
        **WEEKS,
    ),
    Case(
        "slices",
        "A day is not thin",
        page_views(270),
        asked="page_views",
        message="270 page views; the same weekday had 400 to 400 in the last 8 weeks.",
        **WEEKS,
    ),
    Case(
        "slices",
        "A day is not far above",
        page_views(900),
        asked="page_views",
        message="900 page views; the same weekday had 400 to 400 in the last 8 weeks.",
        **WEEKS,
    ),
    Case(
        "slices",
        "A day's data go on",
        page_views(),
        asked="page_views",
        said=between(0.5, 20),
        before=[],
        days_before=7,
        said_before=between(0.5, 23.5) | {"landed": 1000},
        message="The data end at 20:00; they usually go on until 23:30 or later.",
    ),
    Case(
        "slices",
        "A day's data begin",
        page_views(),
        asked="page_views",
        said=between(6.75, 23.5),
        before=[],
        days_before=7,
        said_before=between(0.5, 23.5) | {"landed": 1000},
        message="The data begin at 06:45; they usually begin by 00:30.",
    ),
    Case(
        "slices",
        "Most rows can be read",
        page_views(),
        asked="page_views",
        said={"read": 700, "quarantined": 400},
        message="400 of 700 rows are in quarantine (57%); at most 50% are taken.",
    ),
    Case(
        "slices",
        "Few rows are in quarantine",
        page_views(),
        asked="page_views",
        said={"read": 1300, "quarantined": 100},
        message="100 of 1,300 rows are in quarantine (7.7%); at most 5.0% are usual.",
    ),
    # page views
    Case("page_views", "Every row lies", changed("page_views", local_date=YESTERDAY)),
    Case("page_views", "A time lies", changed("page_views", occurred_at=at(40))),
    Case("page_views", "An event id occurs", changed("page_views", event_id="e1")),
    Case("page_views", "A url is", changed("page_views", url="ftp://a b")),
    Case(
        "page_views",
        "Most page views",
        [
            *page_views(100),
            *({**r, "event_id": f"b{n}"} for n, r in enumerate(page_views(200, is_bot=True))),
        ],
        message="200 of 300 page views are by bots; at most 50% are usual.",
    ),
    Case(
        "page_views",
        "A busy day",
        page_views(),
        said=between(1, 11.25),
        message="The data begin at 01:00 and end at 11:15.",
    ),
    Case(
        "page_views",
        "No visitor loads",
        page_views(5001),
        message="One visitor loaded 5,001 pages; at most 5,000 are plausible.",
    ),
    # traffic
    Case("traffic", "Every row lies", changed("traffic", local_date=YESTERDAY)),
    Case("traffic", "Each key occurs", changed("traffic", source="s1")),
    Case(
        "traffic",
        "There are no more visitors",
        changed("traffic", visitors=101),
        message="Rows against it: 1, by up to 1.",
    ),
    Case("traffic", "There are no more new", changed("traffic", new_visitors=10)),
    Case("traffic", "There are no more bounces", changed("traffic", bounces=101)),
    Case("traffic", "A visit has", changed("traffic", page_views=99)),
    Case(
        "traffic",
        "Most visits have",
        changed("traffic", source="(not set)", visits=9000, page_views=9000),
        message="9,000 of 9,500 visits are (not set); at most 80% are usual.",
    ),
    Case(
        "traffic",
        "Most visits have",
        [traffic(source="(not set)")[0]],
        message="100 of 100 visits are (not set); at most 80% are usual.",
    ),
    Case(
        "traffic",
        "No single row",
        changed("traffic", visits=6000, page_views=6000),
        also=("slices: A day is not far above the most of its weekday.",),
        before=traffic(),
        weeks_before=8,
        message="s0: 6,000 visits in one row; up to 5,000 are plausible.",
    ),
    Case("traffic_uniques", "Every row lies", changed("traffic_uniques", local_date=YESTERDAY)),
    Case("traffic_uniques", "Each key occurs", [*GOOD["traffic_uniques"]()] * 2),
    Case("traffic_uniques", "There are no more", changed("traffic_uniques", new_visitors=6)),
    # exposure
    Case("exposure", "Every row lies", changed("exposure", local_date=YESTERDAY)),
    Case("exposure", "Each key occurs", changed("exposure", campaign="c1")),
    Case(
        "exposure",
        "There are no more clicks",
        changed("exposure", clicks=1400),
        message="Rows against it: 1, by up to 400.",
    ),
    Case("exposure", "Nobody is reached", changed("exposure", reach=1001)),
    Case(
        "exposure",
        "No single row",
        changed("exposure", impressions=109_000_000),
        message="Campaign c0, placement p: 109,000,000 impressions in one row; up to 100,000,000 "
        "are plausible.",
    ),
    Case("exposure", "Cost is not negative", changed("exposure", cost=-1)),
    Case("exposure", "A cost names", changed("exposure", currency=None)),
    Case(
        "exposure",
        "A product is charged",
        changed("exposure", currency="USD"),
        message="Costs are in EUR, USD.",
    ),
    Case(
        "exposure",
        "Most impressions",
        changed("exposure", campaign="(not set)", impressions=95_000),
        message="95,000 of 100,000 impressions are (not set); at most 80% are usual.",
    ),
    Case(
        "exposure",
        "Most impressions",
        [exposure(campaign="(not set)")[0]],
        message="1,000 of 1,000 impressions are (not set); at most 80% are usual.",
    ),
    Case(
        "exposure",
        "A cost in another",
        exposure(currency="CHF"),
        message="Costs in CHF without one: 6; add a row to organisation/exchange_rates.csv.",
    ),
    Case(
        "exposure",
        "No single cost",
        changed("exposure", cost=501),
        message="Campaign c0: a cost of 501.0000 in one row; up to 500 are plausible.",
        before=exposure(),
        days_before=10,
    ),
    Case(
        "exposure",
        "Every channel",
        [*exposure(), *({**r, "channel": "e-mail"} for r in exposure()[:2])],
        message="Channel e-mail (rows: 2).",
    ),
    Case("exposure_reach", "Every row lies", changed("exposure_reach", local_date=YESTERDAY)),
    Case("exposure_reach", "Each key occurs", [*GOOD["exposure_reach"]()] * 2),
    Case("exposure_market", "Every row lies", changed("exposure_market", local_date=YESTERDAY)),
    Case("exposure_market", "Each key occurs", [*GOOD["exposure_market"]()] * 2),
    Case("exposure_market", "Every channel", changed("exposure_market", channel="tv")),
    # user growth
    Case("users", "Every row lies", changed("users", local_date=YESTERDAY)),
    Case("users", "A time lies", changed("users", signed_up_at=at(40))),
    Case("users", "A user signs up", changed("users", user_id=f"{1:032x}")),
    Case("users", "Nobody invites", changed("users", invited_by=f"{0:032x}")),
    Case(
        "users",
        "Every channel",
        changed("users", channel="e-mail"),
        message="Channel e-mail (sign-ups: 1).",
    ),
    Case(
        "users",
        "Most sign-ups",
        [*users(30, channel=None), *({**r, "user_id": "f" * 32} for r in users(1))],
        message="30 of 31 sign-ups have none; at most 80% are usual.",
    ),
    Case("activity", "Every row lies", changed("activity", local_date=YESTERDAY)),
    Case("activity", "A time lies", changed("activity", occurred_at=at(40))),
    Case("activity", "An event id occurs", changed("activity", event_id="e1")),
    Case(
        "activity",
        "Values are in one",
        changed("activity", currency="USD"),
        message="Values are in EUR, USD.",
    ),
    Case(
        "activity",
        "Every kind",
        changed("activity", kind="pots"),
        message="Kind pots (activities: 1).",
    ),
    Case(
        "activity",
        "No single value",
        changed("activity", value=101),
        message="post: a value of 101.0000; up to 100 are plausible.",
    ),
    Case("content", "Every row lies", changed("content", local_date=YESTERDAY)),
    Case("content", "A time lies", changed("content", published_at=at(40))),
]


def all_cases() -> list[Case]:
    said = [
        case
        for table, expectations in EXPECTED.items()
        for expectation in expectations
        if (case := by_kind(table, expectation)) is not None
    ]
    return [*said, *CASES]


def name_of(number: int, case: Case) -> str:
    return f"case-{number}-{case.table}"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[AuditOutcome, dict[str, Case]]:
    """All cases, and a good slice of each table beside them, in one audit."""
    settings = Bench(tmp_path_factory.mktemp("expectations")).settings
    cases = {name_of(number, case): case for number, case in enumerate(all_cases())}
    text = {"product_id": "VARCHAR", "currency": "VARCHAR", "time_zone": "VARCHAR"}
    names = [*cases, *(f"good-{table}" for table in GOOD)]
    put_organisation(
        settings,
        {
            "company": ({"currency": "VARCHAR"}, [{"currency": "EUR"}]),
            "products": (
                text,
                [{"product_id": n, "currency": "EUR", "time_zone": "UTC"} for n in names],
            ),
            "channels": ({"channel": "VARCHAR"}, [{"channel": "email"}]),
            "activity_kinds": ({"kind": "VARCHAR"}, [{"kind": "post"}]),
            "exchange_rates": (
                {"currency": "VARCHAR", "valid_from": "DATE"},
                [
                    {"currency": "USD", "valid_from": DAY},
                    {"currency": "CHF", "valid_from": DAY + timedelta(days=1)},
                ],
            ),
            "calendar": ({"day": "DATE", "kind": "VARCHAR", "product_id": "VARCHAR"}, []),
        },
    )
    for name, case in cases.items():
        table = case.asked or case.table
        feed = FEED_OF[table]
        days = {DAY - timedelta(days=back) for back in range(1, case.days_before + 1)}
        for day in sorted(days | set(weeks_before(DAY, case.weeks_before))):
            moved = {
                key: value - (DAY - day) if isinstance(value, datetime) else value
                for key, value in case.said_before.items()
            }
            put_slice(
                settings, feed, name, day, {table: case.before or []}, AT, is_audited=True, **moved
            )
        put_slice(settings, feed, name, DAY, {table: case.rows}, AT, **case.said)
    for table, rows in GOOD.items():
        put_slice(settings, FEED_OF[table], f"good-{table}", DAY, {table: rows()}, AT)
    return audit_in(settings, AT, "audit-1"), cases


def of(outcome: AuditOutcome, product: str) -> dict[str, Check]:
    return {
        f"{check.table_name}: {check.expectation}": check
        for check in outcome.findings
        if check.product_id == product
    }


def test_good_rows_pass(asked: tuple[AuditOutcome, dict[str, Case]]) -> None:
    assert {table: of(asked[0], f"good-{table}") for table in GOOD} == {t: {} for t in GOOD}


@pytest.mark.parametrize(
    ("number", "case"), enumerate(all_cases()), ids=lambda v: getattr(v, "label", None)
)
def test_what_breaks_an_expectation_breaks_it_alone(
    asked: tuple[AuditOutcome, dict[str, Case]], number: int, case: Case
) -> None:
    label = label_of(case.table, case.label)
    expectation = next(e for e in EXPECTED[case.table] if e.label == label)
    found = of(asked[0], name_of(number, case))
    assert set(found) == {f"{case.table}: {label}", *case.also}
    check = found[f"{case.table}: {label}"]
    assert check.outcome == {"stop": "stopped", "warn": "warned"}[expectation.severity]
    assert check.message.startswith(f"{name_of(number, case)}, {DAY}: {expectation.reason} ")
    if case.message is not None:
        assert (
            check.message == f"{name_of(number, case)}, {DAY}: {expectation.reason} {case.message}"
        )


def test_every_expectation_has_a_case() -> None:
    broken = {(case.table, label_of(case.table, case.label)) for case in all_cases()}
    assert broken == {(table, e.label) for table, every in EXPECTED.items() for e in every}
