"""What `kpi doctor` looks at: each finding is `ok`, or says what to do."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpi_pipeline.errors import ConfigurationError, PipelineError
from kpi_pipeline.settings import Settings

ENOUGH_DISK_BYTES = 2 * 1024**3
READ_BYTES = 20 * 1024**2  # of a file that is looked into
SHORTEST_KEY = 16


@dataclass(frozen=True)
class Finding:
    """One line of the doctor. `advice` is empty where there is nothing to mend."""

    subject: str
    said: str
    advice: str = ""

    @property
    def is_ok(self) -> bool:
        return not self.advice

    def __str__(self) -> str:
        mark = "ok      " if self.is_ok else "to mend "
        return f"{mark}{self.subject}: {self.said}" + (f" → {self.advice}" if self.advice else "")


def examine(settings: Settings) -> list[Finding]:
    """Every check, in the order in which they depend on each other."""
    checks: tuple[tuple[str, Callable[[Settings], Finding]], ...] = (
        ("environment", _environment),
        ("workspace", _workspace),
        ("times", _times),
        ("key", _key),
        ("home", _home),
        ("disk", _disk),
        ("state database", _state),
        ("published file", _published),
        ("transport", _transport),
    )
    return [_checked(subject, check, settings) for subject, check in checks]


def require_health(findings: Sequence[Finding]) -> None:
    """Raises ConfigurationError that names what is to be mended."""
    ill = [finding.subject for finding in findings if not finding.is_ok]
    if ill:
        raise ConfigurationError(f"To be mended: {', '.join(ill)}. The lines above say how.")


def _checked(subject: str, check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return check(settings)
    except PipelineError as error:
        return Finding(subject, "does not work", str(error))
    except Exception as error:  # the doctor reports whatever is ill, of whatever kind
        return Finding(subject, "does not work", f"{type(error).__name__}: {error}")


def _environment(settings: Settings) -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("environment", f"Python {version}", "use Python 3.11, 3.12 or 3.13")
    folders = (settings.dbt_project, settings.expectations, settings.reports)
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        return Finding(
            "environment",
            f"{', '.join(missing)} missing",
            "set KPI_PROJECT to the folder of the checkout",
        )
    return Finding("environment", f"Python {version}, project {settings.project}")


def _workspace(settings: Settings) -> Finding:
    from kpi_pipeline import workspace

    try:
        space = workspace.load(settings.workspace, settings.expectations)
    except ConfigurationError as error:
        wrong = [f"  - {problem}" for problem in _wrong_kpis(settings)]
        raise ConfigurationError("\n".join([str(error), *wrong])) from error
    wrong = _wrong_kpis(settings)
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    said = (
        f"{settings.workspace}: {len(space.products)} products, {len(space.sources)} sources, "
        f"{len(space.people)} people"
    )
    if space.warnings:
        return Finding("workspace", said, " ".join(space.warnings))
    return Finding("workspace", said)


def _times(settings: Settings) -> Finding:
    """Times without a zone, looked for in one small file of each source that may have some."""
    from kpi_pipeline import workspace
    from kpi_pipeline.feeds.found import find
    from kpi_pipeline.landing import judge

    try:
        space = workspace.load(settings.workspace, settings.expectations)
    except ConfigurationError:
        return Finding("times", "not looked at while the workspace is wrong")
    told: list[str] = []
    for source in space.sources:
        zone = space.products[source.product].time_zone
        if not judge.may_lack_zone(source, zone):
            continue
        found = find(source, space.root)
        small = [f for f in found if f.path is not None and f.stamp[0] <= READ_BYTES]
        if small:
            told += judge.zones_lacking(source, zone, small[-1])
    if told:
        return Finding("times", "some may be read in the wrong zone", " ".join(told))
    return Finding("times", "none was found that may be read in the wrong zone")


def _wrong_kpis(settings: Settings) -> list[str]:
    """What is wrong with the KPIs that the workspace names, whatever else is wrong with it."""
    from kpi_pipeline.catalogue import kpis, wrong_kpis
    from kpi_pipeline.workspace.problems import Problems
    from kpi_pipeline.workspace.tables import read_tables

    if not settings.dbt_project.is_dir():  # the environment is what is to be mended
        return []
    tables = read_tables(settings.workspace / "organisation", Problems())
    return wrong_kpis(tables, kpis(settings.dbt_project))


def _key(settings: Settings) -> Finding:
    key = settings.require_hash_key()
    if len(key) < SHORTEST_KEY:
        return Finding(
            "key",
            f"KPI_HASH_KEY has {len(key)} characters",
            f"use at least {SHORTEST_KEY}, and choose before the first load: ids hashed with "
            "another key no longer match",
        )
    return Finding("key", "KPI_HASH_KEY is set")


def _home(settings: Settings) -> Finding:
    folder = _nearest(settings.home)
    if not os.access(folder, os.W_OK):
        return Finding("home", f"{folder} cannot be written", "set KPI_HOME to a folder of yours")
    return Finding("home", str(settings.home))


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(_nearest(settings.home)).free
    said = f"{free / 1024**3:.1f} GiB free"
    if free < ENOUGH_DISK_BYTES:
        return Finding("disk", said, f"make room: {ENOUGH_DISK_BYTES // 1024**3} GiB are needed")
    return Finding("disk", said)


def _state(settings: Settings) -> Finding:
    import sqlalchemy as sa

    from kpi_pipeline.runlog import RunLog

    runs = RunLog(settings).runs()
    where = sa.make_url(settings.state_url).render_as_string(hide_password=True)
    last = f", the last one {runs[-1]['kind']}: {runs[-1]['outcome']}" if runs else ""
    return Finding("state database", f"{where}: {len(runs)} runs{last}")


def _published(settings: Settings) -> Finding:
    from kpi_pipeline import warehouse

    if not settings.current.exists():
        # nothing is wrong with a deployment that did not run yet
        return Finding("published file", "nothing yet; `kpi run --from DAY --to DAY` publishes")
    with warehouse.open_published(settings) as connection:
        row = connection.execute('select run_id, "at" from published_run').fetchone()
    if row is None:
        return Finding("published file", "says nothing about its run", "run `kpi publish`")
    return Finding("published file", f"{settings.current.resolve().name}: {row[0]}, {row[1]} UTC")


def _transport(settings: Settings) -> Finding:
    if settings.transport == "outbox":
        return Finding("transport", f"mails are kept in {settings.outbox} and not sent")
    if settings.smtp_connection_id:
        return Finding(
            "transport", f"SMTP by the Airflow connection {settings.smtp_connection_id!r}"
        )
    from kpi_pipeline.errors import ConfigurationError as Wrong

    server = settings.smtp
    if server is None:
        raise Wrong("KPI_MAIL_TRANSPORT is 'smtp' but KPI_SMTP_HOST is not set.")
    import socket

    where = f"SMTP at {server.host}:{server.port} ({server.security})"
    try:
        with socket.create_connection((server.host, server.port), timeout=5):
            return Finding("transport", f"{where} answers")
    except OSError as error:
        return Finding("transport", where, f"the server does not answer ({error}); check the host")


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())
