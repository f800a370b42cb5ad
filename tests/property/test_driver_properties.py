"""Contributions by the SQL of the macros sum to the change, and are those of the definition."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import duckdb
import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

MACROS = Path(__file__).parents[2] / "dbt_project" / "macros" / "kpis"
MEMBERS = ("ads", "email", "search", "direct", "(not set)")
FACTORS = ("impressions", "ctr", "visits_per_click", "visit_to_sign_up_rate")

Contributions = dict[tuple[str, str], float]


class Side(NamedTuple):
    """A member's numerator and denominator before and after."""

    n0: float
    d0: float
    n1: float
    d1: float


class Steps(NamedTuple):
    """What a channel had of each step of the funnel."""

    impressions: int
    clicks: int
    visits: int
    sign_ups: int

    def factors(self) -> dict[str, float | None]:
        return {
            "impressions": self.impressions,
            "ctr": per(self.clicks, self.impressions),
            "visits_per_click": per(self.visits, self.clicks),
            "visit_to_sign_up_rate": per(self.sign_ups, self.visits),
        }


def per(one: float, other: float) -> float | None:
    return one / other if other else None


NUMBERS = st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 10**12))
AMOUNTS = st.one_of(NUMBERS, st.floats(0, 1e6), st.floats(-1e3, 1e3))
SIDES = st.dictionaries(
    st.sampled_from(MEMBERS), st.builds(Side, AMOUNTS, NUMBERS, AMOUNTS, NUMBERS), max_size=5
)
STEPS = st.dictionaries(
    st.sampled_from(MEMBERS),
    st.tuples(*[st.one_of(st.none(), st.builds(Steps, NUMBERS, NUMBERS, NUMBERS, NUMBERS))] * 2),
    max_size=5,
)
CHANCE = st.randoms(use_true_random=False)


@cache
def rendered(call: str) -> str:
    source = (MACROS / "contributions.sql").read_text()
    return jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(
        source + "{{ " + call + " }}"
    ).render()  # fmt: skip


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(
            "create table totals(ask bigint, dimension varchar, method varchar, scale double, "
            "n0 double, d0 double, n1 double, d1 double); "
            "create table sides(ask bigint, dimension varchar, member varchar, "
            "n0 double, d0 double, n1 double, d1 double); "
            "create table chained(ask bigint, dimension varchar, member varchar, "
            "v0 double, v1 double); "
            "create table factors(ask bigint, member varchar, factor varchar, "
            "f0 double, f1 double)"
        )
        yield opened


@settings(deadline=None, max_examples=100)
@given(SIDES, CHANCE)
def test_contributions_to_a_sum_are_each_members_change(
    connection: duckdb.DuckDBPyConnection, sides: dict[str, Side], chance: random.Random
) -> None:
    found = contributions(connection, "additive", sides, 1.0, chance)
    assert found == {(name, "volume"): side.n1 - side.n0 for name, side in sides.items()}
    before, after = (math.fsum(s[i] for s in sides.values()) for i in (0, 2))
    assert_sums_to(found, before, after)


@settings(deadline=None, max_examples=300)
@given(SIDES, st.sampled_from([1.0, 1000.0]), CHANCE)
def test_contributions_to_a_ratio_sum_to_its_change_and_are_those_of_the_definition(
    connection: duckdb.DuckDBPyConnection,
    sides: dict[str, Side],
    scale: float,
    chance: random.Random,
) -> None:
    whole = whole_of(sides)
    found = contributions(connection, "ratio", sides, scale, chance)
    if not whole.d0 or not whole.d1:
        return
    before, after = whole.n0 / whole.d0, whole.n1 / whole.d1
    largest = max(
        (abs(n / d) for s in sides.values() for n, d in ((s.n0, s.d0), (s.n1, s.d1)) if d),
        default=0,
    )
    assert_sums_to(found, scale * before, scale * after)
    expected = ratio_by_hand(sides, scale)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert math.isclose(found[key], value, rel_tol=1e-9, abs_tol=1e-9 * scale * max(1, largest))


@settings(deadline=None, max_examples=300)
@given(STEPS, CHANCE)
def test_contributions_of_the_funnel_sum_to_the_change_of_its_channels(
    connection: duckdb.DuckDBPyConnection,
    channels: dict[str, tuple[Steps | None, Steps | None]],
    chance: random.Random,
) -> None:
    found = funnel(connection, channels, chance)
    nothing = Steps(0, 0, 0, 0)
    for name, sides in channels.items():
        old, new = (side or nothing for side in sides)
        own = {effect: value for (member, effect), value in found.items() if member == name}
        if all(f for side in (old, new) for f in side.factors().values()):
            assert set(own) == {f"factor:{factor}" for factor in FACTORS}
            mean = logarithmic_mean(new.sign_ups, old.sign_ups)
            for factor in FACTORS:
                f0, f1 = old.factors()[factor], new.factors()[factor]
                assert f0
                assert f1
                expected = mean * math.log(f1 / f0)
                assert math.isclose(own[f"factor:{factor}"], expected, rel_tol=1e-9, abs_tol=1e-9)
        else:
            assert own == {"volume": new.sign_ups - old.sign_ups}
    olds, news = zip(*channels.values(), strict=True) if channels else ((), ())
    before, after = (sum(side.sign_ups for side in sides if side) for sides in (olds, news))
    assert_sums_to(found, before, after)


@settings(deadline=None, max_examples=200)
@given(SIDES, CHANCE)
def test_a_reversal_is_marked_where_all_members_moved_one_way_and_the_whole_the_other(
    connection: duckdb.DuckDBPyConnection, sides: dict[str, Side], chance: random.Random
) -> None:
    whole = whole_of(sides)
    if not whole.d0 or not whole.d1:
        return
    moves = [s.n1 / s.d1 - s.n0 / s.d0 for s in sides.values() if s.d0 and s.d1]
    total = whole.n1 / whole.d1 - whole.n0 / whole.d0
    expected = bool(moves) and (
        (all(m > 0 for m in moves) and total < 0) or (all(m < 0 for m in moves) and total > 0)
    )
    lay(connection, "ratio", sides, 1.0, chance)
    assert is_reversed(connection) is expected


def test_simpsons_paradox_is_marked(connection: duckdb.DuckDBPyConnection) -> None:
    """Every channel converts better and the whole worse: most visits now come by the weaker."""
    sides = {"search": Side(90, 100, 19, 20), "ads": Side(2, 20, 30, 200)}
    lay(connection, "ratio", sides, 1.0, random.Random(1))
    assert is_reversed(connection) is True
    found = contributions(connection, "ratio", sides, 1.0, random.Random(2))
    assert all(value > 0 for (_, effect), value in found.items() if effect == "rate")
    assert math.isclose(sum(found.values()), 49 / 220 - 92 / 120, rel_tol=1e-12)


def test_a_worked_example_of_a_ratio(connection: duckdb.DuckDBPyConnection) -> None:
    """10/100 and 30/100 become 40/200 and 30/100; a third has a numerator alone."""
    sides = {"a": Side(10, 100, 40, 200), "b": Side(30, 100, 30, 100), "c": Side(2, 0, 0, 0)}
    found = contributions(connection, "ratio", sides, 1.0, random.Random(1))
    middle = 0.5 * (42 / 200 + 70 / 300)
    expected = {
        ("a", "rate"): 0.5 * (0.5 + 2 / 3) * 0.1,
        ("a", "mix"): (2 / 3 - 0.5) * (0.15 - middle),
        ("b", "rate"): 0.0,
        ("b", "mix"): (1 / 3 - 0.5) * (0.3 - middle),
        ("c", "unmatched"): -2 / 200,
    }
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert math.isclose(found[key], value, rel_tol=1e-12, abs_tol=1e-15), key


def test_a_member_that_comes_or_goes_is_pure_mix(connection: duckdb.DuckDBPyConnection) -> None:
    sides = {"stays": Side(10, 100, 10, 100), "comes": Side(0, 0, 9, 10), "goes": Side(1, 10, 0, 0)}
    found = contributions(connection, "ratio", sides, 1.0, random.Random(1))
    assert found["comes", "rate"] == found["goes", "rate"] == 0
    assert found["comes", "mix"] > 0


def test_one_member_is_all_of_the_change(connection: duckdb.DuckDBPyConnection) -> None:
    found = contributions(connection, "ratio", {"a": Side(1, 4, 3, 4)}, 1.0, random.Random(1))
    assert found == {("a", "rate"): 0.5, ("a", "mix"): 0.0}


def test_a_channel_without_a_step_enters_by_its_volume_alone(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    channels: dict[str, tuple[Steps | None, Steps | None]] = {
        "ads": (Steps(1000, 50, 40, 4), Steps(2000, 50, 40, 8)),
        "direct": (Steps(0, 0, 30, 5), Steps(0, 0, 30, 2)),
        "email": (None, Steps(500, 20, 10, 3)),
        "search": (Steps(100, 10, 10, 0), Steps(100, 10, 10, 1)),
    }
    found = funnel(connection, channels, random.Random(1))
    mean = 4 / math.log(2)
    assert {k: round(v, 9) for k, v in found.items()} == {
        ("ads", "factor:impressions"): round(mean * math.log(2), 9),
        ("ads", "factor:ctr"): round(-mean * math.log(2), 9),
        ("ads", "factor:visits_per_click"): 0.0,
        ("ads", "factor:visit_to_sign_up_rate"): round(mean * math.log(2), 9),
        ("direct", "volume"): -3.0,
        ("email", "volume"): 3.0,
        ("search", "volume"): 1.0,
    }


def whole_of(sides: dict[str, Side]) -> Side:
    return Side(*(math.fsum(side[i] for side in sides.values()) for i in range(4)))


def assert_sums_to(found: Contributions, before: float, after: float) -> None:
    """Within 1e-9 of what is large, or the last digits of contributions that cancel each other."""
    largest = max((abs(value) for value in found.values()), default=0.0)
    near = max(1e-9 * max(1, abs(before), abs(after)), 1e-14 * largest)
    assert abs(math.fsum(found.values()) - (after - before)) <= near


def ratio_by_hand(sides: dict[str, Side], scale: float) -> Contributions:
    whole = whole_of(sides)
    middle = (whole.n0 / whole.d0 + whole.n1 / whole.d1) / 2
    found: Contributions = {}
    for name, (n0, d0, n1, d1) in sides.items():
        if d0 or d1:
            r0 = n0 / d0 if d0 else n1 / d1
            r1 = n1 / d1 if d1 else n0 / d0
            w0, w1 = d0 / whole.d0, d1 / whole.d1
            found[name, "rate"] = scale * (w0 + w1) / 2 * (r1 - r0)
            found[name, "mix"] = scale * (w1 - w0) * ((r0 + r1) / 2 - middle)
        lost = n0 / whole.d0 if not d0 else 0.0
        won = n1 / whole.d1 if not d1 else 0.0
        if lost or won:
            found[name, "unmatched"] = scale * (won - lost)
    return found


def logarithmic_mean(a: float, b: float) -> float:
    return a if a == b else (a - b) / (math.log(a) - math.log(b))


def lay(
    connection: duckdb.DuckDBPyConnection,
    method: str,
    sides: dict[str, Side],
    scale: float,
    chance: random.Random,
) -> None:
    connection.execute("delete from totals; delete from sides")
    connection.execute(
        "insert into totals values (7, 'channel', ?, ?, ?, ?, ?, ?)",
        [method, scale, *whole_of(sides)],
    )
    rows = [(7, "channel", name, *side) for name, side in sides.items()]
    # another question beside it changes nothing
    rows.append((8, "channel", "ads", 1.0, 2.0, 3.0, 4.0))
    chance.shuffle(rows)
    connection.executemany("insert into sides values (?, ?, ?, ?, ?, ?, ?)", rows)


def contributions(
    connection: duckdb.DuckDBPyConnection,
    method: str,
    sides: dict[str, Side],
    scale: float,
    chance: random.Random,
) -> Contributions:
    lay(connection, method, sides, scale, chance)
    return _read(connection, "contributions()")


def funnel(
    connection: duckdb.DuckDBPyConnection,
    channels: dict[str, tuple[Steps | None, Steps | None]],
    chance: random.Random,
) -> Contributions:
    connection.execute("delete from chained; delete from factors")
    chained, factors = [], []
    for name, (old, new) in channels.items():
        values = [side.sign_ups if side else 0 for side in (old, new)]
        chained.append((7, "funnel", name, *values))
        if old or new:
            before, after = (side.factors() if side else {} for side in (old, new))
            factors += [(7, name, f, before.get(f), after.get(f)) for f in FACTORS]
    for table, rows in (("chained", chained), ("factors", factors)):
        chance.shuffle(rows)
        if rows:
            connection.executemany(f"insert into {table} values (?, ?, ?, ?, ?)", rows)
    return _read(connection, "chain_contributions()")


def is_reversed(connection: duckdb.DuckDBPyConnection) -> bool:
    rows = connection.execute(
        f"select ask, is_reversed from ({rendered('reversals()')})"
    ).fetchall()
    return dict(rows)[7] if rows else False


def _read(connection: duckdb.DuckDBPyConnection, call: str) -> Contributions:
    rows = connection.execute(
        f"select ask, member, effect, contribution from ({rendered(call)})"
    ).fetchall()
    assert {row[0] for row in rows} <= {7}
    assert len({row[1:3] for row in rows}) == len(rows)
    return {(member, effect): value for _, member, effect, value in rows}
