"""The days a file speaks for: that of its name, or those of its rows."""

# names are the contract's own
from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb

from kpi_pipeline.feeds.contracts import FeedTable
from kpi_pipeline.feeds.reading import FileRead
from kpi_pipeline.landing import judge
from kpi_pipeline.landing.span import Range
from kpi_pipeline.landing.times import is_clock
from kpi_pipeline.workspace import Source

DaysOf = Mapping[int, Sequence[date]]


def reach(source: Source, table: FeedTable) -> tuple[int, int]:
    """How many days earlier and later than a row's day the file may be that it stands in.

    Where days come from times, files may be cut in another zone; a source that restates its last
    days may do so in the file of a later one.
    """
    is_time = table.day_rule == "instant" or source.aggregate is not None
    if table.day_rule != "instant" and source.time_format is not None:
        is_time = is_clock(source.time_format)
    edge = 1 if is_time else 0
    return edge, max(edge, source.restates_days)


def days_of(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    table: FeedTable,
    span: Range,
    reads: Sequence[FileRead],
    scratch: Path,
) -> DaysOf:
    """The days each file speaks for, by its number; all of the range where that cannot be told."""
    if source.arrival == "file_per_day":
        return {r.number: [r.file.file.day] if r.file.file.day else span.days for r in reads}
    found = defaultdict(list)
    for number, day in connection.execute(
        "select distinct file_no, local_date from judged where local_date is not null order by all"
    ).fetchall():
        found[number].append(day)
    for one in reads:
        if one.problem is not None and one.columns:
            found[one.number] = _days_within(source, table, span.zone, one, scratch)
    return {one.number: found.get(one.number) or span.days for one in reads}


def empty(source: Source, reads: Sequence[FileRead], span: Range) -> list[str]:
    """A sentence for each file of a day asked for that has not even the header it should have."""
    if source.format != "csv" or source.arrival != "file_per_day":
        return []
    return [
        f"{one.file.name} is empty and has no header either; {one.file.file.day} counts as a day "
        "of 0."
        for one in reads
        if one.problem is None
        and not one.columns
        and not one.expected
        and one.file.file.day in span.days
    ]


def _days_within(
    source: Source, table: FeedTable, zone: str, one: FileRead, scratch: Path
) -> list[date]:
    """The days of the rows of a file that lacks other columns; none where they cannot be read."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        reads = judge.judge(
            connection, source, table, zone, [one.file.file], scratch, judge.DAY_ONLY
        )
        same = [r for r in reads if r.file.name == one.file.name and r.problem is None]
        if len(same) != 1:
            return []
        rows = connection.execute(
            "select distinct local_date from judged where file_no = ? and local_date is not null",
            [same[0].number],
        ).fetchall()
        return [day for (day,) in rows]
