"""One measured piece of work, in a process of its own: `python -m bench.worker KIND FILE HOME`.

Prints as JSON the seconds and CPU seconds since its libraries were loaded, and what it landed.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from os import environ
from pathlib import Path
from time import perf_counter

import duckdb

from bench.files import LOG_DAYS, SPAN
from kpi_pipeline.cli.leaving import leave
from kpi_pipeline.periods import Calendar
from kpi_pipeline.settings import Settings, from_environment
from kpi_pipeline.workspace import Product, Source, Workspace

PROJECT = Path(__file__).resolve().parents[1]
LOG = ".log"
AT = datetime(2024, 4, 1, 8, tzinfo=UTC)


def copy(file: Path, home: Path) -> Callable[[], dict[str, int]]:
    """DuckDB's own conversion to Parquet, as it comes."""

    def work() -> dict[str, int]:
        with duckdb.connect() as connection:
            connection.execute(
                f"copy (from '{file}') to '{home / 'copy.parquet'}' (format parquet)"
            )
        return {}

    return work


def land(file: Path, home: Path) -> Callable[[], dict[str, int]]:
    """Landing alone."""
    from kpi_pipeline import landing

    settings, workspace = _deployment(file, home)
    days = SPAN[:LOG_DAYS] if file.suffix == LOG else SPAN

    def work() -> dict[str, int]:
        pieces = landing.land(settings, workspace, "page_views", ["shop"], days, AT, "bench")
        return {
            "read": sum(piece.read for piece in pieces),
            "landed": sum(piece.landed for piece in pieces),
            "quarantined": sum(piece.quarantined for piece in pieces),
            "dropped": sum(piece.dropped for piece in pieces),
        }

    return work


def audited(file: Path, home: Path) -> Callable[[], dict[str, int]]:
    """Landing, and the audit of what came in."""
    from kpi_pipeline.audit import audit_in, load_early

    load_early()
    landed = land(file, home)
    settings, _ = _deployment(file, home)

    def work() -> dict[str, int]:
        counts = landed()
        outcome = audit_in(settings, AT, "bench")
        return {**counts, "checks": outcome.passed, "stopped": outcome.stopped}

    return work


def _deployment(file: Path, home: Path) -> tuple[Settings, Workspace]:
    """Settings and a workspace with one product, whose page views are in the file."""
    settings = from_environment(
        {
            "KPI_WORKSPACE": str(home),
            "KPI_HOME": str(home / "out"),
            "KPI_PROJECT": str(PROJECT),
            "KPI_HASH_KEY": "a key for measurements, long enough to be one",
            **{name: environ[name] for name in ("KPI_MEMORY",) if name in environ},
        }
    )
    source = Source(
        "page_views", "page_views", "shop", str(file), "csv", "covering", last_day_complete=True
    )
    if file.suffix == LOG:
        source = replace(source, format="access_log", log_format="combined")
    workspace = Workspace(
        root=home,
        sources=(source,),
        give_up_at={"page_views": time(12)},
        policies={},
        mail_from=date(2024, 1, 1),
        tables={},
        calendar=Calendar(),
        products={"shop": Product("shop", "Shop", "UTC", "EUR", date(2020, 1, 1), "shop", "own")},
        people=(),
    )
    return settings, workspace


KINDS = {"copy": copy, "land": land, "audited": audited}


def main() -> None:
    kind, file, home = sys.argv[1:]
    work = KINDS[kind](Path(file), Path(home))
    began, used = perf_counter(), _cpu()
    counts = work()
    done = {"wall": perf_counter() - began, "cpu": _cpu() - used, **counts}
    print(json.dumps(done))
    leave(0)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
