"""Source text becomes typed rows, each with its local day and its first fault, if it has one."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb

from kpi_pipeline.feeds import files
from kpi_pipeline.feeds.contracts import FeedTable
from kpi_pipeline.feeds.files import FileRead, SourceFile, name_of
from kpi_pipeline.landing import rules
from kpi_pipeline.workspace import Source

DAY_ONLY = True


def judge(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    table: FeedTable,
    zone: str,
    found: Sequence[SourceFile],
    scratch: Path,
    day_only: bool = False,
) -> tuple[FileRead, ...]:
    """Read files into `judged(file_no, n, whole, <contract columns>, local_date, fault, raw)`.

    Identifiers are still as delivered there, so it is temporary and in memory only. Lines that are
    no rows are in `broken`. day_only: just what the day needs.
    """
    wanted = _wanted(source, table)
    if day_only:
        needed = {table.day_column, "grain"}
        wanted = {name: column for name, column in wanted.items() if name in needed}
    required = _required(source, table, wanted)
    reads = files.read(connection, source, found, wanted, required, scratch)
    all_rules = rules.rules_of(source, table, zone, set(wanted))
    kept = [r for r in all_rules if not day_only or r.column.name in (table.day_column, "grain")]
    values = ", ".join(f"{r.value} as {name_of(f'v_{r.column.name}')}" for r in kept)
    typed = ", ".join(f"{r.typed} as {name_of(r.column.name)}" for r in kept)
    fault = "null::VARCHAR" if day_only else rules.fault(kept, table)
    shown = [r.column.name for r in kept if r.column.type != "identifier"]
    packed = ", ".join(f"{name_of(c)} := {name_of(f'v_{c}')}" for c in shown)
    plain = ", ".join(name_of(r.column.name) for r in kept)
    connection.execute("drop table if exists judged")
    connection.execute(
        f"create temp table judged as select file_no, n, whole, {plain}, local_date, fault, "
        f"case when fault is not null then to_json(struct_pack({packed}))::VARCHAR end as raw "
        f"from (select *, {fault} as fault "
        f"from (select *, {rules.local_date(table, zone)} as local_date "
        f"from (select *, {typed} from (select file_no, n, whole, {values} from raw))))"
    )
    connection.execute("drop table raw")
    return reads


def span(connection: duckdb.DuckDBPyConnection, latest: date) -> tuple[date | None, date | None]:
    """First and last day among the judged rows, up to `latest`."""
    row = connection.execute(
        "select min(local_date), max(local_date) from judged where local_date <= ?", [latest]
    ).fetchone()
    return (None, None) if row is None else (row[0], row[1])


def _wanted(source: Source, table: FeedTable) -> dict[str, str]:
    """Contract column → source column, for all that come from the files."""
    wanted = {}
    for column in table.columns:
        name = column.name
        if name in source.constants:
            continue
        if source.aggregate is not None:
            if name == source.aggregate.count:
                continue
            if name == table.day_column:
                wanted[name] = source.aggregate.date_from
                continue
            if name in source.aggregate.sum:
                wanted[name] = source.aggregate.sum[name]
                continue
        wanted[name] = source.columns.get(name, name)
    return wanted


def _required(source: Source, table: FeedTable, wanted: dict[str, str]) -> list[str]:
    """Source columns a file must have: those that are declared, and those the contract requires."""
    must = {column.name for column in table.columns if column.required}
    declared = set(source.columns)
    if source.aggregate is not None:
        declared |= {table.day_column, *source.aggregate.sum}
    return [column for name, column in wanted.items() if name in must | declared]
