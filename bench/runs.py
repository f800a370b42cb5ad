"""Runs a command as a process of its own, and says what it took."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class FailedRunError(Exception):
    """A command that did not end well; the message is what it said."""


@dataclass(frozen=True)
class Run:
    """Seconds by the clock and of both cores together, and the most memory held, in MB."""

    wall: float
    cpu: float
    peak: float
    output: str


def measure(command: Sequence[str], environment: Mapping[str, str]) -> Run:
    """Run the command to its end. Raises FailedRunError when it fails."""
    began = time.perf_counter()
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment}
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        output = process.stdout.read().decode()
        said = process.stderr.read().decode()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise FailedRunError(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, output)


def median(runs: Sequence[Run]) -> Run:
    """The medians of several runs of one command, each figure by itself."""
    return Run(
        statistics.median(run.wall for run in runs),
        statistics.median(run.cpu for run in runs),
        max(run.peak for run in runs),
        runs[-1].output,
    )
