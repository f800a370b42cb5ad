"""Tables of the organisation that expectations compare with, from what was landed of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

#: Without them (nothing was landed yet) they are empty; a check says what that means to it.
COLUMNS = {
    "company": "currency VARCHAR",
    "products": "product_id VARCHAR, currency VARCHAR, time_zone VARCHAR",
    "channels": "channel VARCHAR",
    "activity_kinds": "kind VARCHAR",
    "exchange_rates": "currency VARCHAR, valid_from DATE",
    "calendar": "day DATE, kind VARCHAR, product_id VARCHAR",
}


@dataclass(frozen=True)
class Lookups:
    """Table to the file it is landed in."""

    files: dict[str, Path]

    @classmethod
    def of(cls, landing: Path) -> Lookups:
        """What `landing/organisation` holds."""
        folder = landing / "organisation"
        index = folder / "organisation.json"
        if not index.exists():
            return cls({})
        tables = json.loads(index.read_bytes())["tables"]
        return cls({name: folder / tables[name]["file"] for name in COLUMNS if name in tables})

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make a table of each."""
        for name, columns in COLUMNS.items():
            connection.execute(f"create table {name}({columns})")
            if name in self.files:
                named = ", ".join(_names(columns))
                connection.execute(
                    f"insert into {name} select {named} from read_parquet(?)",  # noqa: S608
                    [str(self.files[name])],
                )

    def zones(self) -> dict[str, ZoneInfo]:
        """Product to its time zone."""
        if "products" not in self.files:
            return {}
        with duckdb.connect() as connection:
            rows = connection.execute(
                "select product_id, time_zone from read_parquet(?)", [str(self.files["products"])]
            ).fetchall()
        return {product: ZoneInfo(zone) for product, zone in rows}


def _names(columns: str) -> list[str]:
    return [column.split()[0] for column in columns.split(", ")]
