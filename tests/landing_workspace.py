"""A small workspace over files a test writes, for landing and audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

import duckdb

from kpi_pipeline.landing import Slice, land
from kpi_pipeline.periods import Calendar
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import folder_of
from kpi_pipeline.workspace import Product, Source, Workspace

AT = datetime(2024, 7, 15, 8, tzinfo=UTC)
KEY = "a key for tests, long enough to be one"
PROJECT = Path(__file__).resolve().parents[1]


@dataclass
class Bench:
    """One product and the sources of a test."""

    root: Path
    zone: str = "UTC"
    sources: tuple[Source, ...] = ()

    @property
    def settings(self) -> Settings:
        return Settings(
            workspace=self.root,
            home=self.root / "out",
            state_url=f"sqlite:///{self.root / 'out' / 'state.db'}",
            project=PROJECT,
            mail_from="reports@example.org",
            hash_key=KEY,
        )

    @property
    def workspace(self) -> Workspace:
        product = Product("p", "P", self.zone, "EUR", date(2020, 1, 1), "p", "own")
        feeds = ("page_views", "traffic", "exposure", "user_growth")
        return Workspace(
            root=self.root,
            sources=self.sources,
            give_up_at=dict.fromkeys(feeds, time(12)),
            policies={},
            mail_from=date(2024, 1, 1),
            tables={},
            calendar=Calendar(),
            products={"p": product},
            people=(),
        )

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def land(self, feed: str, days: Sequence[date], at: datetime = AT) -> list[Slice]:
        return land(self.settings, self.workspace, feed, ["p"], days, at, "run-1")

    def folder(self, piece: Slice) -> Path:
        return folder_of(self.settings.landing, piece.feed, piece.product_id, piece.day)

    def rows(self, piece: Slice, table: str, columns: str = "*") -> list[tuple[object, ...]]:
        file = piece.tables[table].file
        return [] if file is None else self._read(self.folder(piece) / file, columns)

    def quarantine(self, piece: Slice, columns: str = "*") -> list[tuple[object, ...]]:
        file = piece.quarantine_file
        return [] if file is None else self._read(self.folder(piece) / file, columns)

    @staticmethod
    def _read(path: Path, columns: str) -> list[tuple[object, ...]]:
        with duckdb.connect() as connection:
            return connection.execute(
                f"select {columns} from read_parquet(?, hive_partitioning = false) order by all",
                [str(path)],
            ).fetchall()
