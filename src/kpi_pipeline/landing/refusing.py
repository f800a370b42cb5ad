"""What makes rows, or whole days, refused although each row could be read."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

from collections.abc import Sequence

import duckdb

from kpi_pipeline.feeds.contracts import FeedTable
from kpi_pipeline.feeds.found import SourceFile, has_changed
from kpi_pipeline.feeds.reading import FileRead
from kpi_pipeline.feeds.sql import name_of, quoted
from kpi_pipeline.landing import drift, judge
from kpi_pipeline.landing.span import Range
from kpi_pipeline.workspace import Source


def refuse_unread(
    connection: duckdb.DuckDBPyConnection,
    reads: Sequence[FileRead],
    span: Range,
    is_daily: bool,
) -> None:
    """A file that cannot be read, or whose rows do not add up, rejects the slices it speaks for."""
    parsed: dict[int, int] = dict(
        connection.execute("select file_no, count(*) from judged group by 1").fetchall()
    )
    for one in reads:
        count = parsed.get(one.number, 0)
        problem = one.problem
        if problem is None and count != one.expected:
            problem = (
                f"{one.file.name} has {one.expected} rows by its lines, but {count} were read."
            )
        if problem is not None:
            _reject(span, one.file.file, is_daily, problem)


def refuse_changed(files: Sequence[SourceFile], span: Range, is_daily: bool) -> None:
    """A file that changed while it was read rejects the slices it speaks for."""
    for file in files:
        if has_changed(file):
            _reject(span, file, is_daily, f"{file.name} changed while it was read; land it again.")


def refuse_lost_columns(
    source: Source,
    table: FeedTable,
    name: str,
    reads: Sequence[FileRead],
    span: Range,
    is_daily: bool,
) -> None:
    """A lost column rejects its day; all columns are remembered, and which nobody declared."""
    before = span.before.columns.get(name, ()) if span.before else ()
    last = span.before.day if span.before else None
    for one, problem in drift.lost(source, table, reads, before, last):
        _reject(span, one.file.file, is_daily, problem)
    used = {*judge.wanted_of(source, table).values(), source.product_column}
    for one in reads:
        span.columns[name].update(one.columns)
        if source.unpivot is None:
            span.unused_columns.update(c for c in one.columns if c not in used)


def refuse_to_add(connection: duckdb.DuckDBPyConnection, table: FeedTable, currency: str) -> None:
    """Rows whose costs cannot be added become faults, all of their key: currencies are never added,
    and no cost is not a cost of 0. currency: of rows that name none."""
    if not {"cost", "currency"} <= {column.name for column in table.columns}:
        return
    keys = ", ".join(name_of(c) for c in ("local_date", *table.key))
    own = f"coalesce(currency, {quoted(currency)})"
    columns = ", ".join(
        f"{name_of(c.name)} := judged.{name_of(c.name)}::VARCHAR" for c in table.columns
    )
    connection.execute(
        f"create temp table unaddable as with mixed as (select {keys} from judged "
        "where fault is null and local_date in (from requested) group by all "
        f"having count(cost) > 0 and (count(cost) < count(*) or min({own}) filter "
        f"(where cost is not null) <> max({own}) filter (where cost is not null))) "
        f"select {keys}, string_agg(distinct {own}, ', ' order by {own}) "
        f"filter (where cost is not null) as currencies, count(distinct {own}) "
        "filter (where cost is not null) > 1 as is_mixed "
        f"from judged join mixed using ({keys}) where fault is null group by all"
    )
    connection.execute(
        "update judged set fault = case when u.is_mixed then struct_pack(column_name := 'currency',"
        " value := currency, expected := 'one currency', reason := concat("
        "'is one of several in rows that would be added: ', u.currencies)) "
        "else struct_pack(column_name := 'cost', value := cost::VARCHAR, "
        "expected := 'a cost in all rows of one key, or in none', "
        "reason := 'some rows have a cost and others none') end, "
        f"raw = to_json(struct_pack({columns}))::VARCHAR from unaddable as u where fault is null "
        + "".join(f"and judged.{name_of(c)} = u.{name_of(c)} " for c in ("local_date", *table.key))
    )
    connection.execute("drop table unaddable")


def refuse_repeats(connection: duckdb.DuckDBPyConnection, table: FeedTable, span: Range) -> None:
    """A repeated key in a feed of daily figures rejects its slice."""
    keys = ", ".join(name_of(c) for c in table.key)
    shown = ", ', ', ".join(f"{quoted(f'{c} ')}, {name_of(c)}" for c in table.key)
    rows = connection.execute(
        f"select local_date, count(*), min(concat({shown})) from (select local_date, {keys} "
        f"from out_{table.name} group by all having count(*) > 1) group by 1"
    ).fetchall()
    for day, count, example in rows:
        span.problems[day].append(
            f"{table.name} repeats {count} key{'s' if count > 1 else ''}, first {example}; each "
            "may occur once (or set on_repeat: sum)."
        )


def _reject(span: Range, file: SourceFile, is_daily: bool, problem: str) -> None:
    for day in [file.day] if is_daily and file.day else span.days:
        span.problems[day].append(problem)
