"""What is usual for a slice: how much its weekday has, when its day begins and ends, what is high.

Only the weeks before a slice are read, so a check costs the same in its tenth year.
"""

# ruff: noqa: S608  # names come from the feed contracts
from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.feeds.sql import name_of
from kpi_pipeline.periods import each_day
from kpi_pipeline.runlog import Row, RunLog
from kpi_pipeline.slices import Slice, folder_of, read_slice

USUAL_WEEKS = 8
USUAL_AT_LEAST = 4
WEEK = 7
RECENT_DAYS = 28
RECENT_AT_LEAST = 7
HIGH_SHARE = 0.99

Day = tuple[str, date]
"""A product and its local day."""


@dataclass(frozen=True)
class Volume:
    """What a table's volume counts: rows, or the sum of a column."""

    unit: str
    column: str | None = None


#: Daily tables have about as many rows on a bad day as on a good one, so their figures count.
VOLUMES = {
    "page_views": Volume("page views"),
    "traffic": Volume("visits", "visits"),
    "exposure": Volume("impressions", "impressions"),
    "users": Volume("sign-ups"),
    "activity": Volume("activities"),
}
#: Columns of daily tables in which one row may be far out.
FIGURES = {"traffic": ("visits",), "exposure": ("impressions", "cost")}


@dataclass(frozen=True)
class Range:
    """The same weekday in the weeks before. Days far from the median do not widen it.

    level: what the last seven days had of what was usual for them; 1.0 where that is not known.
    """

    low: float
    median: float
    high: float
    level: float


@dataclass(frozen=True)
class Clock:
    """Hours from local midnight at which a day's data usually begin and end; rows usual a day."""

    begins: float
    ends: float
    rows: float


@dataclass(frozen=True)
class High:
    """The 99th percentile of a column's rows, as usual on the days before; rows it rests on."""

    value: float
    rows: int


class History:
    """What landed of one feed, for the days of a batch and the weeks before it."""

    def __init__(
        self, landing: Path, log: RunLog, batch: Sequence[Slice], zones: Mapping[str, ZoneInfo]
    ) -> None:
        days = [piece.day for piece in batch]
        self._landing, self._zones = landing, zones
        self._feed = batch[0].feed
        self._batch = {(piece.product_id, piece.day): piece for piece in batch}
        self._landed: dict[Day, Row] = {
            (row["product_id"], row["day"]): row
            for row in log.slices(self._feed, None, _first_needed(min(days)), max(days))
            if row["status"] == "landed"
        }

    def volume(self, table: str, key: Day) -> int:
        """How much the table has on that day."""
        return self._volumes[table].get(key, 0)

    def usual_volume(self, table: str, key: Day) -> Range | None:
        """What the weekday usually has; None with less than four of the eight weeks."""
        before = self._same_weekdays(table, key)
        if before is None:
            return None
        median = statistics.median(before)
        near = [count for count in before if median / 2 <= count <= median * 2] or before
        return Range(min(near), median, max(near), self._level(table, key))

    def _same_weekdays(self, table: str, key: Day) -> list[int] | None:
        product, day = key
        known = self._volumes[table]
        before = [known[product, d] for d in _weeks_before(day) if (product, d) in known]
        return before if len(before) >= USUAL_AT_LEAST else None

    def _level(self, table: str, key: Day) -> float:
        """After a launch, in a holiday week, or when people went for good, every day is low."""
        product, day = key
        levels = []
        for d in _days_before(day)[:WEEK]:
            before = self._same_weekdays(table, (product, d))
            if before and (product, d) in self._volumes[table] and statistics.median(before):
                levels.append(self._volumes[table][product, d] / statistics.median(before))
        return statistics.median(levels) if len(levels) >= USUAL_AT_LEAST else 1.0

    def clock(self, key: Day) -> tuple[float | None, float | None]:
        """Hours from local midnight at which that day's data begin and end."""
        piece = self._batch[key]
        return self._hour(key, piece.first_at), self._hour(key, piece.last_at)

    def usual_clock(self, key: Day) -> Clock | None:
        """When days usually begin and end; None with less than seven of the 28 days before."""
        product, day = key
        rows = [
            row
            for d in _days_before(day)
            if (row := self._landed.get((product, d))) and row["first_at"] and row["last_at"]
        ]
        if len(rows) < RECENT_AT_LEAST:
            return None
        begins = [self._hour((product, row["day"]), row["first_at"]) or 0.0 for row in rows]
        ends = [self._hour((product, row["day"]), row["last_at"]) or 0.0 for row in rows]
        return Clock(
            statistics.quantiles(begins, n=10, method="inclusive")[-1],
            statistics.quantiles(ends, n=10, method="inclusive")[0],
            statistics.median(row["rows_landed"] for row in rows),
        )

    def usual_high(self, table: str, column: str, key: Day) -> High | None:
        """What is high among the rows of the 28 days before; None where nothing landed."""
        product, day = key
        known = self._highs.get((table, column), {})
        before = [known[product, d] for d in _days_before(day) if (product, d) in known]
        if not before:
            return None
        return High(statistics.median(high.value for high in before), sum(h.rows for h in before))

    def _hour(self, key: Day, at: datetime | None) -> float | None:
        if at is None:
            return None
        local = at.astimezone(self._zones.get(key[0], ZoneInfo("UTC")))
        return local.hour + local.minute / 60 + local.second / 3600

    @cached_property
    def _pieces(self) -> dict[Day, Slice]:
        """Slices of the batch, and those before them that anything is compared with."""
        pieces = dict(self._batch)
        for product, day in self._batch:
            for d in each_day(_first_needed(day), day - timedelta(days=1)):
                if (product, d) in pieces or (product, d) not in self._landed:
                    continue
                piece = read_slice(folder_of(self._landing, self._feed, product, d))
                if piece is not None and piece.status == "landed":
                    pieces[product, d] = piece
        return pieces

    @cached_property
    def _volumes(self) -> dict[str, dict[Day, int]]:
        found: dict[str, dict[Day, int]] = {}
        for name, volume in VOLUMES.items():
            pieces = {k: p.tables[name] for k, p in self._pieces.items() if name in p.tables}
            if volume.column is None:
                found[name] = {key: entry.rows for key, entry in pieces.items()}
            else:
                sums = self._figures.get((name, volume.column), {})
                found[name] = {key: int(sums[key][0]) if key in sums else 0 for key in pieces}
        return found

    @cached_property
    def _highs(self) -> dict[tuple[str, str], dict[Day, High]]:
        return {
            column: {key: High(high, rows) for key, (_, high, rows) in days.items() if rows}
            for column, days in self._figures.items()
        }

    @cached_property
    def _figures(self) -> dict[tuple[str, str], dict[Day, tuple[float, float, int]]]:
        """(table, column) to each day's sum, 99th percentile and number of rows with a value."""
        found: dict[tuple[str, str], dict[Day, tuple[float, float, int]]] = {}
        tables = {table.name for table in FEEDS[self._feed].tables}
        for name, columns in FIGURES.items():
            files = {
                str(folder_of(self._landing, self._feed, *key) / entry.file): key
                for key, piece in self._pieces.items()
                if (entry := piece.tables.get(name)) and entry.file
            }
            if name not in tables or not files:
                continue
            for column in columns:
                found[name, column] = {
                    files[file]: (float(total or 0), float(high or 0), rows)
                    for file, total, high, rows in _measured(files, column)
                }
        return found


def _measured(files: Iterable[str], column: str) -> list[tuple[str, float, float, int]]:
    named = name_of(column)
    with duckdb.connect() as connection:
        return connection.execute(
            f"select filename, sum({named}), quantile_cont({named}, {HIGH_SHARE}), count({named}) "
            "from read_parquet(?, filename = true, hive_partitioning = false) group by filename",
            [list(files)],
        ).fetchall()


def _first_needed(day: date) -> date:
    """The day a week earlier is compared with eight weeks of its own."""
    return day - timedelta(weeks=USUAL_WEEKS, days=WEEK)


def _weeks_before(day: date) -> list[date]:
    """The same weekday of the weeks before, the last one first."""
    return [day - timedelta(weeks=back) for back in range(1, USUAL_WEEKS + 1)]


def _days_before(day: date) -> list[date]:
    return [day - timedelta(days=back) for back in range(1, RECENT_DAYS + 1)]
