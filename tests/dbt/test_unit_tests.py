"""dbt's own unit tests, on a warehouse that holds one small day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import small_company

from kpi_pipeline import run
from kpi_pipeline.warehouse.dbt import run_dbt


def test_unit_tests_of_the_models_pass(tmp_path: Path) -> None:
    space = small_company.write_workspace(tmp_path)
    settings = small_company.settings_for(tmp_path, space)
    day = date(2024, 1, 24)
    small_company.write_day(space, day)
    at = datetime(2024, 1, 25, 20, tzinfo=UTC)
    run.everything(settings, day, day, at, send_reports=False)
    said: list[str] = []
    run_dbt(settings, ["test", "--select", "test_type:unit"], said.append)
    passed = [line for line in said if " pass " in line]
    assert len(passed) == len(said) == 16, said
