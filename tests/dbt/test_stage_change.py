"""A product that changes from brand to growth in mid-month is judged by both stages."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
import small_company

from kpi_pipeline import run
from kpi_pipeline.periods import each_day


def test_both_stages_headline_and_the_old_one_is_judged_to_its_last_day(tmp_path: Path) -> None:
    space = small_company.write_workspace(tmp_path)
    settings = small_company.settings_for(tmp_path, space)
    first, last = date(2024, 2, 1), date(2024, 2, 29)
    for day in each_day(first, last):
        small_company.write_day(space, day)
    run.everything(settings, first, last, datetime(2024, 3, 1, 20, tzinfo=UTC), send_reports=False)
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        lines = connection.execute(
            "select stage, role, kpi_id, as_of_date::varchar from reports.rpt_director_monthly "
            "where section = 'products' and product_id = 'rio' and period_start = '2024-02-01' "
            "and kpi_id in ('visits', 'unique_visitors', 'page_views', 'impressions', 'sign_ups', "
            "'active_users') order by position"
        ).fetchall()
        values = connection.execute(
            "select r.value, r.target, r.attainment, v.value from reports.rpt_director_monthly r "
            "inner join kpis.fct_kpi_values v using (kpi_id, product_id, scope_kind, scope_id, "
            "grain, period_start, as_of_date) where r.section = 'products' and r.kpi_id = 'visits' "
            "and r.product_id = 'rio' and r.period_start = '2024-02-01'"
        ).fetchall()
    assert lines == [
        ("growth", "headline", "sign_ups", "2024-02-29"),
        ("growth", "headline", "active_users", "2024-02-29"),
        ("brand", "headline", "impressions", "2024-02-14"),
        ("brand", "headline", "visits", "2024-02-14"),
        ("brand", "headline", "unique_visitors", "2024-02-14"),
        ("brand", "headline", "page_views", "2024-02-14"),
    ]
    ((shown, target, attainment, to_date),) = values
    assert shown == to_date
    # 14 of February's 29 days
    assert target == pytest.approx(500 * 14 / 29)
    assert attainment == pytest.approx(to_date / target)
