"""The SQL that splits page views into visits agrees with a slow reading of the definition."""

from __future__ import annotations

import random
from collections import defaultdict
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


@cache
def visits_sql() -> str:
    """The model and the judgement it rests on, without dbt: it reads a table of the same name."""
    judgement = (DBT_PROJECT / "macros" / "judgement" / "starts_visit.sql").read_text()
    model = (DBT_PROJECT / "models" / "intermediate" / "int_page_views_visited.sql").read_text()
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(judgement + model)
    variables = {"visit_gap_minutes": 30}
    return template.render(config=lambda **_: "", ref=str, var=variables.__getitem__)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(
            "create table staged(event_id varchar, visitor_id varchar, local_date date, "
            "occurred_at timestamp, utm_source varchar, utm_medium varchar, utm_campaign varchar)"
        )
        opened.execute(
            "create view stg_landing__page_views as select *, 'p' as product_id, '/' as path, "
            "null as device, null as click_id, null as referrer_host, false as is_excluded "
            "from staged"
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
    assert len(visits_by_sql(connection, views, random.Random(1))) == visits


def test_a_visit_ends_at_midnight(connection: duckdb.DuckDBPyConnection) -> None:
    second = timedelta(seconds=1)
    views = [View("1", "a", MIDNIGHT - second, None), View("2", "a", MIDNIGHT, None)]
    assert visits_by_sql(connection, views, random.Random(1)) == {("1",), ("2",)}


def visits_by_hand(views: list[View]) -> set[tuple[str, ...]]:
    """The event ids of each visit, in order."""
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
    return {tuple(view.event_id for view in visit) for visit in visits}


def visits_by_sql(
    connection: duckdb.DuckDBPyConnection, views: list[View], chance: random.Random
) -> set[tuple[str, ...]]:
    """The same by the model, over the rows in any order."""
    rows = [
        (v.event_id, v.visitor, v.at.date(), v.at, *(v.campaign or (None, None, None)))
        for v in views
    ]
    chance.shuffle(rows)
    connection.execute("delete from staged")
    if rows:
        connection.executemany("insert into staged values (?, ?, ?, ?, ?, ?, ?)", rows)
    found = connection.execute(
        f"select list(event_id order by occurred_at, event_id) from ({visits_sql()}) "
        "group by visitor_id, local_date, visit_number"
    ).fetchall()
    return {tuple(ids) for (ids,) in found}
