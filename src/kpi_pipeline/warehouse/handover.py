"""Lays out what dbt reads: rows of the touched slices, what is known of all, the organisation."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpi_pipeline.errors import BuildError
from kpi_pipeline.feeds.contracts import FEEDS, PAGE_VIEWS, SQL_TYPES, FeedTable
from kpi_pipeline.filling import fill
from kpi_pipeline.referrers import known_hosts
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import folder_of, read_slice
from kpi_pipeline.warehouse.changes import BuiltSlice, Changes, SliceKey

if TYPE_CHECKING:
    import duckdb

    from kpi_pipeline.workspace import Workspace

LARGE = 5_000_000  # rows
#: Page views a statement takes at once: what it groups and orders then stays in memory.
BATCH = 3_000_000
SLICE_COLUMNS = {
    "feed": "VARCHAR",
    "product_id": "VARCHAR",
    "day": "DATE",
    "status": "VARCHAR",
    "reason": "VARCHAR",
    "hash": "VARCHAR",
    "rows_read": "BIGINT",
    "rows_landed": "BIGINT",
    "rows_quarantined": "BIGINT",
    "rows_dropped": "BIGINT",
    "checks_passed": "INTEGER",
    "checks_warned": "INTEGER",
    "checks_stopped": "INTEGER",
    "first_at": "TIMESTAMP",
    "last_at": "TIMESTAMP",
}
FORECAST_COLUMNS = {
    "kpi_id": "VARCHAR",
    "product_id": "VARCHAR",
    "scope_kind": "VARCHAR",
    "scope_id": "VARCHAR",
    "grain": "VARCHAR",
    "period_start": "DATE",
    "as_of_date": "DATE",
    "period_end": "DATE",
    "value": "DOUBLE",
    "forecast": "DOUBLE",
    "forecast_low": "DOUBLE",
    "forecast_high": "DOUBLE",
    "target": "DOUBLE",
    "forecast_chance": "DOUBLE",
    "errors": "INTEGER",
    "is_backcomputed": "BOOLEAN",
}


def lay_out(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    workspace: Workspace,
    rows: Sequence[Mapping[str, Any]],
    eligible: Mapping[SliceKey, BuiltSlice],
    changes: Changes,
) -> None:
    """Replace the schemas `landing` and `organisation` by what this build needs."""
    connection.execute("create schema if not exists landing")
    connection.execute("create schema if not exists organisation")
    known = [r for r in rows if (r["feed"], r["product_id"], r["day"]) in eligible]
    fill(
        connection,
        "landing.slices",
        SLICE_COLUMNS,
        [tuple(row[column] for column in SLICE_COLUMNS) for row in known],
    )
    fill(
        connection,
        "landing.touched_slices",
        {"feed": "VARCHAR", "product_id": "VARCHAR", "day": "DATE"},
        list(changes.slices),
    )
    fill(
        connection,
        "landing.batches",
        {"first_day": "DATE", "last_day": "DATE"},
        batches(known, changes.slices),
    )
    layers = [("values", changes.values_from), ("status", changes.status_from)]
    fill(
        connection,
        "landing.changed_from",
        {"layer": "VARCHAR", "day": "DATE"},
        [(layer, day) for layer, day in layers if day is not None],
    )
    fill(
        connection,
        "landing.product_feeds",
        {"product_id": "VARCHAR", "feed": "VARCHAR", "has_durations": "BOOLEAN"},
        feeds_of_products(workspace),
    )
    fill(
        connection,
        "landing.thresholds",
        {"feed": "VARCHAR", "product_id": "VARCHAR", "name": "VARCHAR", "value": "DOUBLE"},
        _thresholds(workspace),
    )
    fill(
        connection,
        "landing.referrer_hosts",
        {"host": "VARCHAR", "kind": "VARCHAR", "name": "VARCHAR"},
        known_hosts(),
    )
    _lay_out_forecasts(connection, settings)
    files = _files_of(settings, eligible, changes.slices)
    for feed in FEEDS.values():
        for table in feed.tables:
            _lay_out_rows(connection, table, files.get(table.name, []))
    _lay_out_organisation(connection, settings.landing / "organisation")


def batches(
    rows: Sequence[Mapping[str, Any]], touched: Sequence[SliceKey]
) -> list[tuple[date, date]]:
    """First and last day of the spans, one after the other, in which page views are read.

    Each ends with the day on which it has BATCH rows or more; together they hold every touched day.
    """
    views = Counter[date]()
    wanted = set(touched)
    for row in rows:
        key = (row["feed"], row["product_id"], row["day"])
        if row["feed"] == PAGE_VIEWS.name and key in wanted:
            views[row["day"]] += row["rows_landed"]
    spans: list[tuple[date, date]] = []
    first: date | None = None
    held = 0
    days = sorted({day for feed, _, day in touched if feed == PAGE_VIEWS.name})
    for day in days:
        first = first or day
        held += views[day]
        if held >= BATCH or day == days[-1]:
            spans.append((first, day))
            first, held = None, 0
    return spans


def _lay_out_forecasts(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    files = [str(path) for path in sorted(_forecasts_folder(settings).glob("*.parquet"))]
    fill(connection, "landing.forecasts_made", FORECAST_COLUMNS, [])
    if files:
        connection.execute(
            "insert into landing.forecasts_made by name select * from read_parquet(?)", [files]
        )


def keep_forecasts(connection: duckdb.DuckDBPyConnection, settings: Settings) -> int:
    """Append what the build forecast to the files that later builds read; how many rows.

    One file per build, so that a forecast stays as it was made, also when the warehouse is lost.
    """
    names = ", ".join(FORECAST_COLUMNS)
    key = "kpi_id, product_id, scope_kind, scope_id, grain, period_start, as_of_date"
    new = (
        f"select {names} from marts.fct_forecasts_made "  # noqa: S608
        f"anti join landing.forecasts_made using ({key}) order by {key}"
    )
    row = connection.execute(f"select count(*) from ({new})").fetchone()  # noqa: S608
    if row is None or row[0] == 0:
        return 0
    folder = _forecasts_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{len(list(folder.glob('*.parquet'))):06d}.parquet"
    half = path.with_suffix(".half")
    connection.execute(f"copy ({new}) to '{half}' (format parquet)")
    half.replace(path)
    return int(row[0])


def _forecasts_folder(settings: Settings) -> Path:
    return settings.landing / "forecasts_made"


def feeds_of_products(workspace: Workspace) -> list[tuple[str, str, bool]]:
    """Each product's feeds, and whether their times tell how long something took."""
    return [
        (product, feed, workspace.has_durations(feed, product))
        for product in sorted(workspace.products)
        for feed in sorted(workspace.feeds_of(product))
    ]


def hash_of_thresholds(workspace: Workspace) -> str:
    """A hash of what holds for each feed and product."""
    return hashlib.sha256(repr(_thresholds(workspace)).encode()).hexdigest()


def _thresholds(workspace: Workspace) -> list[tuple[str, str, str, float]]:
    return [
        (feed, product, name, value)
        for feed in FEEDS
        for product in workspace.products
        for name, value in workspace.thresholds.of(feed, product).items()
    ]


def _files_of(
    settings: Settings, eligible: Mapping[SliceKey, BuiltSlice], touched: Sequence[SliceKey]
) -> dict[str, list[str]]:
    """Table to the files of the touched slices that landed; only `slice.json` names files."""
    files: dict[str, list[str]] = {}
    for key in touched:
        if key not in eligible or eligible[key].status != "landed":
            continue
        folder = folder_of(settings.landing, *key)
        piece = read_slice(folder)
        if piece is None or piece.hash != eligible[key].hash:
            feed, product, day = key
            raise BuildError(
                f"{folder} no longer holds what the run log says about {feed} of {product} on "
                f"{day}; land that day again: kpi land --feed {feed} --from {day} --to {day}."
            )
        for table, file in piece.tables.items():
            if file.file is not None:
                files.setdefault(table, []).append(str(folder / file.file))
    return files


def _lay_out_rows(
    connection: duckdb.DuckDBPyConnection, table: FeedTable, files: Sequence[str]
) -> None:
    """landing.<table>, numbered by `row_no`. Few rows are copied, for models read them several
    times; many are read where they lie."""
    columns = {c.name: SQL_TYPES[c.type] for c in table.columns}
    columns |= {"product_id": "VARCHAR", "local_date": "DATE"}
    name = f"landing.{table.name}"
    for kind in ("view", "table"):
        if _is_a(connection, table.name, kind):
            connection.execute(f"drop {kind} {name}")
    if not files:
        fill(connection, name, {**columns, "row_no": "BIGINT"}, [])
        return
    listed = ", ".join(f"'{file.replace(chr(39), chr(39) * 2)}'" for file in files)
    rows = f"read_parquet([{listed}], hive_partitioning = false)"
    count = connection.execute(f"select count(*) from {rows}").fetchone()  # noqa: S608
    kind = "view" if count and count[0] > LARGE else "table"
    connection.execute(
        f"create {kind} {name} as select {', '.join(columns)}, "  # noqa: S608
        f"(file_index::BIGINT << 32) | file_row_number as row_no from {rows}"
    )


def _is_a(connection: duckdb.DuckDBPyConnection, name: str, kind: str) -> bool:
    found = connection.execute(
        f"select 1 from duckdb_{kind}s() where schema_name = 'landing' and {kind}_name = ?",  # noqa: S608
        [name],
    )
    return found.fetchone() is not None


def _lay_out_organisation(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    index = json.loads((folder / "organisation.json").read_bytes())
    for name, entry in sorted(index["tables"].items()):
        connection.execute(
            f"create or replace table organisation.{name} as select * from read_parquet(?)",  # noqa: S608
            [str(folder / entry["file"])],
        )


def read_built(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[dict[SliceKey, BuiltSlice], dict[str, str]]:
    """Slices and inputs of the last build that succeeded; empty when there was none."""
    connection.execute("create schema if not exists built")
    connection.execute(
        "create table if not exists built.slices "
        "(feed varchar, product_id varchar, day date, status varchar, hash varchar)"
    )
    connection.execute("create table if not exists built.inputs (name varchar, hash varchar)")
    slices = connection.execute("select * from built.slices").fetchall()
    inputs = connection.execute("select * from built.inputs").fetchall()
    return {(f, p, d): BuiltSlice(s, h) for f, p, d, s, h in slices}, dict(inputs)


def write_built(
    connection: duckdb.DuckDBPyConnection,
    slices: Mapping[SliceKey, BuiltSlice],
    inputs: Mapping[str, str],
    state: Mapping[str, object],
) -> None:
    """Remember what was built; one transaction."""
    connection.execute("begin")
    fill(
        connection,
        "built.slices",
        {
            "feed": "VARCHAR",
            "product_id": "VARCHAR",
            "day": "DATE",
            "status": "VARCHAR",
            "hash": "VARCHAR",
        },
        [(*key, piece.status, piece.hash) for key, piece in sorted(slices.items())],
    )
    fill(
        connection,
        "built.inputs",
        {"name": "VARCHAR", "hash": "VARCHAR"},
        sorted(inputs.items()),
    )
    fill(
        connection,
        "built.state",
        {
            "run_id": "VARCHAR",
            "built_at": "TIMESTAMP",
            "code_version": "VARCHAR",
            "slices_hash": "VARCHAR",
            "checks_passed": "BIGINT",
            "checks_warned": "BIGINT",
        },
        [tuple(state.values())],
    )
    connection.execute("commit")
