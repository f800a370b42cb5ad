"""The calendar of feeds: the state of every day, and the text that shows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
import yaml

from kpi_pipeline.feed_calendar import COLUMNS, THIN, FeedCalendar, FeedDay, calendar, usual
from kpi_pipeline.feed_calendar_text import drawn
from kpi_pipeline.periods import Calendar
from kpi_pipeline.runlog import Check, RunLog, SliceAudit
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import Slice, folder_of, write_slice
from kpi_pipeline.workspace import Product, Source, Workspace
from kpi_pipeline.workspace.thresholds import AcceptedDays, Threshold, Thresholds

SUNDAY = date(2024, 6, 30)
STARTED = date(2024, 1, 15)
EARLY = datetime(2024, 1, 1, tzinfo=UTC)
AT = datetime(2024, 7, 1, 6, tzinfo=UTC)  # 08:00 in Madrid, 15:00 in Tokyo


def at_noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def source(feed: str, product: str) -> Source:
    return Source(feed, feed, product, f"{product}/{{day}}.csv", "csv", "file_per_day")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        workspace=tmp_path,
        home=tmp_path / "out",
        state_url=f"sqlite:///{tmp_path / 'state.db'}",
        project=tmp_path,
        mail_from="reports@example.org",
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    zones = {"costa": "Europe/Madrid", "kumo": "Asia/Tokyo"}
    return Workspace(
        root=tmp_path,
        sources=(source("traffic", "costa"), source("traffic", "kumo"), source("exposure", "kumo")),
        give_up_at={"traffic": time(6, 30), "exposure": time(16)},
        policies={},
        mail_from=date(2024, 1, 1),
        tables={},
        calendar=Calendar(),
        products={
            name: Product(name, name.title(), zone, "EUR", STARTED, name, "backend")
            for name, zone in zones.items()
        },
        people=(),
        thresholds=Thresholds(
            tuple(
                Threshold(name, value, "rows", "Because.")
                for name, value in (
                    ("volume_thin_share", 0.7),
                    ("volume_high_times", 2),
                    ("volume_smallest_base", 50),
                )
            ),
            accepted=(AcceptedDays("traffic", "kumo", SUNDAY, SUNDAY, "A holiday."),),
        ),
    )


def landed(day: date, feed: str = "traffic", product: str = "costa", **changes: object) -> Slice:
    """A slice that came half an hour after its day's end in UTC, with 100 rows."""
    piece = Slice(
        feed,
        product,
        day,
        "landed",
        f"{feed}{product}{day}",
        datetime.combine(day + timedelta(days=1), time(0, 30), UTC),
        read=100,
        landed=100,
    )
    return replace(piece, **changes)


def record(settings: Settings, *pieces: Slice) -> None:
    log = RunLog(settings)
    for piece in pieces:
        log.record_slices([piece], "load", piece.arrived_at)


def loaded_since(settings: Settings, moment: datetime, feed: str, *products: str) -> None:
    RunLog(settings).start_run("load", {"feed": feed, "products": list(products)}, moment)


def states(found: FeedCalendar | None, feed: str = "traffic", product: str = "costa") -> list[str]:
    assert found is not None
    return [d.state for d in found.days if (d.feed, d.product_id) == (feed, product)]


def test_nothing_loaded_and_no_span_is_no_calendar(
    settings: Settings, workspace: Workspace
) -> None:
    assert calendar(settings, workspace, AT) is None
    record(settings, landed(SUNDAY))
    assert calendar(settings, workspace, AT, products=["kumo"]) is None


def test_without_a_span_it_is_five_weeks_up_to_the_last_loaded_day(
    settings: Settings, workspace: Workspace
) -> None:
    record(settings, landed(date(2024, 6, 26)))
    found = calendar(settings, workspace, AT)
    assert found is not None
    assert (found.first, found.last) == (date(2024, 5, 27), date(2024, 6, 26))
    assert found.since == (date(2024, 6, 27), date(2024, 6, 29))
    pairs = list(dict.fromkeys((day.feed, day.product_id) for day in found.days))
    assert pairs == [("traffic", "costa"), ("traffic", "kumo"), ("exposure", "kumo")]
    only = calendar(settings, workspace, AT, feeds=["exposure"], first=SUNDAY, last=SUNDAY)
    assert only is not None
    assert [(day.feed, day.product_id) for day in only.days] == [("exposure", "kumo")]


def test_a_day_without_a_slice_is_missing_once_it_is_due_in_the_products_zone(
    settings: Settings, workspace: Workspace
) -> None:
    found = calendar(settings, workspace, AT, first=SUNDAY, last=date(2024, 7, 1))
    assert states(found, "traffic", "costa") == ["missing", "not_yet"]  # due 06:30 in Madrid
    assert states(found, "traffic", "kumo") == ["missing", "not_yet"]
    assert states(found, "exposure", "kumo") == ["not_yet", "not_yet"]  # due 16:00 in Tokyo
    before = AT.replace(hour=4, minute=29)
    found = calendar(settings, workspace, before, first=SUNDAY, last=SUNDAY)
    assert states(found, "traffic", "costa") == ["not_yet"]
    found = calendar(settings, workspace, AT, first=STARTED - timedelta(days=1), last=STARTED)
    assert states(found) == ["not_started", "missing"]


def test_what_landed_after_it_was_due_is_late_unless_it_was_history_then(
    settings: Settings, workspace: Workspace
) -> None:
    day, due = date(2024, 6, 3), datetime(2024, 6, 4, 4, 30, tzinfo=UTC)
    days = [day + timedelta(days=n) for n in range(4)]
    record(
        settings,
        landed(days[0], arrived_at=due + timedelta(days=9)),  # due before the first load
        landed(days[1], arrived_at=due + timedelta(days=1)),
        landed(days[2], arrived_at=due + timedelta(days=2, minutes=1)),
        landed(days[3], arrived_at=due + timedelta(days=3)),
        landed(days[3], arrived_at=due + timedelta(days=5), hash="restated"),
    )
    loaded_since(settings, due + timedelta(hours=1), "traffic", "costa")
    found = calendar(settings, workspace, AT, ["traffic"], ["costa"], days[0], days[-1])
    assert states(found) == ["landed", "landed", "late", "landed"]
    assert found is not None
    assert found.days[2].reason == (
        "It landed at 2024-06-06 06:31, and was due at 2024-06-06 06:30 (Europe/Madrid)."
    )


def test_fewer_rows_than_are_usual_on_the_weekday_are_thin(
    settings: Settings, workspace: Workspace
) -> None:
    weeks = [landed(SUNDAY - timedelta(weeks=n)) for n in range(1, 5)]
    weeks.append(landed(SUNDAY - timedelta(weeks=5), status="absent", read=0, landed=0))
    other = [landed(SUNDAY - timedelta(days=n), landed=10, read=10) for n in range(1, 7)]
    record(settings, *weeks, *other, landed(SUNDAY, read=80, landed=69, quarantined=11))
    found = calendar(settings, workspace, AT, ["traffic"], ["costa"], SUNDAY, SUNDAY)
    assert found is not None
    came = datetime(2024, 7, 1, 0, 30, tzinfo=UTC)
    assert found.days == (
        FeedDay(
            feed="traffic",
            product_id="costa",
            day=SUNDAY,
            state="thin",
            read=80,
            landed=69,
            quarantined=11,
            usual_low=70,
            usual_high=200,
            arrived_at=came,
            reason="69 rows landed; 70 to 200 are usual on that weekday.",
            advice="See kpi quarantine explain --feed traffic --product costa "
            "--from 2024-06-30 --to 2024-06-30",
        ),
    )
    record(settings, landed(SUNDAY, landed=70, hash="enough"))
    found = calendar(settings, workspace, AT, ["traffic"], ["costa"], SUNDAY, SUNDAY)
    assert states(found) == ["landed"]


THRESHOLDS = {"volume_thin_share": 0.7, "volume_high_times": 2, "volume_smallest_base": 50}


@pytest.mark.parametrize(
    ("counts", "bounds"),
    [
        ([100, 100, 100], None),
        ([100, 90, 110, 0], (63, 220)),
        ([49, 49, 49, 49], None),
        ([50, 50, 50, 50], (35, 100)),
    ],
)
def test_what_is_usual_needs_four_weeks_and_enough_rows(
    counts: list[int], bounds: tuple[int, int] | None
) -> None:
    assert usual(counts, THRESHOLDS) == bounds
    assert usual(counts, {}) is None


def test_a_day_is_thin_because_the_audit_says_so_unless_it_is_accepted(
    settings: Settings, workspace: Workspace
) -> None:
    log = RunLog(settings)
    for product in ("costa", "kumo"):
        piece = landed(SUNDAY, "traffic", product)
        record(settings, piece)
        said = f"{product}, {SUNDAY}: {THIN} 9 visits."
        check = Check("audit", AT, "in", "slices", THIN, "warn", "warned", "traffic", product)
        log.record_checks([replace(check, day=SUNDAY, message=said)])
        log.record_audits([SliceAudit(piece, 5, 1, 0)], "audit", AT)
    found = calendar(settings, workspace, AT, ["traffic"], (), SUNDAY, SUNDAY)
    assert found is not None
    assert [(day.product_id, day.state, day.reason) for day in found.days] == [
        ("costa", "thin", f"{THIN} 9 visits."),
        ("kumo", "landed", f"{THIN} 9 visits. Accepted: A holiday."),
    ]
    record(settings, landed(SUNDAY, hash="corrected"))
    found = calendar(settings, workspace, AT, ["traffic"], ["costa"], SUNDAY, SUNDAY)
    assert states(found) == ["landed"]


def test_the_expectation_of_thin_days_is_there() -> None:
    path = Path(__file__).parents[2] / "expectations" / "landing" / "slices.yml"
    assert THIN in [entry["reason"] for entry in yaml.safe_load(path.read_text("utf-8"))]


def test_absent_and_rejected_days_say_why_and_what_to_do(
    settings: Settings, workspace: Workspace
) -> None:
    record(
        settings,
        landed(SUNDAY, status="absent", read=0, landed=0, reason="There is no file."),
        landed(
            SUNDAY - timedelta(days=1), status="rejected", landed=0, dropped=100, reason="A key."
        ),
        landed(
            SUNDAY, "exposure", "kumo", status="absent", read=0, landed=0, reason="There is none."
        ),
    )
    found = calendar(settings, workspace, AT, first=SUNDAY - timedelta(days=1), last=SUNDAY)
    assert found is not None
    costa = "kpi land --feed traffic --product costa"
    assert [(d.state, d.reason, d.advice) for d in found.days if d.reason.startswith(("A", "T"))][
        :2
    ] == [
        (
            "rejected",
            "A key.",
            f"Have the file or its declaration corrected, then {costa} "
            "--from 2024-06-29 --to 2024-06-29",
        ),
        (
            "absent",
            "There is no file.",
            f"Once the source has it: {costa} --from 2024-06-30 --to 2024-06-30",
        ),
    ]
    stopped = landed(SUNDAY, status="rejected", hash="stopped", reason="Half a day.")
    RunLog(settings).record_audits([SliceAudit(stopped, 5, 0, 1)], "audit", AT)
    found_again = calendar(settings, workspace, AT, ["traffic"], ["costa"], SUNDAY, SUNDAY)
    assert found_again is not None
    assert found_again.days[0].advice == (
        "If the day is right as it is, accept it in checks.yml: kpi build. Else have the file "
        f"corrected, then {costa} --from 2024-06-30 --to 2024-06-30"
    )
    assert found.days[-1].advice == (
        "It may still come until 2024-07-01 16:00 (Asia/Tokyo); then kpi land --feed exposure "
        "--product kumo --from 2024-06-30 --to 2024-06-30"
    )


def test_a_row_has_every_column_and_names_the_rules_that_dropped(
    settings: Settings, workspace: Workspace
) -> None:
    piece = landed(
        SUNDAY,
        read=110,
        landed=100,
        quarantined=3,
        dropped=7,
        dropped_by={"static file": 7},
        first_at=at_noon(SUNDAY),
        last_at=at_noon(SUNDAY) + timedelta(hours=9),
    )
    write_slice(folder_of(settings.landing, "traffic", "costa", SUNDAY), piece)
    record(settings, piece)
    log = RunLog(settings)
    check = Check("audit", AT, "in", "traffic", "odd", "warn", "warned", "traffic", "costa", SUNDAY)
    said = f"costa, {SUNDAY}: Few rows are odd."
    log.record_checks([replace(check, run_id="before"), replace(check, message=said)])
    log.record_audits([SliceAudit(piece, 8, 2, 0)], "audit", AT)
    found = calendar(settings, workspace, AT, ["traffic"], ["costa"], SUNDAY, SUNDAY)
    assert found is not None
    assert [dict(zip(COLUMNS, row, strict=True)) for row in found.rows()] == [
        {
            "feed": "traffic",
            "product_id": "costa",
            "day": SUNDAY,
            "state": "landed",
            "read": 110,
            "landed": 100,
            "quarantined": 3,
            "dropped": 7,
            "dropped_by": {"static file": 7},
            "usual_low": None,
            "usual_high": None,
            "first_at": "2024-06-30T12:00:00+00:00",
            "last_at": "2024-06-30T21:00:00+00:00",
            "arrived_at": "2024-07-01T00:30:00+00:00",
            "checks_passed": 8,
            "checks_warned": 2,
            "checks_stopped": 0,
            "reason": "Few rows are odd.",
            "advice": "See kpi quarantine explain --feed traffic --product costa "
            "--from 2024-06-30 --to 2024-06-30",
        }
    ]


def test_slices_of_a_source_that_is_gone_are_shown(
    settings: Settings, workspace: Workspace
) -> None:
    record(settings, landed(SUNDAY, "page_views", "gone"))
    found = calendar(settings, workspace, AT, ["page_views"], (), SUNDAY - timedelta(1), SUNDAY)
    assert states(found, "page_views", "gone") == ["not_started", "landed"]


def test_the_text_shows_a_sign_for_each_day_and_lists_what_is_not_fine(
    settings: Settings, workspace: Workspace
) -> None:
    first = date(2024, 6, 20)
    days = [first + timedelta(days=n) for n in range(11)]
    for day in days:
        if day in (date(2024, 6, 25), date(2024, 6, 26)):
            reason = f"There is no file costa/{day}.csv."
            record(settings, landed(day, status="absent", read=0, landed=0, reason=reason))
        else:
            record(settings, landed(day))
    record(settings, *(landed(day, "traffic", "kumo") for day in days[2:]))
    found = calendar(settings, workspace, AT, ["traffic"], (), first, SUNDAY)
    assert found is not None
    assert [line.plain for line in drawn(found, 80)] == [
        "2024-06-20 to 2024-06-30, as of 2024-07-01 06:00 UTC",
        "",
        "2024            06-17   06-24",
        "traffic  costa     .... .AA....",
        "traffic  kumo      MM.. .......",
        "",
        ".  18 days landed",
        "A  2 days absent: looked for and not there",
        "M  2 days missing: due, and never loaded",
        "",
        "traffic of costa, 2024-06-25 to 2024-06-26 (2 days): absent",
        "  There is no file costa/{day}.csv.",
        "  Once the source has it: kpi land --feed traffic --product costa "
        "--from 2024-06-25 --to 2024-06-26",
        "",
        "traffic of kumo, 2024-06-20 to 2024-06-21 (2 days): missing",
        "  It is past the feed's give_up_at, and was never loaded.",
        "  kpi land --feed traffic --product kumo --from 2024-06-20 --to 2024-06-21",
        "",
        "After `kpi land`: kpi build && kpi publish.",
    ]


def test_a_narrow_text_goes_on_below_and_the_same_missing_days_are_one_entry(
    settings: Settings, workspace: Workspace
) -> None:
    record(settings, landed(SUNDAY, quarantined=1, read=101))
    found = calendar(settings, workspace, AT, ["traffic"], (), SUNDAY - timedelta(days=7), SUNDAY)
    assert found is not None
    assert [line.plain for line in drawn(found, 24)][2:] == [
        "2024            06-17",
        "traffic  costa        M",
        "traffic  kumo         M",
        "",
        "2024            06-24",
        "traffic  costa  MMMMMM.",
        "traffic  kumo   MMMMMMM",
        "",
        ".  1 day landed",
        "M  15 days missing: due, and never loaded",
        "",
        "traffic of kumo, 2024-06-23 to 2024-06-30 (8 days): missing",
        "  It is past the feed's give_up_at, and was never loaded.",
        "  kpi land --feed traffic --product kumo --from 2024-06-23 --to 2024-06-30",
        "",
        "traffic of costa, 2024-06-23 to 2024-06-29 (7 days): missing",
        "  It is past the feed's give_up_at, and was never loaded.",
        "  kpi land --feed traffic --product costa --from 2024-06-23 --to 2024-06-29",
        "",
        "After `kpi land`: kpi build && kpi publish.",
        "1 row of 1 day in quarantine; why: kpi quarantine list --from 2024-06-23 --to 2024-06-30",
    ]
    both = calendar(settings, workspace, AT, ["traffic"], (), date(2024, 6, 24), date(2024, 6, 25))
    assert both is not None
    assert [line.plain for line in drawn(both, 80)][-5:-2] == [
        "traffic of costa, kumo, 2024-06-24 to 2024-06-25 (2 days): missing",
        "  It is past the feed's give_up_at, and was never loaded.",
        "  kpi land --feed traffic --product costa --product kumo "
        "--from 2024-06-24 --to 2024-06-25",
    ]
