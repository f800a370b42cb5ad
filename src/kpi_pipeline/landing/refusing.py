"""What makes rows, or whole days, refused although each row could be read."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import duckdb

from kpi_pipeline.feeds.contracts import FeedTable
from kpi_pipeline.feeds.found import SourceFile, has_changed
from kpi_pipeline.feeds.reading import FileRead
from kpi_pipeline.feeds.sql import name_of, quoted
from kpi_pipeline.landing import drift, judge, keeping
from kpi_pipeline.landing.span import Range
from kpi_pipeline.landing.spoken import DaysOf, reach
from kpi_pipeline.slices import folder_of, read_slice
from kpi_pipeline.workspace import Source

OTHER_DAY = "is not the day of its file"


def refuse_unread(
    connection: duckdb.DuckDBPyConnection,
    reads: Sequence[FileRead],
    span: Range,
    days_of: DaysOf,
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
            _reject(span, days_of[one.number], problem)


def refuse_changed(files: Sequence[SourceFile], span: Range, is_daily: bool) -> None:
    """A file that changed while it was read rejects the slices it speaks for."""
    for file in files:
        if has_changed(file):
            days = [file.day] if is_daily and file.day else span.days
            _reject(span, days, f"{file.name} changed while it was read; land it again.")


def refuse_lost_columns(
    source: Source,
    table: FeedTable,
    name: str,
    reads: Sequence[FileRead],
    span: Range,
    days_of: DaysOf,
) -> None:
    """A lost column rejects the days its file speaks for; each day's columns are remembered, and
    which nobody declared."""
    before = span.before.columns.get(name, ()) if span.before else ()
    last = span.before.day if span.before else None
    for one, problem in drift.lost(source, table, reads, before, last):
        _reject(span, days_of[one.number], problem)
    used = {*judge.wanted_of(source, table).values(), source.product_column}
    for one in reads:
        new = {c for c in one.columns if c not in used} if source.unpivot is None else set()
        for day in days_of[one.number]:
            span.columns[day][name].update(one.columns)
            span.unused_columns[day] |= new
    known = set(before)
    for day in span.days:  # a day without rows shows no columns: they are those of the day before
        known = span.columns[day][name] or known
        span.columns[day][name] = known


def refuse_other_days(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    table: FeedTable,
    reads: Sequence[FileRead],
) -> None:
    """A row of a day that its file is not about becomes a fault, and counts for its file's day:
    whether it lands must not depend on which days are landed together."""
    dated = [(one.number, one.file.file.day) for one in reads if one.file.file.day is not None]
    if source.arrival != "file_per_day" or not dated:
        return
    early, late = reach(source, table)
    listed = ", ".join(f"({number}, DATE '{day}')" for number, day in dated)
    columns = ", ".join(
        f"{name_of(c.name)} := judged.{name_of(c.name)}::VARCHAR"
        for c in table.columns
        if c.type != "identifier"
    )
    expected = "the day of its file" if not late else "a day its file is about"
    connection.execute(
        "update judged set local_date = null, fault = case when dropped_by is not null then fault "
        f"else coalesce(fault, struct_pack(column_name := {quoted(table.day_column)}, "
        f"value := local_date::VARCHAR, expected := {quoted(expected)}, "
        f"reason := {quoted(OTHER_DAY)})) end, "
        f"raw = case when dropped_by is null then coalesce(raw, to_json(struct_pack({columns}))"
        "::VARCHAR) end "
        f"from (values {listed}) as f(file_no, day) where judged.file_no = f.file_no "
        f"and not local_date between f.day - {late} and f.day + {early}"
    )


def refuse_undated(landing: Path, span: Range) -> None:
    """A day that did not come is rejected where rows whose day cannot be read may be its own: those
    of a file that shows no day at all, and any where the day had come before."""
    if not span.undated:
        return
    for day in span.days:
        if span.missing(day) is None:
            continue
        known = read_slice(folder_of(landing, span.feed.name, span.product_id, day))
        had_come = known is not None and known.status != "absent"
        for one in span.undated:
            if one.is_whole or had_come:
                _reject(span, [day], f"{one.said} It may be this day.")


def refuse_unusable(span: Range) -> None:
    """A day of which a table has rows, all of them in quarantine, is rejected: it is not 0."""
    for (name, day), tally in span.tallies.items():
        count = tally["quarantined"]
        if count and not tally["used"] and span.missing(day) is None:
            many = f"all {count:,} rows" if count > 1 else "its only row"
            _reject(span, [day], f"{name}: {many} of the day went to quarantine, so it is not 0.")


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
    connection.execute(
        f"create or replace temp table repeated_keys as select local_date, {keys}, "
        f"concat({shown}) as shown from out_{table.name} group by all having count(*) > 1"
    )
    rows = connection.execute(
        "select local_date, count(*), min(shown) from repeated_keys group by 1"
    ).fetchall()
    if not rows:
        return
    _place_repeats(connection, table)
    for day, count, example in rows:
        places = connection.execute(
            "select name, number from placed_repeats where shown = ? and local_date = ? "
            "order by source, file_no, number limit 2",
            [example, day],
        ).fetchall()
        span.problems[day].append(
            f"{table.name} repeats {count} key{'s' if count > 1 else ''}, first {example}"
            f"{_told_places(places)}; {_told_remedy(connection, day)}"
        )


def _place_repeats(connection: duckdb.DuckDBPyConnection, table: FeedTable) -> None:
    """`placed_repeats`: where rows of `repeated_keys` stand, unless their source adds rows."""
    keys = ["local_date", *(name_of(c) for c in table.key)]
    same = " and ".join(f"p.{key} is not distinct from r.{key}" for key in keys)
    connection.execute(
        "create or replace temp table placed_repeats(source VARCHAR, file_no INTEGER, "
        "name VARCHAR, number BIGINT, local_date DATE, shown VARCHAR)"
    )
    views = connection.execute(
        "select view_name from duckdb_views() where starts_with(view_name, ?) order by 1",
        [f"{keeping.PLACED}{table.name}_"],
    ).fetchall()
    for (view,) in views:
        connection.execute(
            f"insert into placed_repeats select {quoted(view)}, p.file_no, p.name, p.number, "
            f"r.local_date, r.shown from {view} as p join repeated_keys as r on {same}"
        )


def _told_places(places: Sequence[tuple[str, int]]) -> str:
    if len(places) < 2:  # of sources whose rows are added no row is known
        return ""
    (one, first), (other, second) = places
    if one == other:
        return f", in {one}, rows {first} and {second}"
    return f", in {one}, row {first}, and {other}, row {second}"


def _told_remedy(connection: duckdb.DuckDBPyConnection, day: date) -> str:
    """What to set: rows of one file may be added; those of two would count twice."""
    found = connection.execute(
        "select bool_or(rows > files), bool_or(files > 1), bool_or(sources > 1) from ("
        "select count(*) as rows, count(distinct (source, file_no)) as files, "
        "count(distinct source) as sources from placed_repeats where local_date = ? "
        "group by shown)",
        [day],
    ).fetchone()
    in_one, in_several, in_sources = found or (None, None, None)
    if in_sources:
        return "each may occur once: two sources of sources.yml deliver it."
    told = []
    if in_several:
        told.append("where files overlap set dedupe_across_files: last_file")
    if in_one or not told:
        told.append("set on_repeat: sum" + (" for those within a file" if told else ""))
    return f"each may occur once (or {'; '.join(told)})."


def _reject(span: Range, days: Iterable[date], problem: str) -> None:
    for day in days:
        span.problems[day].append(problem)
