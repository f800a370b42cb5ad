"""What a reader makes of files: SQL with one row for every row or line they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

LONGEST_TEXT = 1024 * 1024  # bytes; what is longer is a fault
BROKEN = "STRUCT(expected VARCHAR, reason VARCHAR, column_name VARCHAR, value VARCHAR)"


@dataclass(frozen=True)
class Relation:
    """SQL of a SELECT, in file order: file_no, n, dropped_by, broken, then the wanted columns.

    n: the row's number for people where it is known, else NULL and its order of insertion counts.
    dropped_by: the rule that drops it. broken: BROKEN where the line is no row, with the column and
    the value at fault where it is known which. whole: an
    expression over these columns for all that a row holds. typed: wanted columns that are no text.
    is_sound: no text holds a NUL character or is overlong, so nobody has to look.
    """

    sql: str
    parameters: Sequence[object]
    whole: str
    typed: frozenset[str] = frozenset()
    is_sound: bool = False


class Sink(Protocol):
    """Takes relations, and says how many rows of which file it took."""

    def take(self, relation: Relation) -> None:
        """Insert the relation's rows, in their order."""

    def counts(self, files: Sequence[int]) -> dict[int, int]:
        """Rows taken of each of these files; none is not listed."""

    def starts(self, files: Sequence[int]) -> dict[int, int]:
        """The position of the first row taken of each of these files."""

    def forget(self, files: Sequence[int]) -> None:
        """Give back all that was taken of these files."""


def columns_of(
    file_no: str,
    values: Sequence[str],
    n: str = "null::BIGINT",
    broken: str | None = None,
    dropped_by: str = "null::VARCHAR",
) -> str:
    """The select list of a relation; `values` are `expression as name`."""
    fault = broken or f"null::{BROKEN}"
    listed = [f"{file_no} as file_no", f"{n} as n", f"{dropped_by} as dropped_by"]
    return ", ".join([*listed, f"{fault} as broken", *values])
