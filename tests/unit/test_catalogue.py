"""The KPIs as the dbt project defines them, and what names them."""

from __future__ import annotations

from pathlib import Path

import pytest
import small_company

from kpi_pipeline import workspace
from kpi_pipeline.catalogue import check_kpis_named, kpis
from kpi_pipeline.errors import ConfigurationError

DBT_PROJECT = Path(__file__).parents[2] / "dbt_project"


def test_no_kpi_that_readers_rely_on_is_gone() -> None:
    by_family: dict[str, set[str]] = {}
    for kpi in kpis(DBT_PROJECT):
        by_family.setdefault(kpi.family, set()).add(kpi.kpi_id)
    relied_on = {
        "exposure": ["clicks", "cost", "cpc", "cpm", "ctr", "impressions"],
        "users": [
            "active_users",
            "churned_users",
            "dau",
            "mau",
            "new_active_users",
            "quick_ratio",
            "resurrected_users",
            "retained_users",
            "sign_ups",
            "stickiness",
            "total_users",
            "user_growth_rate",
            "wau",
        ],
        "visits": [
            "average_visit_duration_seconds",
            "bounce_rate",
            "new_visitor_share",
            "page_views",
            "pages_per_visit",
            "reported_page_views",
            "reported_visits",
            "unique_visitors",
            "visits",
            "visits_gap",
        ],
    }
    missing = {family: set(ids) - by_family[family] for family, ids in relied_on.items()}
    assert missing == {"exposure": set(), "users": set(), "visits": set()}


def test_every_kpi_headlines_or_supports_where_a_report_shows_it() -> None:
    unseen = [kpi.kpi_id for kpi in kpis(DBT_PROJECT) if not kpi.stages]
    # the backend's own figures are read beside visits_gap, which shows when they differ
    # what is of types of content or of pages alone has no scope that a reader has
    assert unseen == [
        "reported_visits",
        "reported_page_views",
        "entries",
        "excluded_page_views",
        "content_items",
        "content_mix_share",
        "content_mix_gap",
        "content_views_share",
        "content_views_gap",
    ]


def test_a_ratio_names_both_its_parts_and_they_are_columns_of_its_model() -> None:
    for kpi in kpis(DBT_PROJECT):
        assert (kpi.numerator is None) == (kpi.denominator is None), kpi.kpi_id
        text = (DBT_PROJECT / "models" / "kpis" / f"{kpi.model}.sql").read_text()
        for part in (kpi.numerator, kpi.denominator, kpi.kpi_id):
            assert part is None or part in text, (kpi.kpi_id, part)


def test_a_target_for_an_unknown_kpi_is_refused_with_its_row(tmp_path: Path) -> None:
    targets = (
        "kpi_id,scope_kind,scope_id,product_id,grain,period_start,value\n"
        "visits,product,rio,rio,month,2024-02-01,500\n"
        "visit,product,rio,rio,month,2024-02-01,500\n"
        "visits_gap,person,sam,(all),month,2024-02-01,0\n"
    )
    folder = small_company.write_workspace(tmp_path, {"targets": targets})
    with pytest.raises(ConfigurationError) as raised:
        check_kpis_named(workspace.load(folder), kpis(DBT_PROJECT))
    assert str(raised.value) == (
        "organisation/targets.csv, row 3, column kpi_id: there is no KPI 'visit'; "
        "the nearest is 'visits'.\n"
        "organisation/targets.csv, row 4, column scope_kind: visits_gap has no value for a person; "
        "expected one of company, product, channel."
    )
