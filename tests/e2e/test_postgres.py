"""Run log and ledger on a real PostgreSQL server, started here and stopped here."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from kpi_pipeline import settings as settings_module
from kpi_pipeline.delivery.due import Decision
from kpi_pipeline.delivery.ledger import Claim, Ledger
from kpi_pipeline.periods import Period
from kpi_pipeline.runlog import Check, RunLog, SliceAudit
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import Slice

AT = datetime(2024, 7, 1, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty database."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(path) for path in [shutil.which("initdb")] if path
    ]
    if not found:
        message = "PostgreSQL is not installed; nothing is shown about it"
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("postgres")
    data, binaries = folder / "data", found[-1].parent
    # the server refuses to run as root
    as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_owner:
        for path in (folder, *folder.parents):
            if path.is_relative_to("/tmp") and path != Path("/tmp"):
                path.chmod(0o711)
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    subprocess.run(
        [*as_owner, binaries / "initdb", "-D", data, "-U", "kpi", "-A", "trust"],
        check=True,
        capture_output=True,
        cwd="/",
    )
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
    control = [*as_owner, binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "start"], check=True, capture_output=True, cwd="/")
    try:
        yield f"postgresql+psycopg2://kpi@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], check=True, capture_output=True, cwd="/")


@pytest.fixture
def settings(server: str, tmp_path: Path) -> Settings:
    at_home = settings_module.from_environment({"KPI_HOME": str(tmp_path), "KPI_HASH_KEY": "k"})
    return replace(at_home, state_url=server)


def test_the_run_log_keeps_slices_checks_and_runs(settings: Settings) -> None:
    log = RunLog(settings)
    run_id = log.start_run("load", {"feed": "traffic"}, AT)
    piece = Slice("traffic", "rio", date(2024, 6, 30), "landed", "a" * 32, AT, read=3, landed=3)
    assert log.record_slices([piece], run_id, AT) == 1
    assert log.record_slices([piece], run_id, AT) == 0
    assert [row["product_id"] for row in log.unaudited()] == ["rio"]
    log.record_audits([SliceAudit(piece, 4, 1, 0)], run_id, AT)
    assert log.unaudited() == []
    (row,) = log.slices("traffic")
    assert (row["rows_read"], row["checks_passed"], row["arrived_at"]) == (3, 4, AT)
    check = Check(run_id, AT, "in", "traffic", "rows", "warn", "warned", message="few rows")
    log.record_checks([check])
    assert [found["message"] for found in log.checks_of(run_id)] == ["few rows"]
    log.end_run(run_id, "done", AT)
    assert [(run["run_id"], run["outcome"]) for run in log.runs()] == [(run_id, "done")]


def test_one_of_eight_senders_gets_the_mail_and_it_ends_as_sent(settings: Settings) -> None:
    day = date(2024, 6, 30)
    period = Period("day", day, day + timedelta(days=1))
    decision = Decision("specialist_daily", period, 1, "sam", "send", "due")
    Ledger(settings).close()  # the tables are there before the race

    def claim(number: int) -> Claim | None:
        ledger = Ledger(settings)
        try:
            return ledger.claim(decision, AT, f"run-{number}")
        finally:
            ledger.close()

    with ThreadPoolExecutor(8) as pool:
        claims = [found for found in pool.map(claim, range(8)) if found is not None]
    assert len(claims) == 1
    ledger = Ledger(settings)
    try:
        ledger.keep(claims[0], b"mime", "A subject", "<id@x>", ())
        ledger.sent(claims[0], AT)
        (row,) = ledger.rows("specialist_daily", day)
        assert (row.person_id, row.state, row.tries, row.sent_at) == ("sam", "sent", 1, AT)
        kept = ledger.kept()[0]
        assert kept.mime_sha256 is not None
        assert ledger.mime(kept.mime_sha256) == b"mime"
    finally:
        ledger.close()
