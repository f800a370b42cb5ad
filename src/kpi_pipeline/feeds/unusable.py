"""Files that cannot be used."""

from __future__ import annotations


class UnusableFileError(Exception):
    """A file gives no rows; the message is a sentence that names it. The others are read."""
