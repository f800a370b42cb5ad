"""Reads `organisation/*.csv` into typed tables."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from kpi_pipeline.workspace.model import OrgColumn, Table
from kpi_pipeline.workspace.problems import Problems, nearest, one_of
from kpi_pipeline.workspace.schema import ALL, TABLES, TableSpec

_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
_IDENTIFIER = re.compile(r"[\w][\w.-]*")
_TYPES = {
    "date": "a date written YYYY-MM-DD",
    "number": "a number written like 1234.5",
    "integer": "a whole number",
    "boolean": "'true' or 'false'",
}


def is_time_zone(name: str) -> bool:
    """Whether the system knows the IANA time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def is_email(text: str) -> bool:
    return bool(_EMAIL.fullmatch(text)) and ".." not in text and not text.startswith(".")


# form -> (whether the value has it, what was expected)
FORMS: dict[str, tuple[Callable[[object], bool], str]] = {
    "currency": (
        lambda v: bool(re.fullmatch(r"[A-Z]{3}", str(v))),
        "a currency of three capital letters such as EUR",
    ),
    "time_zone": (lambda v: is_time_zone(str(v)), "an IANA time zone such as Europe/Madrid"),
    "email": (lambda v: is_email(str(v)), "an email address such as ana@example.org"),
    "identifier": (
        lambda v: bool(_IDENTIFIER.fullmatch(str(v))),
        "an id of letters, digits, '_', '-' and '.'",
    ),
    "month": (lambda v: isinstance(v, int) and 1 <= v <= 12, "a month from 1 to 12"),
    "positive": (lambda v: isinstance(v, int) and v > 0, "a whole number above 0"),
    "not_negative": (lambda v: isinstance(v, float) and v >= 0, "a number of 0 or more"),
    "share": (lambda v: isinstance(v, float) and 0 <= v <= 1, "a share from 0 to 1"),
    "rate": (lambda v: isinstance(v, float) and v > 0, "a number above 0"),
}


def read_tables(folder: Path, problems: Problems) -> dict[str, Table]:
    """Every table of the schema; an optional one without a file is empty."""
    tables = {name: _read_table(folder, spec, problems) for name, spec in TABLES.items()}
    known = [f"{name}.csv" for name in TABLES]
    for path in sorted(folder.glob("*.csv")):
        if path.name not in known:
            problems.add(
                f"organisation/{path.name}",
                f"is not a table of the workspace.{nearest(path.name, known)}",
            )
    return tables


def place(table: str, line: int, column: str | None = None) -> str:
    """How a cell is named in messages."""
    where = f"organisation/{table}.csv, row {line}"
    return f"{where}, column {column}" if column else where


def _read_table(folder: Path, spec: TableSpec, problems: Problems) -> Table:
    path = folder / f"{spec.name}.csv"
    file = f"organisation/{spec.name}.csv"
    if not path.is_file():
        if spec.required:
            names = ", ".join(column.name for column in spec.columns)
            problems.add(file, f"is missing; expected a file with the columns {names}.")
        return _table(spec, [], [])
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        problems.add(file, f"cannot be read: {error.strerror}.")
        return _table(spec, [], [])
    except UnicodeDecodeError as error:
        problems.add(file, f"is not UTF-8 at byte {error.start}; expected a UTF-8 text file.")
        return _table(spec, [], [])
    rows: list[tuple[object, ...]] = []
    lines: list[int] = []
    header: list[str] | None = None
    for line, cells in _records(text):
        if header is None:
            header = [cell.strip() for cell in cells]
            if not _check_header(spec, header, line, problems):
                return _table(spec, [], [])
            continue
        if len(cells) != len(header):
            problems.add(
                place(spec.name, line),
                f"has {len(cells)} values; expected {len(header)}, one for each column of the "
                "header (a value with a comma stands in double quotes).",
            )
            continue
        by_name = dict(zip(header, cells, strict=True))
        rows.append(
            tuple(_cell(spec, c, by_name.get(c.name, ""), line, problems) for c in spec.columns)
        )
        lines.append(line)
    if spec.name == "targets":
        rows = [_with_product(spec, row) for row in rows]
    if header is None:
        problems.add(file, "is empty; expected a first line with the names of the columns.")
    elif spec.required and not rows:
        problems.add(file, "has no rows; expected at least one below the header.")
    if spec.one_row and len(rows) > 1:
        problems.add(place(spec.name, lines[1]), "is a second row; expected exactly one.")
    _check_key(spec, rows, lines, problems)
    return _table(spec, rows, lines)


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """(number of its first line, cells) of every record; blank lines and # lines are left out."""
    number = first = 0
    between = True

    def content() -> Iterator[str]:
        nonlocal number, first, between
        for line in text.splitlines(keepends=True):
            number += 1
            if between and (line.startswith("#") or not line.strip()):
                continue
            if between:
                first, between = number, False
            yield line

    for cells in csv.reader(content()):
        between = True
        yield first, cells


def _check_header(spec: TableSpec, header: list[str], line: int, problems: Problems) -> bool:
    names = [column.name for column in spec.columns]
    good = True
    for name in header:
        if name not in names:
            problems.add(
                place(spec.name, line, f"'{name}'"),
                f"is not a column of this table; expected {', '.join(names)}."
                f"{nearest(name, [n for n in names if n not in header])}",
            )
            good = False
        elif header.count(name) > 1:
            problems.add(place(spec.name, line, name), "appears twice; expected it once.")
            return False
    for column in spec.columns:
        if column.required and column.name not in header:
            problems.add(
                place(spec.name, line, column.name),
                f"is missing; expected the columns {', '.join(names)}.",
            )
            good = False
    return good


def _cell(
    spec: TableSpec, column: OrgColumn, raw: str, line: int, problems: Problems
) -> object | None:
    text = raw.strip()
    if not text and not column.required:
        return None
    value = _typed(column, text) if text else None
    if not text:
        wrong = f"is empty; expected {_expected(column)}."
    elif value is None:
        wrong = f"'{text}' is not {_TYPES[column.type]}."
    elif column.choices and text not in column.choices:
        wrong = f"'{text}' is not {one_of(column.choices)}.{nearest(text, column.choices)}"
    elif column.form and not FORMS[column.form][0](value):
        hint = nearest(text, available_timezones()) if column.form == "time_zone" else ""
        wrong = f"'{text}' is not {FORMS[column.form][1]}.{hint}"
    else:
        return value
    problems.add(place(spec.name, line, column.name), wrong)
    return None


def _expected(column: OrgColumn) -> str:
    if column.choices:
        return one_of(column.choices)
    if column.form:
        return FORMS[column.form][1]
    if column.refers:
        return f"a {column.refers.split('.')[1]} of {column.refers.split('.')[0]}.csv"
    return _TYPES.get(column.type, "a text")


def _typed(column: OrgColumn, text: str) -> object | None:
    """The text as the column's type, None when it is not of that type."""
    try:
        if column.type == "date":
            is_plain = len(text) == 10 and text[4] == text[7] == "-"
            return date.fromisoformat(text) if is_plain else None
        if column.type == "integer":
            return int(text) if re.fullmatch(r"[+-]?\d+", text) else None
        if column.type == "number":
            number = float(text) if re.fullmatch(r"[+-]?[\d.]+(?:[eE][+-]?\d+)?", text) else None
            return number if number is not None and math.isfinite(number) else None
    except ValueError:
        return None
    if column.type == "boolean":
        return {"true": True, "false": False}.get(text.lower())
    return text


def _with_product(spec: TableSpec, row: tuple[object, ...]) -> tuple[object, ...]:
    """A target whose product_id was left out, with the only one it can have."""
    target = dict(zip((column.name for column in spec.columns), row, strict=True))
    if target["product_id"] is None:
        target["product_id"] = target["scope_id"] if target["scope_kind"] == "product" else ALL
    return tuple(target.values())


def _check_key(
    spec: TableSpec, rows: list[tuple[object, ...]], lines: list[int], problems: Problems
) -> None:
    if not spec.key:
        return
    positions = [i for i, column in enumerate(spec.columns) if column.name in spec.key]
    seen: dict[tuple[object, ...], int] = {}
    for row, line in zip(rows, lines, strict=True):
        key = tuple(row[i] for i in positions)
        if key in seen and any(part is not None for part in key):
            shown = ", ".join("(empty)" if part is None else str(part) for part in key)
            problems.add(
                place(spec.name, line, ", ".join(spec.key)),
                f"{shown} is already in row {seen[key]}; expected each once.",
            )
        seen.setdefault(key, line)


def _table(spec: TableSpec, rows: list[tuple[object, ...]], lines: list[int]) -> Table:
    names = [column.name for column in spec.columns]
    content = sorted(json.dumps([_plain(cell) for cell in row]) for row in rows)
    digest = hashlib.sha256("\n".join([json.dumps([spec.name, names]), *content]).encode())
    return Table(spec.name, spec.columns, tuple(rows), digest.hexdigest()[:32], tuple(lines))


def _plain(cell: object) -> object:
    return cell.isoformat() if isinstance(cell, date) else cell
