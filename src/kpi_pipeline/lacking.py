"""What the machine lacks, as a sentence: disk, memory or a permission. No file is at fault then."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from kpi_pipeline.errors import PipelineError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
SAID_FULL = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|max_temp_directory_size"
)
SAID_CLOSED = re.compile(r"Permission denied|Read-only file system")
WRITTEN = re.compile(r'(?:file|directory)[^"]{0,20}\\?"([^"\\]+)')


class LackingError(PipelineError):
    """The machine lacks disk, memory or a permission to write."""


def lacking(error: BaseException) -> str | None:
    """A sentence that says what is lacking and what to do; None for any other error."""
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        if error.errno in FULL:
            return f"The disk is full{where}. Make room and run it again; nothing landed is lost."
        if error.errno in CLOSED:
            return f"{error.filename or 'A file'} cannot be used: {error.strerror}. Permit it."
    import duckdb  # late: this module is imported by what must start quickly

    if not isinstance(error, duckdb.Error):
        return None
    said = str(error)
    found = WRITTEN.search(said)
    where = f" ({found[1]})" if found else ""
    if SAID_FULL.search(said):
        return f"The disk is full{where}. Make room and run it again; nothing landed is lost."
    if isinstance(error, duckdb.OutOfMemoryException):
        return "The memory is used up. Set KPI_MEMORY to more, as in 4GB, and run it again."
    if SAID_CLOSED.search(said) and "write" in said.lower():
        return f"A file cannot be written{where}: this user has no permission. Permit it."
    return None


def raise_if_lacking(error: BaseException) -> None:
    """Raises LackingError when that is what the error is about."""
    sentence = lacking(error)
    if sentence is not None:
        raise LackingError(sentence) from error


@contextmanager
def told_when_lacking() -> Iterator[None]:
    """Errors about what the machine lacks become LackingError; others stay as they are."""
    try:
        yield
    except Exception as error:
        raise_if_lacking(error)
        raise
