"""Names and texts as SQL."""

from __future__ import annotations


def quoted(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def name_of(column: str) -> str:
    """An SQL identifier."""
    return '"' + column.replace('"', '""') + '"'
