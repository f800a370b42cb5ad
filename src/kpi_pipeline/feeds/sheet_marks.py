"""Cells of an XLSX sheet that the reader of workbooks shows as empty, though they are not.

Errors (`#N/A`, `#REF!`), and formulas whose result nobody computed before the file was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO
from xml.parsers import expat
from zipfile import ZipFile

from kpi_pipeline.feeds.unusable import UnusableFileError

Marks = dict[int, dict[int, str]]
Attributes = dict[str, str]
BLOCK = 1 << 20
# Most sheets have none: then the slow look at every cell is spared
TRACE = re.compile(
    rb"""\st\s*=\s*["']e["']|</(\w+:)?f>\s*(<(\w+:)?v\s*/>|<(\w+:)?v>\s*</|</)|<(\w+:)?f\s[^>]*/>\s*<[^v]"""
)
REFERENCE = re.compile(r"([A-Z]+)([0-9]+)")


def marks_of(path: Path, sheet: str) -> Marks:
    """Row number, from 1, to column, from 0, to the text of the error or `=` and the formula.

    Raises UnusableFileError when the workbook cannot be understood.
    """
    with ZipFile(path) as archive:
        try:
            member = _member(archive, sheet)
            with archive.open(member) as stream:
                if not _has_trace(stream):
                    return {}
            cells = _Cells()
            with archive.open(member) as stream:
                _parse(stream, cells.begin, cells.end, cells.add)
        except (expat.ExpatError, KeyError) as error:
            raise UnusableFileError(f"Sheet {sheet!r} is damaged: {error}.") from error
    return cells.marks


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


def _has_trace(stream: IO[bytes]) -> bool:
    rest = b""
    while block := stream.read(BLOCK):
        if TRACE.search(rest + block):
            return True
        rest = block[-200:]
    return False


class _Cells:
    """Takes the events of a sheet's XML."""

    def __init__(self) -> None:
        self.marks: Marks = {}
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
        elif name == "c":
            if self.type == "e":
                self._mark(self.texts["v"] or "#N/A")
            elif "f" in self.seen and not self.texts["v"].strip() and self.type != "str":
                self._mark("=" + self.texts["f"])

    def _mark(self, text: str) -> None:
        self.marks.setdefault(self.row, {})[self.column] = text


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
