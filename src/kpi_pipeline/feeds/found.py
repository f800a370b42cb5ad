"""Which files a source has at the moment, in a folder or in an object store."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.feeds import stores

if TYPE_CHECKING:
    from kpi_pipeline.workspace import Source

DAY = "{day}"
ANY_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
Stamp = tuple[int, str]


@dataclass(frozen=True)
class SourceFile:
    """A file of a source.

    path: where it lies on this machine; None in an object store. name: for people; relative to the
    workspace, absolute or a URL. day: the one in its name, where the pattern has one. stamp: size
    in bytes and version, which change with its content. replaces: names of files of its day that
    do not count because of it (`several_files_a_day: last`).
    """

    number: int
    path: Path | None
    name: str
    day: date | None
    stamp: Stamp = (0, "")
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Match:
    name: str
    path: Path | None
    day: date | None
    stamp: Stamp


def find(source: Source, root: Path) -> tuple[SourceFile, ...]:
    """The files of a source in order of name, 9 before 10; none is not an error.

    Raises ConfigurationError when the folder or the store cannot be listed, PipelineError when the
    store cannot be reached.
    """
    matches = list(_in_store(source) if stores.is_url(source.files) else _in_folder(source, root))
    matches.sort(key=lambda match: in_order(match.name))
    replaced: dict[date | None, list[str]] = {}
    if source.several_files_a_day == "last":
        last = {match.day: match.name for match in matches}
        for match in matches:
            if match.name != last[match.day]:
                replaced.setdefault(match.day, []).append(match.name)
        matches = [match for match in matches if match.name == last[match.day]]
    return tuple(
        SourceFile(number, m.path, m.name, m.day, m.stamp, tuple(replaced.get(m.day, ())))
        for number, m in enumerate(matches)
    )


def has_changed(file: SourceFile) -> bool:
    """Whether the file is not as it was when it was found: it grew, was replaced or is gone."""
    try:
        now = stores.stamp(file.name) if file.path is None else _stamp(file.path)
    except OSError:
        return True
    return now != file.stamp


def in_order(name: str) -> tuple[list[str | int], str]:
    """A key that sorts names with the numbers in them as numbers."""
    parts: list[str | int] = list(re.split(r"([0-9]+)", name))
    parts[1::2] = [int(part) for part in parts[1::2]]
    return parts, name


def _in_store(source: Source) -> Iterable[_Match]:
    url = source.files
    if stores.has_secret(url):
        raise ConfigurationError(
            f"sources.yml has a password or a key in the {url.split(':')[0]}:// URL of "
            f"{source.feed} of {source.product}. Take it out and set it in the environment (such "
            "as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) or in fsspec's configuration."
        )
    local = stores.local_path(url)
    if local is not None:
        yield from _matching(local, url[: url.find("://") + 3], "")
        return
    matcher = _day_matcher(stores.pattern_of(url))
    for file in stores.listed(url, ANY_DAY):
        day = _day(matcher, file.path)
        if day is not None or DAY not in url:
            yield _Match(file.url, None, day, (file.size, file.version))


def _in_folder(source: Source, root: Path) -> Iterable[_Match]:
    files = Path(source.files)
    if files.is_absolute():
        return _matching(str(files), "", f"{root}/")
    return _matching(f"{glob.escape(str(root))}/{files}", "", f"{root}/")


def _matching(pattern: str, scheme: str, root: str) -> Iterable[_Match]:
    """scheme: put before the names. root: left out of them."""
    matcher = _day_matcher(pattern)
    try:
        _refuse_closed_folders(pattern.replace(DAY, ANY_DAY))
        for text in glob.glob(pattern.replace(DAY, ANY_DAY), recursive=True):  # noqa: PTH207
            path = Path(text)
            if path.is_file():
                day = _day(matcher, text)
                if day is not None or DAY not in pattern:
                    name = os.fsencode(text.removeprefix(root) if root else text)
                    yield _Match(scheme + name.decode(errors="replace"), path, day, _stamp(path))
    except PermissionError as error:
        raise ConfigurationError(
            f"{error.filename} cannot be listed: this user has no permission. Permit it to read "
            f"and enter the folder, for the files {pattern}."
        ) from error


def _refuse_closed_folders(pattern: str) -> None:
    """Raises PermissionError for a folder of the pattern that cannot be listed.

    `glob` passes over such folders, and their files would be missing without a word.
    """
    parts = pattern.split("/")
    wild = [number for number, part in enumerate(parts) if glob.has_magic(part)]
    for number in range(wild[0] if wild else len(parts) - 1, len(parts)):
        above = "/".join(parts[:number]) or "/"
        folders = glob.glob(above, recursive=True) if glob.has_magic(above) else [above]  # noqa: PTH207
        for folder in folders:
            try:
                if number in wild:
                    os.scandir(folder).close()
                else:
                    Path(folder, parts[number]).lstat()
            except PermissionError:
                raise
            except OSError:  # no folder, or no such file in it: nothing to list
                continue


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_size, str(status.st_mtime_ns)


def _day(matcher: re.Pattern[str], path: str) -> date | None:
    match = matcher.fullmatch(path)
    if match is None or "day" not in match.groupdict():
        return None
    try:
        return date.fromisoformat(match["day"])
    except ValueError:
        return None


def _day_matcher(pattern: str) -> re.Pattern[str]:
    """A pattern for whole paths with the group `day`."""
    parts = []
    seen = False
    for token in re.split(r"(\{day\}|\*\*/|\*|\?|\[!?\]?[^]]*\])", pattern):
        if token == DAY:
            parts.append(r"(?P=day)" if seen else r"(?P<day>\d{4}-\d{2}-\d{2})")
            seen = True
        elif token.startswith("["):
            parts.append(fnmatch.translate(token)[len("(?s:") : -len(")\\Z")])
        else:
            globs = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
            parts.append(globs.get(token, re.escape(token)))
    return re.compile("".join(parts))
