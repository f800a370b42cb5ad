"""The page docs/benchmarks.md, written from what was measured."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.runs import Run


@dataclass(frozen=True)
class Measured:
    """Medians of each work; `inside`: without the start of its process. load: of the machine, at
    the end, with these runs in it."""

    at: datetime
    rounds: int
    load: tuple[float, float, float]
    lines: int
    rows: int
    log_size: int
    views_size: int
    goaccess: Run
    audited: Run
    audited_inside: Run
    longer: Run
    copied: Run
    copied_inside: Run
    landed: Run
    landed_inside: Run


def written(m: Measured) -> str:
    """The page as Markdown."""
    return f"""# Benchmarks

Written by `make bench` on {m.at:%d %B %Y} on {machine(m.load)}.
Medians of {m.rounds} rounds in which the works took
turns, each in a process of its own; memory is the most that any round held. What counts is a ratio:
seconds are as fast as the machine is free. Where the load is above the number of cores, others were
at work too; then compare CPU seconds.

The files are made from row numbers alone, so they are the same each time, and they are not kept in
the repository. `make bench` needs GoAccess (the Debian package `goaccess`) and 8 GB of disk.

## An access log to audited slices

{m.lines:,} lines of a combined log ({m.log_size / 1e6:,.0f} MB): landing (page views told from
other requests, visitors hashed, bots marked, Parquet by day) and its audit by Great Expectations,
against `goaccess FILE --log-format=COMBINED -o out.json --no-progress` with `LC_ALL=C`.

| | seconds | CPU seconds | peak memory, MB |
|---|---|---|---|
{row("GoAccess", m.goaccess)}
{row("landing and audit, whole process", m.audited)}
{row("the same without the start of the process", m.audited_inside)}
{row(f"ten times the lines ({m.lines * 10:,}), whole process", m.longer)}

GoAccess takes **{m.goaccess.wall / m.audited.wall:.1f} times** as long as the whole process, and
**{m.goaccess.wall / m.audited_inside.wall:.1f} times** as long without its start. Ten times the
lines took {m.longer.wall / m.audited.wall:.1f} times as long and held
{m.longer.peak / m.audited.peak:.1f} times the memory.

## A CSV of page views

{m.rows:,} rows of eight columns ({m.views_size / 1e6:,.0f} MB), ten days, landed, against DuckDB's
own `COPY (FROM 'file.csv') TO 'file.parquet' (FORMAT parquet)`, which checks nothing and hashes
nothing.

| | seconds | CPU seconds | peak memory, MB |
|---|---|---|---|
{row("COPY", m.copied_inside)}
{row("COPY, whole process", m.copied)}
{row("landing", m.landed_inside)}
{row("landing, whole process", m.landed)}

Landing takes **{m.landed_inside.wall / m.copied_inside.wall:.2f} times** as long as COPY
({m.landed_inside.cpu / m.copied_inside.cpu:.2f} times its CPU seconds); with the start of both
processes {m.landed.wall / m.copied.wall:.2f} times.

## Memory

`KPI_MEMORY` (3GB unless set) is what landing may keep in memory; more goes to disk, which costs a
CSV about a quarter more time. Access logs gain little from more than 500 MB and get no more. What a
process holds besides, and what its audit needs, comes on top: some 500 MB.
"""


def machine(load: tuple[float, float, float]) -> str:
    """What was measured on, and how busy it was."""
    return (
        f"a machine with {os.cpu_count()} cores,\n{_memory():.0f} GB of memory, "
        f"{platform.system()} and Python {platform.python_version()}; its load\n"
        f"over the last 15 minutes was {load[2]:.1f}"
    )


def row(name: str, run: Run) -> str:
    """A line of a table."""
    return f"| {name} | {run.wall:.1f} | {run.cpu:.1f} | {run.peak:,.0f} |"


def _memory() -> float:
    """Of the machine, in GB."""
    first = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()[0]
    return int(first.split()[1]) / 1024**2
