"""How the files of a source are written: format, encoding, what is around the table."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import cast

import duckdb

from kpi_pipeline.workspace.model import Format, LogFormat, Pages
from kpi_pipeline.workspace.yaml_file import Mapping

FORMATS = ("csv", "jsonl", "parquet", "xlsx", "access_log")
LOG_FIELDS = (
    "time",
    "address",
    "user",
    "method",
    "path",
    "status",
    "referrer",
    "user_agent",
    "host",
)
BLANKS = "\u00a0\u2009\u202f"  # no-break space, thin space, narrow no-break space
_ONLY_FOR = {
    "delimiter": ("csv",),
    "encoding": ("csv",),
    "header_row": ("csv", "xlsx"),
    "total_rows": ("csv", "xlsx"),
    "ends_at_blank_line": ("csv", "xlsx"),
    "sheets": ("xlsx",),
    "log_format": ("access_log",),
    "log_fields": ("access_log",),
    "pages": ("access_log",),
    "time_format": ("csv", "jsonl", "parquet", "xlsx"),
    "decimal_separator": ("csv", "jsonl", "xlsx"),
    "thousands_separator": ("csv", "jsonl", "xlsx"),
    "unpivot": ("csv", "xlsx", "parquet"),
    "columns": ("csv", "jsonl", "parquet", "xlsx"),
}
_PAGE_FORMS = {
    "methods": (r"[A-Z]+", "a method in capitals such as GET"),
    "statuses": (r"[1-5]([0-9]{2}|[xX]{2})", "a status such as 200 or 2xx"),
    "hosts": (r"[^/:\s]+", "a host alone, such as www.example.org"),
}
_PAGE_KEYS = ("methods", "statuses", "not_pages", "hosts", "bots")


@dataclass(frozen=True)
class Layout:
    """Attributes as in `Source`."""

    format: Format | None
    delimiter: str
    encoding: str
    member: str
    sheets: tuple[str, ...]
    header_row: int
    total_rows: tuple[str, ...]
    ends_at_blank_line: bool
    decimal_separator: str
    thousands_separator: str
    log_format: LogFormat
    log_fields: dict[str, str]
    pages: Pages


def read_layout(entry: Mapping) -> Layout:
    """The keys of an entry that say how its files are written."""
    form = entry.choice("format", FORMATS)
    for key, formats in _ONLY_FOR.items():
        if key in entry and form is not None and form not in formats:
            entry.add(key, f"has a meaning only with format: {' or '.join(formats)}, not {form}.")
    delimiter = entry.text("delimiter", ",") or ","
    delimiter = "\t" if delimiter in ("tab", "\\t") else delimiter
    if len(delimiter) != 1:
        entry.add("delimiter", f"'{delimiter}' is not one character; a tab is written: tab.")
    elif delimiter in '"\r\n':
        entry.add("delimiter", "is what quotes a text or ends a line; expected one such as ; or |.")
    encoding = entry.text("encoding", "utf-8") or "utf-8"
    try:
        "".encode(encoding)  # some that Python looks up, such as base64, are none of text
        encoding = codecs.lookup(encoding).name
    except (LookupError, UnicodeError):
        entry.add(
            "encoding", f"'{encoding}' is no encoding; expected one such as utf-16 or cp1252."
        )
    header_row = entry.whole("header_row", 1)
    if header_row < 1:
        entry.add("header_row", "is 0; rows are counted from 1.")
    decimal, thousands = _separators(entry)
    log_fields = entry.texts("log_fields")
    for name in log_fields:
        if name not in LOG_FIELDS:
            entry.add("log_fields", f"'{name}' is no field; expected {', '.join(LOG_FIELDS)}.")
    formats = ("common", "combined", "nginx_json", "w3c")
    log_format = entry.choice("log_format", formats, "combined")
    if log_fields and log_format in ("common", "combined") and form in (None, "access_log"):
        entry.add("log_fields", f"has a meaning only with nginx_json or w3c, not {log_format}.")
    return Layout(
        format=cast("Format | None", form),
        delimiter=delimiter,
        encoding=encoding,
        member=entry.text("member", "*") or "*",
        sheets=entry.sequence("sheets", ()),
        header_row=max(header_row, 1),
        total_rows=entry.sequence("total_rows", ()),
        ends_at_blank_line=entry.boolean("ends_at_blank_line", False),
        decimal_separator=decimal,
        thousands_separator=thousands,
        log_format=cast("LogFormat", log_format),
        log_fields=log_fields,
        pages=_pages(entry),
    )


def _separators(entry: Mapping) -> tuple[str, str]:
    decimal = entry.choice("decimal_separator", (".", ","), ".") or "."
    thousands = entry.text("thousands_separator", "") or ""
    thousands = " " if thousands in ("space", *BLANKS) else thousands
    if thousands not in ("", ",", ".", " ", "'", "’"):
        entry.add(
            "thousands_separator",
            f"'{thousands}' is not one; expected , or . or ' or the word space.",
        )
    if thousands == decimal:
        entry.add("thousands_separator", f"is '{thousands}', which is the decimal separator too.")
    return decimal, thousands


def _pages(entry: Mapping) -> Pages:
    node = entry.items.get("pages")
    if node is None:
        return Pages()
    inner = Mapping(entry.file, f"{entry.path}.pages", node, _PAGE_KEYS, entry.problems)
    found = {key: inner.sequence(key, ()) for key in _PAGE_KEYS}
    for key in ("not_pages", "bots"):
        for pattern in found[key]:
            reason = _fault(pattern)
            if reason is not None:
                inner.add(key, f"'{pattern}' is not a regular expression (RE2): {reason}.")
    for key, (form, expected) in _PAGE_FORMS.items():
        for text in found[key]:
            if not re.fullmatch(form, text):
                inner.add(key, f"'{text}' is not {expected}.")
    return Pages(
        methods=found["methods"] or None,
        statuses=found["statuses"] or None,
        not_pages=found["not_pages"],
        hosts=found["hosts"],
        bots=found["bots"],
    )


def _fault(pattern: str) -> str | None:
    """Why DuckDB does not take a regular expression."""
    with duckdb.connect() as connection:
        try:
            connection.execute("select regexp_matches('', ?)", [pattern])
        except duckdb.Error as error:
            return str(error).removeprefix("Invalid Input Error: ").splitlines()[0]
    return None
