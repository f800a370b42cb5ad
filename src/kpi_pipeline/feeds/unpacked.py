"""Found files as plain ones: fetched, out of their archive, in UTF-8, without what is no table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kpi_pipeline.feeds.found import SourceFile

if TYPE_CHECKING:
    from kpi_pipeline.workspace import Source


@dataclass(frozen=True)
class Dropped:
    """Rows that follow one another and are none of the table.

    rule: `total_row` or `below_the_table`. row: number of the first, as people see it.
    """

    rule: str
    row: int
    rows: int = 1


@dataclass(frozen=True)
class Unpacked:
    """A local file DuckDB can read: CSV, lines (both UTF-8, perhaps .gz or .zst) or Parquet.

    number: its place among all that were unpacked. name: for people, such as
    `exports.zip/june.csv` or `book.xlsx, sheet June`. header_row: line of the header in `path`;
    lines above it are empty. columns: set for a sheet: then `path` has no header, commas whatever
    the source says, quotes doubled, the number of the row in the sheet as its first column and
    these after it. rows: how many rows of a sheet are in `path`. dropped: rows that are not in
    `path`; their lines are empty there, so the others keep their numbers. problem: a sentence;
    then there is nothing to read.
    """

    number: int
    file: SourceFile
    path: Path
    name: str
    header_row: int = 1
    columns: tuple[str, ...] | None = None
    rows: int | None = None
    dropped: tuple[Dropped, ...] = ()
    problem: str | None = None


def unpack(source: Source, files: Sequence[SourceFile], scratch: Path) -> tuple[Unpacked, ...]:
    """What the files hold, in their order; a file gives one or more. scratch: a folder to fill.

    Local files that need nothing are used where they are. Raises PipelineError when the disk of
    `scratch` is full.
    """
    raise NotImplementedError
