"""What the demonstration tells the person who watches it; all other output goes to a log file."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

PLAIN_EVERY_SECONDS = 5.0


class Watch:
    """One line per finished step, and what runs at the moment: on a terminal in a changing line,
    elsewhere in a plain line every few seconds."""

    def __init__(self, total: int) -> None:
        self.began = time.monotonic()
        self._out = Console(file=os.fdopen(os.dup(1), "w", buffering=1), highlight=False)
        self._total = total
        self._done = 0
        self._name = ""
        self._status = self._out.status("…") if self._out.is_terminal else None
        self._step_began = self._said_at = self.began

    def say(self, line: str = "") -> None:
        """A line that stays."""
        self._out.print(line, markup=False, soft_wrap=True)

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """A step: put into the list what is to be said about it when it is done."""
        self._name, self._step_began = name, time.monotonic()
        self._said_at = self._step_began
        told: list[str] = []
        if self._status:
            self._status.start()
        self.now("")
        try:
            yield told
        finally:
            if self._status:
                self._status.stop()
        self._done += 1
        seconds = time.monotonic() - self._step_began
        said = "; ".join(told) or "done"
        self.say(f"[{self._done:2}/{self._total}] {seconds:5.1f} s  {name:24} {said}")

    def now(self, message: str) -> None:
        """What runs at this moment within the step."""
        line = f"[{self._done + 1:2}/{self._total}]          {self._name:24} {message}"
        if self._status:
            self._status.update(f"{line[:100]}  ({time.monotonic() - self.began:.0f} s)")
        elif message and time.monotonic() - self._said_at >= PLAIN_EVERY_SECONDS:
            self._said_at = time.monotonic()
            self.say(line)


def send_output_to(log: Path) -> None:
    """Let everything this process and its children print go to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
