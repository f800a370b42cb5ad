"""One dbt call: what it says when a model fails, and that a mended model is read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
import small_company

from kpi_pipeline.errors import BuildError
from kpi_pipeline.settings import Settings
from kpi_pipeline.warehouse.dbt import run_dbt

PROJECT = "{name: kpi, version: 0.1.0, config-version: 2, profile: kpi, model-paths: [models]}\n"
PROFILES = """kpi:
  target: warehouse
  outputs:
    warehouse: {type: duckdb, path: "{{ env_var('KPI_WAREHOUSE') }}", threads: 1}
"""


def test_a_failing_model_is_named_and_its_error_is_in_the_log(tmp_path: Path) -> None:
    settings = _project_with(tmp_path, "select * from nowhere")
    with pytest.raises(BuildError, match=r"model figure: .*nowhere does not exist") as raised:
        run_dbt(settings, ["run"], lambda _: None)
    log = settings.home / "dbt" / "logs" / "dbt.log"
    assert str(log) in str(raised.value)
    assert "nowhere does not exist" in log.read_text()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    settings = _project_with(tmp_path, "select {{ ref('nothing') }}")
    with pytest.raises(BuildError, match=r"(?s)dbt could not start: .*'nothing'"):
        run_dbt(settings, ["run"], lambda _: None)
    assert "'nothing'" in (settings.home / "dbt" / "logs" / "dbt.log").read_text()


def test_a_project_is_read_again_when_it_changed(tmp_path: Path) -> None:
    said: list[str] = []
    for figure in (1, 1, 2):
        settings = _project_with(tmp_path, f"select {figure} as figure")
        assert run_dbt(settings, ["run"], said.append) == 1
        with duckdb.connect(str(settings.warehouse)) as connection:
            assert connection.execute("from figure").fetchall() == [(figure,)]
    assert len(said) == 3


def _project_with(root: Path, model: str) -> Settings:
    folder = root / "dbt_project"
    (folder / "models").mkdir(parents=True, exist_ok=True)
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(PROFILES)
    (folder / "models" / "figure.sql").write_text(model)
    settings = small_company.settings_for(root, root)
    settings.home.mkdir(exist_ok=True)
    return replace(settings, project=root)
