"""dbt's own tests: of the models' logic, and of the data in each build."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import small_company
import yaml

from kpi_pipeline import run
from kpi_pipeline.warehouse.dbt import run_dbt

PROJECT = Path(__file__).parents[2] / "dbt_project"


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
    assert len(passed) == len(said) == _declared(), said


def test_a_daily_build_runs_the_data_tests_that_a_whole_one_runs(tmp_path: Path) -> None:
    """It leaves out the views, which are as they were, and not what holds for their new rows."""
    space = small_company.write_workspace(tmp_path)
    settings = small_company.settings_for(tmp_path, space)
    tests, views = [], []
    for day in (date(2024, 1, 24), date(2024, 1, 25)):
        small_company.write_day(space, day)
        at = datetime(2024, 1, day.day + 1, 20, tzinfo=UTC)
        said: list[str] = []
        run.everything(settings, day, day, at, send_reports=False, progress=said.append)
        tests.append(sorted(line.split()[3] for line in said if line.split()[2:3] == ["test"]))
        views.append([line for line in said if "sql view model" in line])
    assert tests[0] == tests[1]
    assert len(tests[0]) > 100
    assert views[0]
    assert not views[1]


def _declared() -> int:
    files = (PROJECT / "models").rglob("*__unit_tests.yml")
    return sum(len(yaml.safe_load(file.read_text("utf-8"))["unit_tests"]) for file in files)
