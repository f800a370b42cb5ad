"""dbt models: names by folder, descriptions, grain tests, exposures, and no clock in SQL."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "dbt_project" / "models"
NAMES = {
    "staging": r"stg_[a-z]+__[a-z_]+",
    "intermediate": r"int_[a-z_]+",
    "marts": r"(dim|fct)_[a-z_]+",
    "kpis": r"kpi_[a-z_]+|fct_kpi_[a-z_]+",
    "reports": r"rpt_[a-z_]+",
}
GROUPED = "the statement that makes it groups by its key, and it is too large to be counted again"
#: Models without a grain test, and why their rows have no key of columns that are all set.
WITHOUT_GRAIN = {
    "stg_organisation__annotations": "a day may have several notes, also of one KPI",
    "stg_organisation__calendar": "product_id is empty where all products are meant",
    "stg_organisation__ownership": "product_id is empty where all products are meant",
    "stg_organisation__targets": "product_id is empty where the scope is of no product",
    "dim_ownership": "product_id is empty where all products are meant",
    "int_visitor_days": GROUPED,
    "int_visits": GROUPED,
    "stg_landing__page_views": "without repeats, and too large to be counted again",
    "int_visitor_cells": GROUPED,
    "int_first_touches_found": GROUPED,
    "int_page_visitor_days": GROUPED,
    "int_visitor_quarters": GROUPED,
    "int_memberships": "a thing may be owned for one product and for all; readers are distinct",
    "int_reader_scopes": "two people of a team may own the same thing; readers are distinct",
    "int_scope_products": "spans of several ownerships may overlap; readers are distinct",
}
CLOCK = re.compile(r"\b(current_date|current_timestamp|now\(\)|today\(\)|get_current_time)", re.I)


def _described() -> dict[str, tuple[Path, dict[str, Any]]]:
    found = {}
    for path in sorted(MODELS.rglob("*.yml")):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models") or []:
            found[model["name"]] = (path, model)
    return found


SQL = sorted(MODELS.rglob("*.sql"))
DESCRIBED = _described()
by_model = pytest.mark.parametrize("path", SQL, ids=lambda path: path.stem)


def _tests(model: dict[str, Any]) -> set[str]:
    return {t if isinstance(t, str) else next(iter(t)) for t in model.get("data_tests", [])}


def test_there_are_models_in_every_layer() -> None:
    assert {path.parent.name for path in SQL} == set(NAMES)


@by_model
def test_a_model_is_named_by_its_folder(path: Path) -> None:
    assert path.parent.parent == MODELS
    assert re.fullmatch(NAMES[path.parent.name], path.stem)


@by_model
def test_a_model_says_first_what_one_row_is(path: Path) -> None:
    where, model = DESCRIBED[path.stem]
    assert where.parent == path.parent
    assert re.match(r"One row( per |: )", model["description"])


@by_model
def test_a_models_grain_is_tested(path: Path) -> None:
    _, model = DESCRIBED[path.stem]
    assert ("grain" in _tests(model)) != (path.stem in WITHOUT_GRAIN)


def test_what_is_described_or_excepted_is_there() -> None:
    stems = {path.stem for path in SQL}
    assert set(DESCRIBED) == stems
    assert set(WITHOUT_GRAIN) <= stems


def test_every_report_model_is_used_by_an_exposure_and_every_exposure_reads_models() -> None:
    path = MODELS / "reports" / "_reports__exposures.yml"
    exposures = yaml.safe_load(path.read_text(encoding="utf-8"))["exposures"]
    used = {
        name
        for exposure in exposures
        for ref in exposure["depends_on"]
        for name in re.findall(r"ref\('(\w+)'\)", ref)
    }
    assert {p.stem for p in SQL if p.stem.startswith("rpt_")} <= used <= {p.stem for p in SQL}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "dbt_project").glob("[mt]*/**/*.sql")), ids=lambda path: path.stem
)
def test_sql_does_not_ask_what_time_it_is(path: Path) -> None:
    assert not CLOCK.findall(path.read_text(encoding="utf-8"))


def test_yaml_files_are_named_for_their_folder_and_those_of_kpis_for_their_model() -> None:
    kinds = "sources|models|unit_tests|exposures"
    for path in MODELS.rglob("*.yml"):
        if path.parent.name == "kpis":
            model = path.stem.removeprefix("_").removesuffix("__unit_tests")
            if model == "kpis":
                continue
            assert path.with_name(f"{model}.sql").is_file(), path
        else:
            assert re.fullmatch(rf"_{path.parent.name}__({kinds})", path.stem), path
