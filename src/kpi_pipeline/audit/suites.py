"""Reads `expectations/`: one YAML file per checked table, a list of expectations in it.

- type: expect_column_values_to_not_be_null
  kwargs: {column: event_id}
  severity: stop          # stop: the slice or the publication is refused; warn: it is noted
  reason: Every page view has an id.

A query may also have `finding`, what to say of each row it returns, with the row's columns in
braces, and `can_be_accepted: true`: days that `checks.yml` accepts are noted, whatever `severity`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.runlog import Severity

ROWS_QUERY = "unexpected_rows_expectation"
KEYS = {"type", "kwargs", "severity", "reason"}
QUERY_KEYS = {"finding", "can_be_accepted"}
SAFE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it was compiled


@dataclass(frozen=True)
class Expectation:
    """One entry. `query`: for an unexpected-rows expectation its SQL, over `{batch}`.

    finding: what to say of a row of the query; None: how many there are.
    """

    type: str
    kwargs: Mapping[str, object]
    severity: Severity
    reason: str
    finding: str | None = None
    can_be_accepted: bool = False

    @property
    def query(self) -> str | None:
        return str(self.kwargs["unexpected_rows_query"]) if self.type == ROWS_QUERY else None

    @property
    def label(self) -> str:
        """A short name for findings: the type and its columns, or the reason for a query."""
        if self.query is not None:
            return self.reason
        columns = self.kwargs.get("column") or self.kwargs.get("column_list") or ""
        named = ", ".join(columns) if isinstance(columns, list) else str(columns)
        return f"{self.type}({named})"


def load(folder: Path) -> dict[str, list[Expectation]]:
    """Table → expectations. Raises ConfigurationError that names file and entry."""
    if not folder.is_dir():
        raise ConfigurationError(f"There is no folder {folder}; expectations are read from it.")
    return {path.stem: _load_file(path) for path in sorted(folder.glob("*.yml"))}


def _load_file(path: Path) -> list[Expectation]:
    try:
        entries = yaml.load(path.read_text(encoding="utf-8"), Loader=SAFE) or []  # noqa: S506  # it is safe
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(entries, list):
        raise ConfigurationError(f"{path} must be a list of expectations.")
    return [_entry(path, position, entry) for position, entry in enumerate(entries, 1)]


def _entry(path: Path, position: int, entry: object) -> Expectation:
    where = f"{path}, expectation {position}"
    if not isinstance(entry, dict) or set(entry) - QUERY_KEYS != KEYS:
        raise ConfigurationError(
            f"{where}: expected exactly the keys {', '.join(sorted(KEYS))}; a query may have "
            f"{' and '.join(sorted(QUERY_KEYS))}."
        )
    if entry["type"] != ROWS_QUERY and set(entry) & QUERY_KEYS:
        raise ConfigurationError(
            f"{where}: only a query ({ROWS_QUERY}) has {' and '.join(sorted(QUERY_KEYS))}."
        )
    if entry["severity"] not in ("stop", "warn"):
        raise ConfigurationError(
            f"{where}: severity is {entry['severity']!r}; expected 'stop' or 'warn'."
        )
    if not isinstance(entry["kwargs"], dict):
        raise ConfigurationError(f"{where}: kwargs must be a mapping.")
    if not isinstance(entry["reason"], str) or not entry["reason"].strip():
        raise ConfigurationError(f"{where}: reason must be a sentence.")
    if entry["type"] == ROWS_QUERY and "unexpected_rows_query" not in entry["kwargs"]:
        raise ConfigurationError(f"{where}: kwargs needs unexpected_rows_query.")
    return Expectation(
        type=str(entry["type"]),
        kwargs=entry["kwargs"],
        severity=cast(Severity, entry["severity"]),
        reason=entry["reason"].strip(),
        finding=str(entry["finding"]).strip() if "finding" in entry else None,
        can_be_accepted=entry.get("can_be_accepted") is True,
    )
