"""Text files in UTF-8, with nothing but the table in them; never more than a line in memory."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from kpi_pipeline.feeds.records import Record, records, split
from kpi_pipeline.feeds.table_edges import Dropped, TableEdges
from kpi_pipeline.feeds.unusable import UnusableFileError

if TYPE_CHECKING:
    from kpi_pipeline.workspace import Source

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
BLOCK = 1 << 20
HEAD = 4096
MARKS = (  # the longest first: UTF-32 begins like UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8"),
)
# Bytes that are none of the encoding become one that is none of UTF-8 either, so that whoever reads
# the result sets that line aside and no other.
UNREADABLE = "kpi_pipeline.unreadable"
LINE_END = re.compile(rb"\r*\n|\r")  # twice a return is of a text that was written as text twice
SPOILED = re.compile("[\udc80-\udcff]")


class TrailingBytesError(UnusableFileError):
    """What follows the data of a gzip file is none."""


def _unreadable(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\udcff", error.end


codecs.register_error(UNREADABLE, _unreadable)


@dataclass(frozen=True)
class Table:
    """header_row: the line of the header. dropped: rows whose lines are empty now."""

    header_row: int
    dropped: tuple[Dropped, ...] = ()
    header: str = ""


def is_ready(source: Source) -> bool:
    """Whether text of this source is UTF-8 already, and has nothing around its table."""
    return _is_utf8(source.encoding) and not _has_edges(source)


def refuse_other_encoding(path: Path, name: str, encoding: str) -> None:
    """Raises UnusableFileError when the file's first bytes show another encoding than declared."""
    try:
        with _opened(path, name) as stream:
            head = stream.read(HEAD)
    except UnusableFileError:
        return  # whoever reads it all will say so
    shown = next((encoding for mark, encoding in MARKS if head.startswith(mark)), None)
    declared = codecs.lookup(encoding).name
    if shown is not None and not declared.startswith(shown):
        raise UnusableFileError(
            f"{name} is {shown.upper()}, not {declared}; write encoding: {shown} in sources.yml."
        )
    if shown is None and declared.startswith(("utf-16", "utf-32")) and head and b"\0" not in head:
        raise UnusableFileError(
            f"{name} is not {declared}; leave out encoding in sources.yml where it is UTF-8."
        )


def even_out(path: Path, name: str, target: Path) -> bool:
    """Whether a text file has returns alone beside other line ends; then `target` has line feeds.

    At such a return DuckDB would take the first sign of the next line. Raises UnusableFileError
    when what follows a gzip file's data is none.
    """
    if not _has_lone_returns(path, name):
        return False
    held = b""
    with _opened(path, name) as stream, target.open("wb") as out:
        while block := stream.read(BLOCK):
            block = held + block
            text = block.rstrip(b"\r")  # an end may go on in the next block
            held = block[len(text) :]
            out.write(LINE_END.sub(b"\n", text))
        out.write(b"\n" if held else b"")
    return True


def _has_lone_returns(path: Path, name: str) -> bool:
    returns = feeds = pairs = 0
    before = b""
    try:
        with _opened(path, name) as stream:
            while block := stream.read(BLOCK):
                feeds += block.count(b"\n")
                if b"\r" in block or before == b"\r":
                    returns += block.count(b"\r")
                    pairs += block.count(b"\r\n")
                    pairs += before == b"\r" and block.startswith(b"\n")
                before = block[-1:]
    except TrailingBytesError:
        raise
    except UnusableFileError:
        return False  # whoever reads it all will say so
    return feeds > 0 and returns != pairs


def write_plain(source: Source, path: Path, name: str, target: Path) -> Table:
    """Write the file in UTF-8 with all its lines; those that are none of the table are empty.

    Raises UnusableFileError when it cannot be decompressed or has no line for the header.
    """
    with _opened(path, name) as stream, target.open("wb") as out:
        try:
            if not _has_edges(source):
                _decode(stream, source.encoding, out)
                return Table(1)
            errors = "surrogateescape" if _is_utf8(source.encoding) else UNREADABLE
            lines = io.TextIOWrapper(stream, source.encoding, errors, newline="")  # line ends stay
            table = _Lines(source, lines, out).write()
            while block := lines.read(BLOCK):
                out.write(block.encode("utf-8", "surrogateescape"))
        except UnicodeError as error:
            raise UnusableFileError(f"{name} is not {source.encoding}: {error}.") from error
    if table.header_row == 0:
        raise UnusableFileError(
            f"{name} ends before line {source.header_row}, where header_row says its header is."
        )
    if SPOILED.search(table.header):
        raise UnusableFileError(f"{name} has a header that is not {source.encoding}.")
    return table


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def _has_edges(source: Source) -> bool:
    return source.header_row > 1 or bool(source.total_rows) or source.ends_at_blank_line


@contextmanager
def _opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    with path.open("rb") as stream:
        magic = stream.read(4)
        stream.seek(0)
        if magic == ZSTD:
            raise UnusableFileError(
                f"{name} is compressed with zstd, which is read only where the file is UTF-8 and "
                "header_row, total_rows and ends_at_blank_line are not set; compress it with gzip."
            )
        if not magic.startswith(GZIP):
            yield stream
            return
        try:
            with gzip.open(stream) as inner:
                yield cast("IO[bytes]", inner)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            if str(error).startswith("Not a gzipped file"):  # its beginning was one
                raise TrailingBytesError(
                    f"{name} goes on behind its gzip data with bytes that are none. Deliver it "
                    "again without them."
                ) from error
            raise UnusableFileError(
                f"{name} cannot be decompressed; it may be cut off: {error}."
            ) from error


def _decode(stream: IO[bytes], encoding: str, out: IO[bytes]) -> None:
    decoder = codecs.getincrementaldecoder(encoding)(UNREADABLE)
    while block := stream.read(BLOCK):
        out.write(decoder.decode(block).encode("utf-8", "surrogateescape"))
    out.write(decoder.decode(b"", True).encode("utf-8", "surrogateescape"))


class _Lines:
    """The lines of a file on their way to a file that has only the table."""

    def __init__(self, source: Source, lines: Iterable[str], out: IO[bytes]) -> None:
        self.source = source
        self.lines = iter(lines)
        self.out = out
        self.taken: deque[str] = deque()  # lines that are not written yet
        self.number = 1  # of the line that is written next

    def write(self) -> Table:
        """All up to the header; the rows too where some could be none of the table.

        The header's line is 0 when the file has lines, but ends before it.
        """
        for line in self.lines:
            header_row = self.number
            self.taken.append(line)
            self._put(1, keep=header_row >= self.source.header_row)
            if header_row >= self.source.header_row and _content(line):
                header = _content(line)
                goes_on = not (self.source.total_rows or self.source.ends_at_blank_line)
                return Table(header_row, () if goes_on else self._write_rows(header), header)
        return Table(0 if 1 < self.number <= self.source.header_row else 1)

    def _write_rows(self, header: str) -> tuple[Dropped, ...]:
        delimiter = self.source.delimiter
        width = len(split(header, delimiter)[0])
        edges = TableEdges(self.source)
        for number, record in records(self._take(), self.number, delimiter, width):
            self._put_blank(number, edges)
            if isinstance(record, Record):
                self._put(record.lines, keep=edges.keeps(number, record.fields))
            else:
                fields, _ = split(_content(self.taken[0]), delimiter)
                self._put(1, keep=edges.keeps(number, fields))
        self._put_blank(self.number + len(self.taken), edges)
        return edges.dropped

    def _take(self) -> Iterator[str]:
        for line in self.lines:
            self.taken.append(line)
            yield _content(line)

    def _put_blank(self, number: int, edges: TableEdges) -> None:
        """Write the blank lines before that number."""
        while self.number < number:
            edges.keeps(self.number, ())
            self._put(1, keep=True)

    def _put(self, count: int, *, keep: bool) -> None:
        for _ in range(count):
            line = self.taken.popleft()
            text = line if keep else line[len(_content(line)) :]
            self.out.write(text.encode("utf-8", "surrogateescape"))
        self.number += count


def _content(line: str) -> str:
    return line.rstrip("\r\n")
