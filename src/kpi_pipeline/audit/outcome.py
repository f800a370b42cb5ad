"""How an audit ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kpi_pipeline.audit.suites import Expectation
from kpi_pipeline.runlog import Check, CheckOutcome

Progress = Callable[[str], None]


@dataclass(frozen=True)
class AuditOutcome:
    """passed, warned, stopped: expectations, each counted once per slice (or table, going out).

    findings: what did not pass.
    """

    passed: int
    warned: int
    stopped: int
    findings: tuple[Check, ...]


def failed(expectation: Expectation) -> CheckOutcome:
    """What it means that the expectation did not hold."""
    return "stopped" if expectation.severity == "stop" else "warned"


def quiet(_message: str) -> None:
    """Progress nobody wants to see."""
