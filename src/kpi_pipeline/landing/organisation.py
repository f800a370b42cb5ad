"""The organisation tables, landed like a feed: typed Parquet named by content, without emails."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import duckdb

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.feeds.sql import name_of
from kpi_pipeline.landing.keyed import key_id, keyed
from kpi_pipeline.settings import Settings
from kpi_pipeline.workspace import Table, Workspace

ORGANISATION_FILE = "organisation.json"
SQL_TYPES = {
    "text": "VARCHAR",
    "date": "DATE",
    "number": "DOUBLE",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
}
DROPPED = {("people", "email")}
NULL = "\x02"


def land_organisation(
    settings: Settings, workspace: Workspace, at: datetime, run_id: str
) -> dict[str, str]:
    """Write every organisation table; returns table → hash. Nothing is rewritten when unchanged.

    `landing/organisation/organisation.json` names the current files:
    {"run_id", "landed_at", "key_id", "tables": {name: {"file", "rows", "hash"}}}.
    """
    key = settings.require_hash_key()
    folder = settings.landing / "organisation"
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / ORGANISATION_FILE
    before = json.loads(index.read_bytes())["tables"] if index.exists() else {}
    now: dict[str, dict[str, object]] = {}
    with duckdb.connect() as connection:
        for name, table in sorted(workspace.tables.items()):
            rows = _rows(name, table, key)
            columns = {
                c.name: SQL_TYPES[c.type] for c in table.columns if (name, c.name) not in DROPPED
            }
            digest = _digest(columns, rows)
            file = f"{name}-{digest[:16]}.parquet"
            now[name] = {"file": file, "rows": len(rows), "hash": digest}
            if not (folder / file).exists():
                _write(connection, folder / file, columns, rows)
    if now != before:
        data = {"run_id": run_id, "landed_at": at.isoformat(), "key_id": key_id(key), "tables": now}
        temporary = folder / f".{ORGANISATION_FILE}.{os.getpid()}"
        temporary.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        temporary.replace(index)
        keep = {str(entry["file"]) for entry in now.values()}
        for path in folder.glob("*.parquet"):
            if path.name not in keep:
                path.unlink()
    return {name: str(entry["hash"]) for name, entry in now.items()}


def refuse_moved_identity(settings: Settings, workspace: Workspace) -> None:
    """Raises ConfigurationError when what landed before cannot be joined with what would land now:
    another hash key, or a product of which slices landed in another time zone or identity space."""
    from kpi_pipeline.runlog import RunLog

    folder = settings.landing / "organisation"
    index = folder / ORGANISATION_FILE
    if not index.exists():
        return
    having = {row["product_id"] for row in RunLog(settings).slices() if row["status"] == "landed"}
    if not having:
        return
    before = json.loads(index.read_bytes())
    if before["key_id"] != key_id(settings.require_hash_key()):
        raise ConfigurationError(
            "KPI_HASH_KEY is not the key that earlier data were landed with, so the same visitor "
            "would become two. Set the earlier key again; another one needs a new KPI_HOME."
        )
    with duckdb.connect() as connection:
        landed = connection.execute(
            "select product_id, time_zone, identity_space from read_parquet(?)",
            [str(folder / before["tables"]["products"]["file"])],
        ).fetchall()
    for product_id, zone, space in sorted(landed):
        product = workspace.products.get(product_id)
        if product is None or product_id not in having:
            continue
        for name, was, now in (
            ("time_zone", zone, product.time_zone),
            ("identity_space", space, product.identity_space),
        ):
            if was != now:
                raise ConfigurationError(
                    f"organisation/products.csv: {name} of {product_id} is {now!r}, but its data "
                    f"landed under {was!r} and cannot be moved. Put {was!r} back, or start a "
                    f"product with a new product_id."
                )


def _rows(name: str, table: Table, key: str) -> list[tuple[object, ...]]:
    """The rows as they are landed, in an order of their own."""
    names = [column.name for column in table.columns]
    kept = [i for i, column in enumerate(names) if (name, column) not in DROPPED]
    rows = []
    for row in table.rows:
        values = list(row)
        if name == "exclusions":
            kind, value = names.index("kind"), names.index("value")
            if values[kind] in ("user", "visitor") and values[value] is not None:
                values[value] = keyed(key, str(values[value]))
        rows.append(tuple(values[i] for i in kept))
    return sorted(rows, key=repr)


def _digest(columns: Mapping[str, str], rows: list[tuple[object, ...]]) -> str:
    text = json.dumps([list(columns.items()), rows], default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _write(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    columns: Mapping[str, str],
    rows: list[tuple[object, ...]],
) -> None:
    typed = ", ".join(f"{name_of(name)} {kind}" for name, kind in columns.items())
    connection.execute(f"create or replace temp table organisation({typed})")
    if rows:
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "rows.csv"
            with file.open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerows(
                    [NULL if value is None else value for value in row] for row in rows
                )
            connection.execute(
                "copy organisation from "
                f"'{file}' (format csv, header false, nullstr '{NULL}', auto_detect false, "
                "quote '\"', escape '\"', delim ',')"
            )
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    connection.execute(f"copy organisation to '{temporary}' (format parquet)")
    temporary.replace(path)
