"""The audit of what is about to be published, as a whole."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

import duckdb

from kpi_pipeline.audit import suites
from kpi_pipeline.audit.engine import Door, check_types, write_index
from kpi_pipeline.audit.findings import first_rows, sentence
from kpi_pipeline.audit.outcome import AuditOutcome, Progress, failed, quiet
from kpi_pipeline.runlog import Check, RunLog
from kpi_pipeline.settings import Settings


def audit_out(
    settings: Settings, path: Path, at: datetime, run_id: str, progress: Progress = quiet
) -> AuditOutcome:
    """Check the tables of a DuckDB file that is about to be published; nothing may have it open.

    A table that has expectations and is not there counts as stopped.
    """
    folder = settings.expectations / "published"
    expected = suites.load(folder)
    for name, expectations in expected.items():
        check_types(expectations, folder / f"{name}.yml")
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'main'"
        ).fetchall()
    present = {name for (name,) in rows}
    checks: list[Check] = []
    with Door() as door:
        source = door.open(path, is_read_only=True)
        for name, expectations in expected.items():
            if name not in present:
                message = f"The table {name} is not there."
                checks.append(
                    Check(
                        run_id, at, "out", name, "table exists", "stop", "stopped", message=message
                    )
                )
                continue
            results = door.run(source, name, f"published {name}", expectations)
            for expectation, result in zip(expectations, results, strict=True):
                told = not result.success and expectation.finding is not None
                against = first_rows(door, source, name, expectation, None) if told else []
                checks.append(
                    Check(
                        run_id,
                        at,
                        "out",
                        name,
                        expectation.label,
                        expectation.severity,
                        "passed" if result.success else failed(expectation),
                        unexpected_rows=result.unexpected_rows,
                        message="" if result.success else sentence(expectation, result, against),
                    )
                )
        door.write_docs(settings.data_docs / "published", progress)
    write_index(settings.data_docs)
    RunLog(settings).record_checks(checks)
    counts = Counter(check.outcome for check in checks)
    findings = tuple(check for check in checks if check.outcome != "passed")
    return AuditOutcome(counts["passed"], counts["warned"], counts["stopped"], findings)
