"""A folder for what a landing needs while it runs; what a killed one left is removed by the next.

Whoever uses such a folder holds a lock on it, which ends with the process, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = ".landing-"


@contextmanager
def scratch_folder(landing: Path) -> Iterator[Path]:
    """A new folder inside `landing`, on the same disk so that files can be moved out of it."""
    with _held(landing):  # nobody takes the new folder for a left one before it is held
        _remove_left(landing)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=landing))
        descriptor = _lock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def _remove_left(landing: Path) -> None:
    for folder in landing.glob(f"{PREFIX}*"):
        descriptor = _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if descriptor is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    descriptor = _lock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(folder: Path, how: int) -> int | None:
    """An open descriptor that holds the lock; None where another has it or the disk has none."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
