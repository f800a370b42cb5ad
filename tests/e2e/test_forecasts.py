"""The intervals of forecasts hold about eight of ten outcomes, as docs/forecasts.md says."""

from __future__ import annotations

import csv
import re
import shutil
import warnings
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from kpi_pipeline import landing, simulate, warehouse, workspace
from kpi_pipeline import settings as settings_module
from kpi_pipeline.periods import each_day
from kpi_pipeline.runlog import RunLog, SliceAudit
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import folder_of, read_slice
from kpi_pipeline.warehouse import building
from kpi_pipeline.warehouse.dbt import Progress, run_dbt

ROOT = Path(__file__).parents[2]
REAL_DATA = ROOT.parent / "shared" / "data"
#: Up to the forecasts: the reports need none of it.
MODELS = ["run", "--select", "+fct_forecast_record"]


@pytest.mark.parametrize("name", ["simulated company", "travel community"])
def test_intervals_hold_as_many_outcomes_as_the_page_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "run_dbt", _run_models_only)
    settings = _simulated(tmp_path) if name == "simulated company" else _travel(tmp_path)
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        found = connection.execute(
            "select grain, sum(intervals)::integer, "
            "round(100 * sum(coverage * intervals) / sum(intervals), 1), "
            "round(100 * sum(wape * forecasts) / sum(forecasts), 1) "
            "from marts.fct_forecast_record where kpi_id <> 'revenue' group by grain order by grain"
        ).fetchall()
    page = (ROOT / "docs" / "forecasts.md").read_text(encoding="utf-8")
    stated = re.findall(rf"\| {name} \| (\w+) \| ([\d,]+) \| ([\d.]+) % \| ([\d.]+) % \|", page)
    assert [(g, int(n.replace(",", "")), float(c), float(w)) for g, n, c, w in stated] == [
        tuple(row) for row in found
    ]
    intervals = sum(row[1] for row in found)
    assert intervals >= 200
    assert 70 <= sum(row[1] * row[2] for row in found) / intervals <= 90


def _run_models_only(settings: Settings, arguments: list[str], progress: Progress) -> int:
    return run_dbt(settings, [*MODELS, *(a for a in arguments if a == "--full-refresh")], progress)


def _simulated(root: Path) -> Settings:
    first, last = date(2023, 1, 1), date(2024, 12, 31)
    simulate.generate(root / "workspace", first, last)
    return _built(root, {"user_growth": ["kumo", "ledgerly"]}, first, last)


def _travel(root: Path) -> Settings:
    if not REAL_DATA.is_dir():
        message = "the real exports are not beside the project; nothing is shown about them"
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    space = root / "workspace"
    shutil.copytree(Path(__file__).parent / "real_workspace", space)
    sources = space / "sources.yml"
    sources.write_text(sources.read_text().replace("{real_data}", str(REAL_DATA)))
    with (space / "organisation" / "targets.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["kpi_id", "scope_kind", "scope_id", "product_id", "grain", "period_start", "value"]
        )
        for kpi in ("sign_ups", "active_users"):
            for grain in ("month", "quarter"):
                writer.writerow([kpi, "product", "travel", "travel", grain, "2017-07-01", 1000])
    return _built(root, {"user_growth": ["travel"]}, date(2011, 6, 21), date(2017, 8, 27))


def _built(root: Path, feeds: dict[str, Sequence[str]], first: date, last: date) -> Settings:
    settings = settings_module.from_environment(
        {
            "KPI_WORKSPACE": str(root / "workspace"),
            "KPI_HOME": str(root / "home"),
            "KPI_HASH_KEY": "a key for tests",
        }
    )
    space = workspace.load(settings.workspace)
    at = datetime(last.year, last.month, last.day, 12, tzinfo=UTC) + timedelta(days=1)
    log = RunLog(settings)
    run_id = log.start_run("test", {}, at)
    for feed, products in feeds.items():
        landing.land(settings, space, feed, products, list(each_day(first, last)), at, run_id)
    # the audit has tests of its own; here every landed slice passes
    slices = [
        read_slice(folder_of(settings.landing, row["feed"], row["product_id"], row["day"]))
        for row in log.unaudited()
    ]
    log.record_audits([SliceAudit(s, 1, 0, 0) for s in slices if s], run_id, at)
    warehouse.build(settings, space, at, run_id, full=True)
    return settings
