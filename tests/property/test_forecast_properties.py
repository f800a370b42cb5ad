"""Forecasts agree with a slow reading of docs/forecasts.md, whatever the series."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from statistics import mean, median, stdev
from typing import Any

import charts
import pytest
from charts import Point, end_of
from hypothesis import given, settings
from hypothesis import strategies as st

from kpi_pipeline.periods import Grain

FIRST = date(2022, 7, 1)
LAST = date(2024, 5, 20)
HOLIDAYS = (date(2022, 12, 26), date(2023, 5, 1), date(2023, 12, 26), date(2024, 5, 1), LAST)
T_90 = {3: 1.637744, 4: 1.533206, 5: 1.475884, 6: 1.439756, 7: 1.414924, 8: 1.396815,
        9: 1.383029, 10: 1.372184, 11: 1.363430}  # fmt: skip
JUDGED = (date(2022, 9, 1), date(2023, 2, 10), date(2023, 7, 1), date(2023, 12, 20),
          date(2024, 2, 28), date(2024, 4, 1), date(2024, 5, 20))  # fmt: skip


@dataclass(frozen=True)
class Series:
    """A made-up KPI; a day that is missing has no value, and its period is never complete."""

    kpi_id: str
    chance: int
    level: float
    growth: float
    noise: float
    missing: tuple[date, ...]

    @property
    def is_unique(self) -> bool:
        return self.kpi_id == "active_users"

    @cache  # noqa: B019  # a few small series
    def days(self) -> dict[date, float]:
        chance = random.Random(self.chance)
        week = [chance.choice([0.3, 1.0, 1.4]) for _ in range(7)]
        values = {}
        for number in range((LAST - FIRST).days + 1):
            day = FIRST + timedelta(days=number)
            value = self.level * (1 + self.growth) ** (number / 7) * week[day.weekday()]
            value *= max(0.0, 1 + self.noise * chance.gauss(0, 1))
            if day not in self.missing:
                values[day] = float(round(value * (0.4 if day in HOLIDAYS else 1)))
        return values

    @cache  # noqa: B019  # a few small series
    def to_date(self, grain: Grain) -> dict[date, dict[date, float]]:
        """Value to date by the period's first day and the day; unique counts saturate."""
        days, found = self.days(), {}
        start = FIRST
        while start <= LAST:
            total, curve = 0.0, {}
            day = start
            while day < end_of(grain, start) and day <= LAST:
                if day not in days:
                    break
                total += days[day]
                curve[day] = float(round(math.sqrt(total) * 9)) if self.is_unique else total
                day += timedelta(days=1)
            found[start] = curve
            start = end_of(grain, start)
        return found


SERIES = st.builds(
    Series,
    kpi_id=st.sampled_from(["sign_ups", "complaints", "active_users"]),
    chance=st.integers(0, 10**6),
    level=st.sampled_from([1.0, 40.0, 2000.0]),
    growth=st.sampled_from([0.0, 0.02, -0.02, 0.2]),
    noise=st.sampled_from([0.0, 0.1, 0.5]),
    missing=st.lists(st.dates(FIRST, LAST), max_size=3).map(tuple),
)


@pytest.fixture(scope="module")
def made() -> charts.Charts:
    return charts.Charts(FIRST, LAST)


@settings(deadline=None, max_examples=12)
@given(SERIES, st.sampled_from(["month", "quarter"]), st.floats(0.5, 1.5))
def test_forecasts_are_those_of_the_definition(
    made: charts.Charts, series: Series, grain: Grain, aim: float
) -> None:
    found = forecast(made, series, grain, aim, LAST)
    curves = series.to_date(grain)
    by_day = {row["as_of_date"]: row for row in found}
    points = {
        (start, day): point_by_hand(series, grain, start, day)
        for start, curve in curves.items()
        for day in curve
        if day + timedelta(days=1) < end_of(grain, start)
    }
    assert set(by_day) == {day for (_, day), value in points.items() if value is not None}
    for day in JUDGED:
        if day not in by_day:
            continue
        row = by_day[day]
        start = row["period_start"]
        assert row["forecast"] == pytest.approx(points[start, day])
        assert row["is_backcomputed"] == (day < LAST)
        low, high, chance = interval_by_hand(series, grain, start, day, points, row["target"])
        assert near(row["forecast_low"], low, 1e-6)
        assert near(row["forecast_high"], high, 1e-6)
        assert near(row["forecast_chance"], chance, 1e-4)


@settings(deadline=None, max_examples=5)
@given(SERIES, st.sampled_from(["month", "quarter"]), st.dates(date(2023, 1, 5), LAST))
def test_what_comes_later_changes_no_forecast(
    made: charts.Charts, series: Series, grain: Grain, last: date
) -> None:
    def known(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**r, "is_backcomputed": None} for r in rows if r["as_of_date"] <= last]

    early = known(forecast(made, series, grain, 1.0, last))
    late = known(forecast(made, series, grain, 1.0, LAST))
    assert len(early) == len(late)
    for one, other in zip(early, late, strict=True):
        for name, value in one.items():
            if isinstance(value, float):
                assert near(value, other[name], 1e-6)
            else:
                assert value == other[name]


@settings(deadline=None, max_examples=3)
@given(SERIES)
def test_a_forecast_that_was_made_stays_when_its_days_are_corrected(
    made: charts.Charts, series: Series
) -> None:
    before = forecast(made, series, "month", 1.0, LAST)
    made.connection.execute("insert into forecasts_made from fct_forecasts_made")
    made.connection.execute("update fct_kpi_values set value = value + 1000")
    days = {row["as_of_date"] for row in before}
    # a day that had nothing to forecast from may have it now
    assert [row for row in made.forecast() if row["as_of_date"] in days] == before


def near(found: float | None, expected: float | None, tolerance: float) -> bool:
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-6, abs_tol=tolerance)


def forecast(
    made: charts.Charts, series: Series, grain: Grain, aim: float, last: date
) -> list[dict[str, Any]]:
    made.clear()
    made.connection.execute("delete from int_calendar_days")
    made.connection.execute("insert into int_calendar_days (day) values (?)", [last])
    points = [
        Point(series.kpi_id, "p", "day", day, value)
        for day, value in series.days().items()
        if day <= last
    ]
    for start, curve in series.to_date(grain).items():
        end = end_of(grain, start)
        for day, value in curve.items():
            if day <= last:
                is_over = day + timedelta(days=1) == end
                points.append(Point(series.kpi_id, "p", grain, start, value, is_over, None, day))
        made.aim(series.kpi_id, "p", grain, start, round(aim * 1000))
    made.add(points)
    for day in HOLIDAYS:
        made.holiday(day)
    return made.forecast()


def same_point(grain: Grain, start: date, day: date, other: date) -> date:
    """The day as far into the other period, its last one left out; halves go away from 0."""
    length, other_length = (end_of(grain, start) - start).days, (end_of(grain, other) - other).days
    number = math.floor(((day - start).days + 1) * other_length / length + 0.5)
    return other + timedelta(days=max(1, min(other_length - 1, number)) - 1)


def point_by_hand(series: Series, grain: Grain, start: date, day: date) -> float | None:
    curves = series.to_date(grain)
    value = curves[start][day]
    if series.is_unique:
        shares: list[float] = []
        complete = [s for s, c in curves.items() if s < start and total(grain, s, c)]
        for other in sorted(complete, reverse=True)[:6]:
            reached = curves[other][same_point(grain, start, day, other)]
            shares.append(reached / total(grain, other, curves[other]))
        if len(shares) < 3 or not value or not mean(shares):
            return None
        return value / min(mean(shares), 1.0)
    days = series.days()
    growth = growth_by_hand(days, day)
    ratios = [
        days[h] / base
        for h in HOLIDAYS
        if day - timedelta(days=400) <= h <= day
        and h in days
        and (base := base_by_hand(days, h.weekday(), h - timedelta(days=1)))
    ]
    bases = [base_by_hand(days, weekday, day, 35) for weekday in range(7)]
    expected = value
    ahead = day + timedelta(days=1)
    while ahead < end_of(grain, start):
        base = bases[ahead.weekday()]
        if base is None:
            return None
        weeks = 3 + min((ahead - day).days / 7, 4)
        is_holiday = ahead in HOLIDAYS and len(ratios) >= 2
        expected += base * growth**weeks * (median(ratios) if is_holiday else 1)
        ahead += timedelta(days=1)
    return expected


def total(grain: Grain, start: date, curve: dict[date, float]) -> float:
    """The whole period's value, 0 when it is not complete."""
    return curve.get(end_of(grain, start) - timedelta(days=1), 0.0)


def base_by_hand(
    days: dict[date, float], weekday: int, until: date, age: int = 10**4
) -> float | None:
    day = until - timedelta(days=(until.weekday() - weekday) % 7)
    known: list[date] = []
    while day >= FIRST and len(known) < 6:
        if day in days and day not in HOLIDAYS:
            known.append(day)
        day -= timedelta(days=7)
    if len(known) < 3 or (until - known[0]).days > age:
        return None
    return median([days[d] for d in known])


def growth_by_hand(days: dict[date, float], day: date) -> float:
    month = timedelta(days=28)
    pairs = [
        (days[d], days[d - month])
        for d in (day - timedelta(days=n) for n in range(28))
        if d in days and d - month in days
    ]
    before = sum(b for _, b in pairs)
    if len(pairs) < 14 or not before:
        return 1.0
    return max(0.9, min(1.1, math.sqrt(math.sqrt(sum(n for n, _ in pairs) / before))))


def interval_by_hand(
    series: Series,
    grain: Grain,
    start: date,
    day: date,
    points: dict[tuple[date, date], float | None],
    target: float,
) -> tuple[float | None, float | None, float | None]:
    curves = series.to_date(grain)
    value, expected = curves[start][day], points[start, day]
    assert expected is not None
    shares = []
    for other in sorted((s for s in curves if s < start), reverse=True):
        then = same_point(grain, start, day, other)
        outcome, before = total_or_none(grain, other, curves[other]), points.get((other, then))
        if outcome is not None and before is not None and before > curves[other][then]:
            shares.append((outcome - curves[other][then]) / (before - curves[other][then]))
    shares = shares[:12]
    if len(shares) < 4:
        return None, None, None
    centre, rest = mean(shares), expected - value
    spread = stdev(shares) * math.sqrt(1 + 1 / len(shares))
    reach = spread * T_90[len(shares) - 1]
    low = min(max(value + rest * (centre - reach), value), expected)
    high = max(value + rest * (centre + reach), expected)
    if value >= target:
        chance = 1.0
    elif rest == 0 or spread < 1e-9:
        chance = float(value + rest * centre >= target)
    else:
        distance = ((target - value) / rest - centre) / spread
        chance = 1 - below_t(distance, len(shares) - 1)
    return low, high, 1 - chance if series.kpi_id == "complaints" else chance


def total_or_none(grain: Grain, start: date, curve: dict[date, float]) -> float | None:
    return curve.get(end_of(grain, start) - timedelta(days=1))


def below_t(t: float, df: int) -> float:
    """The share of Student's t below `t`, by Simpson's rule over an angle."""
    scale = math.gamma((df + 1) / 2) / math.gamma(df / 2) / math.sqrt(math.pi)
    angle: Callable[[float], float] = lambda a: float(scale * math.cos(a) ** (df - 1))  # noqa: E731
    first, last, steps = -math.pi / 2, math.atan(t / math.sqrt(df)), 2000
    width = (last - first) / steps
    inner = sum((4 if n % 2 else 2) * angle(first + n * width) for n in range(1, steps))
    return width / 3 * (angle(first) + angle(last) + inner)
