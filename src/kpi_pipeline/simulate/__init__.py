"""Makes the data of the simulated company: the same seed gives the same bytes."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import duckdb
import numpy as np

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.simulate import datasets, planted
from kpi_pipeline.simulate.company import EPOCH, FIRMS, Firm
from kpi_pipeline.simulate.exposure import draw_exposure
from kpi_pipeline.simulate.users import draw_activities, draw_sign_ups
from kpi_pipeline.simulate.visits import Span, draw_page_views, draw_visits

FIRST, LAST, SEED = date(2023, 1, 1), date(2024, 6, 30), 20240630
"""The 18 months the demo runs on."""

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "harbour_group"
TRUTH = "truth.json"


def _quiet(_: str) -> None:
    pass


def generate(
    target: Path,
    first: date = FIRST,
    last: date = LAST,
    seed: int = SEED,
    progress: Callable[[str], None] = _quiet,
) -> None:
    """Write the example's workspace and its data of the local days `[first, last]` to `target`.

    A folder made by an earlier call is replaced; any other folder that holds something is refused
    with ConfigurationError, as is a span that begins before EPOCH or ends before it begins.
    """
    if first < EPOCH or last < first:
        raise ConfigurationError(
            f"The simulated company has no days from {first} to {last}; expected a first day of "
            f"{EPOCH} or later and a last day not before it."
        )
    if not EXAMPLE.is_dir():
        raise ConfigurationError(
            f"{EXAMPLE} is missing; demo data are made from a checkout of the project."
        )
    if target.exists() and any(target.iterdir()) and not (target / TRUTH).is_file():
        raise ConfigurationError(
            f"{target} holds something that is not demo data; name an empty folder."
        )
    target.mkdir(parents=True, exist_ok=True)
    truth = {
        "seed": seed,
        "first": first.isoformat(),
        "last": last.isoformat(),
        "facts": planted.described(first, last),
    }
    # written first, so that an interrupted run is known as demo data and can be run again
    _write_truth(target, truth | {"is_complete": False})
    shutil.rmtree(target / "data", ignore_errors=True)
    shutil.copytree(EXAMPLE, target, dirs_exist_ok=True)
    span = Span(first, last)
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        for firm in FIRMS:
            progress(f"Simulating {firm.product}: {first} to {last}")
            _generate(connection, firm, span, seed, target / "data" / firm.product)
    _write_truth(target, truth | {"is_complete": True})


def _write_truth(target: Path, truth: Mapping[str, object]) -> None:
    text = json.dumps(truth, indent=2, ensure_ascii=False) + "\n"
    (target / TRUTH).write_text(text, encoding="utf-8")


def _generate(
    connection: duckdb.DuckDBPyConnection, firm: Firm, span: Span, seed: int, data: Path
) -> None:
    def chance(of: str) -> np.random.Generator:
        """Each part draws for itself, so that a change in one leaves the others as they were."""
        return np.random.default_rng([seed, zlib.crc32(f"{firm.product} {of}".encode())])

    visits = draw_visits(firm, span, chance("visits"))
    by_origin = visits.count(len(firm.origins), len(span.offsets))
    if firm.sections:
        views = draw_page_views(firm, span, visits, chance("page views"))
        datasets.write_page_views(connection, firm, span, views, data)
        datasets.write_content(firm, span, chance("content"), data)
    if firm.product in ("costa", "atlas"):
        datasets.write_reported(connection, firm, span, visits, chance("reported"), data)
    shown = draw_exposure(firm, span, by_origin, chance("exposure"))
    datasets.write_exposure(connection, firm, span, shown, chance("market"), data)
    if firm.users is not None:
        signed_up = draw_sign_ups(firm, firm.users, span, visits, chance("sign-ups"))
        done = draw_activities(firm, firm.users, span, signed_up, chance("activities"))
        datasets.write_users(connection, firm, firm.users, span, signed_up, done, data)
