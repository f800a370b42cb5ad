"""What in a declaration is probably not meant so: sentences with the option of sources.yml."""

# ruff: noqa: S608  # constants of the readers
from __future__ import annotations

import csv
import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from kpi_pipeline.feeds.contracts import FeedTable
from kpi_pipeline.feeds.reading import ONE_COLUMN, FileRead, notes_of
from kpi_pipeline.feeds.stores import is_url
from kpi_pipeline.feeds.unpacked import Unpacked, unpack
from kpi_pipeline.landing.judge import required_of, wanted_of
from kpi_pipeline.source_sample import SeenColumn, likely
from kpi_pipeline.workspace.model import Source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LINES = 40  # where a header is looked for
DELIMITERS = {",": ",", ";": ";", "\t": "tab", "|": "|"}
HEADER_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%Y%m%d")
LISTED = 3
STRAY, STRAYS = timedelta(days=365), 3  # so far from the others are at most so many
Line = tuple[int, list[str]]


def hints(
    connection: DuckDBPyConnection,
    source: Source,
    table: FeedTable,
    reads: Sequence[FileRead],
    seen: Sequence[SeenColumn],
    days: Mapping[date, int],
    root: Path,
    scratch: Path,
) -> Iterator[str]:
    """Sentences, what keeps rows from landing first.

    seen: the columns of the latest file. days: the days found. root: the workspace. scratch: a
    folder for temporary files.
    """
    if not reads:
        yield from _other_names(source, root)
        return
    wrong = next((one for one in reads if one.problem and one.columns), None)
    elsewhere = []
    if wrong is not None and source.format in ("csv", "xlsx"):
        elsewhere = list(_header(connection, source, table, wrong, scratch))
    yield from elsewhere or _columns(source, table, seen)
    if source.format != "access_log":
        yield from _zone(source, table, seen)
        yield from _products(source, seen)
    if source.arrival == "covering":
        yield from _covering(source, table, days)
    yield from notes_of(reads)


def _other_names(source: Source, root: Path) -> Iterator[str]:
    """The files there are beside the ones that were looked for."""
    if is_url(source.files):
        yield f"No object is named like {source.files}."
        return
    pattern = root / source.files
    folder = next((p for p in pattern.parents if p.is_dir() and "*" not in str(p)), root)
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    near = difflib.get_close_matches(pattern.name, names, LISTED, 0.3) or names[:LISTED]
    there = f" has {', '.join(near)}" if near else " is empty"
    more = f" and {len(names) - len(near)} more" if len(names) > len(near) else ""
    yield f"No file is named like {source.files}. The folder {folder}{there}{more}."


def _header(
    connection: DuckDBPyConnection,
    source: Source,
    table: FeedTable,
    one: FileRead,
    scratch: Path,
) -> Iterator[str]:
    """Where the header stands, if it is in another line or its fields divided by another sign: the
    line with most of the columns that are wanted, else the first of those with most fields."""
    own = wanted_of(source, table)
    names = {*required_of(source, table, own), *source.columns.values()}
    signs = dict.fromkeys([source.delimiter, *DELIMITERS]) if source.format == "csv" else (",",)
    best = (len(names & set(one.columns)), sum(map(bool, one.columns)))
    found: tuple[str, int] | None = None
    for number, text in _beginning(connection, source, one, scratch):
        for sign in signs:
            cells = _split(text[0], sign) if source.format == "csv" else text
            filled = [cell for cell in cells if cell]
            if (score := (len(names & set(filled)), len(filled))) > best:
                best, found = score, (sign, number)
    if found is None:
        return
    options = []
    if found[0] != source.delimiter and source.format == "csv":
        options.append(f'delimiter: "{DELIMITERS[found[0]]}"')
    if found[1] != source.header_row:
        options.append(f"header_row: {found[1]}")
    yield (
        f"The header looks like it is in line {found[1]} of {one.file.name}: "
        f"`{', '.join(options)}`."
    )


def _beginning(
    connection: DuckDBPyConnection, source: Source, one: FileRead, scratch: Path
) -> Iterator[Line]:
    """The first lines with their numbers: of a CSV as one text, of a sheet as its cells."""
    whole = replace(source, header_row=1, total_rows=(), ends_at_blank_line=False)
    pieces = [p for p in unpack(whole, [one.file.file], scratch) if p.name == one.file.name]
    if not pieces or pieces[0].problem:
        return
    piece: Unpacked = pieces[0]
    if piece.columns is not None:
        yield piece.header_row, list(piece.columns)
        with piece.path.open(newline="", encoding="utf-8") as stream:
            for row in csv.reader(stream):
                if int(row[0]) > LINES:
                    return
                yield int(row[0]), [cell.strip() for cell in row[1:]]
        return
    rows = connection.execute(
        f"select line from read_csv(?, {ONE_COLUMN}) limit {LINES}", [str(piece.path)]
    ).fetchall()
    for number, (line,) in enumerate(rows, 1):
        if line:
            yield number, [line.lstrip("\ufeff")]


def _split(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]


def _columns(source: Source, table: FeedTable, seen: Sequence[SeenColumn]) -> Iterator[str]:
    """Columns of the feed that other columns of the files probably are; days in the header."""
    if not seen or source.format == "access_log":
        return
    own = wanted_of(source, table)
    there = [column.name for column in seen]
    days = _days_in_the_header(there)
    if days is not None and source.unpivot is None and table.day_rule == "date":
        value = next(c.name for c in table.columns if c.type == "count")
        yield (
            f'The header has days: `unpivot: {{header: "{days}", value: {value}}}` makes a row of '
            "each, if the cells are that."
        )
        return
    free = [name for name in there if name not in own.values()]
    found: dict[str, str] = {}
    for name, column in own.items():
        if column in there or name == "event_id":
            continue
        near = likely(name, [f for f in free if f not in found.values()])
        if near is not None:
            found[name] = near
    if found:
        listed = ", ".join(f"{name}: {_scalar(column)}" for name, column in found.items())
        yield f"These columns may be meant: `columns: {{{listed}}}`."


def _days_in_the_header(names: Sequence[str]) -> str | None:
    """How the headers that are days are written, when most are."""
    from datetime import datetime

    for written in HEADER_FORMATS:
        fitting = 0
        for name in names:
            try:
                datetime.strptime(name, written)  # noqa: DTZ007  # only whether it can be read
            except ValueError:
                continue
            fitting += 1
        if fitting > len(names) // 2:
            return written
    return None


def _zone(source: Source, table: FeedTable, seen: Sequence[SeenColumn]) -> Iterator[str]:
    """Times that do not say where they are."""
    times = {column.name for column in table.columns if column.type == "time"}
    if source.aggregate is not None:
        times.add(table.day_column)
    written = source.time_format or ""
    if source.time_zone != "UTC" or "%z" in written or "%Z" in written or "epoch" in written:
        return
    for column in seen:
        shape = column.shape.removeprefix("mostly ")
        is_local = shape == "times without a zone" or (
            shape.startswith("dates or times") and "%z" not in shape
        )
        if times & set(column.contract) and is_local:
            yield (
                f"The times in {column.name!r} carry no zone and are read as UTC; if they are "
                "local, say of where: `time_zone: Europe/Madrid`."
            )


def _products(source: Source, seen: Sequence[SeenColumn]) -> Iterator[str]:
    """A column that names products, so the files may hold rows of several."""
    if source.product_column is not None:
        return
    for column in seen:
        if column.names and not column.contract:
            values = ", ".join(f"{name}: {name}" for name in column.names)
            yield (
                f"{column.name!r} names products. If the rows are theirs: `products: {{column: "
                f"{_scalar(column.name)}, values: {{{values}}}}}` instead of `product`."
            )


def _covering(source: Source, table: FeedTable, days: Mapping[date, int]) -> Iterator[str]:
    if not days or table.day_rule == "period_end":
        return
    first, last = min(days), max(days)
    if not source.last_day_complete:
        yield (
            f"{last}, the last day, stays absent until there is a later one; if it is whole: "
            "`last_day_complete: true`."
        )
    usual = _without_strays(sorted(days))
    for stray in usual.strays:
        yield (
            f"{stray} is far from the other days; if a clock or a format was wrong there, have the "
            "row corrected, for the files cover all days from the first to the last."
        )
    first, last = usual.first, usual.last
    between = [first + timedelta(days=n) for n in range((last - first).days)]
    empty = [str(day) for day in between if day not in days]
    if empty:
        more = f" and {len(empty) - LISTED} more" if len(empty) > LISTED else ""
        yield (
            f"{', '.join(empty[:LISTED])}{more} have no row; as the files cover them, they land as "
            "days on which nothing happened."
        )


@dataclass(frozen=True)
class _Usual:
    first: date
    last: date
    strays: tuple[date, ...]


def _without_strays(days: Sequence[date]) -> _Usual:
    """The span of the days but for a few at its ends, a year and more away from the others."""
    count = len(days)
    gaps = [n for n in range(1, count) if days[n] - days[n - 1] > STRAY]
    first = max((n for n in gaps if n <= STRAYS and n < count - n), default=0)
    end = min((n for n in gaps if count - n <= STRAYS and count - n < n - first), default=count)
    return _Usual(days[first], days[end - 1], (*days[:first], *days[end:]))


def _scalar(text: str) -> str:
    """A text as YAML, quoted where it must be."""
    return text if re.fullmatch(r"[A-Za-z_][\w-]*", text) else json.dumps(text, ensure_ascii=False)
