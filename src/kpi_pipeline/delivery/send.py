"""Send what is due: decide, claim, compose, render, keep, hand over, note the outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from kpi_pipeline.delivery.due import Decision, Need, Reader, due
from kpi_pipeline.delivery.index import write_index
from kpi_pipeline.delivery.ledger import Claim, Key, Ledger, key_of
from kpi_pipeline.delivery.transports import (
    Mail,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
    Transport,
    open_transport,
)
from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.periods import Calendar
from kpi_pipeline.reporting.compose import compose
from kpi_pipeline.reporting.message import build_mime
from kpi_pipeline.reporting.preview import preview
from kpi_pipeline.reporting.render import render
from kpi_pipeline.settings import Settings

if TYPE_CHECKING:
    import duckdb

    from kpi_pipeline.workspace import Person, Policy, Workspace

__all__ = ["Delivery", "preview", "send_due", "write_index"]

Outcome = Literal["sent", "failed", "unknown", "held", "skipped", "taken"]


@dataclass(frozen=True)
class Delivery:
    """What became of one mail in this call. `taken`: another sender had claimed it."""

    report: str
    period_start: date
    edition: int
    person_id: str
    outcome: Outcome
    reason: str
    withheld: tuple[str, ...] = ()


def quiet(_: str) -> None:
    """Progress nobody reads."""


def send_due(
    settings: Settings,
    workspace: Workspace,
    report: str,
    at: datetime,
    run_id: str,
    progress: Callable[[str], None] = quiet,
) -> list[Delivery]:
    """Send every mail of that report that is due at the instant `at`; returns all outcomes.

    Calling it again sends nothing twice. Failed mails are in the result and not raised, so that
    one bad address does not keep the others from their mail. Raises ConfigurationError for an
    unknown report, PipelineError when nothing is published.
    """
    from kpi_pipeline.warehouse import open_published

    policy = _policy(workspace, report)
    since = _oldest_start(policy, at)
    with closing(Ledger(settings)) as ledger:
        stale = ledger.give_up_stale_claims(at)
        if stale:
            progress(f"{report}: {stale} mails of a sender that stopped are now unknown")
        with open_published(settings) as published:
            decisions = due(
                ledger.rows(report, since),
                workspace.calendar,
                _needs(published, report, since),
                [policy],
                [_reader(p) for p in workspace.people],
                workspace.mail_from,
                at,
            )
            ledger.record(decisions, at, run_id)
            deliveries = [
                _noted(d, "held" if d.action == "hold" else "skipped")
                for d in decisions
                if d.action in ("hold", "skip")
            ]
            to_send = [d for d in decisions if d.action in ("send", "send_withholding")]
            if to_send:
                with closing(open_transport(settings)) as transport:
                    sender = _Sender(
                        settings,
                        workspace.calendar,
                        workspace.people,
                        published,
                        ledger,
                        transport,
                        at,
                    )
                    for position, decision in enumerate(to_send, start=1):
                        delivery = sender.deliver(decision, run_id)
                        progress(
                            f"{report} {position}/{len(to_send)}: {delivery.person_id}, "
                            f"{decision.period.start}: {delivery.outcome}"
                        )
                        deliveries.append(delivery)
    return deliveries


@dataclass(frozen=True)
class _Sender:
    """Delivers single mails out of one published file over one transport."""

    settings: Settings
    calendar: Calendar
    people: Sequence[Person]
    published: duckdb.DuckDBPyConnection
    ledger: Ledger
    transport: Transport
    at: datetime

    def deliver(self, decision: Decision, run_id: str) -> Delivery:
        """Claim, compose, hand over. What goes wrong before the hand-over leaves a failed row."""
        claim = self.ledger.claim(decision, self.at, run_id)
        if claim is None:
            return _noted(decision, "taken", "another sender has or had this mail")
        try:
            mail, withheld = self._mail(decision, claim)
        except Exception as error:  # one reader's trouble must not keep the others' mails
            reason = f"It could not be composed: {type(error).__name__}: {error}"
            self.ledger.failed(claim, reason, True, self.at)
            return _noted(decision, "failed", reason)
        try:
            self.transport.send(mail)
        except RefusedError as error:
            self.ledger.failed(claim, str(error), False, self.at)
            return _noted(decision, "failed", str(error), withheld)
        except NotSentError as error:
            self.ledger.failed(claim, str(error), True, self.at)
            return _noted(decision, "failed", str(error), withheld)
        except OutcomeUnknownError as error:
            self.ledger.unknown(claim, str(error), self.at)
            return _noted(decision, "unknown", str(error), withheld)
        self.ledger.sent(claim, self.at)
        return _noted(decision, "sent", decision.reason, withheld)

    def _mail(self, decision: Decision, claim: Claim) -> tuple[Mail, tuple[str, ...]]:
        person = _person_at(self.people, decision.person_id, self.at)
        first = Key(decision.report, decision.period.start, 1, decision.person_id)
        left_out: tuple[str, ...] = ()
        if decision.edition > 1:
            rows = self.ledger.rows(decision.report, decision.period.start)
            left_out = next(
                r.missing
                for r in rows
                if (r.person_id, r.period_start, r.edition)
                == (decision.person_id, decision.period.start, 1)
            )
        context = compose(
            self.published,
            decision.report,
            decision.period,
            decision.person_id,
            calendar=self.calendar,
            sent_on=self.at.astimezone(ZoneInfo(person.time_zone)).date(),
            edition=decision.edition,
            left_out_before=left_out,
            locale=person.locale,
        )
        rendered = render(self.settings.reports, context)
        key = key_of(decision)
        message_id = key.message_id(self.settings.mail_from)
        mime = build_mime(
            rendered,
            sender=self.settings.mail_from,
            recipient=person.email,
            recipient_name=person.name,
            message_id=message_id,
            about=f"{key.report} {key.period_start} edition {key.edition}",
            language=person.locale,
            at=self.at,
            in_reply_to=first.message_id(self.settings.mail_from) if decision.edition > 1 else None,
        )
        withheld = tuple(
            f"{name}: {label}" for w in context.withheld for name in w.names for label in w.labels
        )
        self.ledger.keep(claim, mime, rendered.subject, message_id, withheld)
        mail = Mail(key, self.settings.mail_from, person.email, mime, rendered.html)
        return mail, withheld


def _policy(workspace: Workspace, report: str) -> Policy:
    policy = workspace.policies.get(report)
    if policy is None:
        known = ", ".join(sorted(workspace.policies))
        raise ConfigurationError(f"reports.yml has no report {report!r}; it has {known}.")
    return policy


def _oldest_start(policy: Policy, at: datetime) -> date:
    """Periods that start earlier cannot be due: their deadline and editions are long past."""
    longest = {"day": 1, "week": 7, "month": 31, "quarter": 92}[policy.grain]
    reach = policy.deadline_days + max(policy.max_age_days, 0) + policy.second_edition_days
    return at.astimezone(UTC).date() - timedelta(days=2 * longest + reach + 7)


def _needs(published: duckdb.DuckDBPyConnection, report: str, since: date) -> list[Need]:
    rows = published.execute(
        "select report, person_id, period_start, product_id, feed, days_expected, days_landed, "
        "days_absent, days_rejected from rpt_reader_feeds where report = ? and period_start >= ?",
        [report, since],
    ).fetchall()
    return [Need(*row) for row in rows]


def _reader(person: Person) -> Reader:
    return Reader(
        person.person_id, person.rank, person.time_zone, person.valid_from, person.valid_to
    )


def _person_at(people: Sequence[Person], person_id: str, at: datetime) -> Person:
    """The person's row that is valid at that instant where they are."""
    return next(
        p
        for p in people
        if p.person_id == person_id
        and _reader(p).is_valid_on(at.astimezone(ZoneInfo(p.time_zone)).date())
    )


def _noted(
    decision: Decision, outcome: Outcome, reason: str | None = None, withheld: tuple[str, ...] = ()
) -> Delivery:
    return Delivery(
        decision.report,
        decision.period.start,
        decision.edition,
        decision.person_id,
        outcome,
        decision.reason if reason is None else reason,
        withheld,
    )
