"""Found files as plain ones: fetched, out of their archive, in UTF-8, without what is no table."""

from __future__ import annotations

import codecs
import errno
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from kpi_pipeline.errors import PipelineError
from kpi_pipeline.feeds import archives, plain_text, stores
from kpi_pipeline.feeds.found import SourceFile
from kpi_pipeline.feeds.sheets import Workbook
from kpi_pipeline.feeds.table_edges import Dropped
from kpi_pipeline.feeds.unusable import UnusableFileError

if TYPE_CHECKING:
    from kpi_pipeline.workspace import Source

COMPRESSED = ((plain_text.GZIP, ".gz"), (plain_text.ZSTD, ".zst"))
UNSAFE = re.compile(r"[*?[\]{}=\udc80-\udcff]")
LISTED = 5
OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class Unpacked:
    """A local file DuckDB can read: CSV, lines (both UTF-8, perhaps .gz or .zst) or Parquet.

    number: its place among all that were unpacked. name: for people, such as
    `exports.zip/june.csv` or `book.xlsx, sheet June`. header_row: line of the header in `path`;
    lines above it are empty. columns: set for a sheet: then `path` has no header, commas whatever
    the source says, quotes doubled, the number of the row in the sheet as its first column and
    these after it. rows: how many rows of a sheet are in `path`. dropped: rows that are not in
    `path`; their lines are empty there, so the others keep their numbers. problem: a sentence;
    then there is nothing to read. notes: sentences about what beside it is not read.
    """

    number: int
    file: SourceFile
    path: Path
    name: str
    header_row: int = 1
    columns: tuple[str, ...] | None = None
    rows: int | None = None
    dropped: tuple[Dropped, ...] = ()
    problem: str | None = None
    notes: tuple[str, ...] = ()


def unpack(source: Source, files: Sequence[SourceFile], scratch: Path) -> tuple[Unpacked, ...]:
    """What the files hold, in their order; a file gives one or more. scratch: a folder to fill.

    Local files that need nothing are used where they are. Raises PipelineError when the disk of
    `scratch` is full or a store cannot be reached.
    """
    folder = Path(tempfile.mkdtemp(prefix="unpacked-", dir=scratch))
    try:
        pieces = [piece for file in files for piece in _File(source, file, folder).unpack()]
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise PipelineError(
            f"The disk of {scratch} is full. Free some space for unpacked files and run it again."
        ) from error
    return tuple(replace(piece, number=number) for number, piece in enumerate(pieces))


class _File:
    """A file on its way: each step yields what the next step made of it."""

    def __init__(self, source: Source, file: SourceFile, folder: Path) -> None:
        self.source = source
        self.file = file
        self.folder = folder
        self.made = 0
        self.notes: list[str] = []

    def unpack(self) -> Iterator[Unpacked]:
        """The pieces of the file, the first of them with the notes."""
        pieces = list(self._unpack())
        yield from (
            replace(piece, notes=tuple(self.notes) if place == 0 else ())
            for place, piece in enumerate(pieces)
        )

    def _unpack(self) -> Iterator[Unpacked]:
        path, name = self.file.path, self.file.name
        try:
            if path is None:
                path = self._next(Path(name).suffixes)
                stores.fetch(name, path)
            yield from self._open(path, name)
        except UnusableFileError as error:
            yield self._unusable(name, error)

    def _open(self, path: Path, name: str, inside: bool = False) -> Iterator[Unpacked]:
        try:
            yield from self._open_kind(path, name, inside)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise UnusableFileError(f"{name} cannot be read: {error.strerror}.") from error

    def _open_kind(self, path: Path, name: str, inside: bool) -> Iterator[Unpacked]:
        is_sheet = self.source.format == "xlsx"
        if archives.is_zip(path):
            is_workbook = archives.is_workbook(path, name)
            if is_workbook and is_sheet:
                yield from self._open_workbook(path, name)
            elif is_workbook:
                raise UnusableFileError(
                    f"{name} is a workbook, not {self.source.format}; write format: xlsx in "
                    "sources.yml."
                )
            elif inside:
                raise UnusableFileError(f"{name} is a ZIP inside a ZIP, which is not unpacked.")
            else:
                yield from self._open_archive(path, name)
        elif is_sheet:
            raise UnusableFileError(_no_workbook(path, name))
        else:
            yield self._open_plain(path, name)

    def _open_archive(self, path: Path, name: str) -> Iterator[Unpacked]:
        with archives.opened(path, name) as archive:
            self._note_members(archive, name)
            for info in archives.members(archive, name, self.source.member):
                shown = f"{name}/{archives.path_of(info)}"
                target = self._next(Path(archives.path_of(info)).suffixes)
                try:
                    archives.extract(archive, info, shown, target)
                    yield from self._open(target, shown, inside=True)
                except UnusableFileError as error:
                    yield self._unusable(shown, error)

    def _note_members(self, archive: ZipFile, name: str) -> None:
        """Tell of files that are passed over, though they look like those that are read."""
        passed = archives.passed_over(archive, self.source.member)
        if passed:
            self.notes.append(
                f"{name}: member: {self.source.member} of sources.yml passes over "
                f"{_listed(passed)}."
            )

    def _open_workbook(self, path: Path, name: str) -> Iterator[Unpacked]:
        book = Workbook(path, name)
        chosen = book.sheets(self.source.sheets)
        if not self.source.sheets and (others := book.left_out(chosen)):
            self.notes.append(
                f"{name}: only the sheet {chosen[0]!r} is read, not {_listed(others)}; say in "
                "`sheets` of sources.yml which are."
            )
        for sheet in chosen:
            shown = f"{name}, sheet {sheet}"
            target = self._next([".csv"])
            try:
                done = book.write(sheet, self.source, target)
            except UnusableFileError as error:
                yield self._unusable(shown, error)
            else:
                yield Unpacked(
                    0,
                    self.file,
                    target,
                    shown,
                    header_row=done.header_row,
                    columns=done.columns,
                    rows=done.rows,
                    dropped=done.dropped,
                )

    def _open_plain(self, path: Path, name: str) -> Unpacked:
        if self.source.format == "parquet":
            return Unpacked(0, self.file, self._named(path), name)
        plain_text.refuse_other_encoding(path, name, self.source.encoding)
        is_wide = codecs.lookup(self.source.encoding).name.startswith(("utf-16", "utf-32"))
        path = path if is_wide else self._evened_out(path, name)
        if plain_text.is_ready(self.source):
            return Unpacked(0, self.file, self._named(path), name)
        target = self._next([".csv"])
        table = plain_text.write_plain(self.source, path, name, target)
        target = self._evened_out(target, name) if is_wide else target
        return Unpacked(
            0, self.file, target, name, header_row=table.header_row, dropped=table.dropped
        )

    def _evened_out(self, path: Path, name: str) -> Path:
        """The path, or that of the same text without returns alone beside other line ends.

        Logs are made readable by their own reader; zstd is read by DuckDB alone.
        """
        if self.source.format == "access_log":
            return path
        with path.open("rb") as stream:
            if stream.read(4) == plain_text.ZSTD:
                return path
        target = self._next([])
        return target if plain_text.even_out(path, name, target) else path

    def _named(self, path: Path) -> Path:
        """The path, or a link to it where DuckDB would take its name for something else.

        It tells by the ending that a file is compressed, and takes some signs for wildcards.
        """
        with path.open("rb") as stream:
            beginning = stream.read(4)
        suffix = next((s for magic, s in COMPRESSED if beginning.startswith(magic)), "")
        if path.suffix == (suffix or path.suffix) and not UNSAFE.search(str(path)):
            return path
        link = self._next([suffix or path.suffix])
        link.symlink_to(path.absolute())
        return link

    def _next(self, suffixes: Sequence[str]) -> Path:
        """A new path, with a name of our own: one from outside could lead anywhere."""
        self.made += 1
        compressed = suffixes[-1:] if suffixes[-1:] in ([".gz"], [".zst"]) else []
        return self.folder / "".join([f"{self.file.number}-{self.made}", *compressed])

    def _unusable(self, name: str, error: UnusableFileError) -> Unpacked:
        return Unpacked(0, self.file, self.folder, name, problem=str(error))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(map(repr, names[:LISTED])) + more


def _no_workbook(path: Path, name: str) -> str:
    with path.open("rb") as stream:
        if stream.read(4) == OLD_WORKBOOK:
            return f"{name} is an old .xls workbook or has a password; save it as .xlsx without."
    return f"{name} is no XLSX workbook; save it as .xlsx, or write format: csv in sources.yml."
