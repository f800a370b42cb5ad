"""A report and a KPI are named in several places, which must say the same."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from kpi_pipeline import catalogue, documentation, run
from kpi_pipeline.reporting import compose
from kpi_pipeline.workspace import policies

ROOT = Path(__file__).resolve().parents[2]
DBT = ROOT / "dbt_project"
KPIS = catalogue.kpis(DBT)
MODELS = [
    model
    for path in sorted((DBT / "models/kpis").glob("_*.yml"))
    for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models") or []
]


def test_every_place_knows_the_same_reports() -> None:
    exposures = yaml.safe_load(
        (DBT / "models/reports/_reports__exposures.yml").read_text(encoding="utf-8")
    )["exposures"]
    checks = ROOT / "expectations" / "published"
    places = {
        "run.py": set(run.REPORTS),
        "compose.py": set(compose.REPORTS),
        "int_reports": {name for name, _, _ in _rows_of_int_reports()},
        "exposures": {exposure["name"] for exposure in exposures},
        "models": {path.stem[4:] for path in DBT.glob("models/reports/rpt_*_*ly.sql")},
        "templates": {path.parent.name for path in (ROOT / "reports").glob("*/subject.txt")},
        "dags": {path.stem[5:] for path in (ROOT / "dags").glob("send_*.py")},
        "checks": {path.stem[4:] for path in checks.glob("rpt_*_*ly.yml")},
    }
    assert places == {place: set(policies.REPORTS) for place in places}


def test_rank_and_grain_of_a_report_are_the_same_in_sql() -> None:
    assert {name: (rank, grain) for name, rank, grain in _rows_of_int_reports()} == policies.REPORTS


def test_a_message_is_a_folder_of_three_templates() -> None:
    for report in policies.REPORTS:
        files = {path.name for path in (ROOT / "reports" / report).iterdir()}
        assert files == {"subject.txt", "body.txt", "body.html"}, report


def test_what_stands_beside_every_kpi_is_whole_and_in_order() -> None:
    declared = [c["name"] for m in MODELS for c in m["columns"] if _meta(c) is not None]
    assert sorted(kpi.kpi_id for kpi in KPIS) == sorted(set(declared))
    assert len(declared) == len(set(declared)), "a KPI is a column of one model only"
    sorts = [kpi.sort for kpi in KPIS]
    assert len(set(sorts)) == len(sorts), "two KPIs have the same place in reports"
    for kpi in KPIS:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", kpi.kpi_id)
        assert kpi.description.endswith("."), kpi.kpi_id
        assert kpi.misuse.endswith("."), kpi.kpi_id
        assert (kpi.numerator is None) == (kpi.denominator is None), kpi.kpi_id
        assert not (kpi.is_additive and kpi.numerator), kpi.kpi_id


def test_the_macro_of_kpi_models_names_every_model_with_a_kpi() -> None:
    text = (DBT / "macros/kpis/kpi_columns.sql").read_text(encoding="utf-8")
    listed = re.search(r"return\(\[(.*)\]\)", text)
    assert listed is not None
    assert set(re.findall(r"'(\w+)'", listed.group(1))) == {kpi.model for kpi in KPIS}
    assert {kpi.model for kpi in KPIS} == {p.stem for p in DBT.glob("models/kpis/kpi_*.sql")}


def test_every_kpi_is_in_the_page_of_kpis() -> None:
    assert {kpi.family for kpi in KPIS} == set(documentation.FAMILIES)


def test_every_kpi_with_a_stage_can_reach_a_reader() -> None:
    grains = {rank: set() for rank, _ in policies.REPORTS.values()}
    for rank, grain in policies.REPORTS.values():
        grains[rank].add(grain)
    scopes = {
        "specialist": {"person", "product", "channel"},
        "manager": {"team", "person", "product", "channel"},
        "director": {"company", "team", "product", "channel"},
    }
    for kpi in KPIS:
        if kpi.stages:
            assert any(
                set(kpi.report_grains) & grains[rank] and set(kpi.scopes) & scopes[rank]
                for rank in kpi.altitudes
            ), kpi.kpi_id


def _rows_of_int_reports() -> list[tuple[str, str, str]]:
    text = (DBT / "models/intermediate/int_reports.sql").read_text(encoding="utf-8")
    return re.findall(r"\('(\w+)', '(\w+)', '(\w+)'\)", text)


def _meta(column: dict[str, object]) -> object:
    config = column.get("config")
    return config.get("meta", {}).get("kpi") if isinstance(config, dict) else None
