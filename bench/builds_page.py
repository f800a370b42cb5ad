"""The page docs/benchmarks-builds.md, written from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bench.page import machine, row
from bench.runs import Run


@dataclass(frozen=True)
class Measured:
    """Medians. page_views: of the 90 days, of the year, and of the one more day. day_after and
    corrected: after 90 days, and after 365. The year may not have been measured."""

    at: datetime
    rounds: int
    load: tuple[float, float, float]
    page_views: tuple[int, int, int]
    plain: Run
    floor: Run
    whole: Run
    peers: Mapping[str, Run]
    year: Sequence[Run]
    day_after: Sequence[Run]
    day_floor: Run
    corrected: Sequence[Run]


def written(m: Measured) -> str:
    """The page as Markdown."""
    of_days, of_year, of_day = m.page_views
    histories = dict(zip(("90", "365"), zip(m.day_after, m.corrected, strict=True), strict=False))
    days = "\n".join(
        row(f"the last day, after {n} days", day) + "\n" + row(f"three weeks back, after {n}", back)
        for n, (day, back) in histories.items()
    )
    peers = "\n".join(row(f"{name}, days only", run) for name, run in m.peers.items())
    beside = " and ".join(
        f"{run.wall / m.whole.wall:.1f} times as long by {name}" for name, run in m.peers.items()
    )
    return f"""# Benchmarks of builds

Written by `python -m bench.builds` on {m.at:%d %B %Y} on {machine(m.load)}.
Medians of {m.rounds} rounds in which the works took turns (pandas, polars, the year and the
corrections ran once), each in a process of its own. What counts is a ratio within this page.

The company is made from numbers alone (`bench/company.py`): four sites, 600,000 visitors, 5,000
pages, 40 campaigns, ten people in five teams who own products, channels, campaigns and parts of
sites. Before a ratio is written, the figures of all ways are compared; none differs.

## All days at once

{of_days:,} page views of 90 days, from landed Parquet. `kpi build --full` makes every table: values
at all scopes, comparisons, limits, drivers, forecasts and reports, and what makes tomorrow cheap.
The floor (`bench/floor.py`) is a script by hand that makes only the values of page views, visits,
visitors and pages, at all scopes and grains, and keeps nothing. The plain query counts rows and
distinct visitors by product and day.

| | seconds | CPU seconds | peak memory, MB |
|---|---|---|---|
{row("plain query", m.plain)}
{row("floor", m.floor)}
{row("kpi build --full", m.whole)}
{peers}

The build takes **{m.whole.wall / m.floor.wall:.2f} times** as long as the floor
({m.whole.cpu / m.floor.cpu:.2f} times its CPU seconds) and holds {m.whole.peak / 1000:.1f} GB. The
daily figures of products, channels, campaigns, devices and pages alone, with no other grain and no
company, teams or people, take {beside} as the whole build.

{_year(of_year, m.year)}## One more day

{of_day:,} page views of the last day of a quarter, with `kpi build`, beside the floor of that day
alone; and a day three weeks back that came again with other rows.

| | seconds | CPU seconds | peak memory, MB |
|---|---|---|---|
{row("floor of the last day", m.day_floor)}
{days}

The last day takes {m.day_after[0].wall:.0f} seconds,
{m.day_after[0].wall / m.day_floor.wall:.1f} times its floor{_longer(m.day_after)}.
"""


def _year(page_views: int, runs: Sequence[Run]) -> str:
    if not runs:
        return ""
    return f"""## A year

{page_views:,} page views of 365 days: {runs[0].wall:.0f} seconds ({runs[0].cpu:.0f} CPU seconds),
{runs[0].peak / 1000:.1f} GB.

"""


def _longer(runs: Sequence[Run]) -> str:
    if len(runs) < 2:
        return ""
    return (
        f", and **{runs[1].wall / runs[0].wall:.2f} times** as long after a year as after 90 days "
        f"({runs[1].cpu / runs[0].cpu:.2f} times the CPU seconds)"
    )
