"""Landed slices written by hand, with rows no landing would let through, and their organisation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from kpi_pipeline.feeds.contracts import FEEDS, SQL_TYPES
from kpi_pipeline.runlog import RunLog, SliceAudit
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import Slice, TableFile, folder_of, write_slice

Rows = Sequence[Mapping[str, Any]]


def put_slice(
    settings: Settings,
    feed: str,
    product: str,
    day: date,
    rows_of: Mapping[str, Rows],
    at: datetime,
    *,
    is_audited: bool = False,
    **said: Any,
) -> Slice:
    """A landed slice of these rows by table. said: what `slice.json` says beside them."""
    folder = folder_of(settings.landing, feed, product, day)
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for table in FEEDS[feed].tables:
        if table.name not in rows_of:
            continue
        rows = rows_of[table.name]
        columns = {c.name: SQL_TYPES[c.type] for c in table.columns}
        columns |= {"product_id": "VARCHAR", "local_date": "DATE"}
        name = f"{table.name}-0.parquet"
        write_parquet(
            folder / name,
            columns,
            [{"product_id": product, "local_date": day, **row} for row in rows],
        )
        files[table.name] = TableFile(name if rows else None, len(rows))
    count = sum(file.rows for file in files.values())
    piece = Slice(
        feed, product, day, "landed", f"{feed}-{product}-{day}", at, files, read=count, landed=count
    )
    piece = replace(piece, **said)
    write_slice(folder, piece)
    log = RunLog(settings)
    log.record_slices([piece], "put", at)
    if is_audited:
        log.record_audits([SliceAudit(piece, 1, 0, 0)], "put", at)
    return piece


def put_organisation(
    settings: Settings, tables: Mapping[str, tuple[Mapping[str, str], Rows]]
) -> None:
    """Landed organisation tables: name to columns and rows."""
    folder = settings.landing / "organisation"
    folder.mkdir(parents=True, exist_ok=True)
    index = {}
    for name, (columns, rows) in tables.items():
        write_parquet(folder / f"{name}.parquet", columns, rows)
        index[name] = {"file": f"{name}.parquet", "rows": len(rows), "hash": "0"}
    (folder / "organisation.json").write_text(json.dumps({"key_id": "", "tables": index}))


def write_parquet(path: Path, columns: Mapping[str, str], rows: Rows) -> None:
    """A file with these columns; what a row does not say is NULL."""
    shape = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    with duckdb.connect() as connection:
        connection.execute(f"create table t({shape})")
        if rows:
            document = json.dumps([dict(row) for row in rows], default=str)
            connection.execute(
                "insert into t by name select unnest(from_json(?, ?), recursive := true)",
                [document, json.dumps([dict(columns)])],
            )
        connection.execute(f"copy t to '{path}' (format parquet)")


def weeks_before(day: date, count: int) -> list[date]:
    """The same weekday of the weeks before."""
    return [day - timedelta(weeks=back) for back in range(1, count + 1)]
