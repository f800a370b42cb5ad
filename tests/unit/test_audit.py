"""Both doors: what stops a slice, what is only noted, and what never gets published."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from landing_workspace import AT, PROJECT, Bench
from slice_fixture import put_organisation, put_slice

from kpi_pipeline.audit import audit_in, audit_out, suites
from kpi_pipeline.audit.engine import check_types, great_expectations
from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.runlog import Check, RunLog
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import TableFile, folder_of, read_slice, write_slice
from kpi_pipeline.workspace import Source

DAY = date(2024, 6, 30)
EXPOSURE = Source("exposure", "exposure", "p", "e.csv", "csv", "covering", last_day_complete=True)
HEADER = "date,channel,campaign,placement,content_id,impressions,clicks,cost,currency\n"


def bench(root: Path, days: int, odd: dict[int, str] | None = None) -> Bench:
    b = Bench(root, sources=(EXPOSURE,))
    lines = []
    for number in range(days):
        day = DAY - timedelta(days=days - 1 - number)
        lines.append((odd or {}).get(number, f"{day},seo,c,p,x,100,5,1.5,EUR"))
    b.write("e.csv", HEADER + "".join(f"{line}\n" for line in lines))
    b.land("exposure", [DAY - timedelta(days=n) for n in range(days)])
    return b


def own_expectations(b: Bench, name: str, text: str, door: str = "landing") -> Settings:
    expectations = b.root / "project" / "expectations"
    folder = expectations / door
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yml").write_text(text)
    shutil.copy(PROJECT / "expectations" / "thresholds.yml", expectations)
    return replace(b.settings, project=b.root / "project")


def test_duckdb_is_among_the_dialects_gx_keeps_connections_of() -> None:
    great_expectations()
    from great_expectations.execution_engine import sqlalchemy_execution_engine as sql

    assert "duckdb" in sql._PERSISTED_CONNECTION_DIALECTS
    assert sql._dialect_requires_persisted_connection(connection_string="duckdb:///x.duckdb")


def test_every_landed_table_has_expectations_gx_understands() -> None:
    expected = suites.load(PROJECT / "expectations" / "landing")
    assert set(expected) == {"slices"} | {t.name for feed in FEEDS.values() for t in feed.tables}
    for name, expectations in expected.items():
        check_types(expectations, Path(name))
        for one in expectations:
            assert one.query is None or ("{batch}" in one.query and "slice_no" in one.query)


def test_published_expectations_are_understood() -> None:
    for name, expectations in suites.load(PROJECT / "expectations" / "published").items():
        check_types(expectations, Path(name))
        assert {e.severity for e in expectations} & {"stop"}, name
        for one in expectations:
            assert one.query is None or "{batch}" in one.query


def test_good_slices_pass_once_and_are_not_asked_again(tmp_path: Path) -> None:
    b = bench(tmp_path, 12)
    expected = suites.load(PROJECT / "expectations" / "landing")
    count = len(expected["exposure"]) + len(expected["slices"])
    outcome = audit_in(b.settings, AT, "audit-1")
    assert (outcome.passed, outcome.warned, outcome.stopped) == (12 * count, 0, 0)
    assert outcome.findings == ()
    rows = RunLog(b.settings).slices()
    assert {(r["audited_hash"] == r["hash"], r["checks_passed"]) for r in rows} == {(True, count)}
    assert audit_in(b.settings, AT, "audit-2").passed == 0
    assert [c["slices"] for c in RunLog(b.settings).checks_of("audit-1")] == [12] * count


def test_warning_is_noted_for_its_own_slice_only(tmp_path: Path) -> None:
    day = DAY - timedelta(days=9)
    b = bench(tmp_path, 12, {2: f"{day},seo,c,p,x,100,500,1.5,EUR"})
    outcome = audit_in(b.settings, AT, "audit-1")
    assert [(f.day, f.outcome, f.unexpected_rows, f.message) for f in outcome.findings] == [
        (
            day,
            "warned",
            1,
            f"p, {day}: There are no more clicks than impressions. "
            "Rows against it: 1, by up to 400.",
        )
    ]
    rows = RunLog(b.settings).slices()
    assert [r["day"] for r in rows if r["checks_warned"]] == [day]
    assert {r["status"] for r in rows} == {"landed"}


@pytest.mark.parametrize("days", [3, 20])
def test_failing_stop_rejects_only_the_slices_at_fault(tmp_path: Path, days: int) -> None:
    first, last = DAY - timedelta(days=days - 1), DAY
    b = bench(tmp_path, days, {0: f"{first},seo,c,p,x,7,0,,", days - 1: f"{last},seo,c,p,x,7,0,,"})
    settings = own_expectations(
        b,
        "exposure",
        "- type: expect_column_values_to_be_between\n"
        "  kwargs: {column: impressions, min_value: 50}\n"
        "  severity: stop\n  reason: Enough impressions.\n"
        "- type: unexpected_rows_expectation\n"
        "  kwargs: {unexpected_rows_query: 'select slice_no from {batch} where impressions < 50'}\n"
        "  severity: stop\n  reason: Enough again.\n",
    )
    outcome = audit_in(settings, AT, "audit-1")
    assert (outcome.passed, outcome.stopped) == (2 * days - 4, 4)
    rejected = [r for r in RunLog(settings).slices() if r["status"] == "rejected"]
    assert [r["day"] for r in rejected] == [first, last]
    reason = (
        "exposure: Enough impressions. (1 row against it) "
        "exposure: Enough again. (1 row against it)"
    )
    assert {r["reason"] for r in rejected} == {reason}
    (piece,) = b.land("exposure", [last])
    folder = b.folder(piece)
    assert piece.status == "landed"
    audit_in(settings, AT, "audit-2")
    again = read_slice(folder)
    assert again is not None
    assert (again.status, again.reason, again.hash) == (
        "rejected",
        reason,
        rejected[1]["hash"],
    )


# --- what is usual ---


def put_days(
    b: Bench, table: str, volumes: dict[date, int], product: str = "p", **said: object
) -> None:
    """Slices of these days, all but the last of them audited, which alone `said` is about.

    Daily tables have the volume in six rows.
    """
    for day, volume in volumes.items():
        rows: list[dict[str, object]] = []
        if table == "page_views":
            row = {"occurred_at": f"{day} 12:00:00", "visitor_id": "a" * 32, "url": "/"}
            rows = [{**row, "event_id": f"e{n}", "is_bot": False} for n in range(volume)]
        elif table == "traffic":
            row = {"date": day, "medium": "m", "campaign": "c", "device": "d"}
            rows = [{**row, "source": f"s{n}", "visits": volume // 6} for n in range(6)]
        elif table == "exposure":
            row = {"date": day, "channel": "c", "campaign": "c", "placement": "p", "clicks": 0}
            rows = [{**row, "content_id": f"x{n}", "impressions": volume // 6} for n in range(6)]
        last = day == max(volumes)
        more = said if last else {}
        put_slice(b.settings, table, product, day, {table: rows}, AT, is_audited=not last, **more)


def counted(b: Bench, table: str, volumes: dict[date, int], **said: object) -> list[Check]:
    """The findings on the last of these days."""
    put_days(b, table, volumes, **said)
    return list(audit_in(b.settings, AT, "audit-1").findings)


def weeks(*volumes: int) -> dict[date, int]:
    """Volumes of the same weekday, the oldest first, the last of them DAY's."""
    first = DAY - timedelta(weeks=len(volumes) - 1)
    return {first + timedelta(weeks=n): volume for n, volume in enumerate(volumes)}


LOW = "A day is not far below the least of its weekday, or hours of it are missing."
THIN = "A day is not thin beside its weekday."


def test_half_a_day_is_rejected_with_what_its_weekday_usually_has(tmp_path: Path) -> None:
    b = Bench(tmp_path)
    found = counted(b, "page_views", weeks(1040, 950, 980, 910, 412))
    told = "412 page views; the same weekday had 910 to 1,040 in the last 8 weeks."
    assert [(f.outcome, f.message) for f in found] == [
        ("stopped", f"p, {DAY}: {LOW} {told}"),
    ]
    piece = read_slice(folder_of(b.settings.landing, "page_views", "p", DAY))
    assert piece is not None
    assert (piece.status, piece.reason) == ("rejected", f"{LOW} {told}")


def test_volume_is_judged_by_the_same_weekday(tmp_path: Path) -> None:
    high = "A day is not far above the most of its weekday."
    cases = {
        (1000, 1000, 1000, 100): [],  # three weeks say too little
        (40, 40, 40, 40, 4): [],  # so do forty rows
        (190, 190, 190, 190, 40): [THIN],  # 190 are enough to note it, not to refuse it
        (1000, 1000, 1000, 1000, 499): [LOW],
        (1000, 1000, 1000, 1000, 500): [THIN],
        (1000, 1000, 1000, 1000, 700): [],
        # a day that was itself far out makes nothing usual
        (1000, 1000, 1000, 1000, 90, 5000, 420): [LOW],
        (2000, 1000, 1100, 1200, 900, 2100): [],
        (3000, 1000, 1100, 1200, 900, 2500): [high],
        # only the last eight weeks count
        (90, *[1000] * 8, 490): [LOW],
    }
    b = Bench(tmp_path)
    for number, volumes in enumerate(cases):
        put_days(b, "page_views", weeks(*volumes), product=f"p{number}")
    found = audit_in(b.settings, AT, "audit-1").findings
    assert {
        volumes: [f.expectation for f in found if f.product_id == f"p{number}"]
        for number, volumes in enumerate(cases)
    } == cases


def test_in_a_week_in_which_every_day_is_low_a_low_day_is_no_surprise(tmp_path: Path) -> None:
    """Ten weeks of 1000 a day, then a week of less, of which four days count."""
    cases: dict[tuple[int, int], list[str]] = {
        (1000, 400): [LOW],
        (500, 260): [THIN],  # of 500, which is this week's level
        (500, 400): [],
        (500, 240): [LOW],
        (3000, 5900): [],
        (3000, 6100): ["A day is not far above the most of its weekday."],
    }
    b = Bench(tmp_path)
    for number, (level, last) in enumerate(cases):
        days = {DAY - timedelta(days=back): 1000 for back in range(70, 4, -1)}
        days |= {DAY - timedelta(days=back): level for back in range(4, 0, -1)}
        for day, volume in {**days, DAY: last}.items():
            tables = {"page_views": TableFile(None, volume)}
            put_slice(
                b.settings, "page_views", f"p{number}", day, {}, AT,
                is_audited=day != DAY, tables=tables,
            )  # fmt: skip
    found = audit_in(b.settings, AT, "audit-1").findings
    assert {
        volumes: [f.expectation for f in found if f.product_id == f"p{number}"]
        for number, volumes in enumerate(cases)
    } == cases


def test_other_weekdays_are_no_measure(tmp_path: Path) -> None:
    days = {DAY - timedelta(days=n): 1000 for n in range(8, 0, -1)} | {DAY: 100}
    del days[DAY - timedelta(days=7)]
    assert counted(Bench(tmp_path), "page_views", days) == []


def test_a_rejected_day_is_no_measure(tmp_path: Path) -> None:
    b = Bench(tmp_path)
    volumes = weeks(1000, 1000, 1000, 1000, 100)
    put_days(b, "page_views", volumes)
    day = min(volumes)
    folder = folder_of(b.settings.landing, "page_views", "p", day)
    piece = read_slice(folder)
    assert piece is not None
    rejected = replace(piece, status="rejected", reason="Odd.", hash="r")
    write_slice(folder, rejected)
    RunLog(b.settings).record_slices([rejected], "run", AT)
    assert audit_in(b.settings, AT, "audit-1").findings == ()  # three weeks are left


@pytest.mark.parametrize(
    ("table", "outcome", "label", "unit"),
    [("traffic", "stopped", LOW, "visits"), ("exposure", "warned", THIN, "impressions")],
)
def test_daily_tables_are_judged_by_their_figures(
    tmp_path: Path, table: str, outcome: str, label: str, unit: str
) -> None:
    found = counted(Bench(tmp_path), table, weeks(6000, 6600, 6300, 6000, 1200))
    told = f"1,200 {unit}; the same weekday had 6,000 to 6,600 in the last 8 weeks."
    assert [(f.outcome, f.message) for f in found if f.table_name == "slices"] == [
        (outcome, f"p, {DAY}: {label} {told}")
    ]


def test_a_quiet_holiday_is_noted_and_used(tmp_path: Path) -> None:
    b = Bench(tmp_path)
    columns = {"day": "DATE", "kind": "VARCHAR", "product_id": "VARCHAR"}
    days = [
        {"day": DAY, "kind": "holiday", "product_id": "p"},
        {"day": DAY, "kind": "event", "product_id": None},
        {"day": DAY - timedelta(days=1), "kind": "holiday", "product_id": "q"},
    ]
    put_organisation(b.settings, {"calendar": (columns, days)})
    found = counted(b, "page_views", weeks(1000, 1000, 1000, 1000, 100))
    assert [(f.expectation, f.outcome) for f in found] == [(THIN, "warned")]
    found = counted(b, "page_views", weeks(1000, 1000, 1000, 1000, 100), product="q")
    assert [(f.expectation, f.outcome) for f in found] == [(LOW, "stopped")]


@pytest.mark.parametrize(
    ("zone", "last_at", "expected"),
    [
        # it ends at 20:05 or 20:35 there, whatever it is in UTC; usual is 23:30
        ("Asia/Tokyo", datetime(2024, 6, 30, 11, 5, tzinfo=UTC), "20:05"),
        ("Asia/Tokyo", datetime(2024, 6, 30, 11, 35, tzinfo=UTC), None),
        ("America/New_York", datetime(2024, 7, 1, 0, 5, tzinfo=UTC), "20:05"),
        ("America/New_York", datetime(2024, 7, 1, 0, 35, tzinfo=UTC), None),
    ],
)
def test_freshness_is_told_by_the_clocks_of_the_product(
    tmp_path: Path, zone: str, last_at: datetime, expected: str | None
) -> None:
    b = Bench(tmp_path)
    columns = {"product_id": "VARCHAR", "currency": "VARCHAR", "time_zone": "VARCHAR"}
    put_organisation(b.settings, {"products": (columns, [{"product_id": "p", "time_zone": zone}])})
    for back in range(1, 8):
        day = DAY - timedelta(days=back)
        ends = datetime.combine(day, time(23, 30), ZoneInfo(zone)).astimezone(UTC)
        begins = ends - timedelta(hours=22)
        put_slice(
            b.settings, "page_views", "p", day, {"page_views": []}, AT,
            is_audited=True, landed=1000, first_at=begins, last_at=ends,
        )  # fmt: skip
    found = counted(b, "page_views", {DAY: 60}, first_at=last_at, last_at=last_at)
    told = [f.message for f in found if f.expectation.startswith("A day's data go on")]
    assert [m.partition("The data end at ")[2] for m in told] == (
        [f"{expected}; they usually go on until 23:30 or later."] if expected else []
    )


# --- what a workspace sets ---


def test_a_workspace_sets_a_threshold_for_one_product(tmp_path: Path) -> None:
    b = Bench(tmp_path)
    b.write("checks.yml", "thresholds: [{threshold: volume_low_share, value: 0.3, product: p}]")
    volumes = weeks(1000, 1000, 1000, 1000, 400)
    assert [f.expectation for f in counted(b, "page_views", volumes)] == [THIN]
    assert [f.expectation for f in counted(b, "page_views", volumes, product="q")] == [LOW]


ACCEPTED = f"accepted: [{{feed: page_views, product: p, from: {DAY}, reason: A quiet Sunday.}}]"


def test_an_accepted_day_is_noted_with_the_reason(tmp_path: Path) -> None:
    b = Bench(tmp_path)
    b.write("checks.yml", ACCEPTED)
    (found,) = counted(b, "page_views", weeks(1000, 1000, 1000, 1000, 100))
    assert (found.severity, found.outcome) == ("stop", "warned")
    assert found.message.endswith("in the last 8 weeks. Accepted: A quiet Sunday.")
    (row,) = [r for r in RunLog(b.settings).slices() if r["day"] == DAY]
    assert (row["status"], row["checks_warned"], row["checks_stopped"]) == ("landed", 1, 0)


def test_the_reason_stands_with_what_was_only_noted_too(tmp_path: Path) -> None:
    b = Bench(tmp_path)
    b.write("checks.yml", ACCEPTED)
    (found,) = counted(b, "page_views", weeks(1000, 1000, 1000, 1000, 600))
    assert (found.expectation, found.outcome) == (THIN, "warned")
    assert found.message.endswith("in the last 8 weeks. Accepted: A quiet Sunday.")


def test_a_rejected_day_that_is_accepted_later_is_used_from_the_next_audit_on(
    tmp_path: Path,
) -> None:
    b = Bench(tmp_path)
    counted(b, "page_views", weeks(1000, 1000, 1000, 1000, 100))
    (before,) = [r for r in RunLog(b.settings).slices() if r["day"] == DAY]
    assert audit_in(b.settings, AT, "audit-2").findings == ()
    b.write("checks.yml", ACCEPTED)
    outcome = audit_in(b.settings, AT, "audit-3")
    assert (outcome.warned, outcome.stopped) == (1, 0)
    (after,) = [r for r in RunLog(b.settings).slices() if r["day"] == DAY]
    piece = read_slice(folder_of(b.settings.landing, "page_views", "p", DAY))
    assert piece is not None
    assert (before["status"], after["status"], piece.status) == ("rejected", "landed", "landed")
    assert (after["reason"], piece.reason) == (None, None)
    assert before["hash"] != after["hash"] == after["audited_hash"] == piece.hash
    assert audit_in(b.settings, AT, "audit-4").passed == 0


def test_an_accepted_day_is_still_refused_for_what_nobody_can_accept(tmp_path: Path) -> None:
    b = Bench(tmp_path)
    row = {"event_id": "e", "occurred_at": f"{DAY} 12:00:00", "visitor_id": "short", "url": "/"}
    put_slice(b.settings, "page_views", "p", DAY, {"page_views": [{**row, "is_bot": False}]}, AT)
    assert audit_in(b.settings, AT, "audit-1").stopped == 1
    b.write("checks.yml", ACCEPTED)
    assert audit_in(b.settings, AT, "audit-2").stopped == 1
    (after,) = RunLog(b.settings).slices()
    assert after["status"] == "rejected"
    assert after["reason"].endswith("checks.yml accepts the day, but not this.")
    assert audit_in(b.settings, AT, "audit-3").stopped == 0  # asked once, not every time


def test_a_wrong_checks_file_is_named(tmp_path: Path) -> None:
    b = bench(tmp_path, 1)
    b.write("checks.yml", "thresholds: [{threshold: volume_lo_share, value: 0.3}]")
    with pytest.raises(ConfigurationError, match="Did you mean 'volume_low_share'"):
        audit_in(b.settings, AT, "audit-1")


def test_a_finding_that_names_no_column_of_its_query_is_refused(tmp_path: Path) -> None:
    b = bench(tmp_path, 1)
    settings = own_expectations(
        b,
        "exposure",
        "- type: unexpected_rows_expectation\n"
        "  kwargs: {unexpected_rows_query: 'select slice_no, clicks from {batch}'}\n"
        "  severity: warn\n  reason: No clicks.\n  finding: '{click} clicks'\n",
    )
    with pytest.raises(ConfigurationError, match="slice_no, clicks"):
        audit_in(settings, AT, "audit-1")


def test_a_finding_tells_three_rows_and_how_many_more_on_one_line(tmp_path: Path) -> None:
    b = Bench(tmp_path)
    names = ["a\n\tb", "b" * 90, "c", "d", "e"]
    rows = [
        {
            "date": DAY,
            "channel": name,
            "campaign": "c",
            "placement": "p",
            "content_id": "x",
            "impressions": 9,
            "clicks": 0,
        }
        for name in names
    ]
    put_organisation(b.settings, {"channels": ({"channel": "VARCHAR"}, [{"channel": "email"}])})
    put_slice(b.settings, "exposure", "p", DAY, {"exposure": rows}, AT)
    (found,) = audit_in(b.settings, AT, "audit-1").findings
    assert found.unexpected_rows == 5
    assert found.message == (
        f"p, {DAY}: Every channel is one of organisation/channels.csv; others count in no "
        f"channel's figures. Channel a b (rows: 1); Channel {'b' * 80}… (rows: 1); "
        "Channel c (rows: 1); and 2 more."
    )


def test_slice_without_rows_is_audited(tmp_path: Path) -> None:
    source = replace(EXPOSURE, files="e/{day}.csv", arrival="file_per_day")
    b = Bench(tmp_path, sources=(source,))
    b.write(f"e/{DAY}.csv", HEADER)
    b.land("exposure", [DAY])
    outcome = audit_in(b.settings, AT, "audit-1")
    assert (outcome.warned, outcome.stopped) == (0, 0)
    assert outcome.passed > 0


def test_data_docs_are_written_and_ask_nothing_of_the_network(tmp_path: Path) -> None:
    b = bench(tmp_path, 2)
    audit_in(b.settings, AT, "audit-1")
    index = b.settings.data_docs / "index.html"
    assert 'href="landing/index.html"' in index.read_text()
    pages = list((b.settings.data_docs / "landing").rglob("*.html"))
    assert len(pages) >= 3
    for page in pages:
        text = page.read_text()
        assert 'src="http' not in text, page
        assert "@import" not in text, page
        assert re.search(r'<link[^>]*href="http', text) is None, page
        assert re.search(r"url\(['\"]?http", text) is None, page
    texts = "".join(page.read_text() for page in pages)
    assert "Impressions and clicks are not negative." in texts


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("- {type: a, kwargs: {}, severity: halt, reason: r}", "severity is 'halt'"),
        ("- {type: a, kwargs: {}, reason: r}", "expected exactly the keys"),
        ("- {type: a, kwargs: {}, severity: stop, reason: ''}", "reason must be a sentence"),
        ("- {type: a, kwargs: {}, severity: stop, reason: r, finding: f}", "only a query"),
        ("a: b", "must be a list"),
        ("- {type: expect_nothing, kwargs: {}, severity: stop, reason: r}", "expect_nothing"),
    ],
)
def test_wrong_expectation_names_file_and_entry(tmp_path: Path, entry: str, message: str) -> None:
    b = bench(tmp_path, 1)
    settings = own_expectations(b, "exposure", entry)
    with pytest.raises(ConfigurationError, match=message) as caught:
        audit_in(settings, AT, "audit-1")
    assert "exposure.yml" in str(caught.value)


def test_audit_out_names_what_passed_was_noted_and_stopped(tmp_path: Path) -> None:
    b = Bench(tmp_path)
    text = (
        "- type: expect_column_values_to_not_be_null\n  kwargs: {column: a}\n"
        "  severity: stop\n  reason: There is an a.\n"
        "- type: expect_column_values_to_be_unique\n  kwargs: {column: b}\n"
        "  severity: stop\n  reason: One row per b.\n"
        "- type: unexpected_rows_expectation\n"
        "  kwargs: {unexpected_rows_query: 'select a from {batch} where a > 1'}\n"
        "  severity: warn\n  reason: No a above 1.\n"
    )
    settings = own_expectations(b, "t", text, "published")
    own_expectations(b, "gone", "- " + text.split("- ")[1], "published")
    path = tmp_path / "candidate.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table t as select * from (values (1, 1), (2, 1)) as v(a, b)")
    before = path.read_bytes()
    outcome = audit_out(settings, path, AT, "publish-1")
    assert (outcome.passed, outcome.warned, outcome.stopped) == (1, 1, 2)
    assert [(f.table_name, f.outcome, f.message) for f in outcome.findings] == [
        ("gone", "stopped", "The table gone is not there."),
        ("t", "stopped", "One row per b. (2 rows against it)"),
        ("t", "warned", "No a above 1. (1 row against it)"),
    ]
    assert len(RunLog(settings).checks_of("publish-1")) == 4
    assert path.read_bytes() == before
    renamed = tmp_path / "published.duckdb"
    shutil.move(path, renamed)
    with duckdb.connect(str(renamed)) as connection:  # nothing holds it any more
        connection.execute("insert into t values (3, 3)")
