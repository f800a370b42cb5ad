"""What a command has around it: the environment, the moment, and somebody who watches.

The only module that reads the clock: it is the default of `--at`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from rich.console import Console

from kpi_pipeline import run as steps
from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.settings import Settings, from_environment


def settings() -> Settings:
    """The settings of this process's environment."""
    return from_environment(os.environ)


def moment(at: datetime | None) -> datetime:
    """`at`, or now."""
    return at if at is not None else datetime.now(UTC)


def refuse_unknown(what: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    """Raises ConfigurationError for the first name that is not known, with the nearest one."""
    from difflib import get_close_matches

    for name in wanted:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise ConfigurationError(
                f"There is no {what} {name!r}; {what}s: {', '.join(known) or 'none'}"
                + (f"; did you mean {near[0]!r}?" if near else ".")
            )


def refuse_unknown_pairs(
    feeds: Sequence[str] | None, products: Sequence[str] | None, others: Iterable[str] = ()
) -> None:
    """Raises ConfigurationError for a feed that does not exist, and for a product that is neither
    in the workspace nor among the others."""
    refuse_unknown("feed", feeds or (), list(FEEDS))
    if products:
        known = dict.fromkeys([*steps.workspace_of(settings()).products, *others])
        refuse_unknown("product", products, list(known))


def refuse_backward(first: date | None, last: date | None) -> None:
    """Raises ConfigurationError when the last day is before the first."""
    if first is not None and last is not None and last < first:
        raise ConfigurationError(f"--to {last} is before --from {first}; give the later day last.")


class Watched:
    """Shows progress on stderr: one changing line on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._status = self._console.status("…") if self._console.is_terminal else None
        self._began = time.monotonic()

    def __enter__(self) -> Watched:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def say(self, message: str) -> None:
        """One step: what runs, and the seconds since the start."""
        line = f"{time.monotonic() - self._began:6.1f} s  {message}"
        if self._status:
            self._status.update(line)
        else:
            print(line, file=sys.stderr, flush=True)
