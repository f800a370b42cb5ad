"""A day through the DAGs, executed by Airflow in this process, over a small simulated company."""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter
from datetime import date
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from airflow.models.asset import AssetEvent
from airflow.utils.session import create_session

from kpi_pipeline import simulate
from kpi_pipeline.demo import day as runner
from kpi_pipeline.demo.console import Watch
from kpi_pipeline.runlog import RunLog
from kpi_pipeline.settings import Settings, from_environment

DAGS = Path(__file__).resolve().parents[2] / "dags"
DAY = "2024-06-30"
MOMENT = {"day": DAY, "at": "2024-07-01T18:00:00+00:00"}
LOADS = ("load_page_views", "load_traffic", "load_exposure", "load_user_growth")
SENDS = (
    "send_specialist_daily",
    "send_manager_weekly",
    "send_director_monthly",
    "send_director_quarterly",
)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("day")
    simulate.generate(folder / "workspace", date(2024, 6, 29), date(2024, 6, 30))
    return {
        "KPI_HOME": str(folder / "home"),
        "KPI_WORKSPACE": str(folder / "workspace"),
        "KPI_HASH_KEY": "a key for tests only",
        "KPI_NOTICES_TO": "owner@example.com",
    }


@pytest.fixture
def settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return from_environment(environment)


@pytest.fixture(scope="module")
def dags() -> dict[str, object]:
    return runner.prepare(DAGS)


def run(dags: dict[str, object], dag_id: str, conf: dict[str, object]) -> list[str]:
    return runner.run_dag(dags[dag_id], conf, Watch(1))


def events(name: str) -> list[str]:
    """Partition keys of an asset's events, oldest first."""
    with create_session() as session:
        rows = session.query(AssetEvent).order_by(AssetEvent.id).all()
        return [row.partition_key for row in rows if row.asset.name == name]


def mails(settings: Settings) -> dict[str, str]:
    """Every mail in the outbox with the hash of its bytes."""
    return {
        str(path.relative_to(settings.outbox)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(settings.outbox.rglob("*.eml"))
    }


def test_a_day_runs_to_the_mails_and_a_second_time_changes_and_sends_nothing(
    settings: Settings, dags: dict[str, object]
) -> None:
    for dag_id in (*LOADS, "compute_kpis", *SENDS):
        run(dags, dag_id, MOMENT)
    slices = RunLog(settings).slices()
    assert Counter(row["status"] for row in slices) == {"landed": 12}
    assert {row["day"] for row in slices} == {date(2024, 6, 30)}
    first = mails(settings)
    # the week's other days are absent, so its deadline is past; the directors' is a day later
    assert Counter(name.split("/")[0] for name in first) == {
        "specialist_daily": 9,
        "manager_weekly": 5,
    }
    assert (settings.outbox / "index.html").exists()
    published = settings.current.resolve()
    for feed in ("page_views", "traffic", "exposure", "user_growth"):
        assert events(f"kpi_{feed}") == [DAY]
    assert events("kpi_slices_changed") == []

    for dag_id in (*LOADS, "compute_kpis", *SENDS):
        run(dags, dag_id, MOMENT)
    assert mails(settings) == first
    assert settings.current.resolve() == published
    assert RunLog(settings).slices() == slices
    assert events("kpi_slices_changed") == []


def test_a_slice_with_other_content_tells_the_build_under_a_key_of_its_own(
    settings: Settings, dags: dict[str, object]
) -> None:
    views = settings.workspace / "data" / "costa" / "page_views" / f"{DAY}.csv.gz"
    lines = gzip.decompress(views.read_bytes()).splitlines(keepends=True)
    views.write_bytes(gzip.compress(b"".join(lines[:-1])))
    run(dags, "load_page_views", MOMENT)
    assert events("kpi_slices_changed") == [f"{DAY}+page_views"]
    before = settings.current.resolve()
    run(dags, "compute_kpis", {"day": DAY, "at": "2024-07-01T19:00:00+00:00"})
    assert settings.current.resolve() != before


def test_rebuild_days_loads_the_span_in_one_go(settings: Settings, dags: dict[str, object]) -> None:
    run(
        dags,
        "rebuild_days",
        {"first": "2024-06-29", "last": DAY, "at": "2024-07-01T20:00:00+00:00"},
    )
    days = Counter(row["day"].isoformat() for row in RunLog(settings).slices())
    assert days == {"2024-06-29": 12, DAY: 12}


@pytest.mark.parametrize(
    ("dag_id", "conf", "sentence"),
    [
        ("load_traffic", {}, "neither a partition key nor the param `day`"),
        ("load_traffic", {"day": DAY, "at": "2024-07-01T18:00:00"}, "without an offset"),
        ("load_traffic", {"day": DAY, "at": f"{DAY}T12:00:00+00:00"}, "not given up on yet"),
        ("rebuild_days", {"first": DAY}, "`first` and `last`"),
        ("rebuild_days", {"first": DAY, "last": "2024-06-29"}, "is before `first`"),
    ],
)
def test_a_wrong_start_fails_with_a_sentence_and_a_notice_to_the_owner(
    settings: Settings,
    dags: dict[str, object],
    dag_id: str,
    conf: dict[str, object],
    sentence: str,
) -> None:
    with pytest.raises(runner.TaskFailedError, match=sentence):
        run(dags, dag_id, conf)
    notices = [
        message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in (settings.outbox / "failure_notice").rglob(f"{dag_id}-*.eml")
    ]
    assert {notice["To"] for notice in notices} == {"owner@example.com"}
    told = "\n".join(f"{notice['Subject']}\n{notice.get_content()}" for notice in notices)
    assert f"Failed: {dag_id}" in told
    assert sentence in told
    assert "When it fails:" in told
