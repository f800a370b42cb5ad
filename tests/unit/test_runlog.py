"""The run log on SQLite."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from kpi_pipeline.delivery.ledger import Ledger
from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.runlog import Check, RunLog, SliceAudit
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import ADAPTER, Slice

AT = datetime(2024, 7, 1, 6, 30, tzinfo=UTC)
DAY = date(2024, 6, 30)
PIECE = Slice("traffic", "harbor", DAY, "landed", "a" * 32, AT, read=3, landed=2, dropped=1)


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    return RunLog(
        Settings(
            workspace=tmp_path,
            home=tmp_path,
            state_url=f"sqlite:///{tmp_path / 'deep' / 'state.db'}",
            project=tmp_path,
            mail_from="a@example.org",
        )
    )


def test_run_is_kept_with_its_arguments_and_outcome_in_utc(log: RunLog) -> None:
    tokyo = AT.astimezone(timezone(timedelta(hours=9)))
    run_id = log.start_run("land", {"day": DAY, "feed": "traffic"}, tokyo)
    log.end_run(run_id, "succeeded", AT + timedelta(minutes=1), "2 slices")
    assert log.runs() == [
        {
            "run_id": run_id,
            "kind": "land",
            "arguments": {"day": "2024-06-30", "feed": "traffic"},
            "started_at": AT,
            "ended_at": AT + timedelta(minutes=1),
            "outcome": "succeeded",
            "message": "2 slices",
        }
    ]
    assert log.runs()[0]["started_at"].tzinfo is UTC


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("foo://u:secret@x", "KPI_STATE_URL names 'foo', for which no driver is installed; "),
        ("postgresql+foo://u:secret@x", "names 'postgresql\\+foo', for which no driver"),
        ("mysql+nothing://u:secret@x", "names 'mysql\\+nothing', for which no driver"),
        ("secret", "KPI_STATE_URL is not an address; expected an address such as sqlite:////"),
        ("postgresql://u:secret@x:port/d", "KPI_STATE_URL is not an address; "),
    ],
)
def test_an_address_of_no_database_is_refused_without_its_password(
    tmp_path: Path, url: str, sentence: str
) -> None:
    settings = Settings(
        workspace=tmp_path, home=tmp_path, state_url=url, project=tmp_path, mail_from="a@b"
    )
    for opened in (RunLog, Ledger):
        with pytest.raises(ConfigurationError, match=sentence) as refused:
            opened(settings)
        assert "secret" not in str(refused.value)


def test_time_without_zone_is_refused(log: RunLog) -> None:
    log.start_run("land", {}, AT)
    with pytest.raises(Exception, match="has no time zone"):
        log.record_build("r", 1, 1, 1.0, "succeeded", datetime(2024, 7, 1))  # noqa: DTZ001


def test_slice_state_is_replaced_only_when_its_hash_changes(log: RunLog) -> None:
    assert log.record_slices([PIECE], "run-1", AT) == 1
    log.record_audits([SliceAudit(PIECE, 5, 1, 0)], "audit-1", AT + timedelta(hours=1))
    expected = {
        "feed": "traffic",
        "product_id": "harbor",
        "day": DAY,
        "status": "landed",
        "reason": None,
        "hash": "a" * 32,
        "rows_read": 3,
        "rows_landed": 2,
        "rows_quarantined": 0,
        "rows_dropped": 1,
        "arrived_at": AT,
        "landed_at": AT,
        "run_id": "run-1",
        "adapter": ADAPTER,
        "key_id": "",
        "audited_hash": "a" * 32,
        "checks_passed": 5,
        "checks_warned": 1,
        "checks_stopped": 0,
        "first_at": None,
        "last_at": None,
        "first_landed_at": AT,
    }
    assert log.slices() == [expected]
    assert log.record_slices([PIECE], "run-2", AT + timedelta(days=1)) == 0
    assert log.slices() == [expected]
    changed = replace(PIECE, hash="b" * 32)
    assert log.record_slices([changed], "run-3", AT + timedelta(days=2)) == 1
    assert [r["hash"] for r in log.unaudited()] == ["b" * 32]
    assert log.slices()[0]["audited_hash"] is None


def test_when_a_slice_first_had_rows_outlives_corrections_and_audits(log: RunLog) -> None:
    def first_landed(piece: Slice) -> datetime | None:
        log.record_slices([piece], "run", piece.arrived_at)
        log.record_audits([SliceAudit(piece, 1, 0, 0)], "audit", piece.arrived_at)
        return log.slices()[0]["first_landed_at"]

    def later(hours: int, **changes: object) -> Slice:
        return replace(PIECE, arrived_at=AT + timedelta(hours=hours), **changes)

    assert first_landed(later(0, status="absent", hash="0" * 32)) is None
    assert first_landed(later(1, status="rejected", hash="1" * 32)) is None
    assert first_landed(later(2, hash="2" * 32)) == AT + timedelta(hours=2)
    assert first_landed(later(3, hash="3" * 32)) == AT + timedelta(hours=2)
    assert first_landed(later(4, status="absent", hash="4" * 32)) == AT + timedelta(hours=2)


def test_unaudited_names_landed_slices_only(log: RunLog) -> None:
    absent = replace(PIECE, feed="exposure", status="absent", hash="c" * 32)
    log.record_slices([PIECE, absent], "run-1", AT)
    assert [r["feed"] for r in log.unaudited()] == ["traffic"]
    log.record_audits([SliceAudit(PIECE, 1, 0, 0)], "audit-1", AT)
    assert log.unaudited() == []
    assert [r["feed"] for r in log.slices()] == ["exposure", "traffic"]
    assert [r["feed"] for r in log.slices(feed="traffic", first=DAY, last=DAY)] == ["traffic"]
    assert log.slices(first=DAY + timedelta(days=1)) == []


def test_checks_builds_and_publishes_are_appended(log: RunLog, tmp_path: Path) -> None:
    check = Check("r1", AT, "in", "traffic", "unique key", "stop", "passed", slices=40)
    log.record_checks([check, check])
    log.record_checks([])
    assert [c["slices"] for c in log.checks_of("r1")] == [40, 40]
    assert log.checks_of("r2") == []
    log.record_build("r1", 40, 61, 2.5, "succeeded", AT)
    log.record_publish("r1", tmp_path / "kpi-r1.duckdb", AT)
    assert [(b["slices"], b["models"], b["seconds"]) for b in log.builds()] == [(40, 61, 2.5)]
    assert [p["path"] for p in log.publishes()] == [str(tmp_path / "kpi-r1.duckdb")]
