"""The SQL that finds everybody's first visit of a period agrees with a slow reading of it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

import duckdb
import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

DBT_PROJECT = Path(__file__).parents[2] / "dbt_project"
DAY = timedelta(days=1)
#: A quarter that is over and one that is not, with weeks across the ends of months.
FIRST, LAST = date(2024, 1, 1), date(2024, 5, 5)
DAYS = [FIRST + DAY * n for n in range((LAST - FIRST).days + 1)]
#: y is a product whose visitors a backend counts.
PRODUCTS = {"p": "own", "q": "own", "y": "backend"}
CHANNELS = ("ads", "email", "search")
NEVER = date(9999, 12, 31)


class Owned(NamedTuple):
    team: str
    what: str
    which: str
    product: str
    since: date
    until: date


#: Whole products, a part of one, one that changes hands in mid-week, pages, and the backend's.
OWNED = (
    Owned("both", "product", "p", "p", FIRST, NEVER),
    Owned("both", "product", "q", "q", FIRST, NEVER),
    Owned("mixed", "product", "q", "q", FIRST, NEVER),
    Owned("mixed", "channel", "ads", "p", FIRST, NEVER),
    Owned("mixed", "campaign", "spring", "p", FIRST, NEVER),
    Owned("gives", "product", "p", "p", FIRST, date(2024, 2, 14)),
    Owned("gets", "product", "p", "p", date(2024, 2, 14), NEVER),
    Owned("pages", "product", "q", "q", FIRST, NEVER),
    Owned("pages", "page_prefix", "/guides", "p", date(2024, 3, 9), NEVER),
    Owned("backend", "product", "y", "y", FIRST, date(2024, 2, 14)),
    Owned("backend", "product", "p", "p", FIRST, NEVER),
)
Scope = tuple[str, str, str]


class Visit(NamedTuple):
    product: str
    visitor: int
    day: date
    minute: int
    channel: str
    campaign: str


VISITS = st.lists(
    st.builds(
        Visit,
        st.sampled_from(list(PRODUCTS)),
        st.integers(1, 4),
        st.sampled_from(DAYS) | st.sampled_from(DAYS[40:50]),
        st.integers(-1, 1),
        st.sampled_from(CHANNELS),
        st.sampled_from(["spring", "(not set)"]),
    ),
    max_size=25,
)


@cache
def rendered(model: str) -> str:
    """A model and the macros it rests on, without dbt: refs are tables of the same name."""
    macros = (DBT_PROJECT / "macros" / "kpis" / "first_touches.sql").read_text()
    (path,) = (DBT_PROJECT / "models").glob(f"*/{model}.sql")
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(
        macros + path.read_text()
    )
    return template.render(config=lambda **_: "", ref=str)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(
            f"""create table int_calendar_days as
            select d::date as day, date_trunc('week', d)::date as week_start,
                date_trunc('month', d)::date as month_start,
                date_trunc('quarter', d)::date as quarter_start
            from generate_series(timestamp '{FIRST}', timestamp '{LAST}', interval 1 day) as t(d)"""
        )
        for model in ("dim_periods", "int_period_days"):
            opened.execute(f"create table {model} as {rendered(model)}")
        opened.execute(
            """
            create table int_periods_touched(layer varchar, grain varchar, period_start date);
            create table stg_organisation__products(product_id varchar, traffic_source varchar);
            create table int_memberships(
                scope_kind varchar, scope_id varchar, what varchar, which varchar,
                product_id varchar, valid_from date, valid_to date);
            create table int_scope_products(
                scope_kind varchar, product_id varchar, scope_id varchar,
                source_product_id varchar, valid_from date, valid_to date);
            create table int_visits(
                source_product_id varchar, visitor_key ubigint, visit_number integer,
                source_cell_key ubigint, local_date date, started_at timestamp);
            create table int_visit_sources(
                source_cell_key ubigint, source_product_id varchar, channel varchar,
                campaign varchar, device varchar);
            """
        )
        opened.executemany(
            "insert into stg_organisation__products values (?, ?)", list(PRODUCTS.items())
        )
        for owned in OWNED:
            for kind in ("team", "person"):
                opened.execute(
                    f"insert into int_memberships values ('{kind}', ?, ?, ?, ?, ?, ?)", owned
                )
            opened.execute(
                "insert into int_scope_products values ('team', '(all)', ?, ?, ?, ?)",
                [owned.team, owned.product, owned.since, owned.until],
            )
        for name in PRODUCTS:
            opened.execute(
                "insert into int_scope_products values ('product', ?, ?, ?, ?, ?)",
                [name, name, name, FIRST, NEVER],
            )
        for table in ("int_first_touches_found", "int_first_touches_counted"):
            opened.execute(f"create table {table} as {rendered(table)}")
        yield opened


@settings(deadline=None, max_examples=40)
@given(VISITS, st.booleans(), st.randoms(use_true_random=False))
def test_each_visitor_is_in_the_channel_they_came_by_first(
    connection: duckdb.DuckDBPyConnection,
    visits: list[Visit],
    has_company: bool,
    chance: random.Random,
) -> None:
    """has_company: no product of the company is a backend's, as far as its scope is concerned."""
    fill(connection, visits, chance)
    connection.execute("delete from int_scope_products where scope_kind = 'company'")
    if not has_company:
        connection.execute(
            "insert into int_scope_products values ('company', '(all)', '(all)', 'y', ?, ?)",
            [FIRST, NEVER],
        )
    build(connection, FIRST)
    found = counted(connection)
    scopes: list[Scope] = [("product", name, name) for name in PRODUCTS if name != "y"]
    scopes += [
        ("team", "(all)", team) for team in ("both", "mixed", "gives", "gets", "pages", "backend")
    ]
    if has_company:
        scopes.append(("company", "(all)", "(all)"))
    assert found == {key: n for scope in scopes for key, n in by_hand(scope, visits).items()}
    # built again from some day on, it stays as it is
    build(connection, chance.choice(DAYS))
    assert counted(connection) == found


def test_the_first_of_two_visits_at_one_moment_is_the_first_of_its_day_then_of_its_name(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    day = date(2024, 1, 8)
    connection.execute("delete from int_visits; delete from int_visit_sources")
    for number, (visitor, visit_number, channel) in enumerate(
        ((1, 2, "ads"), (1, 1, "search"), (2, 1, "search"), (2, 1, "email"))
    ):
        connection.execute(
            "insert into int_visit_sources values (?, 'p', ?, 'x', 'd')", [number, channel]
        )
        connection.execute(
            "insert into int_visits values ('p', ?, ?, ?, ?, ?)",
            [visitor, visit_number, number, day, datetime(2024, 1, 8, 9)],  # noqa: DTZ001
        )
    build(connection, FIRST)
    found = {key[3:]: n for key, n in counted(connection).items() if key[0] == "product"}
    assert found == {
        (grain, start, channel): 1
        for grain, start in (("week", day), ("month", FIRST), ("quarter", FIRST))
        for channel in ("search", "email")
    }


def fill(connection: duckdb.DuckDBPyConnection, visits: list[Visit], chance: random.Random) -> None:
    connection.execute("delete from int_visits; delete from int_visit_sources")
    cells = sorted({(v.product, v.channel, v.campaign) for v in visits})
    for number, (product, channel, campaign) in enumerate(cells):
        connection.execute(
            "insert into int_visit_sources values (?, ?, ?, ?, 'any')",
            [number, product, channel, campaign],
        )
    rows = [
        [v.product, v.visitor, 1, cells.index((v.product, v.channel, v.campaign)), v.day, began(v)]
        for v in visits
    ]
    chance.shuffle(rows)
    if rows:
        connection.executemany("insert into int_visits values (?, ?, ?, ?, ?, ?)", rows)


def began(visit: Visit) -> datetime:
    """A day of one product may begin half a day before the same day of another."""
    hours = {"p": 12, "q": 0, "y": 6}[visit.product]
    midnight = datetime(visit.day.year, visit.day.month, visit.day.day)  # noqa: DTZ001
    return midnight + timedelta(hours=hours, minutes=visit.minute)


def build(connection: duckdb.DuckDBPyConnection, first: date) -> None:
    """Both tables, for the periods that end on a day or later."""
    connection.execute("delete from int_periods_touched")
    connection.execute(
        "insert into int_periods_touched "
        "select 'values', grain, period_start from dim_periods where period_end > ?",
        [first],
    )
    for table in ("int_first_touches_found", "int_first_touches_counted"):
        connection.execute(f"create or replace temp table made as {rendered(table)}")
        connection.execute(
            f"delete from {table} where (grain, period_start) in "
            "(select (grain, period_start) from int_periods_touched)"
        )
        connection.execute(f"insert into {table} by name from made")


def counted(
    connection: duckdb.DuckDBPyConnection,
) -> dict[tuple[str, str, str, str, date, str], int]:
    rows = connection.execute(
        "select scope_kind, product_id, scope_id, grain, period_start, channel, visitors "
        "from int_first_touches_counted"
    ).fetchall()
    assert len({row[:6] for row in rows}) == len(rows)
    return {row[:6]: row[6] for row in rows}


def by_hand(scope: Scope, visits: list[Visit]) -> dict[tuple[str, str, str, str, date, str], int]:
    firsts: dict[tuple[str, date, int], tuple[datetime, str]] = {}
    for visit in visits:
        if PRODUCTS[visit.product] != "own" or not is_in(scope, visit):
            continue
        for grain in ("week", "month", "quarter"):
            start, end = period_of(grain, visit.day)
            if end - DAY > LAST or is_not_told(scope, start, end):
                continue
            key = (grain, start, visit.visitor)
            first = (began(visit), visit.channel)
            firsts[key] = min(first, firsts.get(key, first))
    found: dict[tuple[str, str, str, str, date, str], int] = defaultdict(int)
    for (grain, start, _), (_, channel) in firsts.items():
        found[*scope, grain, start, channel] += 1
    return found


def is_in(scope: Scope, visit: Visit) -> bool:
    kind, product, name = scope
    if kind != "team":
        return product in ("(all)", visit.product)
    return any(
        o.team == name
        and o.product == visit.product
        and o.since <= visit.day < o.until
        and {"product": True, "channel": o.which == visit.channel}.get(
            o.what, o.what == "campaign" and o.which == visit.campaign
        )
        for o in OWNED
    )


def is_not_told(scope: Scope, start: date, end: date) -> bool:
    """A team has pages, or a product whose visitors a backend counts."""
    return any(
        o.team == scope[2]
        and (o.what == "page_prefix" or PRODUCTS[o.product] == "backend")
        and o.since < end
        and start < o.until
        for o in OWNED
    )


def period_of(grain: str, day: date) -> tuple[date, date]:
    """First day, and first day after."""
    if grain == "week":
        start = day - DAY * day.weekday()
        return start, start + 7 * DAY
    months = 1 if grain == "month" else 3
    start = date(day.year, day.month - (day.month - 1) % months, 1)
    return start, date(start.year, start.month + months, 1)
