"""What was mailed to whom: one row per report, period, edition and person, and the exact bytes.

States: pending → claimed → sent | failed | unknown, or held, or skipped. A row is claimed by one
conditional statement, so two senders at once cannot both have it. A claimed row whose sender died
becomes `unknown` and is never resent by itself: nobody can know whether that mail went out.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parseaddr
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from kpi_pipeline.delivery.due import MAX_TRIES, Decision, LedgerRow
from kpi_pipeline.runlog import state_address, tell_when_out_of_reach
from kpi_pipeline.settings import Settings

METADATA = sa.MetaData()
MAILS = sa.Table(
    "mails",
    METADATA,
    sa.Column("report", sa.String(64), primary_key=True),
    sa.Column("period_start", sa.Date, primary_key=True),
    sa.Column("edition", sa.Integer, primary_key=True),
    sa.Column("person_id", sa.String(200), primary_key=True),
    sa.Column("period_end", sa.Date, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("missing", sa.Text, nullable=False),
    sa.Column("withheld", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("may_retry", sa.Boolean, nullable=False),
    sa.Column("claim_token", sa.String(32)),
    sa.Column("claimed_at", sa.DateTime),
    sa.Column("sent_at", sa.DateTime),
    sa.Column("changed_at", sa.DateTime, nullable=False),
    sa.Column("run_id", sa.String(200), nullable=False),
    sa.Column("message_id", sa.String(400)),
    sa.Column("subject", sa.Text),
    sa.Column("mime_sha256", sa.String(64)),
)
KEPT = sa.Table(
    "kept_mails",
    METADATA,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("mime", sa.LargeBinary, nullable=False),
)

CLAIM_LASTS = timedelta(minutes=15)
"""A claim older than this belongs to a sender that died: a mail takes seconds, a time-out 30 s."""


@dataclass(frozen=True, order=True)
class Key:
    """What identifies one mail."""

    report: str
    period_start: date
    edition: int
    person_id: str

    def message_id(self, mail_from: str) -> str:
        """The same for the same key and sender domain, so a mail sent twice is seen as one."""
        domain = parseaddr(mail_from)[1].partition("@")[2] or "localhost"
        name = f"{self.report}/{self.period_start}/{self.edition}/{self.person_id}"
        # Short, so that header folding never breaks it.
        return f"<kpi-{hashlib.sha256(name.encode()).hexdigest()[:24]}@{domain}>"


@dataclass(frozen=True)
class Claim:
    """The right to send one mail; `token` proves it."""

    key: Key
    token: str


@dataclass(frozen=True)
class Kept:
    """A mail as the ledger remembers it. Times are UTC."""

    key: Key
    period_end: date
    state: str
    reason: str
    subject: str | None
    sent_at: datetime | None
    tries: int
    message_id: str | None
    mime_sha256: str | None
    withheld: tuple[str, ...]


class Ledger:
    """The ledger behind `settings.state_url`; creates its tables when they are not there."""

    def __init__(self, settings: Settings) -> None:
        settings.home.mkdir(parents=True, exist_ok=True)
        url = state_address(settings.state_url)
        wait = {"timeout": 60} if url.get_backend_name() == "sqlite" else {}
        self._engine = sa.create_engine(url, connect_args=wait, pool_pre_ping=True)
        tell_when_out_of_reach(self._engine)
        METADATA.create_all(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    def rows(self, report: str, since: date) -> list[LedgerRow]:
        """Rows of that report whose period starts on or after `since`, and all open ones."""
        query = sa.select(MAILS).where(
            MAILS.c.report == report,
            sa.or_(MAILS.c.period_start >= since, MAILS.c.state.in_(("pending", "held"))),
        )
        with self._engine.connect() as connection:
            return [_ledger_row(r) for r in connection.execute(query).mappings()]

    def kept(self) -> list[Kept]:
        """Every mail the ledger knows, newest period first."""
        query = sa.select(MAILS).order_by(
            MAILS.c.period_end.desc(), MAILS.c.report, MAILS.c.person_id, MAILS.c.edition
        )
        with self._engine.connect() as connection:
            return [_kept(r) for r in connection.execute(query).mappings()]

    def mime(self, sha256: str) -> bytes | None:
        """The exact bytes of a kept mail."""
        query = sa.select(KEPT.c.mime).where(KEPT.c.sha256 == sha256)
        with self._engine.connect() as connection:
            value = connection.execute(query).scalar()
        return None if value is None else bytes(value)

    def record(self, decisions: Iterable[Decision], at: datetime, run_id: str) -> None:
        """Note what was decided. Rows that are claimed or ended are left as they are."""
        states = {"send": "pending", "send_withholding": "pending", "hold": "held"}
        for decision in decisions:
            values = {
                "state": states.get(decision.action, "skipped"),
                "reason": decision.reason,
                "missing": json.dumps(decision.missing),
                "changed_at": _stored(at),
                "run_id": run_id,
            }
            key = key_of(decision)
            if self._insert(key, decision.period.end, values):
                continue
            # A refused mail keeps its state until it is claimed again, so its reason stays seen.
            open_states = ("pending", "held") if values["state"] != "skipped" else _OPEN
            with self._engine.begin() as connection:
                connection.execute(
                    sa.update(MAILS).where(_is(key), MAILS.c.state.in_(open_states)).values(values)
                )

    def claim(self, decision: Decision, at: datetime, run_id: str) -> Claim | None:
        """The right to send this mail, or None when another sender has or had it."""
        key = key_of(decision)
        token = secrets.token_hex(16)
        values = {
            "state": "claimed",
            "reason": decision.reason,
            "missing": json.dumps(decision.missing),
            "tries": 1,
            "claim_token": token,
            "claimed_at": _stored(at),
            "changed_at": _stored(at),
            "run_id": run_id,
        }
        if self._insert(key, decision.period.end, values):
            return Claim(key, token)
        refused_for_now = sa.and_(
            MAILS.c.state == "failed", MAILS.c.may_retry, MAILS.c.tries < MAX_TRIES
        )
        with self._engine.begin() as connection:
            changed = connection.execute(
                sa.update(MAILS)
                .where(_is(key), sa.or_(MAILS.c.state.in_(("pending", "held")), refused_for_now))
                .values({**values, "tries": MAILS.c.tries + 1})
            ).rowcount
        return Claim(key, token) if changed == 1 else None

    def keep(
        self, claim: Claim, mime: bytes, subject: str, message_id: str, withheld: tuple[str, ...]
    ) -> str:
        """Store the bytes about to be sent; returns their sha256. Done before sending, so that
        a mail whose outcome is unknown can be looked at."""
        digest = hashlib.sha256(mime).hexdigest()
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(KEPT).values(sha256=digest, mime=mime))
        except IntegrityError:
            pass  # the same bytes were kept by an earlier try
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(MAILS)
                .where(_is(claim.key), MAILS.c.claim_token == claim.token)
                .values(
                    mime_sha256=digest,
                    subject=subject,
                    message_id=message_id,
                    withheld=json.dumps(withheld),
                )
            )
        return digest

    def sent(self, claim: Claim, at: datetime) -> None:
        self._end(claim, {"state": "sent", "sent_at": _stored(at), "may_retry": False}, at)

    def failed(self, claim: Claim, reason: str, may_retry: bool, at: datetime) -> None:
        self._end(claim, {"state": "failed", "reason": reason, "may_retry": may_retry}, at)

    def unknown(self, claim: Claim, reason: str, at: datetime) -> None:
        self._end(claim, {"state": "unknown", "reason": reason, "may_retry": False}, at)

    def give_up_stale_claims(self, at: datetime) -> int:
        """Turn claims of senders that died into `unknown`; returns how many."""
        with self._engine.begin() as connection:
            return connection.execute(
                sa.update(MAILS)
                .where(MAILS.c.state == "claimed", MAILS.c.claimed_at < _stored(at - CLAIM_LASTS))
                .values(
                    state="unknown",
                    reason="the sender stopped after claiming this mail; whether it went out "
                    "is not known",
                    changed_at=_stored(at),
                )
            ).rowcount

    def _insert(self, key: Key, period_end: date, values: dict[str, Any]) -> bool:
        """Whether the row was new."""
        row = {
            "report": key.report,
            "period_start": key.period_start,
            "edition": key.edition,
            "person_id": key.person_id,
            "period_end": period_end,
            "withheld": "[]",
            "tries": 0,
            "may_retry": False,
            **values,
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(MAILS).values(row))
        except IntegrityError:
            return False
        return True

    def _end(self, claim: Claim, values: dict[str, Any], at: datetime) -> None:
        # A claim that was given up as stale may still be ended by its sender, which knows better.
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(MAILS)
                .where(
                    _is(claim.key),
                    MAILS.c.claim_token == claim.token,
                    MAILS.c.state.in_(("claimed", "unknown")),
                )
                .values({**values, "changed_at": _stored(at)})
            )


_OPEN = ("pending", "held", "failed")


def key_of(decision: Decision) -> Key:
    return Key(decision.report, decision.period.start, decision.edition, decision.person_id)


def _is(key: Key) -> sa.ColumnElement[bool]:
    return sa.and_(
        MAILS.c.report == key.report,
        MAILS.c.period_start == key.period_start,
        MAILS.c.edition == key.edition,
        MAILS.c.person_id == key.person_id,
    )


def _stored(at: datetime) -> datetime:
    """UTC without an offset: SQLite keeps none."""
    return at.astimezone(UTC).replace(tzinfo=None)


def _read(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)


def _ledger_row(row: sa.RowMapping) -> LedgerRow:
    return LedgerRow(
        row["report"],
        row["period_start"],
        row["edition"],
        row["person_id"],
        row["state"],
        row["tries"],
        row["may_retry"],
        tuple(json.loads(row["missing"])),
        tuple(json.loads(row["withheld"])),
        _read(row["sent_at"]),
    )


def _kept(row: sa.RowMapping) -> Kept:
    return Kept(
        Key(row["report"], row["period_start"], row["edition"], row["person_id"]),
        row["period_end"],
        row["state"],
        row["reason"],
        row["subject"],
        _read(row["sent_at"]),
        row["tries"],
        row["message_id"],
        row["mime_sha256"],
        tuple(json.loads(row["withheld"])),
    )
