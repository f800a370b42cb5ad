"""Runs DAGs in this process by Airflow's own `dag.test()`, one after the other.

Airflow reads its configuration when it is imported, so this is imported after the environment is
set.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.configuration import conf
from airflow.dag_processing.dagbag import DagBag
from airflow.listeners import hookimpl
from airflow.models.pool import Pool
from airflow.sdk.listener import get_listener_manager
from airflow.utils import db

from kpi_pipeline.assets import WAREHOUSE_POOL
from kpi_pipeline.demo.console import Watch
from kpi_pipeline.errors import PipelineError


class TaskFailedError(PipelineError):
    """A task of a DAG failed; the message says why."""


def migrate() -> None:
    """Bring Airflow's database up to date, with the pool."""
    database = Path(conf.get("database", "sql_alchemy_conn").removeprefix("sqlite:///"))
    database.parent.mkdir(parents=True, exist_ok=True)
    if database.exists():
        db.upgradedb()
    else:
        db.initdb()
    make_pool()


def prepare(dags: Path) -> dict[str, Any]:
    """Migrate Airflow's database and load the DAGs; returns them by id."""
    migrate()
    bag = DagBag(str(dags))
    if bag.import_errors:
        raise TaskFailedError(
            "; ".join(f"{file}: {why}" for file, why in bag.import_errors.items())
        )
    return dict(bag.dags)


def make_pool() -> None:
    """The pool with one slot that everything that writes the warehouse shares."""
    Pool.create_or_update_pool(
        WAREHOUSE_POOL, slots=1, description="DuckDB has one writer", include_deferred=False
    )


def run_dag(dag: Any, arguments: Mapping[str, Any], watch: Watch) -> list[str]:
    """Run one DAG to its end; returns what its last task said. Raises TaskFailedError, saying why.

    Tasks are not tried again: nobody waits minutes for a retry of what a person has to mend.
    """
    for task in dag.tasks:
        if task.is_mapped:
            task.partial_kwargs["retries"] = 0
        else:
            task.retries = 0
    listener = _Listener(watch)
    progress = logging.getLogger("kpi_pipeline.progress")
    manager = get_listener_manager()
    manager.add_listener(listener)
    progress.addHandler(listener.handler)
    try:
        ended = dag.test(run_conf=dict(arguments))
    finally:
        progress.removeHandler(listener.handler)
        manager.clear()
    if str(ended.state) != "success":
        raise TaskFailedError(f"{dag.dag_id} failed: {'; '.join(listener.failures) or ended.state}")
    return listener.last_said


class _Listener:
    """Hears from Airflow which task runs and why one fails, and from tasks how far they are."""

    def __init__(self, watch: Watch) -> None:
        self.failures: list[str] = []
        self.last_said: list[str] = []
        self._watch = watch
        self._task = ""
        self._is_new_task = True
        self.handler = logging.Handler()
        self.handler.emit = self._hear  # type: ignore[method-assign]

    def _hear(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if self._is_new_task:
            self.last_said = []
            self._is_new_task = False
        self.last_said.append(message)
        self._watch.now(f"{self._task}: {message}")

    @hookimpl
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:  # noqa: ARG002
        index = f"[{task_instance.map_index}]" if task_instance.map_index >= 0 else ""
        self._task = f"{task_instance.task_id}{index}"
        self._is_new_task = True
        self._watch.now(self._task)

    @hookimpl
    def on_task_instance_failed(
        self,
        previous_state: Any,  # noqa: ARG002
        task_instance: Any,
        error: Any,
    ) -> None:
        self.failures.append(f"{task_instance.task_id}: {error}")
