"""Sheets of an XLSX workbook as CSV, with each row's number in the sheet."""

from __future__ import annotations

import csv
import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from python_calamine import (
    CalamineError,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from kpi_pipeline.feeds import archives
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.feeds.sheet_marks import has_cells, marks_of
from kpi_pipeline.feeds.table_edges import Dropped, TableEdges
from kpi_pipeline.feeds.unusable import UnusableFileError

if TYPE_CHECKING:
    from kpi_pipeline.workspace import Source

Cell = int | float | str | bool | time | date | datetime | timedelta
Row = tuple[int, list[Cell]]
MIDNIGHT = time(0)
# Day 0 and day 61 of a spreadsheet, which counts a 29th of February in 1900
DAY_0, DAY_61 = datetime(1899, 12, 31), datetime(1900, 3, 1)  # noqa: DTZ001  # local, as cells are


@dataclass(frozen=True)
class Sheet:
    """A sheet whose rows are in a CSV: the row's number in the sheet, then `columns`; no header."""

    name: str
    columns: tuple[str, ...]
    rows: int
    header_row: int
    dropped: tuple[Dropped, ...]


class Workbook:
    """An open workbook. Its sheets are held in memory one at a time."""

    def __init__(self, path: Path, name: str) -> None:
        """name: for people. Raises UnusableFileError when it is none that can be read."""
        self.path = path
        self.name = name
        with archives.opened(path, name) as archive:
            if "xl/workbook.xml" not in archive.namelist():
                raise UnusableFileError(f"{name} is no XLSX workbook; save it as .xlsx.")
        try:
            self.book = CalamineWorkbook.from_path(path)
        except PasswordError as error:
            raise UnusableFileError(f"{name} has a password; save it without one.") from error
        except CalamineError as error:
            raise self._damaged(error) from error

    def sheets(self, patterns: tuple[str, ...]) -> list[str]:
        """Names of the sheets that match; without patterns the first visible one.

        Raises UnusableFileError for a pattern that no sheet matches, with the sheets there are.
        """
        tables = [s for s in self.book.sheets_metadata if s.typ == SheetTypeEnum.WorkSheet]
        names = [sheet.name for sheet in tables]
        for pattern in patterns:
            if pattern not in names and not fnmatch.filter(names, pattern):
                raise UnusableFileError(
                    f"{self.name} has no sheet {pattern!r}; it has {', '.join(map(repr, names))}."
                )
        if patterns:
            return [n for n in names if any(n == p or fnmatch.fnmatchcase(n, p) for p in patterns)]
        visible = [s.name for s in tables if s.visible == SheetVisibleEnum.Visible]
        if not names:
            raise UnusableFileError(f"{self.name} has no sheet with cells.")
        return (visible or names)[:1]

    def left_out(self, read: list[str]) -> list[str]:
        """The visible sheets with cells that are not among those."""
        return [
            sheet.name
            for sheet in self.book.sheets_metadata
            if sheet.typ == SheetTypeEnum.WorkSheet
            and sheet.visible == SheetVisibleEnum.Visible
            and sheet.name not in read
            and has_cells(self.path, sheet.name)
        ]

    def write(self, sheet: str, source: Source, target: Path) -> Sheet:
        """Write a sheet's rows to `target` and say what they are.

        Dates and times are ISO text, spans of time h:mm:ss, percentages as they are shown (45.3%,
        not the 0.453 behind it), whole numbers without decimals, numbers with the 15 digits a
        spreadsheet shows, errors their name (`#N/A`), formulas nobody computed the formula. Raises
        UnusableFileError when the sheet ends before its header.
        """
        try:
            return _Grid(self, sheet).write(source, target)
        except CalamineError as error:
            raise self._damaged(error) from error
        except BaseException as error:
            if type(error).__name__ == "PanicException":  # calamine's, and no Exception
                raise self._damaged(error) from error
            raise

    def _damaged(self, error: BaseException) -> UnusableFileError:
        return UnusableFileError(f"{self.name} is a damaged XLSX workbook: {error}.")


class _Grid:
    """The cells of a sheet by absolute row and column."""

    def __init__(self, book: Workbook, sheet: str) -> None:
        self.book = book
        self.sheet = sheet
        self.cells = book.book.get_sheet_by_name(sheet)
        self.marks = marks_of(book.path, sheet)

    def write(self, source: Source, target: Path) -> Sheet:
        header_row, header = self._header(source)
        edges = TableEdges(source)
        shapes: dict[int, _Shape] = {}
        names = {column: _header_text(cell) for column, cell in enumerate(header)}
        days = _days(source)
        for _, cells in self._kept(header_row, edges):
            for column, cell in enumerate(cells):
                if cell != "":
                    is_day = names.get(column) in days
                    shapes.setdefault(column, _Shape(is_day)).look_at(cell)
        used = sorted({c for c, name in names.items() if name} | shapes.keys())
        rows = 0
        with target.open("w", newline="", encoding="utf-8", errors="replace") as stream:
            out = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
            for number, cells in self._kept(header_row, TableEdges(source)):
                texts = (
                    shapes[c].text_of(cells[c]) if c < len(cells) and cells[c] != "" else ""
                    for c in used
                )
                out.writerow([number, *texts])
                rows += 1
        columns = tuple(names.get(c) or f"column {_letters(c)}" for c in used)
        return Sheet(self.sheet, columns, rows, header_row, edges.dropped)

    def _header(self, source: Source) -> Row:
        number = 0
        for number, cells in self._rows():
            if number >= source.header_row and any(cell != "" for cell in cells):
                return number, cells
        if number == 0 or source.header_row == 1:
            return 1, []
        raise UnusableFileError(
            f"{self.book.name}, sheet {self.sheet} ends before row {source.header_row}, where "
            "header_row says its header is."
        )

    def _kept(self, header_row: int, edges: TableEdges) -> Iterator[Row]:
        for number, cells in self._rows():
            if (
                number > header_row
                and edges.keeps(number, map(_plain, cells))
                and any(cell != "" for cell in cells)
            ):
                yield number, cells

    def _rows(self) -> Iterator[Row]:
        """Every row from the first of the sheet, each from the first column."""
        start = self.cells.start
        left: list[Cell] = [""] * (start[1] if start else 0)
        number = 0
        for number, cells in enumerate(self.cells.iter_rows(), 1):
            yield number, self._marked(number, left + cells)
        for beyond in range(number + 1, max(self.marks.texts, default=0) + 1):
            yield beyond, self._marked(beyond, [])

    def _marked(self, number: int, cells: list[Cell]) -> list[Cell]:
        for column in self.marks.percents.get(number, ()):
            cell = cells[column] if column < len(cells) else ""
            if isinstance(cell, int | float) and not isinstance(cell, bool):
                cells[column] = f"{_number(Decimal(f'{cell:.15g}') * 100)}%"
        for column, text in self.marks.texts.get(number, {}).items():
            cells += [""] * (column + 1 - len(cells))
            cells[column] = text
        return cells


class _Shape:
    """What the cells of a column are together, where one alone does not tell.

    A date is midnight of it where others of the column have a time, unless it is a column of days;
    a date of 1900 is a span of more than a day where others are spans.
    """

    def __init__(self, is_day: bool) -> None:
        self.is_day = is_day
        self.has_times = False
        self.has_spans = False

    def look_at(self, cell: Cell) -> None:
        if isinstance(cell, datetime):
            self.has_times |= cell >= DAY_61 and not self.is_day
        elif isinstance(cell, time | timedelta):
            self.has_spans = True

    def text_of(self, cell: Cell) -> str:
        if isinstance(cell, date):
            moment = cell if isinstance(cell, datetime) else datetime.combine(cell, MIDNIGHT)
            if self.has_spans and moment < DAY_61:
                return _span(moment - DAY_0)
            return (moment if self.has_times else cell).isoformat()
        return _plain(cell)


def _days(source: Source) -> set[str]:
    """Columns in which a date stays one beside cells that have a time: those alone are at fault."""
    if source.aggregate is not None or source.time_format is not None:
        return set()
    table = next(t for t in FEEDS[source.feed].tables if t.name == source.table)
    return {source.columns.get(c.name, c.name) for c in table.columns if c.type == "date"}


def _plain(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int | float):
        return _number(cell)
    if isinstance(cell, time):
        return _span(datetime.combine(DAY_0, cell) - DAY_0)
    if isinstance(cell, timedelta):
        return _span(cell)
    return cell.isoformat()


def _number(value: float | Decimal) -> str:
    if float(value).is_integer():
        return str(int(value))
    return format(Decimal(f"{value:.15g}").normalize(), "f")


def _span(span: timedelta) -> str:
    sign = "-" if span < timedelta() else ""
    seconds, rest = divmod(abs(span), timedelta(seconds=1))
    part = f".{rest.microseconds:06}".rstrip("0") if rest else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}{part}"


def _header_text(cell: Cell) -> str:
    """On one line, whatever line ends the cell has."""
    return " ".join(_plain(cell).split())


def _letters(column: int) -> str:
    """0 is A, 26 is AA."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text
