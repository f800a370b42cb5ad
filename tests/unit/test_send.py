"""`send_due` over a published file, a real ledger and the outbox."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from delivery_fixture import person, publish, settings, workspace
from published_fixture import company, daily

from kpi_pipeline.delivery.due import MAX_TRIES
from kpi_pipeline.delivery.send import Delivery, preview, send_due, write_index
from kpi_pipeline.delivery.transports import (
    Mail,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
)
from kpi_pipeline.errors import ConfigurationError, PipelineError

DAY = date(2024, 6, 30)
MORNING = datetime(2024, 7, 1, 6, 0, tzinfo=UTC)  # 08:00 in Berlin
BEN = person("p-ben")


def test_a_complete_day_is_mailed_once(tmp_path: Path) -> None:
    here = settings(tmp_path)
    published = company()
    daily(published, "p-ben", DAY)
    publish(here, published)
    sent = [Delivery("specialist_daily", DAY, 1, "p-ben", "sent", "all data are there")]

    first = send_due(here, workspace(BEN), "specialist_daily", MORNING, "r1")
    assert [d for d in first if d.period_start == DAY] == sent
    again = send_due(here, workspace(BEN), "specialist_daily", MORNING, "r2")
    assert [d for d in again if d.outcome == "sent"] == []
    folder = here.outbox / "specialist_daily" / "2024-06-30"
    assert sorted(p.name for p in folder.iterdir()) == ["p-ben-e1.eml", "p-ben-e1.html"]


def test_a_reader_without_data_is_held_and_then_told_what_is_missing(tmp_path: Path) -> None:
    here = settings(tmp_path)
    published = company()
    daily(published, "p-ben", DAY, absent=1)
    for row in published.rows["rpt_specialist_daily"]:
        row["incomplete_because"], row["is_complete"] = "absent_days", False
    publish(here, published)

    held = _of_day(send_due(here, workspace(BEN), "specialist_daily", MORNING, "r1"))
    late = _of_day(
        send_due(here, workspace(BEN), "specialist_daily", MORNING + timedelta(hours=4), "r2")
    )
    withheld = ("Harbor: Visits", "Harbor: Page views", "Harbor: Bounce rate")
    assert held == [
        Delivery(
            "specialist_daily",
            DAY,
            1,
            "p-ben",
            "held",
            "waiting until the deadline for harbor/page_views",
        )
    ]
    assert late == [
        Delivery(
            "specialist_daily",
            DAY,
            1,
            "p-ben",
            "sent",
            "the deadline passed without harbor/page_views",
            withheld,
        )
    ]


def test_a_second_edition_follows_once_when_the_gap_has_closed(tmp_path: Path) -> None:
    here = settings(tmp_path)
    published = company()
    daily(published, "p-ben", DAY, absent=1)
    for row in published.rows["rpt_specialist_daily"]:
        row["incomplete_because"], row["is_complete"] = "absent_days", False
    publish(here, published, "1")
    noon = MORNING + timedelta(hours=4)
    send_due(here, workspace(BEN), "specialist_daily", noon, "r1")

    healed = company()
    daily(healed, "p-ben", DAY)
    publish(here, healed, "2")
    two_days_later = noon + timedelta(days=2)
    second = _of_day(send_due(here, workspace(BEN), "specialist_daily", two_days_later, "r2"))
    third = _of_day(send_due(here, workspace(BEN), "specialist_daily", two_days_later, "r3"))

    assert second == [
        Delivery(
            "specialist_daily",
            DAY,
            2,
            "p-ben",
            "sent",
            "now complete: harbor/page_views came in",
        )
    ]
    assert third == []
    mail = (here.outbox / "specialist_daily/2024-06-30/p-ben-e2.eml").read_bytes()
    first_mail = (here.outbox / "specialist_daily/2024-06-30/p-ben-e1.eml").read_bytes()
    reply, original = email.message_from_bytes(mail), email.message_from_bytes(first_mail)
    assert reply["In-Reply-To"].strip() == original["Message-ID"].strip()


def test_preview_shows_what_would_be_sent(tmp_path: Path) -> None:
    here = settings(tmp_path)
    published = company()
    daily(published, "p-ben", DAY)
    publish(here, published)
    shown = preview(here, workspace(BEN), "BEN@tidewater.example", "specialist_daily", DAY)
    send_due(here, workspace(BEN), "specialist_daily", MORNING, "r1")
    kept = (here.outbox / "specialist_daily/2024-06-30/p-ben-e1.html").read_text()
    assert shown.subject == "Harbor: 103% of yesterday's visits target"
    assert shown.html == kept


@pytest.mark.parametrize(
    ("email", "report", "day", "said"),
    [
        ("nobody@x.example", "specialist_daily", DAY, "no person with the email"),
        ("ben@tidewater.example", "manager_weekly", DAY, "is a specialist; the report"),
        ("ben@tidewater.example", "weekly", DAY, "reports.yml has no report 'weekly'"),
        ("ben@tidewater.example", "specialist_daily", date(2024, 6, 1), "newest is 2024-06-30"),
    ],
)
def test_preview_says_what_is_wrong(
    tmp_path: Path, email: str, report: str, day: date, said: str
) -> None:
    here = settings(tmp_path)
    published = company()
    daily(published, "p-ben", DAY)
    publish(here, published)
    with pytest.raises(PipelineError, match=said):
        preview(here, workspace(BEN), email, report, day)


def test_an_unknown_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no report 'daily'"):
        send_due(settings(tmp_path), workspace(BEN), "daily", MORNING, "r1")


def test_one_mail_that_cannot_be_composed_keeps_no_other_from_going(tmp_path: Path) -> None:
    here = settings(tmp_path)
    published = company()
    daily(published, "p-ben", DAY)
    daily(published, "p-new", DAY)  # not among dim_people: composing raises
    publish(here, published)
    both = workspace(BEN, person("p-new"))
    outcomes = {
        d.person_id: d.outcome
        for d in _of_day(send_due(here, both, "specialist_daily", MORNING, "r1"))
    }
    assert outcomes == {"p-ben": "sent", "p-new": "failed"}


def test_the_index_links_every_kept_mail(tmp_path: Path) -> None:
    here = settings(tmp_path)
    published = company()
    daily(published, "p-ben", DAY)
    publish(here, published)
    send_due(here, workspace(BEN), "specialist_daily", MORNING, "r1")
    page = write_index(here).read_text()
    assert 'href="specialist_daily/2024-06-30/p-ben-e1.html"' in page
    assert 'href="specialist_daily/2024-06-30/p-ben-e1.eml"' in page
    assert "Harbor: 103% of yesterday&#39;s visits target" in page


def test_the_index_brings_back_files_from_the_ledger(tmp_path: Path) -> None:
    here = settings(tmp_path)
    published = company()
    daily(published, "p-ben", DAY)
    publish(here, published)
    send_due(here, workspace(BEN), "specialist_daily", MORNING, "r1")
    eml = here.outbox / "specialist_daily/2024-06-30/p-ben-e1.eml"
    bytes_sent, html_sent = eml.read_bytes(), eml.with_suffix(".html").read_text()
    eml.unlink()
    eml.with_suffix(".html").unlink()
    write_index(here)
    assert eml.read_bytes() == bytes_sent
    assert eml.with_suffix(".html").read_text().splitlines() == html_sent.splitlines()


def _of_day(deliveries: list[Delivery]) -> list[Delivery]:
    return [d for d in deliveries if d.period_start == DAY]


class Answering:
    """A transport that gives each mail the next answer: an error to raise, or None."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.mails: list[Mail] = []

    def send(self, mail: Mail) -> None:
        self.mails.append(mail)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer

    def close(self) -> None:
        return None


@pytest.mark.parametrize(
    ("answer", "outcomes"),
    [
        (None, ["sent"]),
        (RefusedError("550 no such user"), ["failed"]),
        (OutcomeUnknownError("no reply came"), ["unknown"]),
        (NotSentError("451 later"), ["failed", "sent"]),
    ],
)
def test_only_a_mail_refused_for_now_is_sent_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: Exception | None,
    outcomes: list[str],
) -> None:
    here = settings(tmp_path)
    published = company()
    daily(published, "p-ben", DAY)
    publish(here, published)
    transport = Answering(answer)
    monkeypatch.setattr("kpi_pipeline.delivery.send.open_transport", lambda _: transport)
    seen = [
        d.outcome
        for number in range(3)
        for d in _of_day(send_due(here, workspace(BEN), "specialist_daily", MORNING, f"r{number}"))
    ]
    assert seen == outcomes
    assert len(transport.mails) == len(outcomes)
    assert {m.recipient for m in transport.mails} == {"ben@tidewater.example"}


def test_tries_end_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = settings(tmp_path)
    published = company()
    daily(published, "p-ben", DAY)
    publish(here, published)
    transport = Answering(*[NotSentError("451 later")] * 20)
    monkeypatch.setattr("kpi_pipeline.delivery.send.open_transport", lambda _: transport)
    for number in range(MAX_TRIES + 3):
        send_due(here, workspace(BEN), "specialist_daily", MORNING, f"r{number}")
    assert len(transport.mails) == MAX_TRIES


def test_the_mail_is_text_and_html_with_plain_headers(tmp_path: Path) -> None:
    here = settings(tmp_path)
    published = company()
    daily(published, "p-ana", DAY)
    publish(here, published)
    ana = person("p-ana", name="Ana Prieto", locale="es", email="ana@tidewater.example")
    send_due(here, workspace(ana), "specialist_daily", MORNING, "r1")
    raw = (here.outbox / "specialist_daily/2024-06-30/p-ana-e1.eml").read_bytes()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert {name: str(message[name]) for name in ("From", "To", "Subject", "Date", "X-Report")} == {
        "From": "KPI reports <kpi@tidewater.example>",
        "To": "Ana Prieto <ana@tidewater.example>",
        "Subject": "Harbor: 103 % del objetivo de visitas de ayer",
        "Date": "Mon, 01 Jul 2024 06:00:00 +0000",
        "X-Report": "specialist_daily 2024-06-30 edition 1",
    }
    assert message["Content-Language"] == "es"
    assert [p.get_content_type() for p in message.iter_parts()] == ["text/plain", "text/html"]
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert raw.isascii()
    text = message.get_body(("plain",))
    assert text is not None
    assert text.get_content().startswith("Vas por delante de tu objetivo.")


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    raws = []
    for name in ("one", "two"):
        here = settings(tmp_path / name)
        published = company()
        daily(published, "p-ben", DAY)
        publish(here, published)
        send_due(here, workspace(BEN), "specialist_daily", MORNING, name)
        raws.append((here.outbox / "specialist_daily/2024-06-30/p-ben-e1.eml").read_bytes())
    assert raws[0] == raws[1]
