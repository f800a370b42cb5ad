"""Every row accounted for: its number, the day it counts for, and what became of it."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

import duckdb

from kpi_pipeline.feeds.contracts import FeedTable
from kpi_pipeline.feeds.reading import FileRead
from kpi_pipeline.feeds.sql import quoted
from kpi_pipeline.landing import judge
from kpi_pipeline.landing.span import Coverage, Range, Undated

_RECORD = "((j.rowid - s.first) // s.cells + s.first_row)"
#: SQL of the number people see of a row of `judged as j`, whose file is in `starts as s`.
NUMBER = f"coalesce(j.n, {_RECORD} + len(list_filter(s.blanks, lambda b: b < {_RECORD})))"
SHOWN = 40  # characters of a value in a sentence
NOTHING_USED = ("total_row", "below_the_table")  # rules that drop what is no row of the table


def number(
    connection: duckdb.DuckDBPyConnection, reads: Sequence[FileRead], is_daily: bool
) -> None:
    """`set_aside`: rows that do not land, with the number people see and the day they count for.

    A row that shows no day has its file's, else that of the nearest dated row above, or below where
    none is above; of a file without a dated row, that of the file before, or after where none is
    before. So it is the same whatever range is landed. Without any dated row it stays NULL.
    """
    connection.execute(
        "create or replace temp table starts(file_no INTEGER, name VARCHAR, day DATE, "
        "first BIGINT, first_row BIGINT, cells BIGINT, blanks BIGINT[])"
    )
    if reads:
        rows = ", ".join(
            f"({r.number}, {quoted(r.file.name)}, "
            + (f"DATE '{r.file.file.day}'" if r.file.file.day else "null")
            + f", {r.first}, {r.first_row}, {r.cells}, {list(r.blanks)})"
            for r in reads
        )
        connection.execute(f"insert into starts values {rows}")
    connection.execute(
        "create or replace temp table set_aside as "
        f"select j.file_no, {NUMBER} as number, s.name, s.day as file_day, local_date as day, "
        "fault, raw, dropped_by, local_date is null as is_dateless "
        "from judged as j join starts as s using (file_no) "
        f"where fault is not null or (dropped_by is not null and dropped_by <> '{judge.OTHERS}' "
        "and local_date is null)"
    )
    if is_daily:
        connection.execute("update set_aside set day = file_day where day is null")
        return
    undated = connection.execute("select count(*) from set_aside where day is null").fetchone()
    if undated is None or not undated[0]:
        return
    connection.execute(
        "create or replace temp table set_aside as with dated as "
        f"(select j.file_no, {NUMBER} as number, local_date from judged as j "
        "join starts as s using (file_no) where local_date is not null "
        "and file_no in (select file_no from set_aside where day is null)), "
        "firsts as (select file_no, arg_min(local_date, number) as day from dated group by 1) "
        "select u.* replace (coalesce(u.day, d.local_date, f.day) as day) from set_aside as u "
        "asof left join dated as d on u.file_no = d.file_no and u.number >= d.number "
        "left join firsts as f on u.file_no = f.file_no"
    )
    connection.execute(
        "create or replace temp table set_aside as with ends as (select file_no, "
        "arg_min(local_date, rowid) as first, arg_max(local_date, rowid) as last from judged "
        "where local_date is not null group by 1) "
        "select u.* replace (coalesce(u.day, b.last, a.first) as day) from set_aside as u "
        "asof left join ends as b on u.file_no > b.file_no "
        "asof left join ends as a on u.file_no < a.file_no"
    )


def undated(connection: duckdb.DuckDBPyConnection, table: FeedTable) -> list[Undated]:
    """The files with rows at fault whose day cannot be read, of a source that has no days in its
    files' names."""
    rows = connection.execute(
        # the distinct files first: a file may have any number of rows
        "with dated as materialized (select distinct file_no from judged "
        "where local_date is not null) "
        "select file_no, count(*), file_no in (from dated), min(name), min(number), "
        "arg_min(fault, number) "
        "from set_aside where is_dateless and fault is not null and dropped_by is null "
        "group by file_no order by file_no"
    ).fetchall()
    return [
        Undated(file_no, not has_days, _undated_text(table, name, count, not has_days, row, fault))
        for file_no, count, has_days, name, row, fault in rows
    ]


def _undated_text(
    table: FeedTable, name: str, count: int, is_whole: bool, first: int, fault: dict[str, str]
) -> str:
    column, value = fault["column_name"], (fault["value"] or "")[:SHOWN]
    if column == table.day_column and value:
        why = f"{column} is {value!r}, expected {fault['expected']}"
    else:
        why = fault["reason"] if column is None else f"{column} {fault['reason']}"
    if is_whole:
        which = f"its {count:,} rows" if count > 1 else "its only row"
        return f"{name}: the day of {which} cannot be read (row {first}: {why})."
    which = f"{count:,} rows" if count > 1 else "a row"
    return f"{name}: the day of {which} among others cannot be read (row {first}: {why})."


def move_into(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Undated],
    covered: Coverage,
    span: Range,
) -> None:
    """Rows of files without a readable day, whose own day is not asked for, go to the nearest of
    the days asked for of which no other file speaks."""
    whole = [one.file_no for one in files if one.is_whole]
    first, last = covered.first or date.max, covered.last or date.min
    uncovered = [day for day in span.days if not first <= day <= last]
    if not uncovered or not whole:
        return
    found = connection.execute(
        "select distinct day from set_aside where file_no in (select unnest(?)) "
        "and (day is null or day not in (from requested))",
        [whole],
    ).fetchall()
    for (day,) in found:
        nearest = min(uncovered, key=lambda d: abs((d - (day or date.max)).days))
        connection.execute(
            "update set_aside set day = ? where day is not distinct from ? "
            "and file_no in (select unnest(?))",
            [nearest, day, whole],
        )


def quarantine(connection: duckdb.DuckDBPyConnection, table: FeedTable, span: Range) -> None:
    """Rows with a fault, kept apart with their reasons."""
    rows = connection.execute(
        f"insert into quarantine select day, {quoted(table.name)}, name, number, "
        "fault.column_name, fault.value, fault.expected, fault.reason, "
        "case when fault.column_name is not null then raw end from set_aside "
        "where fault is not null and dropped_by is null and day in (from requested) returning day"
    ).fetchall()
    counts = Counter(day for (day,) in rows)
    span.quarantined.update(counts)
    span.read.update(counts)
    for day, aside in counts.items():
        span.tallies[table.name, day]["quarantined"] += aside


def count(connection: duckdb.DuckDBPyConnection, table: FeedTable, span: Range) -> None:
    """Rows read, landed and dropped by each rule, into `span`."""
    rows = connection.execute(
        "select local_date, dropped_by, count(*) from judged where fault is null "
        f"and local_date in (from requested) and coalesce(dropped_by, '') <> '{judge.OTHERS}' "
        "group by all union all select day, dropped_by, count(*) from set_aside "
        "where dropped_by is not null and day in (from requested) group by all"
    ).fetchall()
    for day, rule, count in rows:
        span.read[day] += count
        if rule not in NOTHING_USED:
            span.tallies[table.name, day]["used"] += count
        if rule is None:
            span.landed[day] += count
        else:
            span.dropped[day][rule] += count
