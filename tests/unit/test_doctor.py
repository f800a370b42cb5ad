"""The doctor reads a published file as it is published."""

from __future__ import annotations

from pathlib import Path

import duckdb

from kpi_pipeline import doctor
from kpi_pipeline.settings import from_environment


def test_a_published_file_is_named_with_its_run(tmp_path: Path) -> None:
    settings = from_environment({"KPI_HOME": str(tmp_path)})
    settings.published.mkdir()
    with duckdb.connect(str(settings.published / "kpi-a.duckdb")) as connection:
        connection.execute(
            "create table published_run as "
            "select 'publish-a' as run_id, timestamp '2024-07-01 18:00:00' as at"
        )
    settings.current.symlink_to("kpi-a.duckdb")
    finding = next(f for f in doctor.examine(settings) if f.subject == "published file")
    assert finding.is_ok
    assert finding.said == "kpi-a.duckdb: publish-a, 2024-07-01 18:00:00 UTC"
