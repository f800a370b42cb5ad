"""The SQL that labels users agrees with a slow reading of the rules, whatever days are built."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

import duckdb
import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

DBT_PROJECT = Path(__file__).parents[2] / "dbt_project"
FIRST = date(2024, 2, 5)
DAY = timedelta(days=1)
#: Shorter than in production, so that a few days show every label.
RULES = {
    "lifecycle_new_days": 4,
    "lifecycle_core_days": 3,
    "lifecycle_opinion_leader_invitations": 2,
    "lifecycle_lapsing_days": 5,
    "lifecycle_lost_days": 9,
    "value_tier_days": 6,
}
LINES = ("activity", "transaction", "value")
Change = tuple[int, str, str, str, date]


class Event(NamedTuple):
    """What a user did; value: of an order. inviter: of a sign-up."""

    kind: str
    user: int
    day: date
    value: int = 0
    inviter: int | None = None


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """A few users over three months, in which a block of days ends."""
    users, offsets = st.integers(1, 5), st.integers(0, 95)
    events = [
        Event("active", user, FIRST + offset * DAY)
        for user, offset in draw(st.sets(st.tuples(users, offsets), max_size=25))
    ]
    for user, start in draw(st.lists(st.tuples(users, offsets), max_size=4)):
        events += [Event("active", user, FIRST + (start + n) * DAY) for n in range(3)]
    for user, offset, value in draw(
        st.lists(st.tuples(users, offsets, st.integers(1, 4)), max_size=15)
    ):
        events.append(Event("order", user, FIRST + offset * DAY, value))
    for user, offset, inviter in draw(
        st.lists(st.tuples(users, offsets, st.none() | users), max_size=8)
    ):
        events.append(Event("sign-up", user, FIRST + offset * DAY, inviter=inviter))
    return events


@cache
def rendered(model: str) -> str:
    """A model without dbt: it reads tables of the same names."""
    judgement = "".join(
        (DBT_PROJECT / "macros" / "judgement" / f"{name}.sql").read_text()
        for name in ("lifecycle_label", "rate_of")
    )
    text = (DBT_PROJECT / "models" / "intermediate" / f"{model}.sql").read_text()
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(judgement + text)
    return template.render(config=lambda **_: "", ref=str, var=RULES.__getitem__)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(
            """
            create table int_populations as
                select 'p' as population, 'p' as source_product_id, 'EUR' as currency,
                    true as is_product, true as is_in_company;
            create table stg_organisation__company as select 'EUR' as currency;
            create table stg_organisation__exchange_rates(
                currency varchar, rate double, valid_from date);
            create table int_active_days(
                source_product_id varchar, user_key ubigint, local_date date);
            create table int_sign_ups_keyed(
                source_product_id varchar, user_key ubigint, inviter_key ubigint, local_date date);
            create table int_transactions_summed(
                source_product_id varchar, user_key ubigint, currency varchar, orders bigint,
                orders_with_value bigint, order_value decimal(38, 4), local_date date);
            create table int_periods_touched(layer varchar, grain varchar, period_start date);
            create table int_calendar_days(day date);
            create table dim_periods(grain varchar, period_start date, last_day date);
            create view int_user_first_seen as
                select 'p' as product_id, user_key as entity, min(local_date) as first_day
                from (
                    select user_key, local_date from int_active_days
                    union all select user_key, local_date from int_sign_ups_keyed
                    union all select user_key, local_date from int_transactions_summed
                ) group by all;
            """
        )
        opened.execute(f"create view int_user_values as {rendered('int_user_values')}")
        yield opened


@settings(deadline=None, max_examples=40)
@given(histories(), st.integers(0, 100), st.integers(0, 100))
def test_labels_change_as_the_rules_say_whatever_days_are_touched(
    connection: duckdb.DuckDBPyConnection, events: list[Event], one: int, other: int
) -> None:
    first, last = FIRST + min(one, other) * DAY, FIRST + max(one, other) * DAY
    fill(connection, events)
    assert changes_by_sql(connection, first, last) == changes_by_hand(events, first, last)


@pytest.mark.parametrize(("days", "label"), [(4, "repeat_buyer"), (5, "lapsing"), (9, "lost")])
def test_a_buyer_lapses_and_is_lost_on_the_very_day(
    connection: duckdb.DuckDBPyConnection, days: int, label: str
) -> None:
    fill(connection, [Event("order", 1, FIRST, 1), Event("order", 1, FIRST, 1)])
    day = FIRST + days * DAY
    found = {c[3] for c in changes_by_sql(connection, FIRST, day) if c[1] == "transaction"}
    assert label in found
    today = {c[3] for c in changes_by_sql(connection, day, day) if c[1] == "transaction"}
    assert today == ({label} if days > 4 else set())


def label(events: list[Event], user: int, line: str, day: date) -> str:
    """One user's label on one day, by the words of the rules."""
    until = [e for e in events if e.day <= day]
    own = [e for e in until if e.user == user]
    if line == "value":
        return tiers(events, day).get(user, "(none)")
    if not own:
        return "(none)"
    if line == "transaction":
        orders = [e for e in own if e.kind == "order"]
        if not orders:
            return "prospect"
        age = (day - max(e.day for e in orders)).days
        if age >= RULES["lifecycle_lost_days"]:
            return "lost"
        if age >= RULES["lifecycle_lapsing_days"]:
            return "lapsing"
        return "first_buyer" if len(orders) == 1 else "repeat_buyer"
    if (day - min(e.day for e in own)).days < RULES["lifecycle_new_days"]:
        return "new"
    active = {e.day for e in own if e.kind == "active" and e.day > day - 28 * DAY}
    invited = {e.user for e in until if e.inviter == user}
    if not active:
        return "dormant"
    if len(active) < RULES["lifecycle_core_days"]:
        return "active"
    if len(invited) >= RULES["lifecycle_opinion_leader_invitations"]:
        return "key_opinion_leader"
    return "core"


def tiers(events: list[Event], day: date) -> dict[int, str]:
    """The tier of everybody who brought in something."""
    values: dict[int, int] = defaultdict(int)
    for e in events:
        if e.kind == "order" and day - RULES["value_tier_days"] * DAY < e.day <= day:
            values[e.user] += e.value
    found = {}
    for user, value in values.items():
        above = sum(other > value for other in values.values()) / len(values)
        found[user] = (
            "top"
            if above < 0.01
            else "high"
            if above < 0.1
            else "middle"
            if above < 0.5
            else "rest"
        )
    return found


def changes_by_hand(events: list[Event], first: date, last: date) -> set[Change]:
    found = set()
    for number in range((last - first).days + 1):
        day = first + number * DAY
        for user in {e.user for e in events}:
            for line in LINES:
                before, now = (label(events, user, line, d) for d in (day - DAY, day))
                if before != now:
                    found.add((user, line, before, now, day))
    return found


def changes_by_sql(connection: duckdb.DuckDBPyConnection, first: date, last: date) -> set[Change]:
    connection.execute("delete from int_periods_touched")
    connection.execute(
        "insert into int_periods_touched select 'values', 'day', unnest(generate_series("
        "?::date, ?::date, interval 1 day))::date",
        [first, last],
    )
    rows = connection.execute(
        "select user_key, line, from_label, to_label, period_start "
        f"from ({rendered('int_label_changes')})"
    ).fetchall()
    assert len(set(rows)) == len(rows)
    return set(rows)


def fill(connection: duckdb.DuckDBPyConnection, events: list[Event]) -> None:
    for table in ("int_active_days", "int_sign_ups_keyed", "int_transactions_summed"):
        connection.execute(f"delete from {table}")
    for user, day in {(e.user, e.day) for e in events if e.kind == "active"}:
        connection.execute("insert into int_active_days values ('p', ?, ?)", [user, day])
    for e in events:
        if e.kind == "sign-up":
            connection.execute(
                "insert into int_sign_ups_keyed values ('p', ?, ?, ?)", [e.user, e.inviter, e.day]
            )
    orders: dict[tuple[int, date], list[int]] = defaultdict(list)
    for e in events:
        if e.kind == "order":
            orders[e.user, e.day].append(e.value)
    for (user, day), values in orders.items():
        connection.execute(
            "insert into int_transactions_summed values ('p', ?, 'EUR', ?, ?, ?, ?)",
            [user, len(values), len(values), sum(values), day],
        )
