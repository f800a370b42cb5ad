"""The KPIs there are, read from where they are defined: the YAML beside the columns in dbt.

No dbt is needed to read it, so that a wrong KPI id in the workspace is refused before a build.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from kpi_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from kpi_pipeline.workspace import Table, Workspace

Role = Literal["headline", "supporting"]


class Label(BaseModel):
    """A KPI's name in each language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    en: str
    es: str
    zh: str


class Kpi(BaseModel):
    """What stands beside a KPI's column as `config.meta.kpi`.

    window: the days a value needs, for `is_complete`. is_cumulative: it keeps what is known so far
    when nothing of its period landed. tolerance: how far a mailed value may move before it is
    restated. smallest_base: the denominator below which a ratio says little. bounds: the lowest and
    highest value there can be, None where there is none; 0 and 1 of a share, else from 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kpi_id: str
    model: str
    family: str
    description: str
    label: Label
    unit: Literal["count", "share", "ratio", "money", "seconds", "days"]
    direction: Literal["up", "down", "neither"]
    numerator: str | None = None
    denominator: str | None = None
    feeds: tuple[Literal["page_views", "traffic", "visits", "exposure", "user_growth"], ...]
    window: Literal[
        "period",
        "trailing_7",
        "trailing_28",
        "with_preceding",
        "observed_d1",
        "observed_d7",
        "observed_d30",
        "observed_within_7",
    ]
    scopes: tuple[
        Literal[
            "company",
            "product",
            "channel",
            "team",
            "person",
            "campaign",
            "placement",
            "device",
            "page",
            "content_type",
        ],
        ...,
    ]
    stages: Mapping[Literal["brand", "growth"], Role]
    altitudes: tuple[Literal["specialist", "manager", "director"], ...]
    report_grains: tuple[Literal["day", "week", "month", "quarter"], ...] = (
        "day",
        "week",
        "month",
        "quarter",
    )
    is_additive: bool
    is_cumulative: bool = False
    bounds: tuple[float | None, float | None] | None = None
    misuse: str
    smallest_base: float
    tolerance: float
    owner: str
    sort: int


def kpis(dbt_project: Path) -> tuple[Kpi, ...]:
    """Every KPI, in order of `sort`; raises ConfigurationError naming file, model and column."""
    found = []
    for path in sorted((dbt_project / "models" / "kpis").glob("_kpi_*.yml")):
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]:
            for column in model["columns"]:
                meta = column.get("config", {}).get("meta", {}).get("kpi")
                if meta is not None:
                    found.append(_kpi(path, model, column, meta))
    return tuple(sorted(found, key=lambda kpi: kpi.sort))


def _kpi(path: Path, model: dict[str, Any], column: dict[str, Any], meta: dict[str, Any]) -> Kpi:
    try:
        return Kpi(
            kpi_id=column["name"],
            model=model["name"],
            family=model["name"].removeprefix("kpi_"),
            description=" ".join(column["description"].split()),
            **meta,
        )
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        )
        raise ConfigurationError(
            f"{path.name}, model {model['name']}, column {column['name']}, config.meta.kpi: {wrong}"
        ) from error


def check_kpis_named(workspace: Workspace, known: tuple[Kpi, ...]) -> None:
    """Raises ConfigurationError when a table names a KPI that does not exist, or a target stands at
    a scope where its KPI has no row; names file, row, column and the nearest known id."""
    problems = wrong_kpis(workspace.tables, known)
    if problems:
        raise ConfigurationError("\n".join(problems))


def wrong_kpis(tables: Mapping[str, Table], known: tuple[Kpi, ...]) -> list[str]:
    """What is wrong with the KPIs that tables name: a sentence each."""
    by_id = {kpi.kpi_id: kpi for kpi in known}
    problems = []
    for name, table in sorted(tables.items()):
        columns = {column.name for column in table.columns}
        if "kpi_id" not in columns:
            continue
        for line, record in zip(table.lines, table.records(), strict=True):
            kpi_id = record["kpi_id"]
            if kpi_id is None:
                continue
            where = f"organisation/{name}.csv, row {line}"
            kpi = by_id.get(str(kpi_id))
            if kpi is None:
                near = get_close_matches(str(kpi_id), by_id, 1)
                hint = f"; the nearest is {near[0]!r}" if near else ""
                problems.append(f"{where}, column kpi_id: there is no KPI {kpi_id!r}{hint}.")
            elif name == "targets" and record["scope_kind"] not in kpi.scopes:
                problems.append(
                    f"{where}, column scope_kind: {kpi_id} has no value for a "
                    f"{record['scope_kind']}; expected one of {', '.join(kpi.scopes)}."
                )
    return problems
