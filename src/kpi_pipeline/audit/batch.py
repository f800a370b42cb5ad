"""Lays out what expectations ask of: the rows of a feed's new slices, and what is known of each."""

# ruff: noqa: S608  # names come from the feed contracts
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from kpi_pipeline.audit.lookups import Lookups
from kpi_pipeline.audit.usual import FIGURES, VOLUMES, History
from kpi_pipeline.feeds.contracts import FEEDS, SQL_TYPES, FeedTable
from kpi_pipeline.feeds.sql import name_of, quoted
from kpi_pipeline.filling import fill
from kpi_pipeline.slices import Slice, folder_of
from kpi_pipeline.workspace.thresholds import Thresholds

VIEW_LIMIT = 8  # files; more of them are read once into a table, unless they are large
LARGE = 20_000  # rows a file
SLICES = "slices"

SLICE_COLUMNS = {
    "slice_no": "INTEGER",
    "feed": "VARCHAR",
    "product_id": "VARCHAR",
    "day": "DATE",
    "rows_read": "BIGINT",
    "rows_landed": "BIGINT",
    "rows_quarantined": "BIGINT",
    "quarantined": "DOUBLE",
    "begins_hour": "DOUBLE",
    "ends_hour": "DOUBLE",
    "begins": "VARCHAR",
    "ends": "VARCHAR",
    "usual_begins_hour": "DOUBLE",
    "usual_ends_hour": "DOUBLE",
    "usual_begins": "VARCHAR",
    "usual_ends": "VARCHAR",
    "usual_rows": "DOUBLE",
}
VOLUME_COLUMNS = {
    "slice_no": "INTEGER",
    "table_name": "VARCHAR",
    "unit": "VARCHAR",
    "volume": "BIGINT",
    "usual_low": "BIGINT",
    "usual_median": "DOUBLE",
    "usual_high": "BIGINT",
    "level": "DOUBLE",
}
HIGH_COLUMNS = {
    "slice_no": "INTEGER",
    "column_name": "VARCHAR",
    "usual_high": "DOUBLE",
    "usual_rows": "BIGINT",
}


def write_batch(
    path: Path,
    landing: Path,
    batch: Sequence[Slice],
    history: History,
    thresholds: Thresholds,
    lookups: Lookups,
) -> None:
    """A DuckDB file with all that expectations on these slices of one feed may read.

    slices: one row each: SLICE_COLUMNS (times are local; what is usual is NULL while too little is
    known), is_holiday, and every threshold as a column. volumes and highs: what is usual of its
    tables and their figures. <table>: the rows, with slice_day and slice_no. The lookups.
    """
    feed = FEEDS[batch[0].feed]
    with duckdb.connect(str(path)) as connection:
        lookups.write(connection)
        _write_slices(connection, batch, history, thresholds)
        fill(connection, "volumes", VOLUME_COLUMNS, _volumes(batch, history))
        fill(connection, "highs", HIGH_COLUMNS, _highs(batch, history))
        for table in feed.tables:
            _write_rows(connection, landing, table, batch)


def _write_slices(
    connection: duckdb.DuckDBPyConnection,
    batch: Sequence[Slice],
    history: History,
    thresholds: Thresholds,
) -> None:
    rows = []
    values: Mapping[str, float] = {}
    for number, piece in enumerate(batch):
        key = piece.product_id, piece.day
        begins, ends = history.clock(key)
        usual = history.usual_clock(key)
        values = thresholds.of(piece.feed, piece.product_id)
        rows.append(
            (
                number,
                piece.feed,
                piece.product_id,
                piece.day,
                piece.read,
                piece.landed,
                piece.quarantined,
                piece.quarantined / piece.read if piece.read else 0.0,
                begins,
                ends,
                _clock(begins),
                _clock(ends),
                usual.begins if usual else None,
                usual.ends if usual else None,
                _clock(usual.begins) if usual else None,
                _clock(usual.ends) if usual else None,
                usual.rows if usual else None,
                *values.values(),
            )
        )
    fill(connection, "told", SLICE_COLUMNS | dict.fromkeys(values, "DOUBLE"), rows)
    connection.execute(
        f"create table {SLICES} as select t.*, exists(select 1 from calendar as c "
        "where c.kind = 'holiday' and c.day = t.day "
        "and (c.product_id is null or c.product_id = t.product_id)) as is_holiday from told as t"
    )
    connection.execute("drop table told")


def _volumes(batch: Sequence[Slice], history: History) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for number, piece in enumerate(batch):
        key = piece.product_id, piece.day
        for name, volume in VOLUMES.items():
            if name in piece.tables:
                usual = history.usual_volume(name, key)
                told = (usual.low, usual.median, usual.high, usual.level) if usual else (None,) * 4
                rows.append((number, name, volume.unit, history.volume(name, key), *told))
    return rows


def _highs(batch: Sequence[Slice], history: History) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for number, piece in enumerate(batch):
        for name, columns in FIGURES.items():
            for column in columns:
                usual = history.usual_high(name, column, (piece.product_id, piece.day))
                if usual:
                    rows.append((number, column, usual.value, usual.rows))
    return rows


def _write_rows(
    connection: duckdb.DuckDBPyConnection,
    landing: Path,
    table: FeedTable,
    batch: Sequence[Slice],
) -> None:
    numbers = {}
    for number, piece in enumerate(batch):
        entry = piece.tables.get(table.name)
        if entry is not None and entry.file is not None:
            folder = folder_of(landing, piece.feed, piece.product_id, piece.day)
            numbers[str(folder / entry.file)] = number
    if not numbers:
        columns = ", ".join(f"{name_of(c.name)} {SQL_TYPES[c.type]}" for c in table.columns)
        connection.execute(
            f"create table {table.name}({columns}, product_id VARCHAR, local_date DATE, "
            "slice_day DATE, slice_no INTEGER)"
        )
        return
    files = f"{table.name}_files"
    fill(connection, files, {"file": "VARCHAR", "slice_no": "INTEGER"}, list(numbers.items()))
    rows = sum(piece.tables[table.name].rows for piece in batch if table.name in piece.tables)
    is_view = len(numbers) <= VIEW_LIMIT or rows >= LARGE * len(numbers)
    kind = "view" if is_view else "table"
    named = ", ".join(quoted(file) for file in numbers)
    connection.execute(
        f"create {kind} {table.name} as select r.* exclude (filename), s.day as slice_day, "
        f"s.slice_no from read_parquet([{named}], filename = true, hive_partitioning = false) as r "
        f"join {files} as f on f.file = r.filename join {SLICES} as s on s.slice_no = f.slice_no"
    )


def _clock(hours: float | None) -> str | None:
    """Hours from midnight as HH:MM."""
    if hours is None:
        return None
    minutes = int(hours * 60 + 0.001)  # 21:05 is 21.0833…, and not 21:04
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
