"""Two counts of the same, users who were early, days that end early: what is told, and to whom."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import small_company

from kpi_pipeline import run, workspace
from kpi_pipeline.periods import each_day
from kpi_pipeline.reporting.preview import preview
from kpi_pipeline.runlog import RunLog
from kpi_pipeline.settings import Settings
from kpi_pipeline.warehouse import open_published

MONDAY, SUNDAY = date(2024, 2, 5), date(2024, 2, 11)
AT = datetime(2024, 2, 12, 20, tzinfo=UTC)
TOKYO = ZoneInfo("Asia/Tokyo")
#: What the backend of nara reports each day of the week, by channel; None: no page views, only
#: visits; no entry: its file never came. We count 120 of email and 100 of paid search.
REPORTED: dict[int, dict[str, int] | None] = {
    0: {"email": 120, "cpc": 110},  # 4.5 % more
    1: {"email": 60, "cpc": 110},  # 22.7 % less, most in email
    2: {"email": 132, "cpc": 111},  # 10.5 % more
    3: {"email": 120, "cpc": 122},  # exactly 10 % more
    4: None,
    5: {"email": 120, "cpc": 100},
}
ORGANISATION = {
    "ownership": """person_id,what,which,product_id,valid_from,valid_to
sam,product,nara,,2024-01-01,
eva,channel,email,,2024-01-01,
eva,product,rio,,2024-01-01,
"""
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("findings")
    space = small_company.write_workspace(root, ORGANISATION)
    for day in each_day(MONDAY, SUNDAY):
        small_company.write_day(space, day)
        _write_nara(space, day)
    settings = small_company.settings_for(root, space)
    run.everything(settings, MONDAY, SUNDAY, AT, send_reports=False)
    return settings


def _write_nara(space: Path, day: date) -> None:
    """20 visits of 6 page views by email, 10 of 10 by paid search, the last at 20:59 or 23:30."""
    ends = time(20, 59) if day == SUNDAY else time(23, 30)
    last = datetime.combine(day, ends, TOKYO).astimezone(UTC)
    views = [
        {
            "event_id": f"{medium}-{day}-{visitor}-{number}",
            "occurred_at": (last - timedelta(minutes=number)).isoformat(),
            "visitor_id": f"{medium}-{visitor}",
            "url": "https://nara.example/guides",
            "utm_source": medium,
            "utm_medium": medium,
            "is_bot": "false",
        }
        for medium, visits, pages in (("email", 20, 6), ("cpc", 10, 10))
        for visitor in range(visits)
        for number in range(pages)
    ]
    _write(space, "page_views", day, views)
    reported = REPORTED.get(day.weekday(), {})
    counts = {"email": 20, "cpc": 10} if reported is None else reported
    rows = [
        {
            "date": day,
            "source": medium,
            "medium": medium,
            "device": "mobile",
            # every second visit, on the day of which nothing else is told
            "visits": count // 2 if reported is None else count // 5,
            "page_views": "" if reported is None else count,
        }
        for medium, count in counts.items()
    ]
    _write(space, "traffic", day, rows)
    if not rows:
        (space / "data" / "nara" / "traffic" / f"{day}.csv").unlink()
    # 30 sign up on Friday, of whom 3 were active on Monday, and one on Friday, an hour before
    users, activity = [], []
    if day == MONDAY + timedelta(days=4):
        at = datetime.combine(day, time(12), TOKYO)
        users = [{"user_id": f"n-{n}", "signed_up_at": at.isoformat()} for n in range(30)]
        activity = [_post("n-9", at - timedelta(hours=1))]
    if day == MONDAY:
        activity = [_post(f"n-{n}", datetime.combine(day, time(9), TOKYO)) for n in range(3)]
    _write(space, "users", day, users)
    _write(space, "activity", day, activity)


def _post(user_id: str, at: datetime) -> dict[str, object]:
    return {
        "event_id": f"{user_id}-{at.isoformat()}",
        "user_id": user_id,
        "occurred_at": at.isoformat(),
        "kind": "post",
    }


def _write(space: Path, table: str, day: date, rows: Sequence[Mapping[str, object]]) -> None:
    path = space / "data" / "nara" / table / f"{day}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, small_company.COLUMNS[table])
        writer.writeheader()
        writer.writerows(rows)


def _rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with open_published(settings) as connection:
        return connection.execute(query).fetchall()


def test_our_count_stands_beside_the_backends_by_day_and_channel(built: Settings) -> None:
    rows = _rows(
        built,
        "select dayname(local_date)[:3], channel, measure, own, reported, gap, "
        "round(gap_share, 3), is_judged, is_beyond_tolerance from fct_reconciliation "
        "where product_id = 'nara' order by local_date, channel",
    )
    views = "page_views"
    assert rows == [
        ("Mon", "(all)", views, 220, 230, 10, 0.045, True, False),
        ("Mon", "email", views, 120, 120, 0, 0.0, True, False),
        ("Mon", "paid_search", views, 100, 110, 10, 0.1, True, False),
        ("Tue", "(all)", views, 220, 170, -50, -0.227, True, True),
        ("Tue", "email", views, 120, 60, -60, -0.5, True, True),
        ("Tue", "paid_search", views, 100, 110, 10, 0.1, True, False),
        ("Wed", "(all)", views, 220, 243, 23, 0.105, True, True),
        ("Wed", "email", views, 120, 132, 12, 0.1, True, False),
        ("Wed", "paid_search", views, 100, 111, 11, 0.11, True, True),
        ("Thu", "(all)", views, 220, 242, 22, 0.1, True, False),
        ("Thu", "email", views, 120, 120, 0, 0.0, True, False),
        ("Thu", "paid_search", views, 100, 122, 22, 0.22, True, True),
        # no page views are reported: visits stand in, of which there are too few to judge
        ("Fri", "(all)", "visits", 30, 15, -15, -0.5, False, False),
        ("Fri", "email", "visits", 20, 10, -10, -0.5, False, False),
        ("Fri", "paid_search", "visits", 10, 5, -5, -0.5, False, False),
        ("Sat", "(all)", views, 220, 220, 0, 0.0, True, False),
        ("Sat", "email", views, 120, 120, 0, 0.0, True, False),
        ("Sat", "paid_search", views, 100, 100, 0, 0.0, True, False),
        # on Sunday nothing came of the backend: nothing can be compared
    ]
    assert _rows(built, "select distinct product_id from fct_reconciliation") == [("nara",)]


def test_users_who_were_active_on_an_earlier_day_are_counted(built: Settings) -> None:
    assert _rows(
        built,
        "select local_date, sign_ups, early_users, early_share from fct_early_activity "
        "where product_id = 'nara'",
    ) == [(MONDAY + timedelta(days=4), 30, 3, 0.1)]


def test_each_reader_is_told_of_what_is_theirs(built: Settings) -> None:
    rows = _rows(
        built,
        "select report, person_id, dayname(period_start)[:3], kind, channel_label, "
        "most_channel_label, days_judged, days_beyond, amount, base, round(share, 3) "
        "from rpt_findings where product_id = 'nara' order by all",
    )
    counts, early = "reconciliation", "early_activity"
    week = ("(all)", "Email", 5, 2, 73, 440, 0.166)
    assert rows == [
        ("director_monthly", "dan", "Thu", early, "(all)", None, 1, 1, 3, 30, 0.1),
        ("director_monthly", "dan", "Thu", counts, *week),
        ("director_quarterly", "dan", "Mon", early, "(all)", None, 1, 1, 3, 30, 0.1),
        ("director_quarterly", "dan", "Mon", counts, *week),
        ("manager_weekly", "mia", "Mon", early, "(all)", None, 1, 1, 3, 30, 0.1),
        ("manager_weekly", "mia", "Mon", counts, *week),
        # who owns a channel hears of the channel, who owns the product of the product
        ("specialist_daily", "eva", "Tue", counts, "Email", None, 1, 1, 60, 120, 0.5),
        ("specialist_daily", "sam", "Fri", early, "(all)", None, 1, 1, 3, 30, 0.1),
        ("specialist_daily", "sam", "Tue", counts, "(all)", "Email", 1, 1, 50, 220, 0.227),
        ("specialist_daily", "sam", "Wed", counts, "(all)", "Email", 1, 1, 23, 220, 0.105),
    ]


def test_a_day_that_ends_early_says_until_when_its_data_go(built: Settings) -> None:
    rows = _rows(
        built,
        "select distinct feed, period_start, data_through, data_until from rpt_reader_feeds "
        "where product_id = 'nara' and report = 'manager_weekly' order by all",
    )
    saturday = SUNDAY - timedelta(days=1)
    assert rows == [
        ("page_views", MONDAY, SUNDAY, datetime.combine(SUNDAY, time(20, 59))),
        ("traffic", MONDAY, saturday, None),
        # nothing was done on Sunday: an empty file has no last time
        ("user_growth", MONDAY, SUNDAY, None),
    ]


def test_the_mail_says_it(built: Settings) -> None:
    space = workspace.load(built.workspace)
    mail = preview(built, space, "sam@example.org", "specialist_daily", MONDAY + timedelta(days=1))
    told = mail.text.split("## What this rests on")[1]
    assert (
        "\nNara: our own page views and the analytics backend's differ by 22.7%, most in Email.\n"
    ) in told
    mail = preview(built, space, "mia@example.org", "manager_weekly", MONDAY)
    told = mail.text.split("## En qué se basa este informe")[1]
    assert (
        "\nNara: nuestras páginas vistas y las de la herramienta de analítica difieren un "
        "16,6\u00a0% en 2 de 5 días, sobre todo en Email.\n"
    ) in told
    assert "\nNara: 3 de 30 usuarios nuevos tuvieron actividad antes de darse de alta.\n" in told
    assert "\n* Páginas vistas: hasta el dom 11 feb (datos hasta las 20:59), completo\n" in told


def test_the_door_notes_it(built: Settings) -> None:
    log = RunLog(built)
    (publish,) = [r for r in log.runs() if r["kind"] == "publish"]
    told = {c["message"] for c in log.checks_of(publish["run_id"]) if c["outcome"] == "warned"}
    assert told == {
        "In the last seven days, what we count and what the analytics backend reports is about "
        "the same. nara: page_views differ by 73 beside 440 of our own on 2 of 5 days; up to 10% "
        "is usual.",
        "In the last seven days, few users were active on a day before they signed up. "
        "nara: 3 of 30 new users; at most 5% are usual.",
    }


def test_another_tolerance_is_judged_anew_without_counting_again(built: Settings) -> None:
    (built.workspace / "checks.yml").write_text(
        "thresholds: [{threshold: reconciliation_gap_share, value: 0.2, product: nara}]"
    )
    said: list[str] = []
    run.compute(built, AT, said.append)
    assert "thresholds changed: status and reports are redone" in said
    days = "select dayname(local_date)[:3] from fct_reconciliation where "
    days += "is_beyond_tolerance and channel = '(all)'"
    assert _rows(built, days) == [("Tue",)]
    told = "select distinct report from rpt_findings where kind = 'reconciliation' order by 1"
    # one day of five is less than one in four
    assert _rows(built, told) == [("specialist_daily",)]
