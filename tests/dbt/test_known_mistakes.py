"""What other tools got wrong, each on data on which the mistake would show.

`tests/conventions/test_traps.py` lists all of them, also those that have tests elsewhere.
"""

from __future__ import annotations

import csv
import email
import email.policy
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import charts
import pytest
import small_company

from kpi_pipeline import run
from kpi_pipeline.periods import each_day
from kpi_pipeline.runlog import RunLog
from kpi_pipeline.settings import Settings
from kpi_pipeline.warehouse import open_published

#: Two weeks of page views and users; the backend of york has been there for five Sundays.
FIRST, MONDAY, SUNDAY = date(2024, 1, 14), date(2024, 1, 29), date(2024, 2, 11)
SECOND_MONDAY = MONDAY + timedelta(days=7)
TUESDAY, WEDNESDAY, THURSDAY = (SECOND_MONDAY + timedelta(days=n) for n in (1, 2, 3))
#: Between the send time and the deadline of all readers, on the day after the last.
AT = datetime(2024, 2, 12, 7, 30, tzinfo=UTC)
TOKYO = ZoneInfo("Asia/Tokyo")
FEEDS = {
    "rio": ("page_views",),
    "nara": ("page_views", "user_growth"),
    "york": ("traffic", "exposure"),
}
ORGANISATION = {
    "products": """product_id,name,time_zone,currency,started_on,identity_space,traffic_source
rio,Rio,America/Sao_Paulo,BRL,2023-12-01,shared,own
nara,Nara,Asia/Tokyo,JPY,2023-12-01,shared,own
york,York,America/New_York,USD,2023-12-01,york,backend
""",
    "product_stages": """product_id,stage,valid_from,valid_to
rio,brand,2023-12-01,
nara,brand,2023-12-01,
york,brand,2023-12-01,
""",
    "people": """person_id,name,rank,team,manager,email,locale,time_zone,valid_from,valid_to
dan,Dan,director,,,dan@example.org,en,UTC,2023-12-01,
mia,Mia,manager,content,dan,mia@example.org,en,UTC,2023-12-01,
sam,Sam,specialist,content,mia,sam@example.org,en,UTC,2023-12-01,
eva,Eva,specialist,promotion,dan,eva@example.org,en,UTC,2023-12-01,
ann,Ann,specialist,user,dan,ann@example.org,en,UTC,2023-12-01,
""",
    "ownership": """person_id,what,which,product_id,valid_from,valid_to
sam,product,nara,,2023-12-01,
eva,product,york,,2023-12-01,
ann,product,nara,,2023-12-01,
ann,product,rio,,2023-12-01,
""",
    # there is none for GBP
    "exchange_rates": """currency,valid_from,rate
BRL,2023-12-01,0.185
JPY,2023-12-01,0.0062
USD,2023-12-01,0.92
CHF,2023-12-01,1.05
""",
    "targets": "kpi_id,scope_kind,scope_id,product_id,grain,period_start,value\n",
    "exclusions": "product_id,kind,value,reason\n",
}
HALF_A_BILLION = 500_000_000
OF_ANN = ("rio", "nara")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, run.Everything]:
    root = tmp_path_factory.mktemp("mistakes")
    space = small_company.write_workspace(root, ORGANISATION, FEEDS)
    for day in each_day(FIRST, SUNDAY):
        _write(space, "york", "traffic", day, _traffic(day))
        _write(space, "york", "traffic_uniques", day, _uniques(day))
        _write(space, "york", "exposure", day, _exposure(day))
        _write(space, "york", "exposure_reach", day, [])
        _write(space, "york", "exposure_market", day, [])
    for day in each_day(MONDAY, SUNDAY):
        _write(space, "rio", "page_views", day, _rio_views(day))
        _write(space, "nara", "page_views", day, _nara_views(day))
        _write(space, "nara", "users", day, _users(day))
        _write(space, "nara", "activity", day, _activity(day))
        _write(space, "nara", "content", day, [])
    settings = small_company.settings_for(root, space)
    return settings, run.everything(settings, FIRST, SUNDAY, AT)


def _nara_views(day: date) -> list[dict[str, object]]:
    """One visitor a day; a second on the first Tuesday; others a minute around the week's edge."""
    views = [_view("daily", day, time(12))]
    if day == MONDAY + timedelta(days=1):
        views += [_view("deep", day, time(13, minute)) for minute in (0, 10, 20)]
    if day == SECOND_MONDAY - timedelta(days=1):
        views.append(_view("before", day, time(23, 59)))
    if day == SECOND_MONDAY:
        views.append(_view("after", day, time(0, 1)))
    return views


def _rio_views(day: date) -> list[dict[str, object]]:
    """The visitor of nara, once."""
    return [_view("daily", day, time(23, 30))] if day == MONDAY else []


def _users(day: date) -> list[dict[str, object]]:
    """Five sign up in the first week, the last of them a minute before it ends; one after it."""
    names: dict[date, list[tuple[str, time]]] = {
        MONDAY: [("u1", time(9))],
        MONDAY + timedelta(days=1): [("u2", time(9)), ("u3", time(9)), ("u4", time(9))],
        SECOND_MONDAY - timedelta(days=1): [("before", time(23, 59))],
        SECOND_MONDAY: [("after", time(0, 1))],
    }
    return [{"user_id": n, "signed_up_at": _tokyo(day, at)} for n, at in names.get(day, [])]


def _activity(day: date) -> list[dict[str, object]]:
    """One is active every day, one on two days, others a minute around the week's edge."""
    acts = [("u1", time(12))]
    if day in (MONDAY + timedelta(days=1), MONDAY + timedelta(days=3)):
        acts.append(("u2", time(13)))
    if day == SECOND_MONDAY - timedelta(days=1):
        acts.append(("edge", time(23, 59)))
    if day == SECOND_MONDAY:
        acts.append(("edge", time(0, 1)))
    rows: list[dict[str, object]] = [
        {"event_id": f"{day} {name}", "user_id": name, "occurred_at": _tokyo(day, at),
         "kind": "post"}
        for name, at in acts
    ]  # fmt: skip
    if day == WEDNESDAY:
        order = {"user_id": "u1", "occurred_at": _tokyo(day, time(15)), "kind": "buy", "value": "5"}
        rows += [{"event_id": name, **order} for name in ("o1", "o2", "o2")]
    return rows


def _traffic(day: date) -> list[dict[str, object]]:
    """One and a half billion visits a day, and on the last less than half of them."""
    count = HALF_A_BILLION * (2 if day == SUNDAY else 5) // 5
    return [
        {"date": day, "source": f"s{n}", "medium": "email", "device": "mobile", "visits": count,
         "page_views": count, "bounces": count, "duration_seconds": count}
        for n in range(3)
    ]  # fmt: skip


def _uniques(day: date) -> list[dict[str, object]]:
    """Visitors of days; of periods only those of the first week are told."""
    row: dict[str, object] = {"scope_kind": "product", "scope_id": "york"}
    rows = [{**row, "grain": "day", "period_start": day, "visitors": HALF_A_BILLION}]
    if day == SECOND_MONDAY - timedelta(days=1):
        told = {"grain": "week", "period_start": MONDAY, "visitors": 6 * HALF_A_BILLION}
        rows.append({**row, **told})
    return rows


def _exposure(day: date) -> list[dict[str, object]]:
    """Tuesday has odd figures, Wednesday five currencies, and Thursday one without a rate."""

    def shown(
        placement: str, impressions: int, clicks: int, cost: int = 0, currency: str = "USD"
    ) -> dict[str, object]:
        return {
            "date": day, "channel": "email", "campaign": "c", "placement": placement,
            "impressions": impressions, "clicks": clicks, "cost": cost, "currency": currency,
            "reach": 5,
        }  # fmt: skip

    if day == TUESDAY:
        return [shown("swapped", 10, 25), shown("huge", 109_000_000, 3 * 10**9)]
    if day in (WEDNESDAY, THURSDAY):
        last = "CHF" if day == WEDNESDAY else "GBP"
        return [
            shown(currency, 100, 1, 10, currency) for currency in ("EUR", "USD", "JPY", "BRL", last)
        ]
    return [shown("top", 100, 1, 10)]


def _view(visitor: str, day: date, at: time) -> dict[str, object]:
    return {
        "event_id": f"{visitor} {day} {at}",
        "occurred_at": _tokyo(day, at),
        "visitor_id": visitor,
        "url": "https://nara.example/",
        "is_bot": "false",
    }


def _tokyo(day: date, at: time) -> str:
    return datetime.combine(day, at, TOKYO).astimezone(UTC).isoformat()


def _write(
    space: Path, product: str, table: str, day: date, rows: Sequence[Mapping[str, object]]
) -> None:
    path = space / "data" / product / table / f"{day}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, small_company.COLUMNS[table])
        writer.writeheader()
        writer.writerows(rows)


Built = tuple[Settings, run.Everything]


def values_of(
    built: Built, product_id: str, grain: str, start: date, *kpi_ids: str
) -> dict[str, float | None]:
    """Values of a period at its last day there is, of a product or the company."""
    kind = "company" if product_id == "(all)" else "product"
    with open_published(built[0]) as connection:
        rows = connection.execute(
            "select kpi_id, value from fct_kpi_values where scope_kind = ? and product_id = ? "
            "and grain = ? and period_start = ? and list_contains(?, kpi_id) "
            "qualify as_of_date = max(as_of_date) over (partition by kpi_id)",
            [kind, product_id, grain, start, list(kpi_ids)],
        ).fetchall()
    return dict(rows)


# --- figures of periods ---

#: Of the first week of nara: three visitors of whom one came daily, nine visits, eleven pages.
WEEK = {
    "unique_visitors": 3,
    "bounce_rate": 8 / 9,
    "pages_per_visit": 11 / 9,
    "average_visit_duration_seconds": 1200 / 9,
    "visit_to_sign_up_rate": 5 / 9,
    "active_users": 3,
    "d1_retention": 1 / 5,
    "d7_retention": 1 / 5,
    "activation_rate": 2 / 5,
}


def test_a_weeks_uniques_and_ratios_are_no_sum_or_mean_of_its_days(built: Built) -> None:
    found = values_of(built, "nara", "week", MONDAY, *WEEK)
    assert found == pytest.approx(WEEK)
    days: dict[str, list[float]] = {kpi_id: [] for kpi_id in WEEK}
    for day in each_day(MONDAY, MONDAY + timedelta(days=6)):
        for kpi_id, value in values_of(built, "nara", "day", day, *WEEK).items():
            days[kpi_id] += [] if value is None else [value]
    for kpi_id, value in WEEK.items():
        assert len(days[kpi_id]) >= 3, kpi_id
        total = math.fsum(days[kpi_id])
        for wrong in (total, total / len(days[kpi_id]), total / 7):
            assert not math.isclose(value, wrong, rel_tol=1e-3), kpi_id


def test_a_persons_visitors_are_no_sum_of_their_products(built: Built) -> None:
    """Ann owns two products that know the same people, of whom one came to both."""
    products = [values_of(built, p, "day", MONDAY, "unique_visitors", "visits") for p in OF_ANN]
    assert products == [{"unique_visitors": 1, "visits": 1}] * 2
    with open_published(built[0]) as connection:
        rows = connection.execute(
            "select kpi_id, value from fct_kpi_values where scope_kind = 'person' "
            "and scope_id = 'ann' and grain = 'day' and period_start = ? "
            "and kpi_id in ('unique_visitors', 'visits')",
            [MONDAY],
        ).fetchall()
    assert dict(rows) == {"unique_visitors": 1, "visits": 2}


def test_a_week_of_tokyo_is_cut_at_tokyos_midnight(built: Built) -> None:
    kpi_ids = ("page_views", "visits", "sign_ups", "active_users", "orders")
    found = [values_of(built, "nara", "week", day, *kpi_ids) for day in (MONDAY, SECOND_MONDAY)]
    # both sides of the edge lie on the same day of UTC
    first = {"page_views": 11, "visits": 9, "sign_ups": 5, "active_users": 3, "orders": 0}
    second = {"page_views": 8, "visits": 8, "sign_ups": 1, "active_users": 2, "orders": 2}
    assert found == [first, second]
    sunday = SECOND_MONDAY - timedelta(days=1)
    days = [values_of(built, "nara", "day", day, "page_views") for day in (sunday, SECOND_MONDAY)]
    assert days == [{"page_views": 2}, {"page_views": 2}]


def test_orders_that_are_alike_but_for_their_key_are_all_counted(built: Built) -> None:
    """Three rows that say the same, two of which have the same key."""
    found = values_of(built, "nara", "day", WEDNESDAY, "orders", "revenue", "customers")
    assert found == {"orders": 2, "revenue": 10, "customers": 1}


def test_totals_go_beyond_thirty_two_bits(built: Built) -> None:
    kpi_ids = ("visits", "page_views", "unique_visitors", "bounce_rate", "pages_per_visit")
    billions = 7 * 3 * HALF_A_BILLION
    assert values_of(built, "york", "week", MONDAY, *kpi_ids) == {
        "visits": billions,
        "page_views": billions,
        "unique_visitors": 6 * HALF_A_BILLION,
        "bounce_rate": 1,
        "pages_per_visit": 1,
    }
    company = values_of(built, "(all)", "week", MONDAY, "visits", "page_views")
    assert company == {"visits": billions + 10, "page_views": billions + 12}


def test_daily_reach_and_visitors_are_never_summed_into_a_month(built: Built) -> None:
    kpi_ids = ("reach", "reach_daily_mean", "frequency", "unique_visitors", "daily_visitors_mean")
    assert values_of(built, "york", "month", date(2024, 2, 1), *kpi_ids) == {
        "reach": None,
        "reach_daily_mean": 5,
        "frequency": None,
        "unique_visitors": None,
        "daily_visitors_mean": HALF_A_BILLION,
    }
    # who is known one by one is counted: three were active and three came, on eleven days
    month = values_of(built, "nara", "month", date(2024, 2, 1), "active_users", "unique_visitors")
    assert month == {"active_users": 3, "unique_visitors": 3}


def test_odd_exposure_is_flagged_and_summed_as_reported(built: Built) -> None:
    kpi_ids = ("impressions", "clicks", "cost")
    assert values_of(built, "york", "day", TUESDAY, *kpi_ids) == {
        "impressions": 109_000_010,
        "clicks": 3_000_000_025,
        "cost": 0,
    }
    # 10 of each of EUR, USD, JPY, BRL and CHF, at the rates of the day
    euros = 10 * (1 + 0.92 + 0.0062 + 0.185 + 1.05)
    wednesday = {p: values_of(built, p, "day", WEDNESDAY, "cost") for p in ("york", "(all)")}
    assert wednesday["(all)"] == pytest.approx({"cost": euros}, abs=1e-3)
    assert wednesday["york"] == pytest.approx({"cost": euros / 0.92}, abs=1e-3)
    thursday = [values_of(built, p, "day", THURSDAY, "cost") for p in ("york", "(all)")]
    assert thursday == [{"cost": None}, {"cost": None}]
    log = RunLog(built[0])
    told = {
        check["message"].removeprefix("york, ")
        for row in log.runs()
        for check in log.checks_of(row["run_id"])
        if check["outcome"] == "warned" and check["message"].startswith("york, ")
    }
    mixed = "A product is charged in one currency; costs in others are converted at the rate of "
    mixed += "their day. Costs are in"
    assert told == {
        f"{TUESDAY}: There are no more clicks than impressions. Rows against it: 2, by up to "
        "2,891,000,000.",
        f"{TUESDAY}: No single row is far above what is high on other days; it is summed as "
        "reported. Campaign c, placement huge: 109,000,000 impressions in one row; up to 50,000 "
        "are plausible.",
        f"{WEDNESDAY}: {mixed} BRL, CHF, EUR, JPY, USD.",
        f"{THURSDAY}: {mixed} BRL, EUR, GBP, JPY, USD.",
        f"{THURSDAY}: A cost in another currency has an exchange rate of its day; without one it "
        "stays unknown. Costs in GBP without one: 1; add a row to organisation/exchange_rates.csv.",
    }


# --- what goes out, and what is held ---


def test_a_half_day_holds_the_report_of_who_needs_it_and_no_other(built: Built) -> None:
    told = [d for d in built[1].deliveries if d.report != "manager_weekly"]
    last = {d.person_id: (d.outcome, d.reason) for d in told if d.period_start == SUNDAY}
    assert last == {
        "sam": ("sent", "all data are there"),
        "ann": ("sent", "all data are there"),
        "eva": ("held", "waiting until the deadline for york/traffic"),
    }
    assert built[1].rejected == (
        f"traffic of york on {SUNDAY} is rejected: A day is not far below the least of its "
        "weekday, or hours of it are missing. 600,000,000 visits; the same weekday had "
        "1,500,000,000 to 1,500,000,000 in the last 8 weeks.",
    )


def test_a_mail_about_a_week_states_the_days_it_counts_and_none_that_is_not_over(
    built: Built,
) -> None:
    (path,) = (built[0].outbox / "manager_weekly").rglob("*.eml")
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    part = mail.get_body(("plain",))
    assert part is not None
    text = " ".join(part.get_content().split())
    stated = re.search(r"(\w+, \d+ \w+ \d{4}) to (\w+, \d+ \w+ \d{4}), both included", text)
    assert stated is not None
    since, until = (datetime.strptime(day, "%A, %d %B %Y").date() for day in stated.groups())  # noqa: DTZ007
    assert (since, until) == (SECOND_MONDAY, SUNDAY)
    assert until < AT.date()
    # what the mail counts is what lies between the days it names
    views = sum(len(_nara_views(day)) for day in each_day(since, until))
    assert re.findall(r"\* Page views: ([\d,]+) ", text)[0] == str(views) == "8"
    assert f"Visits, Content, {since.day}–{until.day} Feb 2024: 8 " in text
    assert mail["Subject"].endswith(f"{since.day}–{until.day} Feb 2024")


# --- series ---


@pytest.fixture(scope="module")
def made() -> charts.Charts:
    return charts.Charts(date(2023, 1, 1), date(2024, 6, 30))


def test_a_rolling_figure_is_compared_with_its_own_window_a_period_before(
    made: charts.Charts,
) -> None:
    """A day with the window up to a week before, a month with that up to the month before's end."""
    made.clear()
    days = list(each_day(date(2024, 1, 1), date(2024, 3, 31)))
    made.add(charts.Point("wau", "s", "day", day, float(n)) for n, day in enumerate(days))
    ends = {date(2024, 1, 1): 30, date(2024, 2, 1): 59, date(2024, 3, 1): 90}
    made.add(charts.Point("wau", "s", "month", start, float(n)) for start, n in ends.items())
    made.build()
    found = made.connection.execute(
        "select grain, period_start, previous_value, previous_change from fct_kpi_status"
    ).fetchall()
    expected: list[tuple[Any, ...]] = [
        ("day", day, float(n - 7) if n >= 7 else None, 7.0 if n >= 7 else None)
        for n, day in enumerate(days)
    ]
    expected += [
        ("month", date(2024, 1, 1), None, None),
        ("month", date(2024, 2, 1), 30.0, 29.0),
        ("month", date(2024, 3, 1), 59.0, 31.0),
    ]
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def test_a_product_that_grows_is_judged_against_its_trend(made: charts.Charts) -> None:
    """1 % a week and a little noise: no week is unusual, but for one that stands still."""
    made.clear()
    mondays = [date(2023, 10, 2) + timedelta(weeks=n) for n in range(39)]
    values = [1000 * 1.01**n * (1.004 if n % 2 else 0.996) for n in range(39)]
    values[33] = values[20]
    made.add(
        charts.Point("visits", "s", "week", monday, float(round(value)))
        for monday, value in zip(mondays, values, strict=True)
    )
    judged = {key[3]: j for key, j in made.judged().items() if key[3] >= date(2024, 4, 1)}
    assert {day: j.signal for day, j in judged.items()} == {
        monday: "below" if monday == mondays[33] else "none" for monday in mondays[26:]
    }
    assert all(j.trend == pytest.approx(0.01, abs=0.001) for j in judged.values())


def _not_judged() -> Iterator[tuple[str, list[charts.Point]]]:
    weeks = [date(2023, 10, 2) + timedelta(weeks=n) for n in range(27)]
    yield "no_spread", [charts.Point("visits", "flat", "week", day, 7.0) for day in weeks]
    yield (
        "baseline_too_short",
        [charts.Point("visits", "one", "week", day, 7.0) for day in weeks[-2:]],
    )
    yield (
        "base_too_small",
        [
            charts.Point("bounce_rate", "tiny", "week", day, 0.1 + n % 3 / 10, True, 99.0)
            for n, day in enumerate(weeks)
        ],
    )


@pytest.mark.parametrize(("reason", "points"), list(_not_judged()))
def test_what_says_too_little_is_not_judged_and_the_reason_is_given(
    made: charts.Charts, reason: str, points: list[charts.Point]
) -> None:
    made.clear()
    made.add(points)
    last = points[-1]
    found = made.judged()[last.kpi_id, last.scope_id, "week", last.start]
    assert found == charts.Judged(None, None, None, None, found.points, None, None, reason)
