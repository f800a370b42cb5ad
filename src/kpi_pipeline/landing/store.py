"""Writes slices: files named by content first, then `slice.json`; what did not change is left."""

# ruff: noqa: S608  # table names are the contract's own
from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from kpi_pipeline.feeds.contracts import SQL_TYPES, FeedTable
from kpi_pipeline.feeds.sql import name_of
from kpi_pipeline.landing.span import Range
from kpi_pipeline.slices import (
    Slice,
    SliceStatus,
    TableFile,
    content_hash,
    folder_of,
    read_slice,
    remove_stale,
    write_slice,
)

PARQUET = "format parquet, parquet_version v2, dictionary_size_limit 5000, write_bloom_filter false"
MANY = 20_000  # rows a day from which a copy a day is faster than one partitioned copy
TEXT = "VARCHAR"
QUARANTINE = {
    "table_name": TEXT,
    "source_file": TEXT,
    "row_number": "BIGINT",
    "column_name": TEXT,
    "value": TEXT,
    "expected": TEXT,
    "reason": TEXT,
    "raw": TEXT,
}


def create_quarantine(connection: duckdb.DuckDBPyConnection) -> None:
    """The temporary table rows are set aside in."""
    types = ", ".join(f"{column} {kind}" for column, kind in QUARANTINE.items())
    connection.execute(f"create temp table quarantine(day DATE, {types})")


def write(
    connection: duckdb.DuckDBPyConnection,
    landing: Path,
    scratch: Path,
    tables: Sequence[FeedTable],
    span: Range,
) -> list[Slice]:
    """Write the slices of the range and return them in order of day."""
    contents = {
        table.name: _contents(
            connection,
            f"out_{table.name}",
            {c.name: SQL_TYPES[c.type] for c in table.columns},
            "local_date",
            table.day_column if table.day_rule == "instant" else None,
        )
        for table in tables
    }
    aside = _contents(connection, "quarantine", QUARANTINE, "day", None)
    changed: list[Slice] = []
    pieces: list[Slice] = []
    for day in span.days:
        piece = _piece(day, contents, aside, span)
        folder = folder_of(landing, span.feed.name, span.product_id, day)
        known = read_slice(folder)
        if known is not None and _is_same(known, piece) and _is_whole(folder, known):
            remove_stale(folder, known)  # of a landing that was killed before it came to it
            pieces.append(known)
            continue
        pieces.append(piece)
        changed.append(piece)
    for table in tables:
        files = {
            piece.day: entry.file
            for piece in changed
            if (entry := piece.tables.get(table.name)) is not None and entry.file is not None
        }
        name = f"out_{table.name}"
        _copy(connection, landing, scratch, name, "local_date", contents[table.name], files, span)
    aside_files = {p.day: p.quarantine_file for p in changed if p.quarantine_file is not None}
    _copy(connection, landing, scratch, "quarantine", "day", aside, aside_files, span)
    for piece in changed:
        write_slice(folder_of(landing, piece.feed, piece.product_id, piece.day), piece)
    return pieces


@dataclass(frozen=True)
class _Content:
    """Rows of a table on a day: how many, a hash of them in any order, first and last time."""

    count: int
    digest: str
    first_at: datetime | None
    last_at: datetime | None


def _contents(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Mapping[str, str],
    day: str,
    time: str | None,
) -> dict[date, _Content]:
    # DuckDB's hash is the same for some texts that differ in several places, so texts go by MD5
    texts = [f"coalesce({name_of(c)}, chr(30))" for c, kind in columns.items() if kind == TEXT]
    others = [name_of(column) for column, kind in columns.items() if kind != TEXT]
    values = ", ".join([*others, f"md5_number(concat_ws(chr(31), {', '.join(texts)}))"])
    at = f"timezone('UTC', {name_of(time)})" if time else "null::TIMESTAMPTZ"
    rows = connection.execute(
        f"select {day}, count(*), sum(hashed), sum(hash(hashed)), min(at_)::VARCHAR, "
        f"max(at_)::VARCHAR from (select {day}, {at} as at_, hash({values}) as hashed "
        f"from {table} where {day} is not null) group by 1"
    ).fetchall()
    names = ",".join(columns)
    return {
        day: _Content(
            count,
            hashlib.sha256(f"{names}:{count}:{low}:{high}".encode()).hexdigest()[:32],
            datetime.fromisoformat(first).astimezone(UTC) if first else None,
            datetime.fromisoformat(last).astimezone(UTC) if last else None,
        )
        for day, count, low, high, first, last in rows
    }


def _piece(
    day: date,
    contents: dict[str, dict[date, _Content]],
    aside: dict[date, _Content],
    span: Range,
) -> Slice:
    status: SliceStatus = "landed"
    reason = None
    missing = span.missing(day)
    if span.problems.get(day):
        status, reason = "rejected", " ".join(dict.fromkeys(span.problems[day]))
    elif missing is not None:
        status, reason = "absent", missing
    tables = {}
    hashes = {}
    firsts: list[datetime] = []
    lasts: list[datetime] = []
    if status == "landed":
        for name, days in contents.items():
            found = days.get(day, _Content(0, "", None, None))
            file = f"{name}-{found.digest[:16]}.parquet" if found.count else None
            tables[name] = TableFile(file, found.count)
            hashes[name] = found.digest
            firsts += [found.first_at] if found.first_at else []
            lasts += [found.last_at] if found.last_at else []
    set_aside = aside.get(day) if status != "absent" else None
    quarantined = span.quarantined[day] if set_aside else 0
    read = span.read[day] if status != "absent" else 0
    dropped_by = dict(sorted(span.dropped[day].items())) if status != "absent" else {}
    if status == "rejected" and span.landed[day]:
        dropped_by["rejected_with_its_day"] = span.landed[day]
    return Slice(
        feed=span.feed.name,
        product_id=span.product_id,
        day=day,
        status=status,
        reason=reason,
        hash=content_hash(status, hashes, set_aside.digest if set_aside else None),
        arrived_at=span.at,
        tables=tables,
        quarantine_file=f"quarantine-{set_aside.digest[:16]}.parquet" if set_aside else None,
        read=read,
        landed=span.landed[day] if status == "landed" else 0,
        quarantined=quarantined,
        dropped=sum(dropped_by.values()),
        key_id=span.key_id,
        dropped_by=dropped_by,
        first_at=min(firsts, default=None),
        last_at=max(lasts, default=None),
        columns={n: tuple(sorted(c)) for n, c in span.columns[day].items()}
        if status == "landed"
        else {},
        unused_columns=tuple(sorted(span.unused_columns[day])) if status == "landed" else (),
    )


def _is_same(known: Slice, piece: Slice) -> bool:
    """Equal but for when it arrived."""
    return known == Slice(**{**vars(piece), "arrived_at": known.arrived_at})


def _is_whole(folder: Path, piece: Slice) -> bool:
    return all((folder / name).exists() for name in piece.files)


def _copy(
    connection: duckdb.DuckDBPyConnection,
    landing: Path,
    scratch: Path,
    table: str,
    day: str,
    days: Mapping[date, _Content],
    files: Mapping[date, str],
    span: Range,
) -> None:
    """Write the rows of each day to its file: one partitioned copy, then a rename per file."""
    targets = {
        each: folder_of(landing, span.feed.name, span.product_id, each) / name
        for each, name in files.items()
    }
    targets = {each: path for each, path in targets.items() if not path.exists()}
    if not targets:
        return
    columns = f"* exclude ({day})" if table == "quarantine" else "*"
    if sum(days[each].count for each in targets) >= MANY * len(targets):
        connection.execute("set preserve_insertion_order = false")  # a fifth of the copies' cost
        for each, path in targets.items():
            _copy_day(connection, table, columns, day, each, path)
        connection.execute("set preserve_insertion_order = true")
        return
    connection.execute("create or replace temp table changed(day DATE)")
    listed = ", ".join(f"(DATE '{each}')" for each in targets)
    connection.execute(f"insert into changed values {listed}")
    staging = scratch / table
    chosen = "" if targets.keys() >= days.keys() else f" where {day} in (from changed)"
    connection.execute(
        f"copy (select {columns}, {day} as slice_day from {table}{chosen}) to '{staging}' "
        f"({PARQUET}, partition_by (slice_day), overwrite_or_ignore)"
    )
    for each, path in targets.items():
        parts = list((staging / f"slice_day={each}").glob("*.parquet"))
        if len(parts) == 1:
            path.parent.mkdir(parents=True, exist_ok=True)
            parts[0].replace(path)
        else:
            _copy_day(connection, table, columns, day, each, path)


def _copy_day(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: str,
    day: str,
    each: date,
    path: Path,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    try:
        connection.execute(
            f"copy (select {columns} from {table} where {day} = DATE '{each}') "
            f"to '{temporary}' ({PARQUET})"
        )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # half of it would go on filling a full disk
