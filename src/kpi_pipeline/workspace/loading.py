"""Reads a workspace folder as a whole and refuses it with everything that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, cast

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.workspace.checks import calendar_of, check_tables, known
from kpi_pipeline.workspace.model import Person, Product, Source, Table, Workspace
from kpi_pipeline.workspace.policies import read_policies
from kpi_pipeline.workspace.problems import Problems
from kpi_pipeline.workspace.sources import read_sources
from kpi_pipeline.workspace.tables import place, read_tables
from kpi_pipeline.workspace.thresholds import read_thresholds

EXPECTATIONS = Path(__file__).resolve().parents[3] / "expectations"


def load(path: Path, expectations: Path = EXPECTATIONS) -> Workspace:
    """The checked workspace. Raises ConfigurationError that lists every problem as a sentence.

    expectations: the folder with the default thresholds.
    """
    root = path.absolute()
    if not root.is_dir():
        raise ConfigurationError(
            f"The workspace {root} is not a folder; set KPI_WORKSPACE to one, or write one "
            "with `kpi init`."
        )
    problems = Problems()
    tables = read_tables(root / "organisation", problems)
    check_tables(tables, problems)
    sources, give_up_at = read_sources(root, tables, problems)
    policies, mail_from = read_policies(root, problems)
    product_ids = known(tables, "products", "product_id")
    thresholds = read_thresholds(root, expectations, product_ids, problems)
    problems.raise_if_any(root)
    _warn_of_traffic(tables["products"], sources, problems)
    products = [Product(**cast("Any", row)) for row in tables["products"].records()]
    return Workspace(
        root=root,
        sources=sources,
        give_up_at=give_up_at,
        policies=policies,
        mail_from=cast("date", mail_from),
        tables=tables,
        calendar=calendar_of(tables["company"]),
        products={product.product_id: product for product in products},
        people=_people(tables),
        thresholds=thresholds,
        warnings=tuple(problems.warnings),
    )


def _people(tables: Mapping[str, Table]) -> tuple[Person, ...]:
    return tuple(Person(**cast("Any", row)) for row in tables["people"].records())


def _warn_of_traffic(products: Table, sources: tuple[Source, ...], problems: Problems) -> None:
    """A product whose visits should come from a feed it has no source for."""
    for line, row in zip(products.lines, products.records(), strict=True):
        feed = "page_views" if row["traffic_source"] == "own" else "traffic"
        has = {source.feed for source in sources if source.product == row["product_id"]}
        if feed not in has:
            problems.warn(
                place("products", line, "traffic_source"),
                f"sources.yml has no source of {FEEDS[feed].label.lower()} for "
                f"{row['product_id']}; its visits stay without a value.",
            )
