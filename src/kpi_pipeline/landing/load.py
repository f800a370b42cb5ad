"""Land days of a feed: one pass over each source for the whole range."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.feeds.contracts import FEEDS, FeedTable
from kpi_pipeline.feeds.found import SourceFile, find, has_changed
from kpi_pipeline.feeds.reading import FileRead
from kpi_pipeline.feeds.sql import name_of, quoted
from kpi_pipeline.landing import dedupe, drift, judge, keeping, keyed, store
from kpi_pipeline.landing.arrivals import absence, latest_day, table_of
from kpi_pipeline.landing.scratch import scratch_folder
from kpi_pipeline.landing.span import Coverage, Range
from kpi_pipeline.runlog import RunLog
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import Slice
from kpi_pipeline.workspace import Source, Workspace

FOR_LOGS_MB = 1000


def quiet(_message: str) -> None:
    """Progress nobody wants to see."""


def land(
    settings: Settings,
    workspace: Workspace,
    feed: str,
    product_ids: Sequence[str],
    days: Sequence[date],
    at: datetime,
    run_id: str,
    progress: Callable[[str], None] = quiet,
) -> list[Slice]:
    """Replace the slices of these products and days; returns them, unchanged ones too.

    Products that have no source for the feed are passed over. Raises ConfigurationError for an
    unknown feed or product, or when KPI_HASH_KEY is not set.
    """
    if feed not in FEEDS:
        raise ConfigurationError(f"There is no feed {feed!r}; the feeds are {', '.join(FEEDS)}.")
    for product_id in product_ids:
        if product_id not in workspace.products:
            known = ", ".join(workspace.products)
            raise ConfigurationError(f"There is no product {product_id!r}; products: {known}.")
    key = settings.require_hash_key()
    log = RunLog(settings)
    wanted = tuple(sorted(set(days)))
    pieces: list[Slice] = []
    if not wanted:
        return pieces
    settings.landing.mkdir(parents=True, exist_ok=True)
    for product_id in product_ids:
        sources = workspace.sources_of(feed, product_id)
        if not sources:
            continue
        product = workspace.products[product_id]
        span = Range(
            feed=FEEDS[feed],
            product_id=product_id,
            zone=product.time_zone,
            currency=product.currency,
            days=wanted,
            at=at,
            key_id=keyed.key_id(key),
            before=drift.slice_before(settings.landing, feed, product_id, wanted[0]),
        )
        with (
            scratch_folder(settings.landing) as scratch,
            duckdb.connect(
                config={
                    "temp_directory": str(scratch / "spill"),
                    "memory_limit": _memory(settings, sources),
                }
            ) as connection,
        ):
            connection.execute("set timezone = 'UTC'")
            connection.execute("attach ':memory:' as work (compress)")
            connection.execute("use work")
            keyed.install(connection, key)
            done = _land_product(
                connection, settings.landing, workspace.root, sources, span, scratch
            )
        log.record_slices(done, run_id, at)
        pieces += done
        counts = Counter(piece.status for piece in done)
        said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        progress(f"{feed} of {product_id}: {said}")
        for earlier, piece in pairwise([span.before, *done]):
            if piece is not None and (sentence := drift.told(earlier, piece)):
                progress(sentence)
    return pieces


def _memory(settings: Settings, sources: Sequence[Source]) -> str:
    """As set; for logs alone no more than they gain from, for a log may be of any length."""
    if all(source.format == "access_log" for source in sources):
        return f"{min(settings.memory_mb, FOR_LOGS_MB)}MB"
    return settings.memory


def _land_product(
    connection: duckdb.DuckDBPyConnection,
    landing: Path,
    root: Path,
    sources: Sequence[Source],
    span: Range,
    scratch: Path,
) -> list[Slice]:
    connection.execute("create temp table requested(day DATE)")
    listed = ", ".join(f"(DATE '{day}')" for day in span.days)
    connection.execute(f"insert into requested values {listed}")
    store.create_quarantine(connection)
    tables = [t for t in span.feed.tables if any(s.table == t.name for s in sources)]
    parts: list[tuple[str, str]] = []
    for position, source in enumerate(sources):
        same = [s for s in sources[:position] if s.table == source.table]
        name = f"{source.feed}.{source.table}.{source.product}" + (f".{len(same)}" if same else "")
        _load_source(connection, root, source, name, span, scratch / str(position))
        parts.append(
            (
                source.table,
                keeping.keep(
                    connection, source, table_of(source), span.product_id, name, span.days, position
                ),
            )
        )
    keeping.define_outputs(connection, tables, parts)
    for table in tables:
        if table.day_rule != "instant":
            refuse_repeats(connection, table, span)
    span.missing = absence(span.feed, span.covered)
    return store.write(connection, landing, scratch, tables, span)


def _load_source(
    connection: duckdb.DuckDBPyConnection,
    root: Path,
    source: Source,
    name: str,
    span: Range,
    scratch: Path,
) -> None:
    table = table_of(source)
    found = find(source, root)
    is_daily = source.arrival == "file_per_day"
    chosen = _files_for(found, table, span.days) if is_daily else found
    scratch.mkdir()
    reads = judge.judge(connection, source, table, span.zone, chosen, scratch)
    if is_daily:
        by_name = frozenset(f.day for f in found if f.day is not None)
        span.covered.append(Coverage(source, days=by_name))
    else:
        first, last = judge.span(connection, latest_day(span.at, span.zone))
        span.covered.append(Coverage(source, first=first, last=last))
    dedupe.drop_repeats_across_files(connection, source, table)
    if keeping.adds_up(source, table):
        refuse_to_add(connection, table, span.currency)
    number(connection, reads, is_daily)
    _reconcile(connection, reads, span, is_daily)
    _refuse_changed(chosen, span, is_daily)
    _quarantine(connection, table, span)
    _count(connection, span)
    _compare_columns(source, table, name, reads, span, is_daily)


def _files_for(
    found: Sequence[SourceFile], table: FeedTable, days: Sequence[date]
) -> list[SourceFile]:
    """The files of those days; with the days around them where files may be cut in another zone."""
    around = (-1, 0, 1) if table.day_rule == "instant" else (0,)
    near = {day + timedelta(days=shift) for day in days for shift in around}
    return [file for file in found if file.day in near]


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


def _reconcile(
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


def _refuse_changed(files: Sequence[SourceFile], span: Range, is_daily: bool) -> None:
    """A file that changed while it was read rejects the slices it speaks for."""
    for file in files:
        if has_changed(file):
            _reject(span, file, is_daily, f"{file.name} changed while it was read; land it again.")


def _reject(span: Range, file: SourceFile, is_daily: bool, problem: str) -> None:
    for day in [file.day] if is_daily and file.day else span.days:
        span.problems[day].append(problem)


def _quarantine(connection: duckdb.DuckDBPyConnection, table: FeedTable, span: Range) -> None:
    rows = connection.execute(
        f"insert into quarantine select day, {quoted(table.name)}, name, number, "
        "fault.column_name, fault.value, fault.expected, fault.reason, "
        "case when fault.column_name is not null then raw end from set_aside "
        "where fault is not null and dropped_by is null and day in (from requested) returning day"
    ).fetchall()
    counts = Counter(day for (day,) in rows)
    span.quarantined.update(counts)
    span.read.update(counts)


def _count(connection: duckdb.DuckDBPyConnection, span: Range) -> None:
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


def _compare_columns(
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
