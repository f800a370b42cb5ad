"""Write, audit, publish: readers see a new file only when it passed, and then all of it at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from kpi_pipeline.audit import AuditOutcome, audit_out
from kpi_pipeline.errors import PipelineError, UntrustedDataError
from kpi_pipeline.runlog import RunLog
from kpi_pipeline.settings import Settings

KEPT_FILES = 3
#: Readable by DuckDB 1.x, which the tools of analysts still bring along.
STORAGE_VERSION = "v1.5.0"


@dataclass(frozen=True)
class Publication:
    """path: the file readers open now. checks: how the audit of it ended."""

    path: Path
    checks: AuditOutcome


def publish(settings: Settings, at: datetime, run_id: str) -> Publication:
    """Copy what readers may see to a file of its own, audit it, and point `current` to it.

    Raises UntrustedDataError when a check marked `stop` failed (readers keep the file they have)
    and PipelineError when nothing was built yet.
    """
    if not settings.warehouse.exists():
        raise PipelineError("Nothing was built yet; run `kpi build` first.")
    settings.published.mkdir(parents=True, exist_ok=True)
    candidate = settings.published / f"candidate-{run_id}.duckdb"
    candidate.unlink(missing_ok=True)
    _copy(settings.warehouse, candidate, run_id, at)
    checks = audit_out(settings, candidate, at, run_id)
    if checks.stopped:
        said = "; ".join(
            f"{c.table_name}, {c.expectation}: {c.message}"
            for c in checks.findings
            if c.outcome == "stopped"
        )
        candidate.unlink()
        raise UntrustedDataError(
            f"Not published, readers keep what they have; "
            f"{checks.stopped} checks stopped it: {said}"
        )
    path = settings.published / f"kpi-{run_id}.duckdb"
    candidate.rename(path)
    _point(settings.current, path)
    RunLog(settings).record_publish(run_id, path, at)
    _clear_old(settings.published, path)
    return Publication(path, checks)


def is_published(settings: Settings) -> bool:
    """Whether readers see what was built last: the same slices, tables and models."""
    if not (settings.current.exists() and settings.warehouse.exists()):
        return False
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        if not connection.execute(
            "select 1 from duckdb_tables() where schema_name = 'built' and table_name = 'state'"
        ).fetchall():
            return False
        built = connection.execute("select slices_hash from built.state").fetchall()
    with open_published(settings) as connection:
        return built == connection.execute("select slices_hash from published_run").fetchall()


@contextmanager
def open_published(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file `current` points to, read-only. The link is resolved once, so a publication in
    between changes nothing. Raises PipelineError when nothing was published yet."""
    if not settings.current.exists():
        raise PipelineError(
            f"Nothing was published yet in {settings.published}; run `kpi run` for a day first."
        )
    with duckdb.connect(str(settings.current.resolve()), read_only=True) as connection:
        yield connection


def _copy(warehouse: Path, candidate: Path, run_id: str, at: datetime) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            f"attach '{candidate}' as published (storage_version '{STORAGE_VERSION}')"
        )
        connection.execute(f"attach '{warehouse}' as warehouse (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() "
            "where database_name = 'warehouse' and ("
            "schema_name in ('marts', 'reports') "
            "or schema_name = 'kpis' and starts_with(table_name, 'fct_')) order by all"
        ).fetchall()
        for schema, table in tables:
            connection.execute(f"create table published.{table} as from warehouse.{schema}.{table}")
        connection.execute(
            "create table published.published_run as "
            "select ? as run_id, ?::timestamp as at, code_version, slices_hash, "
            "checks_passed, checks_warned from warehouse.built.state",
            [run_id, at.astimezone(UTC).replace(tzinfo=None)],
        )
        connection.execute("detach warehouse")
        connection.execute("checkpoint published")
        connection.execute("detach published")


def _point(link: Path, path: Path) -> None:
    temporary = link.with_name(f".{link.name}-{path.stem}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(path.name)
    temporary.replace(link)


def _clear_old(folder: Path, current: Path) -> None:
    files = sorted(folder.glob("kpi-*.duckdb"), key=lambda p: p.stat().st_mtime, reverse=True)
    for path in files[KEPT_FILES:]:
        if path != current:
            path.unlink()
