"""Page views at every scope and grain, against scripts by hand for the same days.

The scripts are those of `bench/`: another way to each figure, so that a mistake would have to be
made twice. The build takes the days in several batches here.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from bench import company, floor, peers
from kpi_pipeline import warehouse, workspace
from kpi_pipeline.settings import Settings
from kpi_pipeline.warehouse import handover

LAST = date(2024, 12, 31)
DAYS = [LAST - timedelta(days=n) for n in reversed(range(40))]  # from within a week and a month
TRAFFIC = company.Traffic(page_views=1_500, visitors=300)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("company")
    company.write_workspace(home)
    settings = company.settings_of(home, "1GB")
    settings.home.mkdir()
    company.write_days(settings, DAYS, TRAFFIC)
    space = workspace.load(settings.workspace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handover, "BATCH", 9 * TRAFFIC.page_views)
        warehouse.build(settings, space, company.AT, "bench")
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        batches = connection.execute("select count(*) from landing.batches").fetchone()
    assert batches is not None
    assert batches[0] > 2
    return settings


def test_all_values_are_those_of_the_script_by_hand(built: Settings, tmp_path: Path) -> None:
    out = tmp_path / "floor.duckdb"
    floor.build(built.landing, DAYS, out, "1GB")
    with duckdb.connect(str(out), read_only=True) as connection:
        row = connection.execute("select count(*) from fct_kpi_values").fetchone()
    assert row is not None
    assert row[0] > 50_000
    assert floor.differing(out, built.warehouse) == []


@pytest.mark.parametrize("name", peers.WAYS)
def test_daily_values_are_those_of_pandas_and_polars(
    built: Settings, tmp_path: Path, name: str
) -> None:
    files = sorted(built.landing.glob("feed=page_views/product=*/day=*/page_views-*.parquet"))
    assert len(files) == len(DAYS) * len(company.PRODUCTS)
    peers.WAYS[name](files, tmp_path / "out.csv")
    assert peers.differing(tmp_path / "out.csv", built.warehouse) == 0


def test_another_figure_is_found(built: Settings, tmp_path: Path) -> None:
    out = tmp_path / "floor.duckdb"
    floor.build(built.landing, DAYS, out, "1GB")
    with duckdb.connect(str(out)) as connection:
        connection.execute(
            "update fct_kpi_values set value = value + 1 "
            "where kpi_id = 'visits' and scope_kind = 'company' and grain = 'week'"
        )
    assert {row[:3] for row in floor.differing(out, built.warehouse)} == {
        ("visits", "company", "week")
    }
