"""The rows that could not be used: which, why, and landing their days again after a fix.

Read from the slices the run log knows. Quarantine holds no identifiers and no addresses.
"""

# ruff: noqa: S608  # columns are named here, values are bound
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from kpi_pipeline.errors import PipelineError
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.slices import Slice, folder_of, read_slice

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from kpi_pipeline.settings import Settings

Row = tuple[Any, ...]
ROW_COLUMNS = (
    "feed",
    "product_id",
    "day",
    "table_name",
    "source_file",
    "row_number",
    "column_name",
    "value",
    "expected",
    "reason",
    "raw",
)
KEY = ("feed", "product_id", "table_name", "column_name", "reason", "expected")
FETCHED = 10_000


@dataclass(frozen=True)
class Asked:
    """Which rows: empty means all. Days are both included; columns are contract columns."""

    feeds: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Group:
    """Rows that are in quarantine for the same reason, with the first of them as an example.

    column_name: None where a line is no row. value: None where it is missing or may not be kept.
    """

    feed: str
    product_id: str
    table_name: str
    column_name: str | None
    reason: str
    expected: str | None
    rows: int
    days: int
    first_day: date
    last_day: date
    value: str | None
    source_file: str
    row_number: int | None


GROUP_COLUMNS = tuple(each.name for each in fields(Group))


@dataclass(frozen=True)
class Relanded:
    """What landing the days of one feed of one product again did.

    days: landed again. gone: not, because their source is not there any more. before, now: rows in
    quarantine. is_changed: whether any slice has other content than before.
    """

    feed: str
    product_id: str
    days: tuple[date, ...]
    gone: tuple[date, ...]
    before: int
    now: int
    is_changed: bool


class Quarantine:
    """The rows asked for, in the table `aside` of an open connection."""

    def __init__(self, connection: DuckDBPyConnection, slices: Sequence[Slice]) -> None:
        self._connection = connection
        self._slices = slices

    def groups(self) -> list[Group]:
        """All groups: by feed, product and table, the largest first."""
        key = ", ".join(KEY)
        example = ", ".join(
            f"arg_min({name}, (day, source_file, row_number))"
            for name in ("value", "source_file", "row_number")
        )
        rows = self._connection.execute(
            f"select {key}, count(*), count(distinct day), min(day), max(day), {example} "
            f"from aside group by {key} order by min(place), table_name, count(*) desc, {key}"
        ).fetchall()
        return [Group(*row) for row in rows]

    def values(self, group: Group, limit: int) -> list[tuple[str, int]]:
        """The values of a group with their number of rows, the most frequent first."""
        same = " and ".join(f"{name} is not distinct from ?" for name in KEY)
        return self._connection.execute(
            f"select value, count(*) from aside where value is not null and {same} "
            "group by 1 order by 2 desc, 1 limit ?",
            [*(getattr(group, name) for name in KEY), limit],
        ).fetchall()

    def landed_beside(self, group: Group) -> int:
        """Rows of the group's table that landed in the slices between its first and last day."""
        return sum(
            piece.tables[group.table_name].rows
            for piece in self._slices
            if (piece.feed, piece.product_id) == (group.feed, group.product_id)
            and group.first_day <= piece.day <= group.last_day
            and group.table_name in piece.tables
        )

    def rows(self, limit: int | None = None) -> Iterator[Row]:
        """The rows as tuples in the order of ROW_COLUMNS, as they stand in their files."""
        cut = "" if limit is None else f" limit {limit}"
        cursor = self._connection.execute(
            f"select {', '.join(ROW_COLUMNS)} from aside "
            f"order by place, day, source_file, row_number, table_name{cut}"
        )
        while batch := cursor.fetchmany(FETCHED):
            yield from batch

    def count(self) -> int:
        row = self._connection.execute("select count(*) from aside").fetchone()
        return row[0] if row else 0

    def days(self) -> dict[tuple[str, str], dict[date, int]]:
        """By feed and product, the days and their number of rows."""
        found: dict[tuple[str, str], dict[date, int]] = {}
        for feed, product, day, count in self._connection.execute(
            "select feed, product_id, day, count(*) from aside group by all "
            "order by min(place), day"
        ).fetchall():
            found.setdefault((feed, product), {})[day] = count
        return found


@contextmanager
def asked(settings: Settings, which: Asked) -> Iterator[Quarantine]:
    """The quarantine, opened. Raises PipelineError for a file of it that is gone."""
    import duckdb

    slices = _slices(settings, which)
    with duckdb.connect() as connection:
        columns = ", ".join(f"{name} VARCHAR" for name in ROW_COLUMNS[3:])
        connection.execute(
            "create temp table held(place INTEGER, feed VARCHAR, product_id VARCHAR, day DATE, "
            f"{columns.replace('row_number VARCHAR', 'row_number BIGINT')})"
        )
        if slices:
            connection.execute(
                "insert into held by name select f.place, f.feed, f.product_id, f.day, "
                "q.* exclude (filename) from read_parquet(?, filename = true, "
                "hive_partitioning = false) as q join (select unnest(?) as path, "
                "unnest(?) as place, unnest(?) as feed, unnest(?) as product_id, "
                "unnest(?)::DATE as day) as f on f.path = q.filename",
                [[path for path, _ in slices], *_columns(slices)],
            )
        among = " where column_name in (select unnest(?))" if which.columns else ""
        connection.execute(
            f"create temp table aside as select * from held{among}",
            [list(which.columns)] if which.columns else [],
        )
        yield Quarantine(connection, [piece for _, piece in slices])


def reland(
    settings: Settings,
    which: Asked,
    at: datetime,
    progress: Callable[[str], None],
) -> list[Relanded]:
    """Land exactly the days that have such rows again, one pass for each feed of a product.

    A day whose source is not there any more is left as it is. Raises what `run.load` raises.
    """
    from kpi_pipeline import run as steps

    with asked(settings, which) as found:
        affected = found.days()
    done = []
    for (feed, product), days in affected.items():
        there = [
            day
            for day in days
            if product in steps.products_of(settings, feed)
            and steps.arrival(settings, feed, product, day, at) == "arrived"
        ]
        gone = tuple(day for day in days if day not in there)
        before, now, is_changed = _quarantined(settings, feed, product, there), 0, False
        if there:
            loaded = steps.load(settings, feed, [product], there, at, progress)
            # a source that restates its last days was read for more of them
            now = sum(piece.quarantined for piece in loaded.slices if piece.day in there)
            is_changed = bool(loaded.changed)
        done.append(Relanded(feed, product, tuple(there), gone, before, now, is_changed))
    return done


def _quarantined(settings: Settings, feed: str, product: str, days: Sequence[date]) -> int:
    pieces = (read_slice(folder_of(settings.landing, feed, product, day)) for day in days)
    return sum(piece.quarantined for piece in pieces if piece is not None)


def _slices(settings: Settings, which: Asked) -> list[tuple[str, Slice]]:
    """The quarantine files with their slice, in order of feed, product and day."""
    from kpi_pipeline.runlog import RunLog

    found = []
    for row in RunLog(settings).slices(None, None, which.first, which.last):
        feed, product, day = row["feed"], row["product_id"], row["day"]
        is_asked = (not which.feeds or feed in which.feeds) and (
            not which.products or product in which.products
        )
        if not row["rows_quarantined"] or not is_asked:
            continue
        folder = folder_of(settings.landing, feed, product, day)
        piece = read_slice(folder)
        if piece is None or piece.quarantine_file is None:
            continue
        path = folder / piece.quarantine_file
        if not path.exists():
            raise PipelineError(
                f"{path} is gone; land that day again: kpi land --feed {feed} "
                f"--product {product} --from {day} --to {day}"
            )
        found.append((str(path), piece))
    places = list(FEEDS)
    return sorted(found, key=lambda each: places.index(each[1].feed))


def _columns(slices: Sequence[tuple[str, Slice]]) -> list[list[object]]:
    """Path, place, feed, product and day of each, a list for each; places order the products."""
    pairs = list(dict.fromkeys((piece.feed, piece.product_id) for _, piece in slices))
    rows: list[tuple[object, ...]] = [
        (
            path,
            pairs.index((piece.feed, piece.product_id)),
            piece.feed,
            piece.product_id,
            piece.day.isoformat(),
        )
        for path, piece in slices
    ]
    return [list(column) for column in zip(*rows, strict=True)]
