"""The SQL that counts users agrees with a slow reading of the definitions."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

DBT_PROJECT = Path(__file__).parents[2] / "dbt_project"
DAY = timedelta(days=1)
#: Around the end of a year that has a week 53, and of a quarter.
FIRST, LAST = date(2020, 11, 23), date(2021, 1, 31)
DAYS = [FIRST + DAY * n for n in range((LAST - FIRST).days + 1)]
#: Product and identity space; p and q know the same people.
PRODUCTS = {"p": "s", "q": "s", "r": "r"}
MACROS = ("user_keys", "activity_class", "cell_scopes", "periods_between")
#: What each table of users is made of, in the order in which they are built.
MODELS = (
    "int_user_quarters",
    "int_user_profiles",
    "int_users_known",
    "int_user_cells",
    "int_user_uniques",
    "int_sign_up_days",
)


class User(NamedTuple):
    """Somebody in one product. days: on which they were active; signed_up_on None: never did."""

    product: str
    name: str
    channel: str
    signed_up_on: date | None
    days: frozenset[date]


@st.composite
def users(draw: st.DrawFn) -> list[User]:
    keys = st.tuples(st.sampled_from(list(PRODUCTS)), st.sampled_from("abc"))
    found = []
    for product, name in sorted(draw(st.sets(keys, max_size=6))):
        near = st.sampled_from(DAYS[30:48]) | st.sampled_from(DAYS)
        signed_up_on = draw(st.none() | near)
        days = draw(st.frozensets(near, max_size=8))
        channel = draw(st.sampled_from(["ads", "mail"])) if signed_up_on else "(not set)"
        found.append(User(product, name, channel, signed_up_on, days))
    return found


@cache
def rendered(model: str, is_incremental: bool = False) -> str:
    """A model and the macros it rests on, without dbt: refs are tables of the same name."""
    macros = "".join(
        (DBT_PROJECT / "macros" / "kpis" / f"{name}.sql").read_text() for name in MACROS
    )
    (path,) = (DBT_PROJECT / "models").glob(f"*/{model}.sql")
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(
        macros + path.read_text()
    )
    return template.render(
        config=lambda **_: "",
        ref=str,
        source=lambda schema, table: f"{schema}_{table}",
        is_incremental=lambda: is_incremental,
        this=model,
    )


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
            """create table int_periods_touched as
            select distinct layer, grain, period_start
            from int_period_days cross join (values ('values'), ('matured')) as t(layer)"""
        )
        opened.execute(
            """create table stg_landing__slices as
            select 'user_growth' as feed, product_id, 'landed' as status, day
            from int_calendar_days cross join (values ('p'), ('q'), ('r')) as t(product_id)
            where not (product_id = 'p' and day = date '2021-01-05')"""
        )
        # ann has p until Christmas and what comes by ads to r; bob has q from then on
        opened.execute(
            """create table int_memberships as
            select scope_kind, scope_id, what, which, product_id,
                valid_from::date as valid_from, valid_to::date as valid_to
            from (values
                ('person', 'ann', 'product', 'p', 'p', '2020-01-01', '2020-12-25'),
                ('person', 'ann', 'channel', 'ads', 'r', '2020-01-01', '9999-12-31'),
                ('person', 'ann', 'campaign', 'x', 'p', '2020-01-01', '9999-12-31'),
                ('person', 'bob', 'product', 'p', 'p', '2020-12-25', '9999-12-31'),
                ('person', 'bob', 'product', 'q', 'q', '2020-12-25', '9999-12-31')
            ) as t(scope_kind, scope_id, what, which, product_id, valid_from, valid_to)"""
        )
        opened.execute(
            "create table stg_organisation__products as select product_id, identity_space "
            "from (values ('p', 's'), ('q', 's'), ('r', 'r')) as t(product_id, identity_space)"
        )
        opened.execute(
            """create table int_completeness as
            select 'user_growth' as feed_set, s.*, grain, period_start, as_of_date, 1 as landed_days
            from int_period_days cross join (
                select 'product' as scope_kind, unnest(['p', 'q', 'r']) as product_id,
                    unnest(['p', 'q', 'r']) as scope_id
                union all
                select 'channel', product_id, channel
                from (values ('p'), ('q'), ('r'), ('(all)')) as p(product_id)
                cross join (values ('ads'), ('mail')) as c(channel)) as s"""
        )
        yield opened


def build(
    connection: duckdb.DuckDBPyConnection, found: list[User], chance: random.Random
) -> dict[str, list[dict[str, Any]]]:
    """The tables of users, from the same rows in any order."""
    keys = {
        u: (
            "md5_number_lower(concat_ws(chr(31), ?, ?))",
            (PRODUCTS[u.product], u.name),
            (u.product, u.name),
        )
        for u in found
    }
    connection.execute(
        "create or replace table int_user_days (source_product_id varchar, person_key ubigint, "
        "member_key ubigint, is_active boolean, local_date date, last_activation_at timestamp)"
    )
    connection.execute(
        "create or replace table int_users (source_product_id varchar, identity_space varchar, "
        "user_id varchar, person_key ubigint, member_key ubigint, channel varchar, "
        "campaign varchar, is_excluded boolean, is_invited boolean, is_activated_at_once boolean, "
        "local_date date, signed_up_at timestamp)"
    )
    statements = []
    for user, (key, person, member) in keys.items():
        statements.extend(
            (
                f"insert into int_user_days select ?, {key}, {key}, true, ?, ?",
                [user.product, *person, *member, day, day],
            )
            for day in user.days
        )
        if user.signed_up_on:
            statements.append(
                (
                    f"insert into int_users select ?, ?, ?, {key}, {key}, ?, 'x', false, false, "
                    "false, ?, ?",
                    [
                        user.product,
                        PRODUCTS[user.product],
                        user.name,
                        *person,
                        *member,
                        user.channel,
                        user.signed_up_on,
                        user.signed_up_on,
                    ],
                )
            )
    chance.shuffle(statements)
    for statement, values in statements:
        connection.execute(statement, values)
    for model in MODELS:
        connection.execute(f"create or replace table {model} as {rendered(model)}")
    connection.execute(f"create or replace table fct_kpi_cohorts as {rendered('fct_kpi_cohorts')}")
    tables = {}
    for table in ("int_user_uniques", "int_sign_up_days", "fct_kpi_cohorts"):
        cursor = connection.execute(f"select * from {table}")
        names = [column[0] for column in cursor.description]
        tables[table] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return tables


Scope = tuple[str, str, str]
SCOPES: tuple[Scope, ...] = (
    ("company", "(all)", "(all)"),
    *(("product", product, product) for product in PRODUCTS),
    *(("campaign", product, campaign) for product in PRODUCTS for campaign in ("x", "(not set)")),
    *(
        ("channel", product, channel)
        for product in ("(all)", *PRODUCTS)
        for channel in ("ads", "mail", "(not set)")
    ),
    ("person", "(all)", "ann"),
    ("person", "(all)", "bob"),
)


def is_in(scope: Scope, user: User, day: date) -> bool:
    kind, product, name = scope
    if product not in ("(all)", user.product):
        return False
    if kind == "channel":
        return user.channel == name
    if kind == "campaign":
        return ("x" if user.signed_up_on else "(not set)") == name
    if name == "ann":
        is_hers = user.product == "p" and (day < date(2020, 12, 25) or user.signed_up_on)
        return bool(is_hers) or (user.product == "r" and user.channel == "ads")
    if name == "bob":
        return user.product in ("p", "q") and day >= date(2020, 12, 25)
    return True


def who(scope: Scope, user: User) -> tuple[str, str]:
    return (PRODUCTS[user.product] if scope[1] == "(all)" else user.product, user.name)


def active_on(scope: Scope, found: list[User]) -> dict[date, set[tuple[str, str]]]:
    return {
        day: {who(scope, u) for u in found if day in u.days and is_in(scope, u, day)}
        for day in DAYS
    }


def period_of(grain: str, day: date) -> tuple[date, date]:
    """First day, and first day after."""
    if grain == "day":
        return day, day + DAY
    if grain == "week":
        start = day - DAY * day.weekday()
        return start, start + 7 * DAY
    months = 1 if grain == "month" else 3
    start = date(day.year, day.month - (day.month - 1) % months, 1)
    following = start.month + months
    return start, date(start.year + (following > 12), (following - 1) % 12 + 1, 1)


#: The states that a build changes by key, their keys, and which of their rows are kept.
STATES = {
    "int_user_quarters": (
        ("member_key", "quarter_start"),
        "active_days <> 0 or activation_days <> 0",
    ),
    "int_user_profiles": (
        ("member_key",),
        "signed_up_on is not null or first_active_day is not null",
    ),
}


@settings(deadline=None, max_examples=12)
@given(users(), users(), st.randoms(use_true_random=False))
def test_states_built_a_few_days_at_a_time_twice_and_corrected_equal_one_full_build(
    connection: duckdb.DuckDBPyConnection,
    found: list[User],
    corrected: list[User],
    chance: random.Random,
) -> None:
    build(connection, corrected, chance)
    expected = {state: sorted(_rows_of(connection, state)) for state in STATES}
    for table in ("int_user_days", "int_users"):
        connection.execute(f"create or replace table {table}_corrected as from {table}")
    # first what is wrong, as one build; then what is right, in pieces, some of them again
    build(connection, found, chance)
    connection.execute("create or replace table int_users_kept as from int_users")
    pieces = [DAYS[n : n + 20] for n in range(0, len(DAYS), 20)]
    chance.shuffle(pieces)
    for days in [*pieces, pieces[0]]:
        connection.execute(
            "create or replace table landing_touched_slices as "
            "select 'user_growth' as feed, product_id, unnest(?::date[]) as day "
            "from stg_organisation__products",
            [days],
        )
        touched = "local_date in (select day from landing_touched_slices)"
        connection.execute(
            f"create or replace table int_user_days as from int_user_days_corrected where {touched}"
        )
        connection.execute(
            f"create or replace table int_users_kept as from int_users_kept where not {touched} "
            f"union all from int_users_corrected where {touched}"
        )
        connection.execute("create or replace table int_users as from int_users_kept")
        for state, (keys, kept) in STATES.items():
            connection.execute(f"create or replace temp table moved as {rendered(state, True)}")
            connection.execute(
                f"delete from {state} as t using moved as n "
                f"where {' and '.join(f't.{key} = n.{key}' for key in keys)}"
            )
            connection.execute(f"insert into {state} by name from moved where {kept}")
    assert {state: sorted(_rows_of(connection, state)) for state in STATES} == expected


def _rows_of(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [repr(row) for row in connection.execute(f"select * from {table}").fetchall()]


@settings(deadline=None, max_examples=20)
@given(users(), st.randoms(use_true_random=False))
def test_growth_accounting_is_as_defined_whatever_the_order_of_rows(
    connection: duckdb.DuckDBPyConnection, found: list[User], chance: random.Random
) -> None:
    rows = build(connection, found, chance)["int_user_uniques"]
    summed: dict[tuple[object, ...], list[int]] = {}
    names = ("active_users", "new_active_users", "retained_users", "resurrected_users")
    for row in rows:
        key = tuple(
            row[c]
            for c in (
                "scope_kind",
                "product_id",
                "scope_id",
                "window_kind",
                "grain",
                "period_start",
            )
        )
        sums = summed.setdefault(key, [0] * 5)
        for n, name in enumerate((*names, "preceding_users")):
            sums[n] += row[name]
    assert {k: v for k, v in summed.items() if any(v)} == accounted_by_hand(found)
    for active, new, retained, resurrected, preceding in summed.values():
        assert active == new + retained + resurrected
        assert preceding >= retained


def accounted_by_hand(found: list[User]) -> dict[tuple[object, ...], list[int]]:
    """Active, new, retained, resurrected and those of the period before, where there are any."""
    expected: dict[tuple[object, ...], list[int]] = {}
    for scope in SCOPES:
        active = active_on(scope, found)
        first: dict[tuple[str, str], date] = {}
        for user in found:
            if user.days and (scope[1] in ("(all)", user.product)):
                key = who(scope, user)
                first[key] = min(first.get(key, LAST), *user.days)

        def within(start: date, end: date, on: Mapping[date, set[Any]] = active) -> set[Any]:
            return set().union(*(on.get(start + DAY * n, set()) for n in range((end - start).days)))

        for grain in ("day", "week", "month", "quarter"):
            for start, end in sorted({period_of(grain, day) for day in DAYS}):
                if grain == "week" and end - DAY > LAST:
                    continue
                now = within(start, end)
                before = within(*period_of(grain, start - DAY))
                new = {w for w in now if first[w] >= start}
                counts = [now, new, now & before, now - new - before, before]
                expected[*scope, "period", grain, start] = [len(c) for c in counts]
        for length in (7, 28):
            for day in DAYS:
                now = within(day - (length - 1) * DAY, day + DAY)
                new = {w for w in now if first[w] >= day}
                counts = [now, new, set(), now - new, set()]
                expected[*scope, f"trailing_{length}", "day", day] = [len(c) for c in counts]
    return {key: counts for key, counts in expected.items() if any(counts)}


@settings(deadline=None, max_examples=12)
@given(users(), st.randoms(use_true_random=False))
def test_who_never_was_active_changes_nothing_in_what_counts_active_users(
    connection: duckdb.DuckDBPyConnection, found: list[User], chance: random.Random
) -> None:
    before = build(connection, found, chance)["int_user_uniques"]
    idle = User("p", "idle", "ads", DAYS[40], frozenset())
    after = build(connection, [*found, idle], chance)["int_user_uniques"]
    assert sorted(map(repr, before)) == sorted(map(repr, after))


@settings(deadline=None, max_examples=12)
@given(users(), st.randoms(use_true_random=False))
def test_distinct_users_never_exceed_the_sum_of_their_parts(
    connection: duckdb.DuckDBPyConnection, found: list[User], chance: random.Random
) -> None:
    rows = build(connection, found, chance)["int_user_uniques"]
    active: dict[tuple[object, ...], int] = {}
    for row in rows:
        if row["window_kind"] == "period":
            key = (row["scope_kind"], row["product_id"], row["grain"], row["period_start"])
            active[key] = active.get(key, 0) + row["active_users"]
    for (kind, product, grain, start), count in active.items():
        if kind == "company":
            assert count <= sum(active.get(("product", p, grain, start), 0) for p in PRODUCTS)
        if kind == "product":
            assert count == active[("channel", product, grain, start)]
            days = (
                n for (k, p, g, s), n in active.items()
                if (k, p, g) == (kind, product, "day") and period_of(str(grain), s)[0] == start  # type: ignore[arg-type]
            )  # fmt: skip
            if grain != "day":
                assert count <= sum(days)


@settings(deadline=None, max_examples=20)
@given(users(), st.randoms(use_true_random=False))
def test_retention_and_activation_are_as_defined(
    connection: duckdb.DuckDBPyConnection, found: list[User], chance: random.Random
) -> None:
    rows = build(connection, found, chance)["int_sign_up_days"]
    expected = {}
    for scope in SCOPES:
        firsts: dict[tuple[str, str], User] = {}
        for user in sorted((u for u in found if u.signed_up_on), key=signed_up):
            if is_in(scope, user, signed_up(user)[0]):
                firsts.setdefault(who(scope, user), user)
        anywhere: dict[tuple[str, str], set[date]] = {}
        for user in found:
            anywhere.setdefault(who(scope, user), set()).update(user.days)
        for person, user in firsts.items():
            start = signed_up(user)[0]
            sums = expected.setdefault((*scope, start), [0] * 9)
            sums[0] += 1
            for n, after in enumerate((1, 7, 30)):
                day = start + after * DAY
                if has_landed(user.product, day):
                    sums[1 + 2 * n] += 1
                    sums[2 + 2 * n] += day in anywhere[person]
            week = [start + DAY * n for n in range(8)]
            if all(has_landed(user.product, day) for day in week):
                sums[7] += 1
                sums[8] += any(day in user.days for day in week[1:])
    names = ["sign_ups"]
    for n in (1, 7, 30):
        names += [f"d{n}_observed_users", f"d{n}_retained_users"]
    names += ["activation_observed_users", "activated_users"]
    counted = {
        (r["scope_kind"], r["product_id"], r["scope_id"], r["local_date"]): [r[n] for n in names]
        for r in rows
    }
    assert counted == expected


def signed_up(user: User) -> tuple[date, str]:
    assert user.signed_up_on is not None
    return user.signed_up_on, user.product


def has_landed(product: str, day: date) -> bool:
    return day <= LAST and (product, day) != ("p", date(2021, 1, 5))


@settings(deadline=None, max_examples=20)
@given(users(), st.randoms(use_true_random=False))
def test_cohorts_are_as_defined(
    connection: duckdb.DuckDBPyConnection, found: list[User], chance: random.Random
) -> None:
    rows = build(connection, found, chance)["fct_kpi_cohorts"]
    expected = {}
    for scope in SCOPES:
        if scope[0] not in ("product", "channel"):
            continue
        firsts: dict[tuple[str, str], User] = {}
        for user in sorted((u for u in found if u.signed_up_on), key=signed_up):
            if is_in(scope, user, signed_up(user)[0]):
                firsts.setdefault(who(scope, user), user)
        anywhere: dict[tuple[str, str], set[date]] = {}
        for user in found:
            anywhere.setdefault(who(scope, user), set()).update(user.days)
        for grain in ("week", "month"):
            periods = sorted({period_of(grain, day) for day in DAYS})
            over = [(start, end) for start, end in periods if end - DAY <= LAST]
            for number, (start, end) in enumerate(over):
                cohort = [w for w, u in firsts.items() if start <= signed_up(u)[0] < end]
                for offset, (since, until) in enumerate(over[number:]):
                    if cohort:
                        active = sum(any(since <= d < until for d in anywhere[w]) for w in cohort)
                        key = (scope[1], scope[0], scope[2], grain, start, offset)
                        expected[key] = (len(cohort), active)
    counted = {tuple(r.values())[:6]: (r["users"], r["active"]) for r in rows}
    assert counted == expected


def test_the_november_cohort_is_present_in_january_and_weeks_go_on_over_the_year(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = [
        User("r", "a", "ads", date(2020, 11, 30), frozenset({date(2021, 1, 6)})),
        User("r", "b", "ads", date(2020, 12, 31), frozenset({date(2021, 1, 1), date(2021, 1, 6)})),
    ]
    rows = build(connection, found, random.Random(1))["fct_kpi_cohorts"]
    by_key = {
        (r["cohort_grain"], r["cohort_start"], r["offset"]): (r["users"], r["active"])
        for r in rows
        if r["scope_kind"] == "product"
    }
    assert by_key["month", date(2020, 11, 1), 2] == (1, 1)
    # 2020-W53 and 2021-W01 are one week apart, and 1 January lies in the first of them
    assert by_key["week", date(2020, 12, 28), 0] == (1, 1)
    assert by_key["week", date(2020, 12, 28), 1] == (1, 1)
    starts = sorted({start for grain, start, _ in by_key if grain == "week"})
    assert all((later - earlier).days % 7 == 0 for earlier, later in pairwise(starts))
