"""The real pipeline over real exports, on three dates for which only some products have data."""

from __future__ import annotations

import gzip
import re
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from kpi_pipeline import run, settings, warehouse
from kpi_pipeline.delivery.ledger import Ledger
from kpi_pipeline.periods import each_day
from kpi_pipeline.settings import Settings

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
DATES = (date(2016, 12, 12), date(2017, 8, 26), date(2019, 11, 30))


@dataclass(frozen=True)
class Outcome:
    """settings of the finished pipeline, and what each of the three runs delivered."""

    settings: Settings
    delivered: dict[date, dict[tuple[str, str], str]]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    if not REAL_DATA.is_dir():
        message = "the real exports are not beside the project; nothing is shown about them"
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    root = tmp_path_factory.mktemp("real")
    workspace = root / "workspace"
    shutil.copytree(Path(__file__).parent / "real_workspace", workspace)
    sources = workspace / "sources.yml"
    sources.write_text(sources.read_text().replace("{real_data}", str(REAL_DATA)))
    at_home = settings.from_environment(
        {
            "KPI_WORKSPACE": str(workspace),
            "KPI_HOME": str(root / "home"),
            "KPI_HASH_KEY": "a key for tests",
        }
    )
    history: dict[date, list[tuple[str, str, date, date]]] = {
        DATES[0]: [
            ("user_growth", "travel", date(2011, 6, 21), DATES[0]),
            ("traffic", "us_sites", date(2016, 9, 15), DATES[0]),
        ],
        DATES[1]: [
            ("user_growth", "travel", DATES[0], DATES[1]),
            ("traffic", "us_sites", date(2016, 12, 13), date(2016, 12, 13)),
        ],
        DATES[2]: [
            ("user_growth", "travel", date(2017, 8, 27), date(2017, 8, 27)),
            ("exposure", "ad_slots", date(2019, 11, 24), DATES[2]),
        ],
    }
    delivered = {}
    for day in DATES:
        at = datetime.combine(day + timedelta(days=1), time(10), UTC)
        for feed, product, first, last in history[day]:
            run.load(at_home, feed, [product], list(each_day(first, last)), at)
        everything = run.everything(at_home, day, day, at)
        delivered[day] = {
            (d.report, d.person_id): d.outcome
            for d in everything.deliveries
            if d.outcome != "skipped"
        }
    return Outcome(at_home, delivered)


def query(outcome: Outcome, sql: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
    with warehouse.open_published(outcome.settings) as connection:
        return connection.execute(sql, list(values)).fetchall()


def test_sign_ups_per_year_are_exact_and_the_site_itself_is_left_out(outcome: Outcome) -> None:
    per_year = query(
        outcome,
        "select year(period_start), sum(value)::integer from fct_kpi_values "
        "where kpi_id = 'sign_ups' and scope_kind = 'product' and grain = 'day' "
        "and value is not null group by 1 order by 1",
    )
    assert per_year == [
        (2011, 1503),
        (2012, 2001),
        (2013, 3777),
        (2014, 6911),
        (2015, 8350),
        (2016, 11166),
        (2017, 10494),
    ]
    excluded = query(
        outcome,
        "select sum(rows_landed)::integer from fct_slices where feed = 'user_growth'",
    )
    # every line of both files landed: 44,203 sign-ups, one of them the site's own, and 227,628 acts
    assert excluded == [(44_203 + 227_628,)]
    assert sum(count for _, count in per_year) == 44_203 - 1  # type: ignore[misc]


def test_impressions_and_clicks_are_exact_and_lack_only_a_cost(outcome: Outcome) -> None:
    week = query(
        outcome,
        "select kpi_id, sum(value)::bigint from fct_kpi_values where scope_kind = 'product' "
        "and product_id = 'ad_slots' and grain = 'day' "
        "and kpi_id in ('impressions', 'clicks', 'cost') group by 1 order by 1",
    )
    assert week == [("clicks", 207), ("cost", None), ("impressions", 40_000)]


def test_visits_are_exact_beyond_thirty_two_bits(outcome: Outcome) -> None:
    lines = (REAL_DATA / "usa_gov_traffic" / "devices.csv").read_text().splitlines()[1:]
    expected: dict[str, int] = {}
    for line in lines:
        day, _, visits = line.split(",")
        expected[day] = expected.get(day, 0) + int(visits)
    assert sum(expected.values()) > 2**31
    found = query(
        outcome,
        "select period_start::varchar, value::bigint from fct_kpi_values where kpi_id = 'visits' "
        "and scope_kind = 'product' and grain = 'day' and value is not null",
    )
    assert dict(found) == expected
    to_date = query(
        outcome,
        "select value::bigint, is_complete from fct_kpi_values where kpi_id = 'visits' "
        "and product_id = 'us_sites' and scope_kind = 'product' and grain = 'quarter' "
        "and as_of_date = date '2016-12-13'",
    )
    in_quarter = sum(count for day, count in expected.items() if day >= "2016-10-01")
    assert to_date == [(in_quarter, False)]


def test_what_a_date_lacks_is_absent_and_never_zero(outcome: Outcome) -> None:
    statuses = query(
        outcome,
        "select day::varchar, product_id, status from fct_slices where day in (?, ?, ?) "
        "order by all",
        DATES,
    )
    assert statuses == [
        ("2016-12-12", "ad_slots", "absent"),
        ("2016-12-12", "travel", "landed"),
        ("2016-12-12", "us_sites", "landed"),
        ("2016-12-12", "weblog", "absent"),
        ("2017-08-26", "ad_slots", "absent"),
        ("2017-08-26", "travel", "landed"),
        ("2017-08-26", "us_sites", "absent"),
        ("2017-08-26", "weblog", "absent"),
        ("2019-11-30", "ad_slots", "landed"),
        ("2019-11-30", "travel", "absent"),
        ("2019-11-30", "us_sites", "absent"),
        ("2019-11-30", "weblog", "absent"),
    ]
    values = query(
        outcome,
        "select distinct value, is_complete, incomplete_because from fct_kpi_values "
        "where product_id = 'us_sites' and scope_kind = 'product' and grain = 'day' "
        "and period_start = date '2017-08-26'",
    )
    assert values == [(None, False, "absent_days")]


def test_mails_go_out_for_the_products_that_have_data(outcome: Outcome) -> None:
    sent = {
        day: sorted(person for (report, person), how in who.items()
                    if how == "sent" and report == "specialist_daily")
        for day, who in outcome.delivered.items()
    }  # fmt: skip
    # who lacks data gets a mail that says so
    assert sent == {DATES[0]: ["ann", "lea", "sol"], DATES[1]: ["ann", "lea", "sol"],
                    DATES[2]: ["ann", "ivo", "lea", "sol"]}  # fmt: skip
    assert ("director_monthly", "dora") in outcome.delivered[DATES[2]]
    ledger = Ledger(outcome.settings)
    try:
        withheld = {
            (row.period_start, row.person_id): bool(row.withheld)
            for row in ledger.rows("specialist_daily", DATES[0])
            if row.state == "sent" and row.period_start in DATES
        }
    finally:
        ledger.close()
    assert withheld == {
        (DATES[0], "ann"): False,
        (DATES[0], "lea"): True,
        (DATES[0], "sol"): False,
        (DATES[1], "ann"): True,
        (DATES[1], "lea"): True,
        (DATES[1], "sol"): False,
        (DATES[2], "ann"): True,
        (DATES[2], "ivo"): False,
        (DATES[2], "lea"): True,
        (DATES[2], "sol"): True,
    }


def test_no_identifier_is_stored_as_it_came(outcome: Outcome) -> None:
    with gzip.open(REAL_DATA / "travel_community" / "users.csv.gz", "rt") as file:
        next(file)
        raw = {line.split(",")[0] for line in file}
    stored = query(outcome, "select hash from fct_slices limit 1")
    assert stored
    import duckdb

    with duckdb.connect(str(outcome.settings.warehouse), read_only=True) as connection:
        users = {
            row[0]
            for row in connection.execute("select user_id from intermediate.int_users").fetchall()
        }
    assert len(users) == len(raw) == 44_203
    assert users.isdisjoint(raw)
    assert all(re.fullmatch(r"[0-9a-f]{32}", user) for user in users)
