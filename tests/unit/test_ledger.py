"""The ledger: one claim per mail, whoever asks; nothing in doubt is sent again."""

from __future__ import annotations

import hashlib
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from delivery_fixture import settings

from kpi_pipeline.delivery.due import MAX_TRIES, Decision, LedgerRow
from kpi_pipeline.delivery.ledger import CLAIM_LASTS, Key, Ledger
from kpi_pipeline.periods import Period

DAY = date(2024, 6, 30)
AT = datetime(2024, 7, 1, 6, tzinfo=UTC)
PERIOD = Period("day", DAY, DAY + timedelta(days=1))


def decision(action: str = "send", person: str = "ben", reason: str = "due") -> Decision:
    return Decision("specialist_daily", PERIOD, 1, person, action, reason)  # type: ignore[arg-type]


def states(ledger: Ledger) -> dict[str, str]:
    return {r.person_id: r.state for r in ledger.rows("specialist_daily", DAY)}


def test_a_mail_goes_from_pending_to_sent(tmp_path: Path) -> None:
    ledger = Ledger(settings(tmp_path))
    ledger.record([decision()], AT, "r1")
    before = states(ledger)
    claim = ledger.claim(decision(), AT, "r1")
    assert claim is not None
    claimed = states(ledger)
    ledger.keep(claim, b"mime", "A subject", "<id@x>", ("Harbor: Visits",))
    ledger.sent(claim, AT)
    assert (before, claimed) == ({"ben": "pending"}, {"ben": "claimed"})
    assert ledger.rows("specialist_daily", DAY) == [
        LedgerRow(
            "specialist_daily",
            DAY,
            1,
            "ben",
            "sent",
            tries=1,
            withheld=("Harbor: Visits",),
            sent_at=AT,
        )
    ]
    kept = ledger.kept()[0]
    assert kept.mime_sha256 == hashlib.sha256(b"mime").hexdigest()
    assert ledger.mime(kept.mime_sha256) == b"mime"


def test_a_second_claim_is_refused_in_every_state_but_the_open_ones(tmp_path: Path) -> None:
    ledger = Ledger(settings(tmp_path))
    first = ledger.claim(decision(), AT, "r1")
    assert first is not None
    assert ledger.claim(decision(), AT, "r2") is None
    ledger.unknown(first, "no reply", AT)
    assert ledger.claim(decision(), AT, "r2") is None
    ledger.sent(first, AT)
    assert ledger.claim(decision(), AT, "r2") is None


def test_held_and_skipped_are_noted_and_skipped_is_final(tmp_path: Path) -> None:
    ledger = Ledger(settings(tmp_path))
    ledger.record([decision("hold"), decision("skip", "eva")], AT, "r1")
    noted = states(ledger)
    ledger.record([decision("send"), decision("send", "eva")], AT, "r2")
    later = states(ledger)
    assert noted == {"ben": "held", "eva": "skipped"}
    assert later == {"ben": "pending", "eva": "skipped"}
    assert ledger.claim(decision("send", "eva"), AT, "r2") is None


def test_a_refused_mail_can_be_claimed_again_only_up_to_the_limit(tmp_path: Path) -> None:
    ledger = Ledger(settings(tmp_path))
    for number in range(MAX_TRIES):
        claim = ledger.claim(decision(), AT, f"r{number}")
        assert claim is not None
        ledger.failed(claim, "451 later", True, AT)
    assert ledger.claim(decision(), AT, "more") is None
    assert ledger.kept()[0].tries == MAX_TRIES


def test_a_final_refusal_is_never_claimed_again(tmp_path: Path) -> None:
    ledger = Ledger(settings(tmp_path))
    claim = ledger.claim(decision(), AT, "r1")
    assert claim is not None
    ledger.failed(claim, "550 no such user", False, AT)
    assert ledger.claim(decision(), AT, "r2") is None
    ledger.record([decision("hold")], AT, "r2")
    assert states(ledger) == {"ben": "failed"}


def test_a_claim_of_a_dead_sender_becomes_unknown_and_stays_so(tmp_path: Path) -> None:
    ledger = Ledger(settings(tmp_path))
    claim = ledger.claim(decision(), AT, "r1")
    assert claim is not None
    assert ledger.give_up_stale_claims(AT + CLAIM_LASTS) == 0
    later = AT + CLAIM_LASTS + timedelta(seconds=1)
    assert ledger.give_up_stale_claims(later) == 1
    assert states(ledger) == {"ben": "unknown"}
    assert ledger.claim(decision(), later, "r2") is None
    ledger.sent(claim, later)  # the sender was slow, not dead: it knows
    assert states(ledger) == {"ben": "sent"}


def test_another_claims_token_ends_nothing(tmp_path: Path) -> None:
    ledger = Ledger(settings(tmp_path))
    first = ledger.claim(decision(), AT, "r1")
    assert first is not None
    ledger.failed(first, "later", True, AT)
    second = ledger.claim(decision(), AT, "r2")
    ledger.sent(first, AT)
    assert second is not None
    assert states(ledger) == {"ben": "claimed"}


def test_one_of_many_threads_gets_the_claim(tmp_path: Path) -> None:
    here = settings(tmp_path)
    Ledger(here)
    for start_state in ("new", "pending"):
        person = f"ben-{start_state}"
        if start_state == "pending":
            Ledger(here).record([decision(person=person)], AT, "r0")
        with ThreadPoolExecutor(8) as pool:
            claims = list(
                pool.map(
                    lambda n, who=person: Ledger(here).claim(decision(person=who), AT, f"r{n}"),
                    range(8),
                )
            )
        assert len([c for c in claims if c is not None]) == 1


def _claim_all(home: str, start: object, name: str) -> list[str]:
    ledger = Ledger(settings(Path(home)))
    start.wait()  # type: ignore[attr-defined]
    wanted = [decision(person=f"p{n}") for n in range(20)]
    return [d.person_id for d in wanted if ledger.claim(d, AT, name) is not None]


def test_two_processes_share_the_mails_and_no_mail_twice(tmp_path: Path) -> None:
    Ledger(settings(tmp_path))
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        start = manager.Barrier(2)
        with context.Pool(2) as pool:
            jobs = [pool.apply_async(_claim_all, (str(tmp_path), start, f"r{n}")) for n in range(2)]
            got = [job.get(60) for job in jobs]
    assert sorted(got[0] + got[1]) == sorted(f"p{n}" for n in range(20))


@pytest.mark.parametrize(
    ("sender", "domain"),
    [("KPI <kpi@mail.example.org>", "mail.example.org"), ("nobody", "localhost")],
)
def test_the_message_id_follows_from_key_and_sender_domain(sender: str, domain: str) -> None:
    key = Key("specialist_daily", DAY, 1, "ben")
    again = Key("specialist_daily", DAY, 1, "ben")
    others = {
        Key("manager_weekly", DAY, 1, "ben").message_id(sender),
        Key("specialist_daily", DAY, 2, "ben").message_id(sender),
        Key("specialist_daily", DAY, 1, "eva").message_id(sender),
    }
    assert key.message_id(sender) == again.message_id(sender)
    assert key.message_id(sender).endswith(f"@{domain}>")
    assert len(others | {key.message_id(sender)}) == 4
