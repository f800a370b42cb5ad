"""The page docs/benchmarks-builds.md, written from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bench.page import machine, row
from bench.runs import Run


@dataclass(frozen=True)
class Measured:
    """Medians. page_views: of the 90 days, of the year, and of the one more day. day_after and
    corrected: after 90 days, and after 365."""

    at: datetime
    rounds: int
    load: tuple[float, float, float]
    page_views: tuple[int, int, int]
    plain: Run
    floor: Run
    whole: Run
    peers: Mapping[str, Run]
    year: Run
    day_after: tuple[Run, Run]
    day_floor: Run
    corrected: tuple[Run, Run]


def written(m: Measured) -> str:
    """The page as Markdown."""
    of_days, of_year, of_day = m.page_views
    short, long = m.day_after
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

## A year

{of_year:,} page views of 365 days: {m.year.wall:.0f} seconds ({m.year.cpu:.0f} CPU seconds),
{m.year.peak / 1000:.1f} GB.

## One more day

{of_day:,} page views of the last day of a quarter, with `kpi build`, after 90 and after 365 days,
and the floor of that day alone.

| | seconds | CPU seconds | peak memory, MB |
|---|---|---|---|
{row("floor of the day", m.day_floor)}
{row("after 90 days", short)}
{row("after 365 days", long)}
{row("a day three weeks back, after 90 days", m.corrected[0])}
{row("a day three weeks back, after 365 days", m.corrected[1])}

One more day costs **{long.wall / short.wall:.2f} times** as much after a year as after 90 days
({long.cpu / short.cpu:.2f} times the CPU seconds), and {short.wall:.0f} seconds against
{m.day_floor.wall:.0f} of its floor.
"""
