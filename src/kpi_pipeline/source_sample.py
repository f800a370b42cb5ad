"""The columns files really have: what their values look like, and an example that gives nobody
away."""

# ruff: noqa: S608  # names are quoted by `name_of`, texts by `quoted`, values are bound
from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from kpi_pipeline.feeds.contracts import FeedTable
from kpi_pipeline.feeds.delimited import AS_CSV
from kpi_pipeline.feeds.reading import LONGEST_LINE, ONE_COLUMN, FileRead
from kpi_pipeline.feeds.records import split
from kpi_pipeline.feeds.sql import quoted
from kpi_pipeline.lacking import raise_if_lacking
from kpi_pipeline.landing.judge import wanted_of
from kpi_pipeline.quarantine_remedies import NOTHING, TIME_FORMATS, TOTAL
from kpi_pipeline.workspace.model import Source
from kpi_pipeline.workspace.time_formats import EPOCHS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAMPLED = 1000  # rows
MOSTLY = 0.7
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
IP = re.compile(r"\b(\d{1,3}\.){3}\d{1,3}\b|\b([0-9a-f]{1,4}:){3,7}[0-9a-f:]{1,}\b", re.IGNORECASE)
SHAPES = (
    ("e-mail addresses", EMAIL),
    ("IP addresses", IP),
    ("true or false", re.compile(r"true|false|yes|no", re.IGNORECASE)),
    ("whole numbers", re.compile(r"[+-]?\d+")),
    ("numbers as 1234.5", re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?|[+-]?\d+")),
    ("numbers as 1,234.5", re.compile(r"[+-]?([1-9]\d{0,2}(,\d{3})+|\d{1,3})(\.\d+)?")),
    ("numbers as 1.234,5", re.compile(r"[+-]?([1-9]\d{0,2}(\.\d{3})+|\d{1,3})(,\d+)?")),
    ("numbers as 1234,5", re.compile(r"[+-]?\d+(,\d+)?")),
    ("numbers as 1 234,5", re.compile(r"[+-]?\d{1,3}(\s\d{3})*([.,]\d+)?")),
    ("percentages", re.compile(r"[+-]?\d+([.,]\d+)?\s?%")),
    ("durations", re.compile(r"(\d+:)?[0-5]?\d:[0-5]\d([.,]\d+)?")),
    ("dates as 2024-06-30", re.compile(r"\d{4}-\d\d-\d\d")),
    (
        "times with their zone",
        re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|UTC|[+-]\d\d(:?\d\d)?)"),
    ),
    ("times without a zone", re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?")),
    ("ids", re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}|[0-9a-f]{24,64}", re.I)),
)
PERSONAL = ("e-mail addresses", "IP addresses", "text", "ids")
SYNONYMS = {
    "date": ("day", "datum", "tag", "fecha", "reporting starts"),
    "visits": ("sessions", "visit count", "sitzungen", "besuche", "sesiones", "visitas"),
    "visitors": ("users", "unique visitors", "active users", "total users", "besucher", "usuarios"),
    "new_visitors": ("new users", "first time visitors", "neue nutzer", "usuarios nuevos"),
    "page_views": ("views", "screen page views", "seitenaufrufe", "aufrufe", "páginas vistas"),
    "bounces": ("bounce rate", "absprungrate", "absprünge", "rebotes", "porcentaje de rebote"),
    "duration_seconds": (
        "session duration",
        "total seconds",
        "time on site",
        "avg session duration",
        "average session duration",
        "durchschnittliche sitzungsdauer",
    ),
    "source": ("utm source", "session source", "traffic source", "quelle", "fuente"),
    "medium": ("utm medium", "session medium", "medio"),
    "campaign": ("campaign name", "utm campaign", "ad set name", "kampagne", "campaña"),
    "device": ("device category", "platform", "gerät", "dispositivo"),
    "impressions": ("impr", "shows", "views", "impressionen", "impresiones"),
    "clicks": ("link clicks", "taps", "klicks", "clics"),
    "cost": ("spend", "amount spent", "costs", "kosten", "coste", "gasto"),
    "currency": ("currency code", "account currency", "währung", "moneda"),
    "placement": ("ad placement", "position", "network"),
    "content_id": ("ad id", "post id", "creative", "id"),
    "occurred_at": ("timestamp", "time", "datetime", "ts", "event time", "created at"),
    "signed_up_at": ("registered", "created at", "creation date", "sign up date", "joined"),
    "published_at": ("published", "publication date", "created at"),
    "visitor_id": ("visitor", "cookie", "client id", "vid", "anonymous id", "device id"),
    "user_id": ("user", "uid", "customer id", "member id", "id"),
    "event_id": ("id", "hit id", "message id"),
    "url": ("page", "page location", "page url", "address", "path"),
    "referrer": ("referer", "ref", "page referrer"),
    "kind": ("event", "event name", "type", "action"),
    "channel": ("network", "platform", "media", "kanal", "canal"),
}


@dataclass(frozen=True)
class SeenColumn:
    """A column of the files. shape: what its values look like. example: may be masked or empty.

    contract: the contract columns that are read from it. names: among its values, those asked for.
    """

    name: str
    shape: str
    example: str
    contract: tuple[str, ...]
    names: tuple[str, ...] = ()


def seen_columns(
    connection: DuckDBPyConnection,
    source: Source,
    table: FeedTable,
    read: FileRead,
    names: Sequence[str] = (),
) -> list[SeenColumn]:
    """The columns of one file, by its first rows. names: texts to look for among the values."""
    values = _sampled(connection, source, read)
    uses: dict[str, list[str]] = {}
    for contract, own in wanted_of(source, table).items():
        uses.setdefault(own, []).append(contract)
    identifiers = {c.name for c in table.columns if c.type == "identifier"}
    seen = []
    for name, texts in values.items():
        filled = [text for text in texts if text not in source.null_tokens]
        plain = [
            text
            for text in filled
            if not NOTHING.fullmatch(text.strip()) and not TOTAL.fullmatch(text.strip(" :"))
        ]
        shape = shape_of(connection, plain, source.time_format)
        used = tuple(uses.get(name, ()))
        example = plain[0] if plain else ""
        kind = shape.removeprefix("mostly ")
        is_masked = bool(identifiers & set(used)) or (
            not used and (kind in PERSONAL or (kind == "whole numbers" and len(example) > 4))
        )
        there = tuple(text for text in names if text in set(plain))
        seen.append(
            SeenColumn(
                name,
                shape,
                masked(example) if is_masked else without_addresses(example),
                used,
                there,
            )
        )
    return seen


def shape_of(
    connection: DuckDBPyConnection, texts: Sequence[str], declared: str | None = None
) -> str:
    """What the texts look like, with `mostly` when some do not; `text` when too many do not.

    declared: the format of times, which is named where others would read as many.
    """
    stripped = [text.strip() for text in texts]
    if not stripped:
        return "empty"
    fitting = [(shape, sum(map(bool, map(p.fullmatch, stripped)))) for shape, p in SHAPES]
    if max(count for _, count in fitting) < MOSTLY * len(stripped):
        fitting = [
            (f"dates or times as {written}", count)
            for written, count in _formats(connection, stripped, declared)
        ]
    shape, count = max(fitting, key=lambda each: each[1], default=("text", 0))
    if count < MOSTLY * len(stripped):
        return "text"
    return shape if count == len(stripped) else f"mostly {shape}"


def _formats(
    connection: DuckDBPyConnection, texts: Sequence[str], declared: str | None
) -> list[tuple[str, int]]:
    """How many of the texts each format of a time can read, the declared one first."""
    if not any(re.search(r"\d", text) for text in texts):
        return []
    own = [declared] if declared is not None and declared not in EPOCHS else []
    every = list(dict.fromkeys([*own, *TIME_FORMATS]))
    tests = ", ".join(
        f"count(*) filter (year(try_strptime(v, {quoted(written)})) between 1900 and 2199)"
        for written in every
    )
    row = connection.execute(
        f"select {tests} from (select unnest(?) as v)", [list(texts)]
    ).fetchone()
    return list(zip(every, row or (), strict=True))


def masked(text: str) -> str:
    """At most the first two characters of an id or a name, never half of it."""
    return f"{text[: min(2, (len(text) - 1) // 2)]}…" if text else ""


def without_addresses(text: str) -> str:
    """The text with e-mail and IP addresses masked."""
    return IP.sub(lambda m: masked(m[0]), EMAIL.sub(lambda m: masked(m[0]), text))


def likely(contract: str, columns: Sequence[str]) -> str | None:
    """The column that most likely is that contract column, by its name, or None."""
    wanted = [_bare(name) for name in (contract, *SYNONYMS.get(contract, ()))]
    by_name = {_bare(column): column for column in reversed(columns)}
    for name in wanted:
        if name in by_name:
            return by_name[name]
    near = difflib.get_close_matches(wanted[0], by_name, 1, 0.7)
    return by_name[near[0]] if near else None


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _sampled(
    connection: DuckDBPyConnection, source: Source, read: FileRead
) -> dict[str, list[str]]:
    """Texts by column of the first rows; absent values left out."""
    if source.format == "parquet":
        rows = connection.execute(
            f"select columns(*)::VARCHAR from read_parquet(?) limit {SAMPLED}", [read.path]
        ).fetchall()
        return _by_column(read.columns, rows)
    if source.format == "jsonl":
        lines = connection.execute(
            f"select line from read_csv(?, {ONE_COLUMN}) where line <> '' limit {SAMPLED}",
            [read.path],
        ).fetchall()
        return _by_column(read.columns, [_fields(line, read.columns) for (line,) in lines])
    sheet = read.file.columns is not None
    names = ["n", *read.columns] if sheet else list(read.columns)
    typed = ", ".join(f"{quoted(f'c{i}')}: 'VARCHAR'" for i in range(len(names)))
    delimiter = "," if sheet else source.delimiter
    # lines above the header are empty, and DuckDB would take the first of them for it
    skipped = 0 if sheet else read.file.header_row - 1
    table = (
        f"read_csv(?, delim = {quoted(delimiter)}, header = {not sheet}, {AS_CSV}, "
        f"columns = {{{typed}}}, skip = {skipped}, store_rejects = true, rejects_limit = 1000, "
        f"max_line_size = {LONGEST_LINE})"
    )
    try:
        rows = connection.execute(f"from {table} limit {SAMPLED}", [read.path]).fetchall()
    except duckdb.Error as error:  # such as a line with another end than those before it
        raise_if_lacking(error)
        rows = _line_by_line(connection, source, read)
    return _by_column(read.columns, [row[1:] for row in rows] if sheet else rows)


def _line_by_line(
    connection: DuckDBPyConnection, source: Source, read: FileRead
) -> list[tuple[str | None, ...]]:
    """The first rows of a CSV that stand on a line of their own."""
    lines = connection.execute(
        f"select line from read_csv(?, {ONE_COLUMN}) where line <> '' limit {SAMPLED + 1}",
        [read.path],
    ).fetchall()
    rows = [split(line, source.delimiter) for (line,) in lines[1:]]
    return [tuple(cells) for cells, closed in rows if closed and len(cells) == len(read.columns)]


def _fields(line: str, columns: Sequence[str]) -> tuple[str | None, ...]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        return tuple(None for _ in columns)
    texts = (record.get(column) for column in columns)
    return tuple(
        None if text is None else text if isinstance(text, str) else json.dumps(text)
        for text in texts
    )


def _by_column(
    columns: Sequence[str], rows: Sequence[tuple[str | None, ...]]
) -> dict[str, list[str]]:
    return {
        column: [text for row in rows if (text := row[i]) and text.strip()]
        for i, column in enumerate(columns)
    }
