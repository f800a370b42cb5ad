"""What was hidden in the simulated company comes out as signals, at its size within noise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from math import log
from typing import Any

import duckdb
import pytest

from kpi_pipeline import landing, simulate, warehouse, workspace
from kpi_pipeline import settings as settings_module
from kpi_pipeline.periods import each_day
from kpi_pipeline.runlog import RunLog, SliceAudit
from kpi_pipeline.settings import Settings
from kpi_pipeline.simulate import planted
from kpi_pipeline.slices import folder_of, read_slice
from kpi_pipeline.warehouse import building
from kpi_pipeline.warehouse.dbt import Progress, run_dbt

#: A year of page views of the two products with planted facts: the baselines the facts need.
FIRST = date(2023, 7, 1)
LAST = date(2024, 6, 30)
AT = datetime(2024, 7, 1, 12, tzinfo=UTC)
CHANNELS = ("direct", "organic_search", "paid_search", "referral")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    root = tmp_path_factory.mktemp("planted")
    simulate.generate(root / "workspace", date(2023, 1, 1), LAST)
    settings = settings_module.from_environment(
        {
            "KPI_WORKSPACE": str(root / "workspace"),
            "KPI_HOME": str(root / "home"),
            "KPI_HASH_KEY": "a key for tests",
        }
    )
    space = workspace.load(settings.workspace)
    log_ = RunLog(settings)
    run_id = log_.start_run("test", {}, AT)
    products = ["costa", "ledgerly"]
    landing.land(
        settings, space, "page_views", products, list(each_day(FIRST, LAST)), AT, run_id
    )  # fmt: skip
    # the audit has tests of its own; here every landed slice passes
    slices = [
        read_slice(folder_of(settings.landing, row["feed"], row["product_id"], row["day"]))
        for row in log_.unaudited()
    ]
    log_.record_audits([SliceAudit(s, 1, 0, 0) for s in slices if s], run_id, AT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "run_dbt", _run_models_only)
        warehouse.build(settings, space, AT, run_id)
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        yield connection


def _run_models_only(settings: Settings, arguments: list[str], progress: Progress) -> int:
    return run_dbt(settings, ["run", *(a for a in arguments if a == "--full-refresh")], progress)


def status(
    company: duckdb.DuckDBPyConnection, columns: str, where: str, *values: object
) -> list[tuple[Any, ...]]:
    return company.execute(
        f"select {columns} from kpis.fct_kpi_status where kpi_id = 'visits' and {where} "
        "order by period_start",
        values,
    ).fetchall()


def test_the_campaign_signals_every_day_and_is_as_large_as_planted(
    company: duckdb.DuckDBPyConnection,
) -> None:
    fact = planted.CAMPAIGN
    days = status(
        company,
        "period_start, value, centre, signal",
        "grain = 'day' and scope_kind = 'channel' and product_id = ? and scope_id = ? "
        "and period_start between ? and ?",
        fact.product,
        fact.channel,
        date(2024, 5, 6),
        fact.last,
    )
    during = [day for day in days if day[0] >= fact.first]
    before = [day for day in days if day[0] < fact.first]
    assert len(during) == len(before) == 28
    assert sum(signal == "above" for *_, signal in during) >= 27
    assert sum(signal == "above" for *_, signal in before) <= 6
    lift = _per_centre(during) / _per_centre(before) - 1
    assert lift == pytest.approx(fact.size, rel=0.15)


def _per_centre(days: list[tuple[Any, ...]]) -> float:
    return sum(day[1] for day in days) / sum(day[2] for day in days)


def test_the_campaign_signals_nowhere_else(company: duckdb.DuckDBPyConnection) -> None:
    signals = status(
        company,
        "signal",
        "grain = 'day' and scope_kind = 'channel' and product_id = ? and scope_id <> ? "
        "and signal is not null and period_start between ? and ?",
        planted.CAMPAIGN.product,
        planted.CAMPAIGN.channel,
        planted.CAMPAIGN.first,
        planted.CAMPAIGN.last,
    )
    assert sum(signal != "none" for (signal,) in signals) / len(signals) < 0.1


def test_the_decay_of_a_channel_is_its_trend_against_that_of_the_others(
    company: duckdb.DuckDBPyConnection,
) -> None:
    fact = planted.DECAY
    trends = dict(
        status(
            company,
            "scope_id, trend",
            "grain = 'week' and scope_kind = 'channel' and product_id = ? "
            "and period_start = date '2024-02-05'",
            fact.product,
        )
    )
    assert trends[fact.channel] < 0
    others = [trends[channel] for channel in CHANNELS if trends[channel] is not None]
    assert len(others) >= 3
    assert min(others) > 0
    lost = log(1 + trends[fact.channel]) - sum(log(1 + trend) for trend in others) / len(others)
    assert lost == pytest.approx(7 * log(1 - fact.size), abs=0.005)


def test_the_outage_is_a_day_not_judged_and_no_collapse(
    company: duckdb.DuckDBPyConnection,
) -> None:
    fact = planted.OUTAGE
    columns = "value, is_complete, signal, signal_reason, reason"
    where = "grain = 'day' and scope_kind = ? and product_id = ? and period_start = ?"
    gap = ("absent_days", "absent_days")
    assert status(company, columns, where, "product", fact.product, fact.first) == [
        (None, False, None, *gap)
    ]
    [(value, *rest)] = status(company, columns, where, "company", "(all)", fact.first)
    assert value > 0
    assert rest == [False, None, *gap]
    # nor does it pull the limits of the quarter after it down
    [(points, signal)] = status(
        company, "baseline_points, signal", where, "product", fact.product, date(2024, 1, 15)
    )
    assert 75 < points < 84
    assert signal == "none"


def test_the_wave_of_bots_changes_nothing(company: duckdb.DuckDBPyConnection) -> None:
    fact = planted.BOT_WAVE
    found = company.execute(
        "select kpi_id, scope_kind, signal from kpis.fct_kpi_status where grain = 'day' "
        "and kpi_id in ('visits', 'page_views', 'unique_visitors') and product_id = ? "
        "and scope_id in (?, ?) and period_start between ? and ?",
        [fact.product, fact.product, fact.channel, fact.first, fact.last],
    ).fetchall()
    assert len(found) == 3 * 2 * 2
    assert {signal for *_, signal in found} == {"none"}
    excluded = company.execute(
        "select count(*) from landing.page_views where product_id = ? and is_bot "
        "and local_date between ? and ?",
        [fact.product, fact.first, fact.last],
    ).fetchone()
    assert excluded is not None
    assert excluded[0] > fact.size
