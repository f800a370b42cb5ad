"""Every row accounted for: its number, the day it counts for, and what became of it."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import duckdb

from kpi_pipeline.feeds.contracts import FeedTable
from kpi_pipeline.feeds.reading import FileRead
from kpi_pipeline.feeds.sql import quoted
from kpi_pipeline.landing import judge
from kpi_pipeline.landing.span import Range


def number(
    connection: duckdb.DuckDBPyConnection, reads: Sequence[FileRead], is_daily: bool
) -> None:
    """`set_aside`: rows that do not land, with the number people see and the day they count for.

    A row that shows no day has its file's, else that of the nearest dated row above, or below where
    none is above. So it is the same whatever range is landed.
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
    record = "((j.rowid - s.first) // s.cells + s.first_row)"
    number = f"coalesce(j.n, {record} + len(list_filter(s.blanks, lambda b: b < {record})))"
    connection.execute(
        "create or replace temp table set_aside as "
        f"select j.file_no, {number} as number, s.name, s.day as file_day, local_date as day, "
        "fault, raw, dropped_by from judged as j join starts as s using (file_no) "
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
        f"(select j.file_no, {number} as number, local_date from judged as j "
        "join starts as s using (file_no) where local_date is not null "
        "and file_no in (select file_no from set_aside where day is null)), "
        "firsts as (select file_no, arg_min(local_date, number) as day from dated group by 1) "
        "select u.* replace (coalesce(u.day, d.local_date, f.day) as day) from set_aside as u "
        "asof left join dated as d on u.file_no = d.file_no and u.number >= d.number "
        "left join firsts as f on u.file_no = f.file_no"
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


def count(connection: duckdb.DuckDBPyConnection, span: Range) -> None:
    """Rows read, landed and dropped by each rule, into `span`."""
    rows = connection.execute(
        "select local_date, dropped_by, count(*) from judged where fault is null "
        f"and local_date in (from requested) and coalesce(dropped_by, '') <> '{judge.OTHERS}' "
        "group by all union all select day, dropped_by, count(*) from set_aside "
        "where dropped_by is not null and day in (from requested) group by all"
    ).fetchall()
    for day, rule, count in rows:
        span.read[day] += count
        if rule is None:
            span.landed[day] += count
        else:
            span.dropped[day][rule] += count
