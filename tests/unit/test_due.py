"""`due`, case by case: what is sent, held and skipped, when, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from kpi_pipeline.delivery.due import MAX_TRIES, Decision, LedgerRow, Need, Reader, State, due
from kpi_pipeline.periods import Calendar, Grain, period_of
from kpi_pipeline.workspace import Policy

DAILY = Policy("specialist_daily", "day", "specialist", time(7), time(11))
WEEKLY = Policy("manager_weekly", "week", "manager", time(7), time(11))
MONTHLY = Policy("director_monthly", "month", "director", time(8), time(12), 1)
QUARTERLY = Policy("director_quarterly", "quarter", "director", time(8), time(12), 1)
BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2024, 6, 12)
LONG_AGO = date(2020, 1, 1)
BEN = Reader("ben", "specialist", "Europe/Berlin", LONG_AGO)


def need(day: date = DAY, *, absent: int = 0, rejected: int = 0, unknown: int = 0) -> Need:
    landed = 1 - absent - rejected - unknown
    return Need(DAILY.report, "ben", day, "harbor", "page_views", 1, landed, absent, rejected)


def berlin(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


def decide(
    at: datetime,
    *needs: Need,
    rows: tuple[LedgerRow, ...] = (),
    policy: Policy = DAILY,
    readers: tuple[Reader, ...] = (BEN,),
    mail_from: date = LONG_AGO,
    about: date | None = DAY,
) -> list[Decision]:
    found = due(rows, Calendar(), needs, [policy], readers, mail_from, at)
    return [d for d in found if about is None or d.period.start == about]


def row(state: State, edition: int = 1, **values: object) -> LedgerRow:
    plain = LedgerRow(DAILY.report, DAY, edition, "ben", state)
    return replace(plain, **values)  # type: ignore[arg-type]


def said(action: str, reason: str, *missing: str, edition: int = 1) -> list[Decision]:
    period = period_of("day", DAY, Calendar())
    return [Decision(DAILY.report, period, edition, "ben", action, reason, missing)]  # type: ignore[arg-type]


NEXT = DAY + timedelta(days=1)


def test_a_complete_period_is_sent_at_its_send_time_and_not_before() -> None:
    assert decide(berlin(NEXT, 6, 59), need()) == []
    assert decide(berlin(NEXT, 7), need()) == said("send", "all data are there")


def test_missing_data_hold_the_mail_until_the_deadline_then_it_names_them() -> None:
    for gap in (need(absent=1), need(rejected=1), need(unknown=1)):
        assert decide(berlin(NEXT, 10, 59), gap) == said(
            "hold", "waiting until the deadline for harbor/page_views", "harbor/page_views"
        )
        assert decide(berlin(NEXT, 11), gap) == said(
            "send_withholding", "the deadline passed without harbor/page_views", "harbor/page_views"
        )


def test_a_policy_may_skip_instead_of_withholding() -> None:
    policy = replace(DAILY, on_missing="skip")
    assert decide(berlin(NEXT, 11), need(absent=1), policy=policy) == said(
        "skip", "the deadline passed without harbor/page_views", "harbor/page_views"
    )


def test_nothing_is_composed_from_data_that_are_not_published() -> None:
    late = berlin(NEXT, 23)
    assert decide(late) == said("hold", "nothing is published for this reader and period yet")


def test_late_data_are_sent_complete_until_max_age_has_passed() -> None:
    last_moment = berlin(NEXT + timedelta(days=3), 11)
    assert decide(last_moment, need()) == said("send", "all data are there")
    assert decide(last_moment + timedelta(seconds=1), need()) == said(
        "skip", "too old: more than 3 days past its deadline"
    )


def test_a_period_before_mail_from_is_skipped_and_one_that_reaches_into_it_is_not() -> None:
    at = berlin(NEXT, 8)
    assert decide(at, need(), mail_from=NEXT) == said(
        "skip", f"too old: the period ended before {NEXT}"
    )
    assert decide(at, need(), mail_from=DAY) == said("send", "all data are there")
    director = Reader("ida", "director", "Europe/Berlin", LONG_AGO)
    quarter = date(2024, 4, 1)
    whole = Need(QUARTERLY.report, "ida", quarter, "harbor", "page_views", 91, 91, 0, 0)
    found = decide(
        berlin(date(2024, 7, 1), 8),
        whole,
        policy=QUARTERLY,
        readers=(director,),
        mail_from=date(2024, 6, 30),
        about=quarter,
    )
    assert [(d.action, d.period.end) for d in found] == [("send", date(2024, 7, 1))]


def test_a_backfill_mails_nothing_old() -> None:
    days = [DAY - timedelta(days=n) for n in range(1, 500)]
    found = decide(berlin(NEXT, 8), *(need(day) for day in days), about=None)
    sent = [d.period.start for d in found if d.action == "send"]
    assert sent == [DAY - timedelta(days=3), DAY - timedelta(days=2), DAY - timedelta(days=1)]
    assert {d.action for d in found if d.period.start < min(sent)} == {"skip"}


@pytest.mark.parametrize("state", ["claimed", "sent", "unknown", "skipped", "failed"])
def test_what_ended_is_never_decided_again(state: State) -> None:
    for at in (berlin(NEXT, 8), berlin(NEXT, 12), berlin(NEXT + timedelta(days=9), 12)):
        assert decide(at, need(), rows=(row(state),)) == []


@pytest.mark.parametrize("state", ["pending", "held"])
def test_what_is_open_is_decided_again(state: State) -> None:
    assert decide(berlin(NEXT, 8), need(), rows=(row(state),)) == said("send", "all data are there")


def test_a_mail_refused_for_now_is_tried_again_up_to_the_limit() -> None:
    at = berlin(NEXT, 8)
    almost = row("failed", may_retry=True, tries=MAX_TRIES - 1)
    often = row("failed", may_retry=True, tries=MAX_TRIES)
    assert decide(at, need(), rows=(almost,)) == said("send", "all data are there")
    assert decide(at, need(), rows=(often,)) == []


def test_an_old_open_row_ends_as_too_old() -> None:
    at = berlin(DAY + timedelta(days=60), 8)
    assert decide(at, rows=(row("held"),)) == said(
        "skip", "too old: more than 3 days past its deadline"
    )


FIRST = row(
    "sent",
    missing=("harbor/page_views",),
    withheld=("Harbor: Visits",),
    sent_at=berlin(NEXT, 11),
)


def test_a_second_edition_goes_once_and_only_when_all_came_in() -> None:
    at = berlin(NEXT, 15)
    assert decide(at, need(absent=1), rows=(FIRST,)) == []
    assert decide(at, need(), rows=(FIRST,)) == said(
        "send", "now complete: harbor/page_views came in", edition=2
    )
    assert decide(at, need(), rows=(FIRST, row("sent", 2))) == []


def test_a_second_edition_needs_a_first_that_withheld_something() -> None:
    at = berlin(NEXT, 15)
    nothing_missing = replace(FIRST, missing=())
    nothing_withheld = replace(FIRST, withheld=())
    lost = replace(FIRST, state="unknown")
    for first in (nothing_missing, nothing_withheld, lost):
        assert decide(at, need(), rows=(first,)) == []


def test_a_second_edition_goes_within_five_days_and_in_the_morning() -> None:
    last = berlin(NEXT + timedelta(days=5), 11)
    assert [d.edition for d in decide(last, need(), rows=(FIRST,))] == [2]
    assert decide(last + timedelta(seconds=1), need(), rows=(FIRST,)) == []
    assert decide(berlin(NEXT + timedelta(days=2), 3), need(), rows=(FIRST,)) == []


def test_a_policy_may_have_no_second_edition() -> None:
    policy = replace(DAILY, second_edition=False)
    assert decide(berlin(NEXT, 15), need(), rows=(FIRST,), policy=policy) == []


def test_a_held_second_edition_ends_as_too_late() -> None:
    at = berlin(NEXT + timedelta(days=9), 11)
    assert decide(at, need(), rows=(FIRST, row("pending", 2))) == said(
        "skip", "too late for a second edition", edition=2
    )


def test_a_person_reads_only_while_valid() -> None:
    at = berlin(NEXT, 8)
    joined = replace(BEN, valid_from=NEXT)
    left = replace(BEN, valid_to=NEXT)
    leaves = replace(BEN, valid_to=NEXT + timedelta(days=1))
    assert decide(at, need(), readers=(joined,)) == []
    assert decide(at, need(), readers=(left,)) == said("skip", "the person is no longer a reader")
    assert decide(at, need(), readers=(leaves,)) == said("send", "all data are there")


def test_a_promoted_person_reads_by_the_rank_of_the_periods_last_day() -> None:
    before = replace(BEN, valid_to=NEXT)
    after = Reader("ben", "manager", "Europe/Berlin", NEXT)
    found = decide(berlin(NEXT, 8), need(), readers=(before, after))
    assert found == said("send", "all data are there")
    tomorrow = need(NEXT)
    at = berlin(NEXT + timedelta(days=1), 8)
    assert decide(at, tomorrow, readers=(before, after), about=NEXT) == []


@pytest.mark.parametrize(
    ("zone", "day", "sent_at"),
    [
        # 07:00 local on the day after, in UTC
        ("Asia/Tokyo", date(2024, 6, 12), datetime(2024, 6, 12, 22, tzinfo=UTC)),
        ("America/New_York", date(2024, 6, 12), datetime(2024, 6, 13, 11, tzinfo=UTC)),
        # the clocks change in the night before sending
        ("Europe/Berlin", date(2024, 3, 30), datetime(2024, 3, 31, 5, tzinfo=UTC)),
        ("Europe/Berlin", date(2024, 10, 26), datetime(2024, 10, 27, 6, tzinfo=UTC)),
        ("America/New_York", date(2024, 3, 9), datetime(2024, 3, 10, 11, tzinfo=UTC)),
        ("Asia/Kathmandu", date(2024, 6, 12), datetime(2024, 6, 13, 1, 15, tzinfo=UTC)),
    ],
)
def test_the_send_time_is_the_readers(zone: str, day: date, sent_at: datetime) -> None:
    reader = replace(BEN, time_zone=zone)
    minute = timedelta(minutes=1)
    assert decide(sent_at - minute, need(day), readers=(reader,), about=day) == []
    found = decide(sent_at, need(day), readers=(reader,), about=day)
    assert [d.action for d in found] == ["send"]


def test_a_send_time_the_clocks_skip_still_comes() -> None:
    policy = replace(DAILY, send_at=time(2, 30))
    day = date(2024, 3, 30)  # 02:30 does not exist on the 31st
    found = decide(datetime(2024, 3, 31, 1, 30, tzinfo=UTC), need(day), policy=policy, about=day)
    assert [d.action for d in found] == ["send"]


@pytest.mark.parametrize(
    ("policy", "grain", "start", "first_instant"),
    [
        (WEEKLY, "week", date(2024, 6, 24), berlin(date(2024, 7, 1), 7)),
        (MONTHLY, "month", date(2024, 2, 1), berlin(date(2024, 3, 1), 8)),
        (QUARTERLY, "quarter", date(2024, 4, 1), berlin(date(2024, 7, 1), 8)),
    ],
)
def test_longer_periods_go_out_on_the_day_after_they_ended(
    policy: Policy, grain: Grain, start: date, first_instant: datetime
) -> None:
    days = len(period_of(grain, start, Calendar()).days)
    reader = Reader("ben", policy.rank, "Europe/Berlin", LONG_AGO)
    whole = Need(policy.report, "ben", start, "harbor", "page_views", days, days, 0, 0)
    minute = timedelta(minutes=1)
    before = decide(first_instant - minute, whole, policy=policy, readers=(reader,), about=start)
    then = decide(first_instant, whole, policy=policy, readers=(reader,), about=start)
    assert (before, [(d.action, d.period.start) for d in then]) == ([], [("send", start)])


def test_a_company_week_and_fiscal_quarter_are_its_own() -> None:
    sunday_weeks = Calendar(week_start=6, fiscal_year_start_month=2)
    manager = Reader("lea", "manager", "Europe/Berlin", LONG_AGO)
    director = Reader("ida", "director", "Europe/Berlin", LONG_AGO)
    week, quarter = date(2024, 6, 23), date(2024, 5, 1)
    needs = [
        Need(WEEKLY.report, "lea", week, "harbor", "page_views", 7, 7, 0, 0),
        Need(QUARTERLY.report, "ida", quarter, "harbor", "page_views", 92, 92, 0, 0),
    ]
    policies = [WEEKLY, QUARTERLY]

    def sent(at: datetime) -> list[date]:
        found = due([], sunday_weeks, needs, policies, [manager, director], LONG_AGO, at)
        return [d.period.start for d in found if d.action == "send"]

    assert sent(berlin(date(2024, 6, 30), 9)) == [week]
    assert sent(berlin(date(2024, 8, 1), 9)) == [quarter]


def test_twenty_four_monthly_reports_go_out_each_on_its_day() -> None:
    """Asked four times a day for two years, one of them a leap year."""
    ida = Reader("ida", "director", "Europe/Berlin", LONG_AGO)
    ends = [date(2023 + n // 12, n % 12 + 1, 1) for n in range(1, 25)]
    starts = [date(2023, 1, 1), *ends[:-1]]
    needs = [
        Need(MONTHLY.report, "ida", s, "harbor", "page_views", (e - s).days, (e - s).days, 0, 0)
        for s, e in zip(starts, ends, strict=True)
    ]
    sent: dict[date, date] = {}
    at = berlin(date(2023, 1, 1), 2)
    while at < berlin(date(2025, 1, 5), 2):
        rows = [LedgerRow(MONTHLY.report, start, 1, "ida", "sent") for start in sent]
        for found in due(rows, Calendar(), needs, [MONTHLY], [ida], date(2023, 1, 1), at):
            if found.action == "send":
                sent[found.period.start] = at.astimezone(BERLIN).date()
        at += timedelta(hours=6)
    assert list(sent.items()) == list(zip(starts, ends, strict=True))
