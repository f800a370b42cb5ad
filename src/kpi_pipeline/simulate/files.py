"""Writes query results as files whose bytes depend on nothing but the rows."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb


def write_lines(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    path: Callable[[str], Path],
    parameters: Mapping[str, Any] | None = None,
    *,
    keys: Sequence[str] | None = None,
    delimiter: str = ",",
) -> None:
    """Write CSV or JSON lines by the path's name, gzipped where it ends in `.gz`.

    The query's first column says which file a row goes to (passed to `path`), its second the
    order of rows in a file; the others are written. keys: files that must exist, even if empty.
    """
    connection.execute(
        f"create or replace temp table rows_to_write as {query}", dict(parameters or {})
    )
    described = connection.execute("describe rows_to_write").fetchall()
    file, order, *columns = [str(row[0]) for row in described]
    texts = {str(row[0]) for row in described if row[1] == "VARCHAR"}
    is_json = ".jsonl" in path("").name
    if is_json:
        pairs = ", ".join(f"'{name}': \"{name}\"" for name in columns)
        line, header = f"to_json({{{pairs}}})::varchar", ""
    else:
        cells = [_csv_cell(name, name in texts, delimiter) for name in columns]
        line, header = f"concat_ws('{delimiter}', {', '.join(cells)})", delimiter.join(columns)
    written = connection.execute(
        f'select "{file}"::varchar, string_agg({line}, chr(10) order by "{order}") '  # noqa: S608
        "from rows_to_write group by all order by 1"
    ).fetchall()
    contents = dict.fromkeys(keys or (), "") | {str(key): str(text) for key, text in written}
    for key, text in contents.items():
        target = path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        parts = [part for part in (header, text) if part]
        data = ("\n".join(parts) + "\n").encode() if parts else b""
        if target.suffix == ".gz":
            data = gzip.compress(data, compresslevel=1, mtime=0)
        target.write_bytes(data)
    connection.execute("drop table rows_to_write")


def write_parquet(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    path: Path,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Write one Parquet file in the query's order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = str(path).replace("'", "''")
    connection.execute(
        f"copy ({query}) to '{name}' (format parquet, compression zstd)", dict(parameters or {})
    )


def _csv_cell(name: str, is_text: bool, delimiter: str) -> str:
    cell = f"coalesce(\"{name}\"::varchar, '')"
    if not is_text:
        return cell
    special = f"'[\"\\n{delimiter}]'"
    return (
        f"case when regexp_matches({cell}, {special}) "
        f"then concat('\"', replace({cell}, '\"', '\"\"'), '\"') else {cell} end"
    )
