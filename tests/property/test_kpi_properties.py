"""The SQL that splits page views into visits agrees with a slow reading of the definition."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

import duckdb
import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

DBT_PROJECT = Path(__file__).parents[2] / "dbt_project"
MIDNIGHT = datetime(2024, 2, 5)  # noqa: DTZ001  # in the product's own time zone
PAUSE = timedelta(minutes=30)
CAMPAIGNS = (
    None,
    ("google", "cpc", "spring"),
    ("google", "cpc", "autumn"),
    ("news", None, None),
    (None, None, "spring"),
)
Campaign = tuple[str | None, str | None, str | None]


class View(NamedTuple):
    event_id: str
    visitor: str
    at: datetime
    campaign: Campaign | None


class Visit(NamedTuple):
    visitor: int
    started_at: datetime
    page_views: int
    milliseconds: int
    campaign: str


KEYS = {"a": 1, "b": 2}
#: Seconds since the page view before: around the pause, and a few that are not.
PAUSES = st.sampled_from([0, 1, 60, 1799, 1800, 1801, 3600])


@st.composite
def page_views(draw: st.DrawFn) -> list[View]:
    """Some page views of two visitors around a midnight."""
    views = []
    for visitor in ("a", "b"):
        at = MIDNIGHT - timedelta(seconds=draw(st.integers(0, 7200)))
        for number, pause in enumerate(draw(st.lists(PAUSES, max_size=12))):
            at += timedelta(seconds=pause)
            campaign = draw(st.sampled_from(CAMPAIGNS))
            views.append(View(f"{visitor}-{number:02}", visitor, at, campaign))
    return views


MODELS = ("int_visitor_days", "int_page_views_visited", "int_visits")


@cache
def models_sql() -> tuple[tuple[str, str], ...]:
    """The models and the judgement they rest on, without dbt, over tables of the same names."""
    folders = (DBT_PROJECT / "macros" / "judgement", DBT_PROJECT / "macros" / "kpis")
    judgement = "".join(
        path.read_text()
        for folder in folders
        for path in sorted(folder.glob("*.sql"))
        if path.stem
        in {"starts_visit", "order_in_time", "key_of", "is_bounce", "channel_of", "in_batch"}
    )
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    variables = {"visit_gap_minutes": 30}
    return tuple(
        (
            name,
            environment.from_string(
                judgement + (DBT_PROJECT / "models" / "intermediate" / f"{name}.sql").read_text()
            ).render(config=lambda **_: "", ref=str, var=variables.__getitem__),
        )
        for name in MODELS
    )


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(
            "create table staged(event_key ubigint, visitor_key ubigint, local_date date, "
            "occurred_at timestamp, utm_source varchar, utm_medium varchar, utm_campaign varchar)"
        )
        opened.execute(
            "create view stg_landing__page_views as select *, 'p' as product_id, "
            "1::ubigint as url_key, 1::ubigint as referrer_key, 'phone' as device, "
            "false as is_excluded from staged"
        )
        opened.execute(
            "create table stg_landing__urls as select 1::ubigint as url_key, "
            "1::ubigint as path_key, null::varchar as utm_source, null::varchar as utm_medium, "
            "null::varchar as utm_campaign, null::varchar as click_id, null::varchar as host"
        )
        opened.execute(
            "create table stg_landing__referrers(referrer_key ubigint, host varchar);"
            "create table stg_landing__referrer_hosts(host varchar, kind varchar, name varchar);"
            "create table stg_organisation__channel_codes(code varchar, channel varchar);"
            "create table stg_organisation__channel_rules"
            "(position integer, channel varchar, field varchar, pattern varchar)"
        )
        yield opened


@settings(deadline=None, max_examples=100)
@given(page_views(), st.randoms(use_true_random=False))
def test_visits_are_split_as_defined_whatever_the_order_of_rows(
    connection: duckdb.DuckDBPyConnection, views: list[View], chance: random.Random
) -> None:
    assert visits_by_sql(connection, views, chance) == visits_by_hand(views)


@pytest.mark.parametrize(("seconds", "visits"), [(1799, 1), (1800, 1), (1801, 2)])
def test_a_visit_ends_after_more_than_thirty_minutes(
    connection: duckdb.DuckDBPyConnection, seconds: int, visits: int
) -> None:
    at = MIDNIGHT + timedelta(hours=9)
    views = [View("1", "a", at, None), View("2", "a", at + timedelta(seconds=seconds), None)]
    assert visits_by_sql(connection, views, random.Random(1)).total() == visits


def test_a_visit_ends_at_midnight(connection: duckdb.DuckDBPyConnection) -> None:
    second = timedelta(seconds=1)
    views = [View("1", "a", MIDNIGHT - second, None), View("2", "a", MIDNIGHT, None)]
    assert visits_by_sql(connection, views, random.Random(1)) == visits_by_hand(views)
    assert len(visits_by_hand(views)) == 2


def visits_by_hand(views: list[View]) -> Counter[Visit]:
    """Each visit: who, from when, how many page views, for how long, and by which campaign."""
    days: dict[tuple[object, ...], list[View]] = defaultdict(list)
    for view in views:
        days[view.visitor, view.at.date()].append(view)
    visits: list[list[View]] = []
    for day in days.values():
        visits.append([])
        for view in sorted(day, key=lambda v: (v.at, v.event_id)):
            visit = visits[-1]
            if visit and (
                view.at - visit[-1].at > PAUSE
                or (view.campaign is not None and view.campaign != visit[0].campaign)
            ):
                visit = []
                visits.append(visit)
            visit.append(view)
    return Counter(
        Visit(
            KEYS[visit[0].visitor],
            visit[0].at,
            len(visit),
            (visit[-1].at - visit[0].at) // timedelta(milliseconds=1),
            (visit[0].campaign or (None, None, None))[2] or "(not set)",
        )
        for visit in visits
    )


def visits_by_sql(
    connection: duckdb.DuckDBPyConnection, views: list[View], chance: random.Random
) -> Counter[Visit]:
    """The same by the models, over the rows in any order."""
    rows = [
        (n, KEYS[v.visitor], v.at.date(), v.at, *(v.campaign or (None, None, None)))
        for n, v in enumerate(sorted(views, key=lambda v: v.event_id))
    ]
    chance.shuffle(rows)
    connection.execute("delete from staged")
    if rows:
        connection.executemany("insert into staged values (?, ?, ?, ?, ?, ?, ?)", rows)
    for name, sql in models_sql():
        connection.execute(f"create or replace temp table {name} as {sql}")
    found = connection.execute(
        "select visitor_key, started_at, page_views, duration_milliseconds, campaign "
        "from int_visits"
    ).fetchall()
    return Counter(Visit(*row) for row in found)
