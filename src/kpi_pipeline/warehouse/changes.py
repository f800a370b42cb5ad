"""What changed since the last build, and from which day it must be redone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

SliceKey = tuple[str, str, date]

#: Inputs that only judge values; the values themselves do not depend on them.
STATUS_ONLY = frozenset(
    {
        "annotations",
        "calendar",
        "channels",
        "decisions",
        "playbook",
        "product_stages",
        "stage_criteria",
        "targets",
        "teams",
        "thresholds",
    }
)
#: A change of them rebuilds nothing: no model reads decisions, and a forecast that was made stays.
REBUILDS_NOTHING = frozenset({"calendar", "decisions"})


@dataclass(frozen=True)
class BuiltSlice:
    """A slice as it is now, or as it was built."""

    status: str
    hash: str


@dataclass(frozen=True)
class Changes:
    """What a build must touch.

    slices: to be read again. values_from / status_from: the first day whose periods are redone.
    whole: everything is redone. because: names of the inputs that changed, for people.
    """

    slices: tuple[SliceKey, ...]
    values_from: date | None
    status_from: date | None
    whole: bool
    because: tuple[str, ...]

    @property
    def days(self) -> tuple[date, ...]:
        return tuple(sorted({day for _, _, day in self.slices}))

    @property
    def is_empty(self) -> bool:
        return not self.slices and self.status_from is None and not self.whole


def eligible(rows: Iterable[Mapping[str, Any]]) -> dict[SliceKey, BuiltSlice]:
    """Slices a build may use: landed and audited as they are, or ended without data."""
    return {
        (row["feed"], row["product_id"], row["day"]): BuiltSlice(row["status"], row["hash"])
        for row in rows
        if row["status"] != "landed" or row["audited_hash"] == row["hash"]
    }


def changes_between(
    now: Mapping[SliceKey, BuiltSlice],
    built: Mapping[SliceKey, BuiltSlice],
    inputs_now: Mapping[str, str],
    inputs_built: Mapping[str, str],
    full: bool,
) -> Changes:
    """Compare slices and inputs (organisation tables, the dbt project) with the last build's.

    `built` empty means there was none.
    """
    changed_inputs = tuple(
        sorted(
            name
            for name in inputs_now.keys() | inputs_built.keys()
            if inputs_now.get(name) != inputs_built.get(name) and name not in REBUILDS_NOTHING
        )
    )
    everything = tuple(sorted(now))
    first = min((day for _, _, day in everything), default=None)
    if first is None:
        return Changes((), None, None, False, ())
    if full or not built or any(name not in STATUS_ONLY for name in changed_inputs):
        return Changes(everything, first, first, True, changed_inputs if built else ())
    touched = tuple(
        sorted(key for key in now.keys() | built.keys() if now.get(key) != built.get(key))
    )
    values_from = min((day for _, _, day in touched), default=None)
    status_from = first if changed_inputs else values_from
    return Changes(touched, values_from, status_from, False, changed_inputs)


def hash_of_project(folder: Path) -> str:
    """A hash of every file dbt reads."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix in {".sql", ".yml", ".csv"} and parts[0] not in {"target", "logs"}:
            digest.update("/".join(parts).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def hash_of_state(slices: Mapping[SliceKey, BuiltSlice], inputs: Mapping[str, str]) -> str:
    """A hash of everything a warehouse was built from."""
    digest = hashlib.sha256()
    for key, piece in sorted(slices.items()):
        digest.update(f"{key[0]}|{key[1]}|{key[2]}|{piece.status}|{piece.hash}\n".encode())
    for name, value in sorted(inputs.items()):
        digest.update(f"{name}|{value}\n".encode())
    return digest.hexdigest()
