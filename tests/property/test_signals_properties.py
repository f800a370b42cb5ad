"""Limits, signals and marks agree with a slow reading of docs/signals.md, whatever the series."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import charts
import pytest
from charts import Judged, Point, end_of
from hypothesis import given, settings
from hypothesis import strategies as st

from kpi_pipeline.periods import Grain

FIRST = date(2021, 9, 6)
LAST = date(2024, 6, 30)
MINIMUM = {"day": 56, "week": 20, "month": 12}
UNITS = {
    "visits": ("count", 0.0, None),
    "bounce_rate": ("share", 0.0, 1.0),
    "visits_gap": ("share", -1.0, None),
}
SMALLEST_BASE = 100


@dataclass(frozen=True)
class Series:
    """A made-up series: what it is like, and the days on which it starts anew."""

    kpi_id: str
    grain: Grain
    chance: int
    shape: str
    growth: float
    noise: float
    missing: float
    restarts: tuple[date, ...]

    def points(self, name: str) -> list[Point]:
        chance = random.Random(self.chance)
        week = [chance.choice([0.0, 0.5, 1.0, 1.4]) for _ in range(7)]
        level = chance.choice([0.4, 3, 1000])
        points = []
        for number, start in enumerate(starts_of(self.grain)):
            value = level * (1 + self.growth) ** number
            if self.shape == "rhythm":
                value *= week[start.weekday()]
            value *= max(0.0, 1 + self.noise * chance.gauss(0, 1))
            value *= chance.choice([0, 5]) if chance.random() < 0.02 else 1
            if self.shape == "steps":
                value = level
            elif self.shape == "zeros":
                value = 0
            elif self.shape == "rare":
                value = float(chance.random() < 0.05)
            if self.kpi_id == "visits":
                value = round(value)
            elif self.kpi_id == "bounce_rate":
                value = min(value, 1.0)
            else:
                value -= level
            is_complete = chance.random() >= self.missing
            base = chance.choice([50, 5000]) if self.kpi_id == "bounce_rate" else None
            points.append(Point(self.kpi_id, name, self.grain, start, value, is_complete, base))
        return points


def starts_of(grain: Grain) -> Iterator[date]:
    """Three years of months and weeks, the last three quarters of days."""
    start = {"day": date(2023, 10, 1), "week": date(2023, 1, 2), "month": date(2021, 10, 1)}[grain]
    while end_of(grain, start) <= LAST + timedelta(days=1):
        yield start
        start = end_of(grain, start)


SERIES = st.builds(
    Series,
    kpi_id=st.sampled_from(sorted(UNITS)),
    grain=st.sampled_from(["day", "day", "week", "month"]),
    chance=st.integers(0, 10**6),
    shape=st.sampled_from(["level", "rhythm", "rhythm", "steps", "zeros", "rare"]),
    growth=st.sampled_from([0.0, 0.001, 0.01, -0.004]),
    noise=st.sampled_from([0.0, 0.02, 0.1, 0.5]),
    missing=st.sampled_from([0.0, 0.05, 0.3]),
    restarts=st.lists(st.dates(date(2023, 11, 1), LAST), max_size=2).map(tuple),
)


@pytest.fixture(scope="module")
def made() -> charts.Charts:
    return charts.Charts(FIRST, LAST)


@settings(deadline=None, max_examples=40)
@given(st.lists(SERIES, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_limits_are_those_of_the_definition_whatever_the_order_of_rows(
    made: charts.Charts, series: list[Series], chance: random.Random
) -> None:
    made.clear()
    points = [(s, p) for number, s in enumerate(series) for p in s.points(f"s{number}")]
    rows = [p for _, p in points]
    chance.shuffle(rows)
    made.add(rows)
    for number, one in enumerate(series):
        for day in one.restarts:
            if one.chance % 2:
                made.rebase(day, one.kpi_id, f"s{number}")
            else:
                made.change(day, f"s{number}")
    found = made.judged()
    assert len(found) == len(points)
    for number, one in enumerate(series):
        own = one.points(f"s{number}")
        complete = {p.start: float(p.value or 0) for p in own if p.is_complete}
        judged = {p.start: found[p.kpi_id, p.scope_id, p.grain, p.start] for p in own}
        for point in own:
            expected = by_hand(one, point, complete)
            assert same(point, judged[point.start], expected), (one, point, expected)
        assert {s: j.marks for s, j in judged.items()} == marks_by_hand(one, own, judged)


@settings(deadline=None, max_examples=15)
@given(SERIES, st.dates(date(2024, 1, 1), LAST))
def test_what_comes_later_changes_no_judgement(
    made: charts.Charts, series: Series, last: date
) -> None:
    points = series.points("s")
    found = []
    for known in (points, [p for p in points if end_of(p.grain, p.start) <= last]):
        made.clear()
        made.add(known)
        for day in series.restarts:
            made.rebase(day)
        found.append(made.judged())
    assert found[1].items() <= found[0].items()


def same(point: Point, found: Judged, expected: Judged) -> bool:
    """Equal to rounding; the signal too, unless the value lies on a limit."""
    for name in ("lower", "centre", "upper", "trend"):
        one, other = getattr(found, name), getattr(expected, name)
        if (one is None) != (other is None):
            return False
        if one is not None and not math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9):
            return False
    if found.reason != expected.reason:
        return False
    if expected.lower is None or expected.upper is None or point.value is None:
        return found.signal is None
    if found.points != expected.points:
        return False
    is_on_limit = min(abs(point.value - expected.lower), abs(point.value - expected.upper)) < 1e-9
    return is_on_limit or found.signal == expected.signal


def not_judged(reason: str) -> Judged:
    return Judged(None, None, None, None, None, None, None, reason)


def by_hand(series: Series, point: Point, complete: dict[date, float]) -> Judged:
    if not point.is_complete:
        return not_judged("absent_days")
    unit, lowest, highest = UNITS[point.kpi_id]
    if point.denominator is not None and point.denominator < SMALLEST_BASE:
        return not_judged("base_too_small")
    starts = baseline_of(series, point.start, complete)
    if starts is None:
        last = max((day for day in series.restarts if day <= point.start), default=None)
        is_ownership = series.chance % 2 == 0 and last is not None
        if is_ownership and last is not None and last > window_of(series.grain, point.start):
            return not_judged("ownership_changed")
        return not_judged("baseline_too_short")
    fit = fitted_twice(
        series.grain,
        unit,
        tuple((number_of(series.grain, s), s.weekday(), complete[s]) for s in starts),
    )
    if not fit.has_spread:
        return not_judged("no_spread")
    t, weekday = number_of(series.grain, point.start), point.start.weekday()
    if fit.has_no_index(weekday):
        return not_judged("weekday_index_zero")

    def clamped(z: float) -> float:
        value = fit.restored(z, weekday)
        value = value if lowest is None else max(value, lowest)
        return value if highest is None else min(value, highest)

    z = fit.centre(t)
    lower, centre, upper = clamped(z - fit.distance(t)), clamped(z), clamped(z + fit.distance(t))
    trend = None
    if fit.has_trend:
        trend = math.exp(fit.slope) - 1 if fit.is_log else fit.slope / abs(z)
    value = complete[point.start]
    signal = "above" if value > upper else "below" if value < lower else "none"
    return Judged(lower, centre, upper, trend, len(fit.points), signal, None, None)


def window_of(grain: Grain, start: date) -> date:
    quarter = quarter_of(start)
    if grain == "day":
        return quarter - timedelta(days=84)
    if grain == "week":
        return quarter - timedelta(days=26 * 7 + 6)
    return quarter.replace(year=quarter.year - 2)


def quarter_of(day: date) -> date:
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


def baseline_of(series: Series, start: date, complete: dict[date, float]) -> Sequence[date] | None:
    """First days of the periods the limits rest on; None when there are too few."""
    grain, minimum = series.grain, MINIMUM[series.grain]
    since = window_of(grain, start)
    anew = [day for day in series.restarts if since < day <= start]
    since = max([since, *anew])
    before = [s for s in sorted(complete) if since <= s and end_of(grain, s) <= quarter_of(start)]
    if len(before) >= minimum:
        return before
    first = [s for s in sorted(complete) if since <= s and end_of(grain, s) <= start][:minimum]
    return first if anew and len(first) == minimum else None


def number_of(grain: Grain, start: date) -> int:
    if grain == "month":
        return start.year * 12 + start.month
    return start.toordinal() // (7 if grain == "week" else 1)


@lru_cache
def fitted_twice(grain: Grain, unit: str, points: tuple[tuple[int, int, float], ...]) -> Fit:
    """Once more without the points that lie outside the first time."""
    fit = Fit(grain, unit, points)
    if not fit.has_spread:
        return fit
    return Fit(grain, unit, [p for p in points if abs(fit.residual(p)) <= fit.distance(p[0])])


class Fit:
    """A line, or a level, through (t, weekday, value)."""

    def __init__(self, grain: Grain, unit: str, points: Sequence[tuple[int, int, float]]) -> None:
        self.grain = grain
        self.is_signed = min(p[2] for p in points) < 0
        overall = mean([p[2] for p in points])
        self.index: dict[int, float] = {}
        for weekday in {p[1] for p in points}:
            own = mean([p[2] for p in points if p[1] == weekday])
            if self.is_signed:
                self.index[weekday] = own - overall
            elif overall:
                self.index[weekday] = own / overall
        self.points = [p for p in points if not self.has_no_index(p[1])]
        self.has_spread = False
        self.is_log = self.has_trend = False
        self.slope = 0.0
        if len(self.points) < 3:
            return
        ts = [p[0] for p in self.points]
        ys = [self.without_rhythm(p) for p in self.points]
        is_log = unit in ("count", "money") and min(ys) > 0
        zs = [math.log(y) for y in ys] if is_log else ys
        self.mean_t = mean(ts)
        self.sum_tt = math.fsum((t - self.mean_t) ** 2 for t in ts)
        slope = math.fsum((t - self.mean_t) * z for t, z in zip(ts, zs, strict=True)) / self.sum_tt
        left = [
            z - mean(zs) - slope * (t - self.mean_t) for t, z in zip(ts, zs, strict=True)
        ]  # fmt: skip
        error = math.sqrt(math.fsum(r * r for r in left) / (len(ts) - 2) / self.sum_tt)
        self.has_trend = abs(slope) > 2 * error
        if self.has_trend:
            self.slope = slope
            self.is_log = is_log
        self.level = mean(zs if self.has_trend else ys)
        residuals = [self.residual(p) for p in self.points]
        steps = [
            abs(b - a)
            for a, b, t, u in zip(residuals, residuals[1:], ts, ts[1:], strict=False)
            if u - t == 1
        ]
        freedom = len(ts) - (2 if self.has_trend else 1)
        self.spread = max(
            mean(steps) / 1.128 if steps else 0.0,
            math.sqrt(math.fsum(r * r for r in residuals) / freedom),
        )
        self.has_spread = self.spread > 1e-9 * (1 if self.is_log else abs(self.level))

    def has_no_index(self, weekday: int) -> bool:
        return self.grain == "day" and not self.is_signed and self.index.get(weekday, 0) <= 0

    def without_rhythm(self, point: tuple[int, int, float]) -> float:
        if self.grain != "day":
            return point[2]
        index = self.index[point[1]]
        return point[2] - index if self.is_signed else point[2] / index

    def centre(self, t: float) -> float:
        return self.level + self.slope * (t - self.mean_t)

    def residual(self, point: tuple[int, int, float]) -> float:
        if self.has_no_index(point[1]):
            return 0.0
        y = self.without_rhythm(point)
        return (math.log(y) if self.is_log else y) - self.centre(point[0])

    def distance(self, t: float) -> float:
        if not self.has_trend:
            return 3 * self.spread
        away = (t - self.mean_t) ** 2 / self.sum_tt
        return 3 * self.spread * math.sqrt(1 + 1 / len(self.points) + away)

    def restored(self, z: float, weekday: int) -> float:
        value = math.exp(z) if self.is_log else z
        if self.grain != "day":
            return value
        return value + self.index[weekday] if self.is_signed else value * self.index[weekday]


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def marks_by_hand(
    series: Series, points: list[Point], judged: dict[date, Judged]
) -> dict[date, str | None]:
    """Read off the limits found: near the same limit three times in four, eight on one side."""
    _, lowest, highest = UNITS[series.kpi_id]

    def side(point: Point) -> int:
        found = judged[point.start]
        if found.centre is None or point.value is None or point.value == found.centre:
            return 0
        return 1 if point.value > found.centre else -1

    def near(point: Point) -> int:
        found = judged[point.start]
        if found.lower is None or found.centre is None or found.upper is None:
            return 0
        value = float(point.value or 0)
        if side(point) == 1 and found.upper != highest:
            return int(found.upper - value < value - found.centre)
        if side(point) == -1 and found.lower != lowest:
            return -int(value - found.lower < found.centre - value)
        return 0

    marks: dict[date, str | None] = {}
    for number, point in enumerate(points):
        names = []
        four = [near(p) for p in points[max(0, number - 3) : number + 1]]
        eight = [side(p) for p in points[max(0, number - 7) : number + 1]]
        if near(point) and abs(sum(four)) >= 3:
            names.append("near_limit")
        if eight in ([1] * 8, [-1] * 8):
            names.append("one_side")
        marks[point.start] = ", ".join(names) or None
    return marks
