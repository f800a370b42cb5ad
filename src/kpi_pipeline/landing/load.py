"""Land days of a feed: one pass over each source for the whole range."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.feeds import files
from kpi_pipeline.feeds.contracts import FEEDS, SQL_TYPES, Column, FeedTable
from kpi_pipeline.feeds.files import FileRead, SourceFile, name_of, quoted
from kpi_pipeline.landing import judge, keyed, store
from kpi_pipeline.landing.arrivals import absence, latest_day, table_of
from kpi_pipeline.landing.span import Coverage, Range
from kpi_pipeline.runlog import RunLog
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import Slice
from kpi_pipeline.workspace import Source, Workspace

NOT_ADDED = {"reach", "visitors", "new_visitors"}  # distinct people: a sum would be wrong


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
        )
        with (
            tempfile.TemporaryDirectory(dir=settings.landing, prefix=".landing-") as scratch,
            duckdb.connect(config={"temp_directory": str(Path(scratch) / "spill")}) as connection,
        ):
            connection.execute("set timezone = 'UTC'")
            keyed.install(connection, key)
            done = _land_product(
                connection, settings.landing, workspace.root, sources, span, Path(scratch)
            )
        log.record_slices(done, run_id, at)
        pieces += done
        counts = Counter(piece.status for piece in done)
        said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        progress(f"{feed} of {product_id}: {said}")
    return pieces


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
    for table in tables:
        columns = ", ".join(f"{name_of(c.name)} {SQL_TYPES[c.type]}" for c in table.columns)
        connection.execute(
            f"create temp table out_{table.name}({columns}, product_id VARCHAR, local_date DATE)"
        )
    for position, source in enumerate(sources):
        same = [s for s in sources[:position] if s.table == source.table]
        name = f"{source.feed}.{source.table}.{source.product}" + (f".{len(same)}" if same else "")
        _load_source(connection, root, source, name, span, scratch)
    for table in tables:
        if table.day_rule != "instant":
            _refuse_repeats(connection, table, span)
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
    found = files.find(source, root)
    is_daily = source.arrival == "file_per_day"
    chosen = _files_for(found, table, span.days) if is_daily else found
    reads = judge.judge(connection, source, table, span.zone, chosen, scratch)
    if is_daily:
        by_name = frozenset(f.day for f in found if f.day is not None)
        span.covered.append(Coverage(source, days=by_name))
    else:
        first, last = judge.span(connection, latest_day(span.at, span.zone))
        span.covered.append(Coverage(source, first=first, last=last))
    _number_files(connection, reads)
    _place_undated(connection, is_daily)
    if _adds_up(source, table):
        _refuse_to_add(connection, table, span.currency)
    _reconcile(connection, reads, span, is_daily)
    _quarantine(connection, table, span)
    _count(connection, span)
    _keep(connection, source, table, name, span.product_id)
    for temporary in ("judged", "broken", "file_numbers", "placed", "starts"):
        connection.execute(f"drop table {temporary}")


def _files_for(
    found: Sequence[SourceFile], table: FeedTable, days: Sequence[date]
) -> list[SourceFile]:
    """The files of those days; with the days around them where files may be cut in another zone."""
    around = (-1, 0, 1) if table.day_rule == "instant" else (0,)
    near = {day + timedelta(days=shift) for day in days for shift in around}
    return [file for file in found if file.day in near]


def _number_files(connection: duckdb.DuckDBPyConnection, reads: Sequence[FileRead]) -> None:
    connection.execute(
        "create temp table starts"
        "(file_no INTEGER, name VARCHAR, day DATE, first BIGINT, first_row BIGINT)"
    )
    if reads:
        rows = ", ".join(
            f"({r.file.number}, {quoted(r.file.name)}, "
            + (f"DATE '{r.file.day}'" if r.file.day else "null")
            + f", {r.first}, {r.first_row})"
            for r in reads
        )
        connection.execute(f"insert into starts values {rows}")


def _place_undated(connection: duckdb.DuckDBPyConnection, is_daily: bool) -> None:
    """`placed`: the day of rows that show none: their file's, else the nearest dated row's above.

    Rows before the first dated one go to its day. So it is the same whatever range is landed.
    """
    undated = (
        "select file_no, n from judged where local_date is null "
        "union all select file_no, n from broken"
    )
    if is_daily:
        connection.execute(
            "create temp table placed as select u.file_no, u.n, s.day "
            f"from ({undated}) as u join starts as s using (file_no)"
        )
        return
    connection.execute(
        f"create temp table placed as with undated as ({undated}), "
        "dated as (select file_no, n, local_date from judged where local_date is not null "
        "and file_no in (select file_no from undated)), "
        "firsts as (select file_no, arg_min(local_date, n) as day from dated group by 1) "
        "select u.file_no, u.n, coalesce(d.local_date, f.day) as day from undated as u "
        "asof left join dated as d on u.file_no = d.file_no and u.n >= d.n "
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
        connection.execute(
            "select file_no, count(*) from (select file_no from judged union all "
            "select file_no from broken) group by 1"
        ).fetchall()
    )
    for one in reads:
        count = parsed.get(one.file.number, 0)
        problem = one.problem
        if problem is None and count != one.expected:
            problem = (
                f"{one.file.name} has {one.expected} rows by its lines, but {count} were read."
            )
        if problem is not None:
            days = [one.file.day] if is_daily and one.file.day else list(span.days)
            for day in days:
                span.problems[day].append(problem)


def _quarantine(connection: duckdb.DuckDBPyConnection, table: FeedTable, span: Range) -> None:
    number = "n - s.first + s.first_row"
    name = quoted(table.name)
    rows = connection.execute(
        "insert into quarantine select coalesce(j.local_date, p.day), "
        f"{name}, s.name, {number}, fault.column_name, fault.value, fault.expected, "
        "fault.reason, raw from judged as j join starts as s using (file_no) "
        "left join placed as p using (file_no, n) "
        "where fault is not null and coalesce(j.local_date, p.day) in (from requested) "
        f"union all select p.day, {name}, s.name, {number}, null, null, b.expected, b.reason, null "
        "from broken as b join starts as s using (file_no) join placed as p using (file_no, n) "
        "where p.day in (from requested) returning day"
    ).fetchall()
    counts = Counter(day for (day,) in rows)
    span.quarantined.update(counts)
    span.read.update(counts)


def _count(connection: duckdb.DuckDBPyConnection, span: Range) -> None:
    rows = connection.execute(
        "select local_date, count(*) from judged where fault is null "
        "and local_date in (from requested) group by 1"
    ).fetchall()
    for day, count in rows:
        span.landed[day] += count
        span.read[day] += count


def _keep(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    table: FeedTable,
    name: str,
    product_id: str,
) -> None:
    """Good rows of the requested days into `out_<table>`, identifiers hashed, ids made up."""
    if _adds_up(source, table):
        values = ", ".join(_combined(column) for column in table.columns)
        grouping = " group by local_date, " + ", ".join(name_of(c) for c in table.key)
    else:
        values = ", ".join(_single(column, name) for column in table.columns)
        grouping = ""
    connection.execute(
        f"insert into out_{table.name} select {values}, {quoted(product_id)}, local_date "
        f"from judged where fault is null and local_date in (from requested){grouping}"
    )


def _adds_up(source: Source, table: FeedTable) -> bool:
    """Whether rows of one key become one."""
    return source.aggregate is not None or (
        source.on_repeat == "sum" and table.day_rule != "instant"
    )


def _refuse_to_add(connection: duckdb.DuckDBPyConnection, table: FeedTable, currency: str) -> None:
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


def _single(column: Column, name: str) -> str:
    text = name_of(column.name)
    if column.type == "identifier":
        return f"keyed({text})"
    if column.name == "event_id":
        same = "row_number() over (partition by local_date, whole)"
        made = f"left(sha256(concat_ws(chr(31), {quoted(name)}, whole, {same})), 32)"
        return f"coalesce({text}, {made})"
    if column.name == "is_bot":
        return f"coalesce({text}, false)"
    return text


def _combined(column: Column) -> str:
    text = name_of(column.name)
    if column.key:
        return text
    if column.name in NOT_ADDED:
        return f"case when count(*) = 1 then max({text}) end"
    if column.type in ("count", "decimal"):
        return f"sum({text})"
    return f"max({text})"


def _refuse_repeats(connection: duckdb.DuckDBPyConnection, table: FeedTable, span: Range) -> None:
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
