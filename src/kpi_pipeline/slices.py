"""A slice: one feed of one product on one local day, and the `slice.json` that says what it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, cast

from kpi_pipeline.errors import PipelineError

SliceStatus = Literal["landed", "absent", "rejected"]
ADAPTER = "files/3"
SLICE_FILE = "slice.json"


@dataclass(frozen=True)
class TableFile:
    """One landed table of a slice. `file` is None where the table has no rows."""

    file: str | None
    rows: int


@dataclass(frozen=True)
class Slice:
    """What `slice.json` says. Counts are source rows summed over tables.

    read = landed + quarantined + dropped, unless the slice is rejected for that very reason.
    `hash` covers status and table contents, and not when or by whom it was landed. dropped_by:
    the rule that dropped rows, to their number. first_at, last_at: of the rows that have a time.
    columns: those of each source's files. unused_columns: those of them nobody declared.
    """

    feed: str
    product_id: str
    day: date
    status: SliceStatus
    hash: str
    arrived_at: datetime
    tables: Mapping[str, TableFile] = field(default_factory=dict)
    quarantine_file: str | None = None
    read: int = 0
    landed: int = 0
    quarantined: int = 0
    dropped: int = 0
    reason: str | None = None
    adapter: str = ADAPTER
    key_id: str = ""
    dropped_by: Mapping[str, int] = field(default_factory=dict)
    first_at: datetime | None = None
    last_at: datetime | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unused_columns: tuple[str, ...] = ()

    @property
    def files(self) -> set[str]:
        """Names of every file this slice owns beside `slice.json`."""
        names = {table.file for table in self.tables.values()} | {self.quarantine_file}
        return {name for name in names if name is not None}


def content_hash(status: SliceStatus, tables: Mapping[str, str], quarantine: str | None) -> str:
    """Hash of a slice's status and of the hashes of its table contents and quarantine."""
    text = json.dumps([status, sorted(tables.items()), quarantine], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def folder_of(landing: Path, feed: str, product_id: str, day: date) -> Path:
    """The folder of a slice under `landing/`."""
    return landing / f"feed={feed}" / f"product={product_id}" / f"day={day.isoformat()}"


def read_slice(folder: Path) -> Slice | None:
    """The slice in that folder, or None. Raises PipelineError when `slice.json` is not readable."""
    path = folder / SLICE_FILE
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise PipelineError(f"{path} is not valid JSON ({error}); land that day again.") from error
    return Slice(
        feed=data["feed"],
        product_id=data["product_id"],
        day=date.fromisoformat(data["day"]),
        status=cast(SliceStatus, data["status"]),
        hash=data["hash"],
        arrived_at=datetime.fromisoformat(data["arrived_at"]),
        tables={name: TableFile(t["file"], t["rows"]) for name, t in data["tables"].items()},
        quarantine_file=data["quarantine_file"],
        read=data["read"],
        landed=data["landed"],
        quarantined=data["quarantined"],
        dropped=data["dropped"],
        reason=data["reason"],
        adapter=data["adapter"],
        key_id=data["key_id"],
        dropped_by=data.get("dropped_by", {}),
        first_at=_moment(data.get("first_at")),
        last_at=_moment(data.get("last_at")),
        columns={name: tuple(found) for name, found in data.get("columns", {}).items()},
        unused_columns=tuple(data.get("unused_columns", ())),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def write_slice(folder: Path, piece: Slice) -> None:
    """Replace `slice.json` atomically, then remove the files it no longer names."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "feed": piece.feed,
        "product_id": piece.product_id,
        "day": piece.day.isoformat(),
        "status": piece.status,
        "reason": piece.reason,
        "tables": {n: {"file": t.file, "rows": t.rows} for n, t in sorted(piece.tables.items())},
        "quarantine_file": piece.quarantine_file,
        "read": piece.read,
        "landed": piece.landed,
        "quarantined": piece.quarantined,
        "dropped": piece.dropped,
        "dropped_by": dict(sorted(piece.dropped_by.items())),
        "first_at": piece.first_at.isoformat() if piece.first_at else None,
        "last_at": piece.last_at.isoformat() if piece.last_at else None,
        "columns": {name: list(found) for name, found in sorted(piece.columns.items())},
        "unused_columns": list(piece.unused_columns),
        "hash": piece.hash,
        "arrived_at": piece.arrived_at.astimezone(UTC).isoformat(),
        "adapter": piece.adapter,
        "key_id": piece.key_id,
    }
    temporary = folder / f".{SLICE_FILE}.{os.getpid()}"
    temporary.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / SLICE_FILE)
    remove_stale(folder, piece)


def remove_stale(folder: Path, piece: Slice) -> None:
    """Remove the files of a slice's folder that it does not name."""
    keep = piece.files | {SLICE_FILE}
    with os.scandir(folder) as entries:
        stale = [entry.path for entry in entries if entry.name not in keep]
    for path in stale:
        Path(path).unlink(missing_ok=True)
