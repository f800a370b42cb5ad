"""`due` run every two hours over months, against what a reader must see."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from kpi_pipeline.delivery.due import Decision, LedgerRow, Need, Reader, due
from kpi_pipeline.periods import Calendar
from kpi_pipeline.workspace import Policy

DAYS = 34
MAIL_AFTER = 3  # days that are history when mailing begins
# five weeks in which both American and European clocks change, forward and back
STARTS = (date(2024, 3, 3), date(2024, 10, 5))
POLICY = Policy("specialist_daily", "day", "specialist", time(7), time(11))
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Apia", "America/St_Johns")


@dataclass(frozen=True)
class Story:
    """When each day's slice is published as landed, in hours after that UTC day ended; None:
    never. The reader joins and leaves."""

    start: date
    zone: str
    delays: tuple[int | None, ...]
    joined: int  # days after the start
    left: int | None
    lost: frozenset[int]  # deliveries of which the reply was lost

    @property
    def reader(self) -> Reader:
        left = None if self.left is None else self.start + timedelta(days=self.left)
        joined = self.start + timedelta(days=self.joined)
        return Reader("r", "specialist", self.zone, joined, left)

    @property
    def mail_from(self) -> date:
        return self.start + timedelta(days=MAIL_AFTER)

    def needs(self, at: datetime) -> list[Need]:
        found = []
        for number, delay in enumerate(self.delays):
            day = self.start + timedelta(days=number)
            over = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
            if at < over + timedelta(hours=4):
                continue  # nothing of that day is published yet
            landed = delay is not None and at >= over + timedelta(hours=delay)
            found.append(Need(POLICY.report, "r", day, "p", "page_views", 1, int(landed), 0, 0))
        return found


stories = st.builds(
    Story,
    start=st.sampled_from(STARTS),
    zone=st.sampled_from(ZONES),
    delays=st.lists(
        st.one_of(st.integers(0, 8), st.integers(0, 200), st.none()), min_size=DAYS, max_size=DAYS
    ).map(tuple),
    joined=st.integers(-3, 15),
    left=st.one_of(st.none(), st.integers(16, 40)),
    lost=st.frozensets(st.integers(0, DAYS), max_size=3),
)


def played(story: Story) -> tuple[list[tuple[datetime, Decision]], dict[tuple[date, int], str]]:
    """Every mail sent with its instant, and how each ledger row ended."""
    ledger: dict[tuple[date, int], LedgerRow] = {}
    sent = []
    at = datetime(story.start.year, story.start.month, story.start.day, tzinfo=UTC)
    while at.date() < story.start + timedelta(days=DAYS + 6):
        needs, reader = story.needs(at), story.reader
        for d in due(ledger.values(), Calendar(), needs, [POLICY], [reader], story.mail_from, at):
            key = (d.period.start, d.edition)
            row = LedgerRow(POLICY.report, d.period.start, d.edition, "r", "held")
            if d.action == "skip":
                row = replace(row, state="skipped")
            elif d.action in ("send", "send_withholding"):
                lost = len(sent) in story.lost
                sent.append((at, d))
                row = replace(
                    row,
                    state="unknown" if lost else "sent",
                    missing=d.missing,
                    withheld=d.missing,
                    sent_at=at,
                )
            ledger[key] = row
        at += timedelta(hours=2)
    return sent, {key: row.state for key, row in ledger.items()}


@settings(max_examples=15, deadline=None)
@given(stories)
def test_months_of_days(story: Story) -> None:
    sent, states = played(story)
    zone = ZoneInfo(story.zone)
    by_key: dict[tuple[date, int], list[tuple[datetime, Decision]]] = defaultdict(list)
    for at, decision in sent:
        by_key[decision.period.start, decision.edition].append((at, decision))

    # nothing twice, nothing left open for good, nothing before mail_from
    assert all(len(mails) == 1 for mails in by_key.values())
    told = {day for day, _ in states if day < story.start + timedelta(days=DAYS)}
    assert {states[day, 1] for day in told} <= {"sent", "unknown", "skipped"}
    assert all(day >= story.mail_from for day, _ in by_key)

    for (day, edition), [(at, decision)] in by_key.items():
        local = at.astimezone(zone)
        landed = {n.period_start: n.is_landed for n in story.needs(at)}
        deadline = datetime.combine(day + timedelta(days=1), POLICY.deadline, zone)
        # only while a reader, never at night, never from data that are not published
        assert story.reader.is_valid_on(day)
        assert story.reader.is_valid_on(local.date())
        assert local.timetz().replace(tzinfo=None) >= POLICY.send_at
        assert day in landed
        assert landed[day] == (decision.action == "send")
        if edition == 1:
            assert at <= deadline + timedelta(days=3, hours=2)  # the clocks may change
            assert decision.action == "send" or at >= deadline.astimezone(UTC)
        else:
            first_at, first = by_key[day, 1][0]
            assert first.action == "send_withholding"
            assert timedelta() < at - first_at <= timedelta(days=5)

    # whoever reads gets something about every day whose data came in at all before the end
    for number, delay in enumerate(story.delays):
        day = story.start + timedelta(days=number)
        stays = story.reader.is_valid_on(day) and story.reader.is_valid_on(day + timedelta(days=4))
        if stays and day >= story.mail_from:
            assert (day, 1) in by_key, (day, delay)
