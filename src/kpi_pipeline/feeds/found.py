"""Which files a source has at the moment, in a folder or in an object store."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def find(source: Source, root: Path) -> tuple[SourceFile, ...]:
    """The files of a source in order of name, 9 before 10; none is not an error.

    Raises ConfigurationError when the folder or the store cannot be listed.
    """
    raise NotImplementedError


def has_changed(file: SourceFile) -> bool:
    """Whether the file is not as it was when it was found: it grew, was replaced or is gone."""
    raise NotImplementedError
