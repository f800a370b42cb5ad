"""What every DAG file must have, read from the files as Airflow reads them."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from kpi_pipeline import assets

FOLDER = Path(__file__).resolve().parents[2] / "dags"
IDS = (
    "compute_kpis",
    "load_exposure",
    "load_page_views",
    "load_traffic",
    "load_user_growth",
    "maintenance",
    "rebuild_days",
    "send_director_monthly",
    "send_director_quarterly",
    "send_manager_weekly",
    "send_specialist_daily",
)
LOADS = [name for name in IDS if name.startswith("load_")]
HEAVY = {"dbt", "duckdb", "great_expectations", "matplotlib", "pandas"}


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(str(FOLDER))


def test_all_dag_files_import_without_errors_and_name_their_dag(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert tuple(sorted(bag.dags)) == IDS
    assert {path.stem for path in FOLDER.glob("*.py")} == set(IDS)


@pytest.mark.parametrize("dag_id", IDS)
def test_a_dag_has_manual_owner_tags_and_limits(bag: DagBag, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert "When it fails:" in dag.doc_md
    assert "Params:" in dag.doc_md
    assert dag.owner == assets.OWNER
    assert dag.tags
    assert dag.tags <= assets.TAGS
    assert dag.catchup is False
    assert 1 <= dag.max_active_runs <= 4
    assert timedelta(0) < dag.dagrun_timeout <= timedelta(days=3)


@pytest.mark.parametrize("dag_id", IDS)
def test_every_task_has_retries_a_time_out_and_a_failure_notice(bag: DagBag, dag_id: str) -> None:
    for task in bag.dags[dag_id].tasks:
        assert task.retries >= 1, task.task_id
        assert task.execution_timeout is not None, task.task_id
        assert task.execution_timeout <= timedelta(days=3), task.task_id
        notices = [type(one).__name__ for one in _list(task.on_failure_callback)]
        assert notices == ["FailureNotice"], task.task_id


@pytest.mark.parametrize("dag_id", IDS)
def test_params_are_typed_and_the_manual_names_each(bag: DagBag, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert "at" in dag.params
    for name in dag.params:
        schema = dag.params.get_param(name).schema
        assert schema.get("type"), name
        assert f"`{name}`" in dag.doc_md, name


@pytest.mark.parametrize("dag_id", LOADS)
def test_a_load_is_keyed_by_local_day_and_starts_where_a_day_ends_first(
    bag: DagBag, dag_id: str
) -> None:
    dag = bag.dags[dag_id]
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables.base import TimeRestriction

    timetable = coerce_to_core_timetable(dag.timetable)
    earliest = datetime(2024, 6, 30, 9, 59, tzinfo=UTC)
    info = timetable.next_dagrun_info_v2(
        last_dagrun_info=None, restriction=TimeRestriction(earliest, None, catchup=True)
    )
    assert (info.run_after, info.partition_key) == (
        datetime(2024, 6, 30, 10, tzinfo=UTC),
        "2024-06-30",
    )
    backfilled = timetable.iter_partition_dagrun_infos(
        earliest=datetime(2024, 6, 28, tzinfo=UTC), latest=datetime(2024, 6, 30, tzinfo=UTC)
    )
    assert [info.partition_key for info in backfilled] == ["2024-06-28", "2024-06-29", "2024-06-30"]


def test_the_build_listens_to_all_four_feeds_and_to_changes(bag: DagBag) -> None:
    condition = bag.dags["compute_kpis"].timetable.asset_condition
    assert type(condition).__name__ == "AssetAny"
    all_four, changed = condition.objects
    assert type(all_four).__name__ == "AssetAll"
    assert {asset.name for asset in all_four.objects} == {
        asset.name for asset in assets.FEED_ASSETS.values()
    }
    assert changed.name == assets.CHANGED.name


def test_each_load_tells_its_own_asset(bag: DagBag) -> None:
    told = {
        dag_id: {asset.name for asset in bag.dags[dag_id].get_task("end_day").outlets}
        for dag_id in LOADS
    }
    assert told == {f"load_{feed}": {asset.name} for feed, asset in assets.FEED_ASSETS.items()}


def test_whatever_writes_the_warehouse_shares_the_one_slot(bag: DagBag) -> None:
    for dag in bag.dags.values():
        for task in dag.tasks:
            writes = task.task_id in {"audit_in", "build", "audit_and_publish"}
            assert (task.pool == assets.WAREHOUSE_POOL) is writes, (dag.dag_id, task.task_id)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_a_dag_file_is_wiring_only(path: Path) -> None:
    assert not path.name.startswith("dbt_")
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"datetime", "airflow", "kpi_pipeline"}
    branches = (ast.If, ast.For, ast.While, ast.Try, ast.With)
    assert not [node for node in ast.walk(tree) if isinstance(node, branches)]
    assert not re.search(r"\bselect\b.*\bfrom\b", text.split('"""', 2)[2], re.IGNORECASE)


def test_parsing_dag_files_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from airflow.dag_processing.dagbag import DagBag; "
        f"DagBag({str(FOLDER)!r}); print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
