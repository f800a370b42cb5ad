"""Puts rows into a DuckDB table at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def fill(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Mapping[str, str],
    rows: Sequence[tuple[object, ...]],
) -> None:
    """Replace a table by these rows. columns: name to SQL type."""
    definition = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    connection.execute(f"create or replace table {table} ({definition})")
    if not rows:
        return
    # one JSON document is bound instead of thousands of rows, each of which would cost a statement
    document = json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=str)
    shape = json.dumps([dict(columns)])
    connection.execute(
        f"insert into {table} select unnest(from_json(?, ?), recursive := true)",
        [document, shape],
    )
