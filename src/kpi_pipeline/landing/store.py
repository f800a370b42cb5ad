"""Writes slices: files named by content first, then `slice.json`; what did not change is left."""

# ruff: noqa: S608  # table names are the contract's own
from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb

from kpi_pipeline.feeds.contracts import FeedTable
from kpi_pipeline.feeds.files import name_of
from kpi_pipeline.landing.span import Range
from kpi_pipeline.slices import (
    Slice,
    SliceStatus,
    TableFile,
    content_hash,
    folder_of,
    read_slice,
    write_slice,
)

QUARANTINE = (
    "table_name",
    "source_file",
    "row_number",
    "column_name",
    "value",
    "expected",
    "reason",
    "raw",
)


def create_quarantine(connection: duckdb.DuckDBPyConnection) -> None:
    """The temporary table rows are set aside in."""
    types = ", ".join(f"{c} {'BIGINT' if c == 'row_number' else 'VARCHAR'}" for c in QUARANTINE)
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
            connection, f"out_{table.name}", [c.name for c in table.columns], "local_date"
        )
        for table in tables
    }
    aside = _contents(connection, "quarantine", QUARANTINE, "day")
    changed: list[Slice] = []
    pieces: list[Slice] = []
    for day in span.days:
        piece = _piece(day, contents, aside, span)
        folder = folder_of(landing, span.feed.name, span.product_id, day)
        known = read_slice(folder)
        if known is not None and _is_same(known, piece) and _is_whole(folder, known):
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
        _copy(connection, landing, scratch, f"out_{table.name}", "local_date", files, span)
    aside_files = {p.day: p.quarantine_file for p in changed if p.quarantine_file is not None}
    _copy(connection, landing, scratch, "quarantine", "day", aside_files, span)
    for piece in changed:
        write_slice(folder_of(landing, piece.feed, piece.product_id, piece.day), piece)
    return pieces


def _contents(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], day: str
) -> dict[date, tuple[int, str]]:
    """Per day: number of rows, and a hash of them that does not depend on their order."""
    values = ", ".join(f"coalesce({name_of(c)}::VARCHAR, chr(30))" for c in columns)
    line = f"concat_ws(chr(31), {values})"
    rows = connection.execute(
        f"select {day}, count(*), sum(md5_number_lower(line)), sum(md5_number_upper(line)) "
        f"from (select {day}, {line} as line from {table}) group by 1"
    ).fetchall()
    names = ",".join(columns)
    return {
        day: (count, hashlib.sha256(f"{names}:{count}:{low}:{high}".encode()).hexdigest()[:32])
        for day, count, low, high in rows
    }


def _piece(
    day: date,
    contents: dict[str, dict[date, tuple[int, str]]],
    aside: dict[date, tuple[int, str]],
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
    if status == "landed":
        for name, days in contents.items():
            count, digest = days.get(day, (0, ""))
            tables[name] = TableFile(f"{name}-{digest[:16]}.parquet" if count else None, count)
            hashes[name] = digest
    set_aside = aside.get(day) if status != "absent" else None
    quarantined = span.quarantined[day] if set_aside else 0
    read = span.read[day] if status != "absent" else 0
    return Slice(
        feed=span.feed.name,
        product_id=span.product_id,
        day=day,
        status=status,
        reason=reason,
        hash=content_hash(status, hashes, set_aside[1] if set_aside else None),
        arrived_at=span.at,
        tables=tables,
        quarantine_file=f"quarantine-{set_aside[1][:16]}.parquet" if set_aside else None,
        read=read,
        landed=span.landed[day] if status == "landed" else 0,
        quarantined=quarantined,
        dropped=read - quarantined if status == "rejected" else 0,
        key_id=span.key_id,
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
    files: dict[date, str],
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
    connection.execute("create or replace temp table changed(day DATE)")
    listed = ", ".join(f"(DATE '{each}')" for each in targets)
    connection.execute(f"insert into changed values {listed}")
    staging = scratch / table
    columns = f"* exclude ({day})" if table == "quarantine" else "*"
    connection.execute(
        f"copy (select {columns}, {day} as slice_day from {table} "
        f"where {day} in (from changed)) to '{staging}' "
        "(format parquet, partition_by (slice_day), overwrite_or_ignore)"
    )
    for each, path in targets.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        parts = list((staging / f"slice_day={each}").glob("*.parquet"))
        if len(parts) == 1:
            parts[0].replace(path)
            continue
        temporary = path.with_name(f".{path.name}")
        connection.execute(
            f"copy (select {columns} from {table} where {day} = DATE '{each}') "
            f"to '{temporary}' (format parquet)"
        )
        temporary.replace(path)
