"""Columns that came and went: a lost one stops its day, a new one is told and its values left."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from pathlib import Path

from kpi_pipeline.feeds.contracts import FeedTable
from kpi_pipeline.feeds.reading import FileRead, nearest
from kpi_pipeline.landing import judge
from kpi_pipeline.slices import Slice, folder_of, read_slice
from kpi_pipeline.workspace import Source

FIXED = ("csv", "xlsx", "parquet")  # formats whose files always have all their columns


def slice_before(landing: Path, feed: str, product_id: str, day: date) -> Slice | None:
    """The last slice that landed before `day`, or None."""
    parent = folder_of(landing, feed, product_id, day).parent
    days = sorted((f for f in parent.glob("day=*") if f.name < f"day={day}"), reverse=True)
    for folder in days[:60]:
        piece = read_slice(folder)
        if piece is not None and piece.status == "landed":
            return piece
    return None


def lost(
    source: Source,
    table: FeedTable,
    reads: Sequence[FileRead],
    before: Collection[str],
    last: date | None,
) -> Iterator[tuple[FileRead, str]]:
    """Each file that lacks a column which the one before it had and the feed uses, and a sentence.

    before, last: the columns of the slice landed last, and its day.
    """
    if source.format not in FIXED:
        return
    used = {
        column
        for name, column in judge.wanted_of(source, table).items()
        if name not in source.optional
    }
    known = {column: f"on {last}" for column in before if column in used}
    for one in reads:
        if one.problem or not one.columns:
            continue
        for column, when in known.items():
            if column not in one.columns:
                near = nearest(column, one.columns)
                hint = f" Did {near!r} take its place?" if near else ""
                yield (
                    one,
                    f"{one.file.name} no longer has the column {column!r}, which was there {when}; "
                    f"it has {', '.join(one.columns)}.{hint} If it is gone for good, list it "
                    "under optional in sources.yml.",
                )
        known |= {c: f"in {one.file.name}" for c in one.columns if c in used}


def told(before: Slice | None, piece: Slice) -> str | None:
    """A sentence about columns that nobody declared and that were not there before, or None."""
    if before is None or piece.status != "landed":
        return None
    new = [c for c in piece.unused_columns if c not in before.unused_columns]
    was = {c for columns in before.columns.values() for c in columns}
    new = [c for c in new if c not in was]
    if not new:
        return None
    names = ", ".join(map(repr, new))
    return (
        f"{piece.feed} of {piece.product_id} on {piece.day} has new columns: {names}. They are not "
        "landed; map under columns in sources.yml what is needed."
    )
