"""The Python: who reads the clock, who prints, what is imported where, and what nothing is called.

Read from the source and not run, so a convention holds on paths no test takes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "kpi_pipeline"
DAGS = sorted((ROOT / "dags").glob("*.py"))
PYTHON = sorted(SOURCE.rglob("*.py"))
#: The default of `--at`; a task takes the moment Airflow started it.
MAY_READ_THE_CLOCK = {"cli/session.py"}
MAY_PRINT = re.compile(r"(cli|demo)/.+")
HEAVY = {"dbt", "duckdb", "great_expectations", "matplotlib", "numpy", "pandas", "sqlalchemy"}
CLOCKS = {"now", "today", "utcnow"}

each_module = pytest.mark.parametrize(
    "path", PYTHON, ids=lambda path: path.relative_to(SOURCE).as_posix()
)
each_dag = pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _calls(tree: ast.AST) -> Iterator[ast.expr]:
    return (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))


def _imported_at_import(nodes: list[ast.stmt]) -> Iterator[str]:
    """Packages imported when the module is; what is for type checkers only is not."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from _imported_at_import([*node.body, *node.orelse])
        elif isinstance(node, ast.Try | ast.With):
            yield from _imported_at_import(node.body)


def _is_clock(call: ast.expr) -> bool:
    if ast.unparse(call) in {"time.time", "timezone.utcnow", "utcnow"}:
        return True
    if not isinstance(call, ast.Attribute):
        return False
    return call.attr in CLOCKS and ast.unparse(call.value).split(".")[-1] in {"date", "datetime"}


@each_module
def test_only_the_command_line_reads_the_clock(path: Path) -> None:
    read = [ast.unparse(call) for call in _calls(_tree(path)) if _is_clock(call)]
    assert bool(read) == (path.relative_to(SOURCE).as_posix() in MAY_READ_THE_CLOCK), read


@each_module
def test_only_the_command_line_and_the_demonstration_print(path: Path) -> None:
    printing = [c for c in _calls(_tree(path)) if isinstance(c, ast.Name) and c.id == "print"]
    if not MAY_PRINT.fullmatch(path.relative_to(SOURCE).as_posix()):
        assert not printing


@each_module
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(_tree(path))


def test_no_module_is_named_for_nothing_in_particular() -> None:
    folders = [ROOT / name for name in ("src", "dags", "tests", "bench")]
    names = [path for folder in folders for path in folder.rglob("*.py")]
    assert names
    vague = re.compile(r"(utils?|helpers?|common|misc)", re.I)
    assert [p for p in names if {part for part in p.parts[-3:-1] if vague.fullmatch(part)}] == []
    assert [p for p in names if vague.search(p.stem)] == []


@each_dag
def test_a_dag_file_is_not_named_as_dbt_is(path: Path) -> None:
    # Airflow puts the folder on the path, where such a name can hide dbt's own packages.
    assert not path.name.startswith("dbt")


@pytest.mark.parametrize(
    "path",
    [*DAGS, SOURCE / "assets.py", *sorted((SOURCE / "orchestration").glob("*.py"))],
    ids=lambda path: path.stem,
)
def test_what_airflow_parses_imports_nothing_heavy(path: Path) -> None:
    assert not HEAVY & set(_imported_at_import(_tree(path).body))
