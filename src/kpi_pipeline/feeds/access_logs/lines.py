"""The physical lines of a log: counted byte by byte, and made readable where they are not.

Almost every log can be read by DuckDB as it is. One with blank lines, bytes that are no UTF-8, NUL
bytes, returns inside lines, a line too long or columns that change is written anew, line by line,
each with its number; so no line is lost, and none moves.
"""

# ruff: noqa: S608  # paths are quoted by `quoted`
from __future__ import annotations

import codecs
import errno
import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, cast

import duckdb

from kpi_pipeline.errors import PipelineError
from kpi_pipeline.feeds.sql import quoted

CHUNK = 1 << 20
LONGEST = 1 << 19  # bytes; servers refuse requests that are a tenth of it
STEP = LONGEST // 4
FIELDS = b"#Fields:"
SEPARATOR = "\x01"
PLAIN = (
    "delim = '', quote = '', escape = '', header = false, auto_detect = false, nullstr = '', "
    "strict_mode = false, columns = {'line': 'VARCHAR'}"
)
NUMBERED = (
    f"delim = '{SEPARATOR}', quote = '', escape = '', header = false, auto_detect = false, "
    "nullstr = '', columns = {'n': 'BIGINT', 'layout': 'INTEGER', 'fault': 'VARCHAR', "
    "'line': 'VARCHAR'}"
)
Layout = tuple[str, ...]


class LogProblemError(PipelineError):
    """A log that cannot be read; the message follows the file's name."""


@dataclass(frozen=True)
class LogFile:
    """A log that DuckDB can read.

    number: of the source file. path: of the log, or of what was written anew (is_numbered: then
    each line has its number, layout and fault). rows: lines that are not blank. layouts: names of
    the columns, for each way in which a W3C log declares them; empty for other formats.
    """

    number: int
    path: Path
    rows: int
    layouts: tuple[Layout, ...] = ()
    is_numbered: bool = False


def examine(
    connection: duckdb.DuckDBPyConnection,
    number: int,
    path: Path,
    scratch: Path,
    has_layouts: bool = False,
) -> LogFile:
    """Count the lines of a log and write it anew into `scratch` if it cannot be read as it is.

    has_layouts: it declares its columns (W3C). Raises LogProblemError when it cannot be read, and
    PipelineError when the disk of `scratch` is full.
    """
    try:
        if path.suffix == ".zst":
            return LogFile(number, path, *_read_by_duckdb(connection, path))
        seen = _scanned(path, has_layouts)
        if seen is not None:
            return LogFile(number, path, *seen)
        return _rewritten(number, path, scratch / f"lines-{number}.txt", has_layouts)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise PipelineError(
                f"The disk of {scratch} is full. Free some space for logs and run it again."
            ) from error
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        if reason.startswith("Not a gzipped file") and _is_gzip(path):
            reason = "it goes on behind its gzip data with bytes that are none"
        raise LogProblemError(f"cannot be read: {reason}.") from error


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _read_by_duckdb(
    connection: duckdb.DuckDBPyConnection, path: Path
) -> tuple[int, tuple[Layout, ...]]:
    """Number of lines and the layout of a log packed by zstd, which Python cannot unpack."""
    try:
        found = connection.execute(
            "select count(line), count(*), list(distinct line) filter (where "
            f"starts_with(line, '{FIELDS.decode()}')) from read_csv(?, {PLAIN})",
            [str(path)],
        ).fetchall()
    except duckdb.Error as error:
        raise LogProblemError(f"cannot be read: {str(error).splitlines()[0]}") from error
    rows, lines, declared = found[0]
    layouts = {_layout(line.encode()) for line in declared or ()}
    if lines > rows or len(layouts) > 1:
        odd = "blank lines" if lines > rows else "columns that change"
        raise LogProblemError(f"has {odd}, which are read only from a log packed by gzip, or none.")
    return rows, tuple(layouts)


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _scanned(path: Path, has_layouts: bool) -> tuple[int, tuple[Layout, ...]] | None:
    """Number of lines and the layout of a log that can be read as it is, else None.

    It looks for what would hinder, and not at each line: lines are short enough where one ends in
    every STEP bytes.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    rows, size, last_end, returns, paired = 0, 0, -1, 0, 0
    before = b"\n"  # the last byte of the chunk before: a blank first line follows no line
    layouts: set[Layout] = set()
    with _open(path) as stream:
        while chunk := stream.read(CHUNK):
            if has_layouts:
                chunk += stream.readline(LONGEST)
                layouts |= set(_layouts_in(chunk))
            if size == 0 and not _begins_well(chunk, has_layouts):
                return None
            if not chunk.isascii() or decoder.getstate()[0]:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    return None
            if b"\0" in chunk or b"\n\n" in chunk or (before == b"\n" and chunk[:1] == b"\n"):
                return None
            if b"\r" in chunk or before == b"\r":
                returns += chunk.count(b"\r")
                paired += chunk.count(b"\r\n") + (before == b"\r" and chunk[:1] == b"\n")
                if b"\n\r" in chunk or (before == b"\n" and chunk[:1] == b"\r"):
                    return None
            for begin in range(0, len(chunk), STEP):
                end = chunk.rfind(b"\n", begin, begin + STEP)
                if end >= 0:
                    last_end = size + end
                elif size + min(begin + STEP, len(chunk)) - last_end > STEP * 2:
                    return None
            rows += chunk.count(b"\n")
            size += len(chunk)
            before = chunk[-1:]
    if decoder.getstate()[0] or returns != paired or paired not in (0, rows) or len(layouts) > 1:
        return None
    return rows + (last_end < size - 1), tuple(layouts)


def _begins_well(chunk: bytes, has_layouts: bool) -> bool:
    return not chunk.startswith(codecs.BOM_UTF8) and (not has_layouts or chunk.startswith(b"#"))


def _layouts_in(chunk: bytes) -> Iterator[Layout]:
    """The layouts declared in whole lines."""
    start = chunk.find(FIELDS)
    while start >= 0:
        if start == 0 or chunk[start - 1 : start] == b"\n":
            end = chunk.find(b"\n", start)
            yield _layout(chunk[start : end if end >= 0 else len(chunk)])
        start = chunk.find(FIELDS, start + 1)


def _layout(line: bytes) -> Layout:
    return tuple(line[len(FIELDS) :].decode("latin-1").lower().split())


def _rewritten(number: int, path: Path, target: Path, has_layouts: bool) -> LogFile:
    rows = 0
    layouts: dict[Layout, int] = {}
    layout = ""
    with _open(path) as stream, target.open("w", encoding="utf-8", newline="") as out:
        for n, (raw, length) in enumerate(_physical(stream), 1):
            raw = raw.removeprefix(codecs.BOM_UTF8) if n == 1 else raw
            if not raw:
                continue
            line = _text(raw)
            if has_layouts and raw.startswith(FIELDS):
                layout = str(layouts.setdefault(_layout(raw), len(layouts) + 1))
            fault = ""
            if length > LONGEST:
                line, fault = "", f"the line has {length} bytes"
            elif not line:
                fault = "the line holds nothing but NUL bytes"
            out.write(f"{n}{SEPARATOR}{layout}{SEPARATOR}{fault}{SEPARATOR}{line}\n")
            rows += 1
    return LogFile(number, target, rows, tuple(layouts), is_numbered=True)


def _physical(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Lines without their ends, and their lengths; of a long one only what begins it."""
    while line := stream.readline(LONGEST + 2):
        length = len(line)
        rest = line
        while not rest.endswith(b"\n") and (more := stream.readline(CHUNK)):
            length += len(more)
            rest = more
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        yield text, len(text) if rest is line else length - rest.endswith(b"\n")


def _text(line: bytes) -> str:
    """UTF-8 or else Latin-1. NUL bytes, left by a crash, go; what would end a line is replaced."""
    line = line.replace(b"\0", b"")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = line.decode("latin-1")
    return text.replace("\r", "\ufffd").replace(SEPARATOR, "\ufffd")


def select(files: Sequence[LogFile]) -> tuple[str, tuple[Layout, ...]]:
    """SQL of all lines in order: file_no, n, layout, fault, line; and the layouts, from 1."""
    layouts = tuple(dict.fromkeys(layout for file in files for layout in file.layouts))
    position = {layout: i for i, layout in enumerate(layouts, 1)}
    parts = []
    for is_numbered, run in groupby(files, key=lambda file: file.is_numbered):
        group = list(run)
        numbers = ", ".join(str(file.number) for file in group)
        paths = ", ".join(quoted(str(file.path)) for file in group)
        own = ", ".join(str([position[layout] for layout in file.layouts]) for file in group)
        here = "file_index::BIGINT + 1"
        layout = f"([{own}]::INTEGER[][])[{here}][{'layout' if is_numbered else 1}] as layout"
        columns = f"n, {layout}, fault"
        table = f"read_csv([{paths}], {NUMBERED})"
        if not is_numbered:
            columns = f"null::BIGINT as n, {layout}, null::VARCHAR as fault"
            table = f"read_csv([{paths}], {PLAIN})"
        parts.append(
            f"select ([{numbers}])[{here}]::INTEGER as file_no, {columns}, line from {table}"
        )
    return " union all ".join(parts), layouts
