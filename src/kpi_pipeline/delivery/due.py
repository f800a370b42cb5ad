"""Which mail is due now: one pure function over what is known, without clock, file or database.

The promise it keeps: a reader gets each report of each period once, complete if the data came in
time, else at the deadline with the gaps named (or not at all, as the policy says), and at most
one second edition when the gaps have closed. A backfill mails nothing, because old periods are
skipped by their dates alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from kpi_pipeline.periods import Calendar, Period, period_of

if TYPE_CHECKING:
    from kpi_pipeline.workspace import Policy

State = Literal["pending", "claimed", "sent", "failed", "unknown", "held", "skipped"]
Action = Literal["send", "send_withholding", "hold", "skip"]

MAX_TRIES = 5
"""How often one mail is tried when the server refuses it for now (4xx, no connection)."""


@dataclass(frozen=True)
class Reader:
    """One validity of one person; valid on local days `[valid_from, valid_to)`."""

    person_id: str
    rank: str
    time_zone: str
    valid_from: date
    valid_to: date | None = None

    def is_valid_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True)
class Need:
    """What one reader's report needs of one feed of one product, as it stands in published data."""

    report: str
    person_id: str
    period_start: date
    product_id: str
    feed: str
    days_expected: int
    days_landed: int
    days_absent: int
    days_rejected: int

    @property
    def is_landed(self) -> bool:
        return self.days_landed >= self.days_expected


@dataclass(frozen=True)
class LedgerRow:
    """What the ledger knows of one mail. `missing` and `withheld`: what that edition left out."""

    report: str
    period_start: date
    edition: int
    person_id: str
    state: State
    tries: int = 0
    may_retry: bool = False
    missing: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    sent_at: datetime | None = None


@dataclass(frozen=True)
class Decision:
    """What to do with one mail, and why in one sentence. `missing`: `product/feed` names."""

    report: str
    period: Period
    edition: int
    person_id: str
    action: Action
    reason: str
    missing: tuple[str, ...] = ()


def due(
    ledger_rows: Iterable[LedgerRow],
    calendar: Calendar,
    needs: Iterable[Need],
    policies: Iterable[Policy],
    readers: Iterable[Reader],
    mail_from: date,
    at: datetime,
) -> list[Decision]:
    """Everything to decide at the instant `at` (aware), in order of report, period and person.

    Considered are the periods that have `needs`, those the ledger holds open, and those of which
    the deadline is not `max_age_days` past. A mail that is claimed, sent, skipped, unknown or
    finally failed is never decided again.
    """
    rows = {(r.report, r.person_id, r.period_start, r.edition): r for r in ledger_rows}
    wanted: dict[tuple[str, str], dict[date, list[Need]]] = defaultdict(lambda: defaultdict(list))
    for need in needs:
        wanted[need.report, need.person_id][need.period_start].append(need)
    open_starts: dict[tuple[str, str], set[date]] = defaultdict(set)
    for row in rows.values():
        open_starts[row.report, row.person_id].add(row.period_start)
    people: dict[str, list[Reader]] = defaultdict(list)
    for reader in readers:
        people[reader.person_id].append(reader)

    decisions = []
    for policy in policies:
        for person_id, validities in people.items():
            key = (policy.report, person_id)
            here = _local_zone(validities, at)
            local_day = at.astimezone(here).date()
            reach = policy.deadline_days + policy.max_age_days
            starts = (
                set(wanted[key]) | open_starts[key] | _recent(policy, calendar, local_day, reach)
            )
            for start in sorted(starts):
                period = period_of(policy.grain, start, calendar)
                if period.start != start or period.end > local_day:
                    continue
                first = rows.get((*key, start, 1))
                second = rows.get((*key, start, 2))
                case = _Case(policy, period, person_id, validities, here, mail_from, at)
                decision = case.first_edition(first, wanted[key].get(start, []))
                if decision is None:
                    decision = case.second_edition(first, second, wanted[key].get(start, []))
                if decision is not None:
                    decisions.append(decision)
    return sorted(decisions, key=lambda d: (d.report, d.period, d.person_id, d.edition))


def instant(day: date, clock: object, zone: ZoneInfo) -> datetime:
    """The UTC instant of a local time; a time the clocks skip is the same wait after midnight."""
    return datetime.combine(day, clock, zone).astimezone(UTC)  # type: ignore[arg-type]


def is_open(row: LedgerRow | None) -> bool:
    """Whether a mail may still be sent: never tried, or refused for now and not too often."""
    if row is None or row.state in ("pending", "held"):
        return True
    return row.state == "failed" and row.may_retry and row.tries < MAX_TRIES


@dataclass(frozen=True)
class _Case:
    """One report of one period for one person at one instant."""

    policy: Policy
    period: Period
    person_id: str
    validities: Sequence[Reader]
    zone: ZoneInfo
    mail_from: date
    at: datetime

    def first_edition(self, row: LedgerRow | None, needs: Sequence[Need]) -> Decision | None:
        if not is_open(row):
            return None
        subject = _valid_on(self.validities, self.period.last_day)
        if subject is None or subject.rank != self.policy.rank:
            if row is None:
                return None
            return self._decide("skip", "the person is not a reader of this report in this period")
        if self.period.last_day < self.mail_from:
            return self._decide("skip", f"too old: the period ended before {self.mail_from}")
        if self.at > self._instant(self.policy.deadline, self._reach):
            days = self.policy.max_age_days
            return self._decide("skip", f"too old: more than {days} days past its deadline")
        if self.at < self._instant(self.policy.send_at, 0):
            return None
        if _valid_on(self.validities, self.at.astimezone(self.zone).date()) is None:
            return self._decide("skip", "the person is no longer a reader")
        if not needs:
            return self._decide("hold", "nothing is published for this reader and period yet")
        gaps = [n for n in needs if not n.is_landed]
        if not gaps:
            return self._decide("send", "all data are there")
        missing = tuple(sorted(f"{n.product_id}/{n.feed}" for n in gaps))
        named = ", ".join(missing)
        if self.at < self._instant(self.policy.deadline, self.policy.deadline_days):
            return self._decide("hold", f"waiting until the deadline for {named}", missing)
        if self.policy.on_missing == "skip":
            return self._decide("skip", f"the deadline passed without {named}", missing)
        return self._decide("send_withholding", f"the deadline passed without {named}", missing)

    def second_edition(
        self, first: LedgerRow | None, second: LedgerRow | None, needs: Sequence[Need]
    ) -> Decision | None:
        """`now complete`: only after a first edition that left something out for lack of data."""
        if not self.policy.second_edition or first is None or not is_open(second):
            return None
        if first.state != "sent" or first.sent_at is None:
            return None
        if not first.missing or not first.withheld:
            return None
        reader = _valid_on(self.validities, self.at.astimezone(self.zone).date())
        until = first.sent_at + timedelta(days=self.policy.second_edition_days)
        if reader is None or self.at > until:
            if second is None:
                return None
            return self._decide("skip", "too late for a second edition", edition=2)
        if not needs or not all(n.is_landed for n in needs):
            return None
        today = self.at.astimezone(self.zone).date()
        if self.at < instant(today, self.policy.send_at, self.zone):
            return None
        named = ", ".join(first.missing)
        return self._decide("send", f"now complete: {named} came in", edition=2)

    @property
    def _reach(self) -> int:
        return self.policy.deadline_days + self.policy.max_age_days

    def _instant(self, clock: object, days: int) -> datetime:
        return instant(self.period.end + timedelta(days=days), clock, self.zone)

    def _decide(
        self, action: Action, reason: str, missing: tuple[str, ...] = (), edition: int = 1
    ) -> Decision:
        return Decision(
            self.policy.report, self.period, edition, self.person_id, action, reason, missing
        )


def _recent(policy: Policy, calendar: Calendar, local_day: date, reach: int) -> set[date]:
    """Starts of the periods that ended on the last `reach` + 1 days before `local_day`."""
    oldest = local_day - timedelta(days=reach + 1)
    starts = set()
    day = local_day - timedelta(days=1)
    while day >= oldest:
        period = period_of(policy.grain, day, calendar)
        if period.end <= local_day:
            starts.add(period.start)
        day = period.start - timedelta(days=1)
    return starts


def _valid_on(validities: Sequence[Reader], day: date) -> Reader | None:
    return next((v for v in validities if v.is_valid_on(day)), None)


def _local_zone(validities: Sequence[Reader], at: datetime) -> ZoneInfo:
    """The zone of the row valid now, else of the person's last row."""
    for reader in validities:
        zone = ZoneInfo(reader.time_zone)
        if reader.is_valid_on(at.astimezone(zone).date()):
            return zone
    return ZoneInfo(max(validities, key=lambda v: v.valid_from).time_zone)
