"""The steps that CLI and DAGs share: what they log, refuse, and tell the build early."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kpi_pipeline import landing, run, simulate
from kpi_pipeline.audit import AuditOutcome
from kpi_pipeline.errors import BuildError, ConfigurationError, DeliveryError, UntrustedDataError
from kpi_pipeline.runlog import Check, RunLog
from kpi_pipeline.settings import Settings, from_environment

DAY = date(2024, 6, 30)
#: 01:00 of 1 July in Tokyo, and still 30 June in New York.
TOKYO_IS_OVER = datetime(2024, 6, 30, 16, tzinfo=UTC)
AT = datetime(2024, 7, 1, 18, tzinfo=UTC)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company") / "workspace"
    simulate.generate(folder, DAY, DAY)
    return folder


@pytest.fixture
def settings(workspace: Path, tmp_path: Path) -> Settings:
    return from_environment(
        {
            "KPI_WORKSPACE": str(workspace),
            "KPI_HOME": str(tmp_path),
            "KPI_HASH_KEY": "a key for tests only",
        }
    )


def outcomes(settings: Settings) -> list[tuple[str, str, str]]:
    return [(row["kind"], row["outcome"], row["message"]) for row in RunLog(settings).runs()]


def test_a_load_says_what_is_new_and_a_second_time_that_nothing_is(settings: Settings) -> None:
    said: list[str] = []
    first = run.load(settings, "traffic", None, [DAY], AT, said.append)
    second = run.load(settings, "traffic", None, [DAY], AT + timedelta(hours=1))
    assert (first.new, first.changed, second.new, second.changed) == (2, (), 0, ())
    assert said[-1] == "traffic: 2 landed; 2 new, 0 changed"
    assert outcomes(settings) == [
        ("load", "done", "2 landed; 2 new, 0 changed"),
        ("load", "nothing_new", "2 landed; 0 new, 0 changed"),
    ]


def test_other_content_under_the_same_moment_is_a_change(
    settings: Settings, workspace: Path, tmp_path: Path
) -> None:
    run.load(settings, "traffic", ["atlas"], [DAY], AT)
    path = workspace / "data" / "atlas" / "traffic" / f"{DAY}.csv"
    before = path.read_bytes()
    try:
        path.write_bytes(b"".join(before.splitlines(keepends=True)[:-1]))
        loaded = run.load(settings, "traffic", ["atlas"], [DAY], AT)
    finally:
        path.write_bytes(before)
    assert (loaded.new, loaded.changed) == (0, (("atlas", DAY),))


@pytest.mark.parametrize(
    ("feed", "products", "at", "sentence"),
    [
        ("page_view", None, AT, "There is no feed 'page_view'"),
        ("traffic", ["kumo"], AT, "gives product 'kumo' no source for traffic"),
        ("traffic", ["atlas"], TOKYO_IS_OVER, "is not over for product 'atlas'"),
    ],
)
def test_a_wrong_load_is_refused_with_a_sentence_and_lands_nothing(
    settings: Settings, feed: str, products: list[str] | None, at: datetime, sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        run.load(settings, feed, products, [DAY], at)
    assert RunLog(settings).slices() == []


def test_nothing_has_arrived_before_the_local_day_is_over(settings: Settings) -> None:
    arrived = {
        product: run.arrival(settings, "page_views", product, DAY, TOKYO_IS_OVER)
        for product in ("kumo", "costa", "ledgerly")
    }
    assert arrived == {"kumo": "arrived", "costa": "not_yet", "ledgerly": "not_yet"}
    assert run.day_ends(settings, "ledgerly", DAY) == datetime(2024, 7, 1, 4, tzinfo=UTC)


def test_tokyos_whole_day_is_early_and_new_yorks_is_not(settings: Settings) -> None:
    feeds = ("page_views", "exposure", "user_growth")
    for feed in feeds[:2]:
        run.load(settings, feed, ["kumo"], [DAY], TOKYO_IS_OVER)
        assert not run.is_whole_early(settings, "kumo", DAY, TOKYO_IS_OVER)
    run.load(settings, "user_growth", ["kumo"], [DAY], TOKYO_IS_OVER)
    assert run.is_whole_early(settings, "kumo", DAY, TOKYO_IS_OVER)
    assert not run.is_whole_early(settings, "kumo", DAY, AT), "the others' are there by then"
    for feed in feeds:
        run.load(settings, feed, ["ledgerly"], [DAY], AT)
    assert not run.is_whole_early(settings, "ledgerly", DAY, AT)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (BuildError("dbt stopped."), "failed"),
        (UntrustedDataError("A check stopped it."), "stopped"),
        (ZeroDivisionError("a defect"), "failed"),
        (KeyboardInterrupt(), "failed"),
    ],
)
def test_a_run_that_fails_is_closed_with_its_outcome_and_reason(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    outcome: str,
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(landing, "land", broken)
    with pytest.raises(type(error)):
        run.load(settings, "traffic", None, [DAY], AT)
    ((kind, got, message),) = outcomes(settings)
    assert (kind, got) == ("load", outcome)
    assert str(error) in message


def test_a_failed_mail_fails_the_send_after_the_others_went(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kpi_pipeline.delivery import send as delivery

    ended = [SimpleNamespace(outcome=name) for name in ("sent", "failed", "sent", "unknown")]
    monkeypatch.setattr(delivery, "send_due", lambda *_, **__: ended)
    monkeypatch.setattr(delivery, "write_index", lambda *_: None)
    with pytest.raises(DeliveryError, match="1 failed, 2 sent, 1 unknown"):
        run.send(settings, "specialist_daily", AT)
    ((kind, outcome, message),) = outcomes(settings)
    assert (kind, outcome) == ("send", "failed")
    assert "never resent by themselves" in message


def test_a_failed_report_keeps_no_other_from_being_sent(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def send(_settings: Settings, report: str, *_: Any) -> tuple[str, ...]:
        if report == "manager_weekly":
            raise DeliveryError("manager_weekly: 1 failed")
        sent.append(report)
        return ()

    monkeypatch.setattr(run, "send", send)
    with pytest.raises(DeliveryError, match="manager_weekly: 1 failed"):
        list(run.send_each(settings, None, AT))
    assert sent == ["specialist_daily", "director_monthly", "director_quarterly"]


def stopped(day: date, message: str = "Too few.") -> Check:
    return Check(
        "audit-1", AT, "in", "slices", "Enough.", "stop", "stopped", "traffic", "kumo", day,
        message=f"kumo, {day}: {message}",
    )  # fmt: skip


def test_days_that_checks_refuse_are_named_once_for_a_reason() -> None:
    findings = (stopped(DAY), stopped(DAY, "Odd."), stopped(date(2024, 7, 1)))
    findings += (replace(stopped(DAY), outcome="warned"),)
    assert run.refused_of(AuditOutcome(0, 1, 3, findings)) == [
        f"traffic of kumo on {DAY}, 2024-07-01 is rejected: Too few.",
        f"traffic of kumo on {DAY} is rejected: Odd.",
    ]


@pytest.mark.parametrize("failure", [None, DeliveryError("One mail failed.")])
def test_days_that_are_not_used_are_named_when_all_others_are(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, failure: DeliveryError | None
) -> None:
    audit = AuditOutcome(0, 0, 1, (stopped(DAY),))
    piece = SimpleNamespace(product_id="kumo", status="rejected", day=DAY, reason="It is cut off.")
    computed = run.Computed(audit, SimpleNamespace(), None)  # type: ignore[arg-type]

    def sending(*_: Any) -> Iterator[tuple[str, tuple[()]]]:
        yield "specialist_daily", ()
        if failure is not None:
            raise failure

    monkeypatch.setattr("kpi_pipeline.audit.load_early", lambda: None)
    monkeypatch.setattr(
        run,
        "load",
        lambda _s, feed, *_: run.Loaded(feed, (piece,) if feed == "exposure" else (), 0, ()),
    )
    monkeypatch.setattr(run, "compute", lambda *_: computed)
    monkeypatch.setattr(run, "send_each", sending)
    told = (
        f"exposure of kumo on {DAY} is rejected: It is cut off.",
        f"traffic of kumo on {DAY} is rejected: Too few.",
    )
    if failure is None:
        assert run.everything(settings, DAY, DAY, AT).rejected == told
        return
    with pytest.raises(DeliveryError) as raised:
        run.everything(settings, DAY, DAY, AT)
    assert str(raised.value) == "\n".join([*told, "One mail failed."])


def test_another_key_or_zone_is_refused_before_anything_is_landed(
    settings: Settings, workspace: Path, tmp_path: Path
) -> None:
    run.load(settings, "page_views", ["kumo"], [DAY], AT)
    before = [(row["hash"], row["landed_at"]) for row in RunLog(settings).slices()]
    with pytest.raises(ConfigurationError, match="KPI_HASH_KEY is not the key"):
        run.load(replace(settings, hash_key="another key"), "page_views", ["kumo"], [DAY], AT)
    moved = tmp_path / "moved"
    shutil.copytree(workspace, moved)
    products = moved / "organisation" / "products.csv"
    products.write_text(products.read_text().replace("Asia/Tokyo", "Europe/London"))
    with pytest.raises(ConfigurationError) as refused:
        run.load(replace(settings, workspace=moved), "page_views", ["kumo"], [DAY], AT)
    assert str(refused.value) == (
        "organisation/products.csv: time_zone of kumo is 'Europe/London', but its data landed "
        "under 'Asia/Tokyo' and cannot be moved. Put 'Asia/Tokyo' back, or start a "
        "product with a new product_id."
    )
    after = [(row["hash"], row["landed_at"]) for row in RunLog(settings).slices()]
    assert after == before


def test_a_span_that_ends_before_it_begins_is_refused(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="give the later day last"):
        run.everything(settings, DAY, date(2024, 6, 29), AT)


def test_products_of_a_feed_are_those_with_a_source(settings: Settings) -> None:
    assert {feed: run.products_of(settings, feed) for feed in ("page_views", "traffic")} == {
        "page_views": ["costa", "ledgerly", "kumo"],
        "traffic": ["costa", "atlas"],
    }


def test_a_changed_workspace_is_read_again(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(settings.workspace, folder, ignore=shutil.ignore_patterns("data"))
    copied = from_environment({"KPI_WORKSPACE": str(folder)})
    before = run.workspace_of(copied)
    assert run.workspace_of(copied) is before
    sources = folder / "sources.yml"
    text = sources.read_text(encoding="utf-8")
    sources.write_text(text.replace('traffic: "06:30"', 'traffic: "09:45"'), encoding="utf-8")
    assert run.workspace_of(copied).give_up_at["traffic"] == time(9, 45)
