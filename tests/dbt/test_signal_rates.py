"""How often quiet series signal, and how often a spike does, by the models' own SQL.

The figures printed in docs/signals.md are the ones measured here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import charts
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "signals.md"
QUARTER = date(2024, 4, 1)
BASELINE_DAYS = 84
DAYS = BASELINE_DAYS + 91
SERIES = 2000
SPIKE = 5.0


class Rates(NamedTuple):
    """Shares of judged days: outside the limits, marked; and of series judged against a trend."""

    signals: float
    marks: float
    trends: float


@pytest.fixture(scope="module")
def measured() -> dict[str, Rates]:
    return {
        "quiet, growing 0 to 2 % a week": rates(growth=0.02, spike=0.0),
        "quiet, without growth": rates(growth=0.0, spike=0.0),
        "days with a spike of five standard deviations": rates(growth=0.02, spike=SPIKE),
    }


def test_few_quiet_days_signal_and_most_spikes_do(measured: dict[str, Rates]) -> None:
    growing, level, spikes = measured.values()
    assert growing.signals <= 0.035
    assert level.signals <= 0.015
    assert spikes.signals >= 0.9


def test_the_page_prints_the_measured_rates(measured: dict[str, Rates]) -> None:
    rows = [
        f"| {name} | {100 * r.signals:.1f} % | {100 * r.marks:.0f} % | {100 * r.trends:.0f} % |"
        for name, r in measured.items()
    ]
    printed = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line in rows]
    assert printed == rows, "docs/signals.md has to say:\n" + "\n".join(rows)


def rates(growth: float, spike: float) -> Rates:
    """Of all judged days; of those with a spike where there are spikes."""
    chance = random.Random(20240401)
    made = charts.Charts(QUARTER - timedelta(days=BASELINE_DAYS), QUARTER + timedelta(days=90))
    spiked = []
    points: list[charts.Point] = []
    for number in range(SERIES):
        name = f"s{number}"
        day = BASELINE_DAYS + chance.randrange(91)
        height = spike * chance.choice([-1, 1])
        points.extend(
            charts.Point("visits", name, "day", QUARTER + timedelta(days=t - BASELINE_DAYS), value)
            for t, value in enumerate(series(chance, growth, day, height))
        )
        spiked.append((name, QUARTER + timedelta(days=day - BASELINE_DAYS)))
    made.add(points)
    judged = {key: j for key, j in made.judged().items() if key[3] >= QUARTER}
    assert len(judged) == SERIES * 91
    assert all(j.signal is not None for j in judged.values())
    asked = (
        [judged["visits", name, "day", day] for name, day in spiked] if spike else judged.values()
    )
    count = len(asked)
    return Rates(
        sum(j.signal != "none" for j in asked) / count,
        sum(j.marks is not None for j in asked) / count,
        sum(j.trend is not None for j in asked) / count,
    )


def series(chance: random.Random, growth: float, day: int, height: float) -> Iterator[float]:
    """Visits of each day: a level, growth, a weekly rhythm, and noise that a day passes on."""
    level = math.exp(chance.uniform(math.log(100), math.log(10_000)))
    weekly = 1 + chance.uniform(0, growth)
    rhythm = [math.exp(chance.gauss(0, 0.2)) for _ in range(7)]
    noise = chance.uniform(0.03, 0.15)
    carried = chance.uniform(0, 0.3)
    error = chance.gauss(0, 1)
    for t in range(DAYS):
        error = carried * error + math.sqrt(1 - carried**2) * chance.gauss(0, 1)
        moved = 1 + noise * (error + (height if t == day else 0))
        yield round(max(0.0, level * weekly ** (t / 7) * rhythm[t % 7] * moved))
