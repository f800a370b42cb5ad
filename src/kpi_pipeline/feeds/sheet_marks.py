"""What the reader of workbooks does not tell of the cells of an XLSX sheet.

Errors (`#N/A`, `#REF!`) and formulas whose result nobody computed before the file was written: it
gives them as empty. And which cells show a percentage: it gives the number behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO
from xml.parsers import expat
from zipfile import ZipFile

from kpi_pipeline.feeds.unusable import UnusableFileError

Attributes = dict[str, str]
BLOCK = 1 << 20
# Most sheets have none: then the slow look at every cell is spared
TRACE = re.compile(
    rb"""\st\s*=\s*["']e["']|</(\w+:)?f>\s*(<(\w+:)?v\s*/>|<(\w+:)?v>\s*</|</)|<(\w+:)?f\s[^>]*/>\s*<[^v]"""
)
CELL = re.compile(rb"<(\w+:)?c[\s>]")
REFERENCE = re.compile(r"([A-Z]+)([0-9]+)")
PERCENT_FORMATS = {"9", "10"}  # 0% and 0.00%, which every workbook has
UNSHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^]]*\]')  # in a number format: texts, colours, widths


@dataclass
class Marks:
    """By row number, from 1, and column, from 0.

    texts: of the error, or `=` and the formula. percents: columns whose number is a percentage.
    """

    texts: dict[int, dict[int, str]] = field(default_factory=dict)
    percents: dict[int, tuple[int, ...]] = field(default_factory=dict)


def marks_of(path: Path, sheet: str) -> Marks:
    """Raises UnusableFileError when the workbook cannot be understood."""
    with ZipFile(path) as archive:
        try:
            member = _member(archive, sheet)
            styles = _percent_styles(archive)
            with archive.open(member) as stream:
                if not _has_trace(stream, styles):
                    return Marks()
            cells = _Cells(styles)
            with archive.open(member) as stream:
                _parse(stream, cells.begin, cells.end, cells.add)
        except (expat.ExpatError, KeyError) as error:
            raise UnusableFileError(f"Sheet {sheet!r} is damaged: {error}.") from error
    return cells.marks


def has_cells(path: Path, sheet: str) -> bool:
    """Whether there is a cell in the sheet of that name."""
    rest = b""
    with ZipFile(path) as archive:
        try:
            with archive.open(_member(archive, sheet)) as stream:
                while block := stream.read(BLOCK):
                    if CELL.search(rest + block):
                        return True
                    rest = block[-200:]
        except (expat.ExpatError, KeyError):
            return True  # whoever reads it will say what is wrong
    return False


def _member(archive: ZipFile, sheet: str) -> str:
    """Where the sheet of that name is in the workbook."""
    relation: dict[str, str] = {}
    target: dict[str, str] = {}

    def sheets(name: str, attributes: Attributes) -> None:
        if name == "sheet":
            ids = [value for key, value in attributes.items() if key.rpartition(":")[2] == "id"]
            relation[attributes["name"]] = ids[0]

    def relations(name: str, attributes: Attributes) -> None:
        if name == "Relationship":
            target[attributes["Id"]] = attributes["Target"]

    for part, begin in (("workbook.xml", sheets), ("_rels/workbook.xml.rels", relations)):
        with archive.open(f"xl/{part}") as stream:
            _parse(stream, begin)
    return str(PurePosixPath("/xl", target[relation[sheet]]).relative_to("/"))


def _percent_styles(archive: ZipFile) -> frozenset[str]:
    """The numbers of the cell styles that show a percentage."""
    formats = set(PERCENT_FORMATS)
    styles: list[str] = []
    inside = ""

    def begin(name: str, attributes: Attributes) -> None:
        nonlocal inside
        if name == "numFmt" and "%" in UNSHOWN.sub("", attributes.get("formatCode", "")):
            formats.add(attributes["numFmtId"])
        elif name in ("cellXfs", "cellStyleXfs", "dxfs"):
            inside = name
        elif name == "xf" and inside == "cellXfs":
            styles.append(attributes.get("numFmtId", "0"))

    if "xl/styles.xml" not in archive.namelist():
        return frozenset()
    with archive.open("xl/styles.xml") as stream:
        _parse(stream, begin)
    return frozenset(str(n) for n, own in enumerate(styles) if own in formats)


def _has_trace(stream: IO[bytes], styles: frozenset[str]) -> bool:
    """Whether a cell may have to be marked. styles: those of percentages."""
    listed = "|".join(sorted(styles)) or "none"
    percent = re.compile(rf"""\ss\s*=\s*["']({listed})["']""".encode())
    rest = b""
    while block := stream.read(BLOCK):
        if TRACE.search(rest + block) or percent.search(rest + block):
            return True
        rest = block[-200:]
    return False


class _Cells:
    """Takes the events of a sheet's XML."""

    def __init__(self, styles: frozenset[str]) -> None:
        self.styles = styles
        self.marks = Marks()
        self.percents: list[int] = []
        self.same: dict[tuple[int, ...], tuple[int, ...]] = {}
        self.row = 0
        self.column = -1
        self.type = ""
        self.inside = ""
        self.texts = {"f": "", "v": ""}
        self.seen: set[str] = set()

    def begin(self, name: str, attributes: Attributes) -> None:
        if name == "row":
            self.row = int(attributes.get("r", self.row + 1))
            self.column = -1
        elif name == "c":
            match = REFERENCE.fullmatch(attributes.get("r", ""))
            self.column = _column(match[1]) if match else self.column + 1
            self.type = attributes.get("t", "")
            if attributes.get("s") in self.styles and self.type in ("", "n"):
                self.percents.append(self.column)
            self.texts = {"f": "", "v": ""}
            self.seen = set()
        elif name in self.texts:
            self.inside = name
            self.seen.add(name)

    def add(self, text: str) -> None:
        if self.inside:
            self.texts[self.inside] += text

    def end(self, name: str) -> None:
        if name in self.texts:
            self.inside = ""
        elif name == "row" and self.percents:
            columns = tuple(self.percents)
            self.marks.percents[self.row] = self.same.setdefault(columns, columns)
            self.percents = []
        elif name == "c":
            if self.type == "e":
                self._mark(self.texts["v"] or "#N/A")
            elif "f" in self.seen and not self.texts["v"].strip() and self.type != "str":
                self._mark("=" + self.texts["f"])

    def _mark(self, text: str) -> None:
        self.marks.texts.setdefault(self.row, {})[self.column] = text


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _parse(
    stream: IO[bytes],
    begin: Callable[[str, Attributes], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, found: begin(name.rpartition(":")[2], found)
    if end is not None:
        parser.EndElementHandler = lambda name: end(name.rpartition(":")[2])
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.ParseFile(stream)


def _refuse_doctype(*_: object) -> None:
    raise expat.ExpatError("it declares a document type, which no workbook does")
