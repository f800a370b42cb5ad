"""Files inside a ZIP, and what a file that begins like a ZIP really is."""

from __future__ import annotations

import fnmatch
import re
import shutil
import zlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from kpi_pipeline.feeds.found import in_order
from kpi_pipeline.feeds.unusable import UnusableFileError

BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")
LARGEST = 64 << 30  # bytes a ZIP may hold unpacked
HARMLESS = 1 << 30  # below it, no ratio is too large
LARGEST_RATIO = 200  # of unpacked to packed; exports seldom reach 30
BLOCK = 1 << 20
DAMAGE = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def is_zip(path: Path) -> bool:
    """Whether a file begins like a ZIP, as workbooks do too."""
    with path.open("rb") as stream:
        return stream.read(4) in BEGINNINGS


def is_workbook(path: Path, name: str) -> bool:
    """Whether a ZIP is the workbook of a spreadsheet."""
    with opened(path, name) as archive:
        return "[Content_Types].xml" in archive.namelist()


def opened(path: Path, name: str) -> ZipFile:
    """A ZIP that is safe to unpack: not larger than LARGEST, nor packed more than LARGEST_RATIO.

    zipfile gives no more of a file than its directory says, so that is enough to look at. Raises
    UnusableFileError.
    """
    try:
        archive = ZipFile(path)
    except DAMAGE as error:
        raise UnusableFileError(f"{name} is a damaged ZIP: {error}.") from error
    size = sum(info.file_size for info in archive.infolist())
    packed = max(path.stat().st_size, 1)
    if size > LARGEST or (size > HARMLESS and size > LARGEST_RATIO * packed):
        archive.close()
        raise UnusableFileError(
            f"{name} would be {size >> 20} MB unpacked, from {packed >> 20} MB; at most "
            f"{LARGEST >> 30} GB and {LARGEST_RATIO} times its size are unpacked. Split it."
        )
    return archive


def members(archive: ZipFile, name: str, pattern: str) -> list[ZipInfo]:
    """Its files whose path or last name matches the pattern, in order of name.

    What macOS adds and files that begin with a dot are none. Raises UnusableFileError for none.
    """
    files = _files(archive)
    found = [info for info in files if _matches(path_of(info), pattern)]
    if not files:
        raise UnusableFileError(f"{name} is an empty ZIP.")
    if not found:
        listed = ", ".join(sorted(map(path_of, files), key=in_order)[:10])
        more = ", …" if len(files) > 10 else ""
        raise UnusableFileError(
            f"{name} has no file that matches member: {pattern}; it has {listed}{more}."
        )
    return sorted(found, key=lambda info: in_order(path_of(info)))


def passed_over(archive: ZipFile, pattern: str) -> list[str]:
    """Files that the pattern misses, but would not in small letters or unpacked, in order."""
    paths = [path_of(info) for info in _files(archive)]
    missed = [path for path in paths if not _matches(path, pattern)]
    near = [
        path
        for path in missed
        if _matches(re.sub(r"\.(gz|zst)$", "", path.lower()), pattern.lower())
    ]
    return sorted(near, key=in_order)


def path_of(info: ZipInfo) -> str:
    """Its path in the ZIP, for people; never a place on this machine."""
    return "".join(c if c.isprintable() else "?" for c in info.filename.replace("\\", "/"))


def extract(archive: ZipFile, info: ZipInfo, name: str, target: Path) -> None:
    """Write a file of the ZIP to `target`. Raises UnusableFileError when it is not whole."""
    if info.flag_bits & 1:
        raise UnusableFileError(
            f"{name} is encrypted, and there is no place for a password; export it without one."
        )
    try:
        with archive.open(info) as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out, BLOCK)
    except DAMAGE as error:
        raise UnusableFileError(f"{name} is damaged: {error}.") from error


def _files(archive: ZipFile) -> list[ZipInfo]:
    return [info for info in archive.infolist() if not info.is_dir() and not _is_hidden(info)]


def _matches(path: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(
        path.rpartition("/")[2], pattern
    )


def _is_hidden(info: ZipInfo) -> bool:
    parts = path_of(info).split("/")
    return parts[0] == "__MACOSX" or any(part.startswith(".") and part != ".." for part in parts)
