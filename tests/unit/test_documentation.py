"""The page about DAGs says what the files in dags/ say, and nothing older."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from kpi_pipeline import documentation
from kpi_pipeline.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]


def test_docs_dags_is_up_to_date() -> None:
    page = (ROOT / "docs" / "dags.md").read_text(encoding="utf-8")
    assert page == documentation.dags_page(ROOT / "dags"), "run `make docs` and commit it"


def test_the_page_has_each_dags_manual_whole() -> None:
    page = documentation.dags_page(ROOT / "dags")
    for path in (ROOT / "dags").glob("*.py"):
        manual = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert f"## {path.stem}\n\n{manual}\n" in page


def test_a_changed_manual_is_noticed_and_written(tmp_path: Path) -> None:
    for name in ("dags", "dbt_project", "docs"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("target", "logs")
        )
    documentation.generate(tmp_path)
    documentation.check(tmp_path)
    dag = tmp_path / "dags" / "maintenance.py"
    dag.write_text(dag.read_text(encoding="utf-8").replace("Every night", "Each night"), "utf-8")
    with pytest.raises(ConfigurationError, match=r"docs/dags\.md is out of date; run `make docs`"):
        documentation.check(tmp_path)
    assert documentation.generate(tmp_path) == [tmp_path / "docs" / "dags.md"]
    documentation.check(tmp_path)


def test_a_dag_without_a_manual_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bare.py").write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"bare\.py has no docstring"):
        documentation.dags_page(tmp_path)
