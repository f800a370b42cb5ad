"""Rows around a table that are none of it: totals, and what stands below."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

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


class TableEdges:
    """Looks at the rows below a header, one after the other, and keeps account of what it drops."""

    def __init__(self, source: Source) -> None:
        self._totals = {text.strip().casefold() for text in source.total_rows}
        self._ends_at_blank = source.ends_at_blank_line
        self._has_begun = False
        self._has_ended = False
        self._dropped: list[Dropped] = []

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        return tuple(self._dropped)

    def keeps(self, row: int, cells: Iterable[str]) -> bool:
        """Whether a row stays. row: its number. A blank one that does not is not counted.

        Blank rows between the header and the first row do not end a table.
        """
        first = next((text for text in map(str.strip, cells) if text), None)
        if first is None:
            self._has_ended |= self._ends_at_blank and self._has_begun
            return not self._ends_at_blank
        self._has_begun = True
        if self._has_ended:
            self._drop("below_the_table", row)
        elif first.casefold() in self._totals:
            self._drop("total_row", row)
        else:
            return True
        return False

    def _drop(self, rule: str, row: int) -> None:
        last = self._dropped[-1] if self._dropped else None
        if last is not None and last.rule == rule and last.row + last.rows == row:
            self._dropped[-1] = replace(last, rows=last.rows + 1)
        else:
            self._dropped.append(Dropped(rule, row))
