"""One build: every slice that is new or changed since the last one, in one dbt call."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

import duckdb

from kpi_pipeline.catalogue import check_kpis_named, kpis
from kpi_pipeline.errors import BuildError
from kpi_pipeline.landing import land_organisation, refuse_moved_identity
from kpi_pipeline.referrers import hash_of_hosts
from kpi_pipeline.runlog import RunLog
from kpi_pipeline.settings import Settings
from kpi_pipeline.warehouse import handover
from kpi_pipeline.warehouse.changes import (
    Changes,
    changes_between,
    eligible,
    hash_of_project,
    hash_of_state,
)
from kpi_pipeline.warehouse.dbt import run_dbt

if TYPE_CHECKING:
    from kpi_pipeline.workspace import Workspace

Progress = Callable[[str], None]

#: A change of the organisation that redoes more days than this asks for `kpi build --full`.
REBUILD_LIMIT_DAYS = 1100


@dataclass(frozen=True)
class BuildResult:
    """slices: read again. days: their days. models: built by dbt, 0 when nothing was new."""

    slices: int
    days: tuple[date, ...]
    models: int
    seconds: float


def build(
    settings: Settings,
    workspace: Workspace,
    at: datetime,
    run_id: str,
    progress: Progress = lambda _: None,
    *,
    full: bool = False,
) -> BuildResult:
    """Build what changed since the last build; everything when `full`.

    Raises BuildError when dbt fails (the last build's record stays, so the next run does it again)
    or when a changed organisation table would redo more than REBUILD_LIMIT_DAYS;
    ConfigurationError when a table names a KPI that does not exist, or a product with data changed
    its time zone or identity space.
    """
    started = time.monotonic()
    check_kpis_named(workspace, kpis(settings.dbt_project))
    refuse_moved_identity(settings, workspace)
    log = RunLog(settings)
    inputs = {**land_organisation(settings, workspace, at, run_id)}
    inputs["dbt_project"] = hash_of_project(settings.dbt_project)
    inputs["sources"] = str(handover.feeds_of_products(workspace))
    inputs["thresholds"] = handover.hash_of_thresholds(workspace)
    inputs["referrers"] = hash_of_hosts()
    rows = log.slices()
    now = eligible(rows)
    settings.home.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        built, inputs_built = handover.read_built(connection)
        changes = changes_between(now, built, inputs, inputs_built, full)
        if changes.is_empty:
            return BuildResult(0, (), 0, time.monotonic() - started)
        if changes.because:
            _announce(changes, full, progress)
        handover.lay_out(connection, settings, workspace, rows, now, changes)
    models = _run(settings, changes, log, run_id, at, started, progress)
    state = {
        "run_id": run_id,
        "built_at": at.astimezone(UTC).replace(tzinfo=None),
        "code_version": version("kpi-pipeline"),
        "slices_hash": hash_of_state(now, inputs),
        "checks_passed": sum(row["checks_passed"] for row in rows),
        "checks_warned": sum(row["checks_warned"] for row in rows),
    }
    with duckdb.connect(str(settings.warehouse)) as connection:
        handover.keep_forecasts(connection, settings)
        handover.write_built(connection, now, inputs, state)
    seconds = time.monotonic() - started
    log.record_build(run_id, len(changes.slices), models, seconds, "done", at)
    return BuildResult(len(changes.slices), changes.days, models, seconds)


def _run(
    settings: Settings,
    changes: Changes,
    log: RunLog,
    run_id: str,
    at: datetime,
    started: float,
    progress: Progress,
) -> int:
    try:
        return run_dbt(settings, arguments_of(changes.whole), progress)
    except BuildError:
        seconds = time.monotonic() - started
        log.record_build(run_id, len(changes.slices), 0, seconds, "failed", at)
        raise


def arguments_of(whole: bool) -> list[str]:
    """What dbt is called with: all models, or what new rows move while no model changed."""
    # unit tests are asked for by `make test`: they need no data and say nothing about today's
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    if whole:
        return [*arguments, "--full-refresh"]
    # a view stays what it was; its tests read new rows, and "empty" lets them run without it
    return [*arguments, "--exclude", "config.materialized:view", "--indirect-selection", "empty"]


def _announce(changes: Changes, full: bool, progress: Progress) -> None:
    names = ", ".join(changes.because)
    days = len(changes.days)
    if changes.whole:
        progress(f"{names} changed: {days} days are rebuilt")
        if days > REBUILD_LIMIT_DAYS and not full:
            raise BuildError(
                f"{names} changed, so {days} days must be rebuilt, more than the limit of "
                f"{REBUILD_LIMIT_DAYS}. Nothing was done; to rebuild them: kpi build --full."
            )
    else:
        progress(f"{names} changed: status and reports are redone")
