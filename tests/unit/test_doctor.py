"""The doctor reads a published file as it is published."""

from __future__ import annotations

from pathlib import Path

import duckdb

from kpi_pipeline import doctor
from kpi_pipeline.settings import Settings, from_environment
from kpi_pipeline.workspace import write_template


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


def test_a_kpi_that_does_not_exist_is_named_with_its_row(tmp_path: Path) -> None:
    settings = from_environment({"KPI_HOME": str(tmp_path), "KPI_WORKSPACE": str(tmp_path / "w")})
    write_template(settings.workspace)
    assert found_of_workspace(settings).is_ok
    (settings.workspace / "organisation" / "targets.csv").write_text(
        "kpi_id,scope_kind,scope_id,product_id,grain,period_start,value\n"
        "visit,product,website,website,month,2026-01-01,20000\n"
    )
    assert found_of_workspace(settings).advice == (
        "organisation/targets.csv, row 2, column kpi_id: there is no KPI 'visit'; "
        "the nearest is 'visits'."
    )


def found_of_workspace(settings: Settings) -> doctor.Finding:
    return next(f for f in doctor.examine(settings) if f.subject == "workspace")
