"""Files that have a URL: object stores and whatever else fsspec knows.

Keys and endpoints come from the environment or from fsspec's configuration files, never from a URL.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.registry import known_implementations

from kpi_pipeline.errors import ConfigurationError, PipelineError
from kpi_pipeline.feeds.unusable import UnusableFileError

BUCKETS = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "r2")
URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
SECRET = re.compile(
    r"://(?!arn:)[^/]*(?<!:):(?!:|//|\d+(/|$))"  # user:password@host, but not host:9000
    r"|[?&](sig|signature|token|x-amz-\w+|\w*(secret|password|access_?key)\w*)=",
    re.IGNORECASE,
)
VERSIONS = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "mtime", "created")


@dataclass(frozen=True)
class Listed:
    """A file of a store. size in bytes; version: changes with its content."""

    path: str
    url: str
    size: int
    version: str


def is_url(pattern: str) -> bool:
    """Whether a pattern is of a store, and not of a folder."""
    return URL.match(pattern) is not None


def has_secret(url: str) -> bool:
    """Whether a URL holds a password, a key or a signature."""
    return SECRET.search(url) is not None


def local_path(url: str) -> str | None:
    """The path of a `file://` URL; None of any other."""
    is_local = _scheme(url) in ("file", "local") and "::" not in url
    return str(LocalFileSystem._strip_protocol(url)) if is_local else None


def pattern_of(url: str) -> str:
    """What paths of the store are matched with."""
    return _opened(url)[1]


def listed(url: str, any_day: str) -> list[Listed]:
    """The files that match a URL with wildcards, in no order. any_day: what {day} stands for.

    Raises ConfigurationError when the store cannot be listed; no file is no error, no bucket is.
    """
    store, pattern = _opened(url)
    ours, theirs = _prefixes(url, pattern)
    with _told(url):
        store.invalidate_cache()  # it would go on showing what it showed before
        entries: Mapping[str, Mapping[str, Any]] = store.glob(
            pattern.replace("{day}", any_day), detail=True
        )
        if not entries and _scheme(url) in BUCKETS:
            store.info(pattern.lstrip("/").split("/")[0])
    return [
        Listed(path, ours + path.removeprefix(theirs), *_stamp(entry))
        for path, entry in entries.items()
        if entry["type"] == "file"
    ]


def stamp(url: str) -> tuple[int, str] | None:
    """Size and version of a file now; None when it is gone."""
    store, path = _opened(url)
    with _told(url):
        store.invalidate_cache()
        try:
            return _stamp(store.info(path))
        except FileNotFoundError:
            return None


def fetch(url: str, target: Path) -> None:
    """Copy a file here. Raises UnusableFileError; OSError when the disk is full."""
    store, path = _opened(url)
    with _told(url):
        try:
            store.get_file(path, str(target))
        except FileNotFoundError as error:
            raise UnusableFileError(f"{url} was listed, but is no longer there.") from error
        except PermissionError as error:
            raise UnusableFileError(
                f"{url} may not be read with the keys of the environment."
            ) from error


def _opened(url: str) -> tuple[AbstractFileSystem, str]:
    scheme = _scheme(url)
    if "::" in url:
        raise ConfigurationError(f"{url} is a chain of URLs; expected one, such as s3://b/x.zip.")
    try:
        with _told(url):
            store, path = url_to_fs(url)
    except ImportError as error:
        known = known_implementations.get(scheme, {})
        package = str(known.get("class", "")).split(".")[0]
        needed = _first_line(error)
        mend = f"pip install {package}" if package != "fsspec" else needed
        raise ConfigurationError(
            f"{url} needs a driver that is not installed: {mend}"
            + ("" if mend.endswith(".") else ".")
        ) from error
    return store, str(path)


def _scheme(url: str) -> str:
    match = URL.match(url)
    return match[1].lower() if match else ""


def _prefixes(url: str, path: str) -> tuple[str, str]:
    """What is before the part that a URL and its path in the store have in common."""
    pairs = zip(reversed(url), reversed(path), strict=False)
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return url[: len(url) - common], path[: len(path) - common]


def _stamp(entry: Mapping[str, Any]) -> tuple[int, str]:
    version = next((entry[key] for key in VERSIONS if entry.get(key)), "")
    if isinstance(version, datetime):
        version = version.timestamp()
    if isinstance(version, float):
        version = round(version, 6)  # behind that, a listing differs from a look at one file
    return int(entry.get("size") or 0), str(version)


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Any driver's error as a sentence. A full disk is for the caller."""
    try:
        yield
    except (PipelineError, UnusableFileError, ImportError):
        raise
    except FileNotFoundError as error:
        raise ConfigurationError(f"{url} has no such bucket or folder.") from error
    except PermissionError as error:
        raise ConfigurationError(
            f"{url} may not be listed: {_first_line(error)}. Check the keys in the environment "
            "and what they are allowed."
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
            raise ConfigurationError(
                f"{url} needs keys, and the environment has none (such as AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY)."
            ) from error
        if isinstance(error, ValueError):
            raise ConfigurationError(f"{url} cannot be used: {_first_line(error)}.") from error
        raise PipelineError(f"{url} cannot be reached: {_first_line(error)}.") from error


def _first_line(error: Exception) -> str:
    """Of an error's text; without what may be secret in a URL."""
    text = str(error).strip() or type(error).__name__
    line = re.sub(r"//[^/@\s]*@", "//", text.splitlines()[0])
    return re.sub(r"\?[^\s\"']*", "", line).rstrip(".")
