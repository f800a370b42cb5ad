"""Removes what is of no use any more. Landing, ledger, mails and run log are never touched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from kpi_pipeline.settings import Settings

LOGS_KEPT = timedelta(days=30)
LEFTOVER_AFTER = timedelta(days=1)


def tidy(settings: Settings, at: datetime) -> str:
    """Remove old logs and leftovers of interrupted writes; returns what was removed."""
    logs = list(_older(settings.home / "logs", "*", at - LOGS_KEPT))
    leftovers = [
        *_older(settings.landing, ".slice.json.*", at - LEFTOVER_AFTER),
        *_older(settings.outbox, ".*.part", at - LEFTOVER_AFTER),
        *_older(settings.published, ".*", at - LEFTOVER_AFTER),
    ]
    for path in (*logs, *leftovers):
        path.unlink(missing_ok=True)
    return f"{len(logs)} old logs and {len(leftovers)} leftovers removed"


def _older(folder: Path, pattern: str, than: datetime) -> Iterator[Path]:
    for path in folder.rglob(pattern):
        if path.is_file() and not path.is_symlink() and path.stat().st_mtime < than.timestamp():
            yield path
