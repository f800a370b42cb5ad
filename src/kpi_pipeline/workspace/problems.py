"""Collects everything that is wrong with a workspace, so that the user sees it all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from kpi_pipeline.errors import ConfigurationError


@dataclass
class Problems:
    """Sentences about what is wrong (`found`) and what is odd (`warnings`), in order of reading."""

    found: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, place: str, message: str) -> None:
        self.found.append(f"{place}: {message}")

    def warn(self, place: str, message: str) -> None:
        self.warnings.append(f"{place}: {message}")

    def raise_if_any(self, root: object) -> None:
        """Raises ConfigurationError that lists every problem, one to a line."""
        if not self.found:
            return
        count = len(self.found)
        head = f"The workspace {root} has {count} problem{'s' if count > 1 else ''}:"
        raise ConfigurationError("\n".join([head, *(f"  - {problem}" for problem in self.found)]))


def nearest(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or the empty text when nothing known is like `name`."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


def one_of(choices: Iterable[str]) -> str:
    """`'a', 'b' or 'c'`."""
    quoted = [f"'{choice}'" for choice in choices]
    if len(quoted) == 1:
        return quoted[0]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"
