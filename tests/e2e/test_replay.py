"""Forty daily runs, with late, repeated and corrected days among them, equal one full build."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pytest
import small_company

from kpi_pipeline import landing, warehouse, workspace
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.periods import each_day
from kpi_pipeline.runlog import RunLog, SliceAudit
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import folder_of, read_slice
from kpi_pipeline.warehouse import building
from kpi_pipeline.warehouse.dbt import Progress, run_dbt

FIRST = date(2024, 1, 24)
LAST = date(2024, 3, 3)
LATE = date(2024, 1, 29)  # its page views and sign-ups come five days later, in another month
REPEATED = date(2024, 2, 10)
CORRECTED = date(2024, 2, 25)  # other rows come on 2 March
#: Laid out anew for each build and holding only what that build touches.
WORKING = {
    "int_completeness",
    "int_customers_scoped",
    "int_economics_days_scoped",
    "int_kpi_baselines",
    "int_kpi_forecasts",
    "int_kpi_limits",
    "int_kpi_spine",
    "int_kpi_usual_shares",
    "int_page_views_visited",
    "int_new_customers_scoped",
    "int_periods_touched",
    "int_revenue_cells",
    "int_revenue_days_scoped",
    "int_user_days",
    "int_user_values",
    "int_visitor_days",
    "int_visitor_quarters",
}


def test_forty_daily_builds_equal_one_full_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the data tests run on the full build; forty times them on equal tables would show no more
    with monkeypatch.context() as patch:
        patch.setattr(building, "run_dbt", _run_models_only)
        patch.setenv("DBT_WRITE_JSON", "false")
        patch.setenv("DBT_LOG_LEVEL_FILE", "none")
        daily = _replay(tmp_path)
    full = small_company.settings_for(tmp_path / "full", daily.workspace)
    shutil.copytree(daily.landing, full.landing)
    shutil.copy(daily.home / "state.db", full.home / "state.db")
    built = _build(full, _morning_after(LAST))
    assert built.slices == 40 * 8
    _assert_same(daily.warehouse, full.warehouse)


def _run_models_only(settings: Settings, arguments: list[str], progress: Progress) -> int:
    return run_dbt(settings, ["run", *(a for a in arguments if a == "--full-refresh")], progress)


def _replay(tmp_path: Path) -> Settings:
    space = small_company.write_workspace(tmp_path / "daily")
    daily = small_company.settings_for(tmp_path / "daily", space)
    late_files = {"rio/page_views", "nara/users", "nara/activity"}
    for day in each_day(FIRST, LAST):
        small_company.write_day(
            space,
            day,
            only=None
            if day != LATE
            else {
                f"{product}/{table}"
                for product, tables in {
                    "rio": ("exposure", "users", "activity"),
                    "nara": ("page_views", "traffic"),
                    "york": ("traffic", "exposure"),
                }.items()
                for table in tables
            },
        )
        again = []
        if day == LATE + timedelta(days=5):
            small_company.write_day(space, LATE, only=late_files)
            again.append(LATE)
        if day == REPEATED + timedelta(days=10):
            again.append(REPEATED)
        if day == date(2024, 3, 2):
            small_company.write_day(space, CORRECTED, edition=1)
            again.append(CORRECTED)
        result = _run(daily, [day, *again], _morning_after(day))
        assert result.models > 0
    assert len(list(each_day(FIRST, LAST))) == 40
    return daily


def test_a_build_with_nothing_new_touches_nothing(tmp_path: Path) -> None:
    space = small_company.write_workspace(tmp_path)
    settings = small_company.settings_for(tmp_path, space)
    small_company.write_day(space, FIRST)
    assert _run(settings, [FIRST], _morning_after(FIRST)).slices == 8
    again = _run(settings, [FIRST], _morning_after(FIRST))
    assert (again.slices, again.models) == (0, 0)


def _run(settings: Settings, days: list[date], at: datetime) -> warehouse.BuildResult:
    space = workspace.load(settings.workspace)
    log = RunLog(settings)
    run_id = log.start_run("test", {}, at)
    for feed in FEEDS:
        products = [p for p in space.products if feed in space.feeds_of(p)]
        landing.land(settings, space, feed, products, days, at, run_id)
    # the audit has tests of its own; here every landed slice passes
    log.record_audits(
        [
            SliceAudit(piece, 1, 0, 0)
            for row in log.unaudited()
            if (
                piece := read_slice(
                    folder_of(settings.landing, row["feed"], row["product_id"], row["day"])
                )
            )
        ],
        run_id,
        at,
    )
    return _build(settings, at)


def _build(settings: Settings, at: datetime) -> warehouse.BuildResult:
    return warehouse.build(settings, workspace.load(settings.workspace), at, "replay")


def _morning_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(20), UTC)


def _assert_same(one: Path, other: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{one}' as daily (read_only)")
        connection.execute(f"attach '{other}' as complete (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'daily' "
            "and schema_name in ('intermediate', 'marts', 'kpis', 'reports') order by all"
        ).fetchall()
        names = {table for _, table in tables} - WORKING
        assert {"fct_kpi_values", "fct_kpi_status", "int_visits", "kpi_users"} <= names
        differing = {}
        for schema, table in tables:
            if table in WORKING:
                continue
            counts = []
            for left, right in (("daily", "complete"), ("complete", "daily")):
                row = connection.execute(
                    f"select count(*) from (from {left}.{schema}.{table} "
                    f"except all from {right}.{schema}.{table})"
                ).fetchone()
                assert row is not None
                counts.append(row[0])
            if counts != [0, 0]:
                differing[f"{schema}.{table}"] = tuple(counts)
        total = connection.execute("select count(*) from daily.kpis.fct_kpi_values").fetchone()
        assert total is not None
        assert total[0] > 10_000
    if differing:
        pytest.fail(f"rows only in the daily builds, only in the full build: {differing}")
