"""Slices: what is landed, what is set aside and why, and when a day counts as there."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pytest
from landing_workspace import AT, KEY, Bench

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.landing import arrival, keyed, land, land_organisation
from kpi_pipeline.runlog import RunLog
from kpi_pipeline.slices import read_slice
from kpi_pipeline.workspace import Aggregate, OrgColumn, Source, Table

DAY = date(2024, 6, 30)
PAGE_HEADER = "event_id,occurred_at,visitor_id,url,is_bot\n"
TRAFFIC_HEADER = "date,source,medium,campaign,device,visits\n"
PAGE_VIEWS = Source("page_views", "page_views", "p", "pv/{day}.csv", "csv", "file_per_day")
TRAFFIC = Source("traffic", "traffic", "p", "t.csv", "csv", "covering", last_day_complete=True)


def bench(root: Path, *sources: Source, zone: str = "UTC") -> Bench:
    return Bench(root, zone, sources)


def hashed(identifier: str) -> str:
    secret = hmac.new(KEY.encode(), b"kpi-pipeline identifiers", hashlib.sha256).digest()
    return hashlib.sha256(secret + identifier.encode()).hexdigest()[:32]


@pytest.mark.parametrize("key", ["k", "k" * 64, "ñ" * 100])
@pytest.mark.parametrize("text", ["", "v1", "日本 '; --", "x" * 5000])
def test_keyed_hash_is_the_same_in_sql_and_python(key: str, text: str) -> None:
    with duckdb.connect() as connection:
        keyed.install(connection, key)
        row = connection.execute("select keyed(?), keyed(null)", [text]).fetchone()
    secret = hmac.new(key.encode(), b"kpi-pipeline identifiers", hashlib.sha256).digest()
    expected = hashlib.sha256(secret + text.encode()).hexdigest()[:32]
    assert row == (expected, None)
    assert keyed.keyed(key, text) == expected


def test_row_is_landed_typed_hashed_and_dated(tmp_path: Path) -> None:
    b = bench(tmp_path, PAGE_VIEWS, zone="Asia/Tokyo")
    b.write("pv/2024-06-30.csv", PAGE_HEADER + 'e1,2024-06-30T00:30:00+09:00,v1,"/a?x=1,2",true\n')
    (piece,) = b.land("page_views", [DAY])
    assert (piece.status, piece.read, piece.landed, piece.quarantined) == ("landed", 1, 1, 0)
    assert b.rows(piece, "page_views") == [
        (
            "e1",
            datetime(2024, 6, 29, 15, 30),  # noqa: DTZ001  # stored without a zone, in UTC
            hashed("v1"),
            None,
            "/a?x=1,2",
            *(None,) * 7,
            True,
            "p",
            DAY,
        )
    ]
    assert piece.key_id == keyed.key_id(KEY)
    assert "v1" not in (b.folder(piece) / "slice.json").read_text()


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("Asia/Tokyo", "2024-06-29T15:00:00Z", "2024-06-30T14:59:00Z"),
        ("America/New_York", "2024-06-30T04:00:00Z", "2024-07-01T03:59:00Z"),
        ("Asia/Kathmandu", "2024-06-29T18:15:00Z", "2024-06-30T18:14:00Z"),
    ],
)
def test_day_is_cut_at_local_midnight(tmp_path: Path, zone: str, first: str, last: str) -> None:
    b = bench(tmp_path, PAGE_VIEWS, zone=zone)
    instants = [datetime.fromisoformat(first), datetime.fromisoformat(last)]
    events = [
        ("before", instants[0] - timedelta(minutes=1)),
        ("first", instants[0]),
        ("last", instants[1]),
        ("after", instants[1] + timedelta(minutes=1)),
    ]
    by_utc_day: dict[date, str] = {DAY + timedelta(days=n): PAGE_HEADER for n in (-1, 0, 1)}
    for name, instant in events:
        by_utc_day[instant.date()] += f"{name},{instant.isoformat()},v,/,false\n"
    for day, text in by_utc_day.items():
        b.write(f"pv/{day}.csv", text)
    (piece,) = b.land("page_views", [DAY])
    assert b.rows(piece, "page_views", "event_id") == [("first",), ("last",)]


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2024, 3, 31), 23), (date(2024, 10, 27), 25), (date(2024, 7, 1), 24)]
)
def test_days_of_23_and_25_hours_hold_their_hours(tmp_path: Path, day: date, hours: int) -> None:
    source = replace(PAGE_VIEWS, files="pv.csv", arrival="covering", last_day_complete=True)
    b = bench(tmp_path, source, zone="Europe/Madrid")
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=26)
    lines = [f"e{n},{(start + timedelta(hours=n)).isoformat()},v,/,false\n" for n in range(80)]
    b.write("pv.csv", PAGE_HEADER + "".join(lines))
    at = datetime(2024, 12, 1, tzinfo=UTC)
    pieces = b.land("page_views", [day - timedelta(days=1), day, day + timedelta(days=1)], at)
    assert pieces[1].landed == hours
    assert b.land("page_views", [day], at) == [pieces[1]]


def test_time_without_offset_is_read_in_the_sources_zone(tmp_path: Path) -> None:
    source = replace(
        PAGE_VIEWS, time_format="%m/%d/%y %H:%M", time_zone="America/New_York", columns={}
    )
    b = bench(tmp_path, source)
    b.write("pv/2024-06-30.csv", PAGE_HEADER + "e1,6/30/24 10:05,v,/,0\ne2,30/6/24 10:05,v,/,0\n")
    (piece,) = b.land("page_views", [DAY])
    assert b.rows(piece, "page_views", "event_id, occurred_at, is_bot") == [
        ("e1", datetime(2024, 6, 30, 14, 5), False)  # noqa: DTZ001
    ]
    assert b.quarantine(piece, "row_number, column_name, value, expected") == [
        (3, "occurred_at", "30/6/24 10:05", "a time or date as %m/%d/%y %H:%M")
    ]


def test_values_that_do_not_parse_are_quarantined_with_the_reason(tmp_path: Path) -> None:
    b = bench(tmp_path, replace(TRAFFIC, null_tokens=("", "N/A")))
    b.write(
        "t.csv",
        "\ufeff"
        + TRAFFIC_HEADER
        + "2024-06-30,google,cpc,N/A,mobile,3000000000\n"
        + '2024-06-30,#N/A,(not set),,mobile,"1,234"\n'
        + "2024-06-30,#N/A,cpc,,mobile,12\n"
        + "2024-06-30,bing,cpc,,mobile,N/A\n"
        + "2024-06-30,bing,cpc,,tablet,-1\n"
        + "2024-06-30,bing,cpc,,desktop,1.5\n"
        + "2024-06-30,bing,cpc,,watch,12.3 %\n"
        + "30.06.2024,bing,cpc,,tv,7\n"
        + "2024-06-30,bing,cpc,,car,99999999999999999999\n",
    )
    (piece,) = b.land("traffic", [DAY])
    assert (piece.read, piece.landed, piece.quarantined, piece.dropped) == (9, 2, 7, 0)
    assert b.rows(piece, "traffic", "source, medium, campaign, visits") == [
        ("#N/A", "cpc", "(not set)", 12),
        ("google", "cpc", "(not set)", 3_000_000_000),
    ]
    whole = "a whole number from 0, as 1234"
    found = b.quarantine(piece, "row_number, source_file, column_name, value, expected, reason")
    assert found == [
        (
            3,
            "t.csv",
            "visits",
            "1,234",
            whole,
            "looks grouped in thousands; say how in thousands_separator",
        ),
        (5, "t.csv", "visits", None, whole, "is missing"),
        (6, "t.csv", "visits", "-1", whole, "is negative"),
        (7, "t.csv", "visits", "1.5", whole, "is not whole"),
        (
            8,
            "t.csv",
            "visits",
            "12.3 %",
            whole,
            "has a percent sign; say in percent_of what it is a share of",
        ),
        (9, "t.csv", "date", "30.06.2024", "a date as 2024-06-30", "cannot be read as declared"),
        (10, "t.csv", "visits", "99999999999999999999", whole, "is too large"),
    ]


def test_quarantine_never_holds_identifiers(tmp_path: Path) -> None:
    b = bench(tmp_path, PAGE_VIEWS)
    b.write(
        "pv/2024-06-30.csv",
        PAGE_HEADER + "e1,never,secret-visitor,/a,false\ne2,x,secret-visitor\n",
    )
    (piece,) = b.land("page_views", [DAY])
    rows = b.quarantine(piece)
    assert [row[2] for row in rows] == [2, 3]
    assert "secret" not in repr(rows)
    raw = json.loads(str(b.quarantine(piece, "raw")[0][0]))
    assert raw["url"] == "/a"
    assert "visitor_id" not in raw


def test_rows_without_a_day_go_to_the_nearest_row_above_whatever_is_landed(tmp_path: Path) -> None:
    b = bench(tmp_path, TRAFFIC)
    lines = ["x,a,m,,d,1", "2024-06-29,a,m,,d,1", "y,a,m,,d,1", "2024-06-30,a,m,,d,1", "z,a,m,,d,1"]
    b.write("t.csv", TRAFFIC_HEADER + "".join(f"{line}\n" for line in lines))
    both = b.land("traffic", [DAY - timedelta(days=1), DAY])
    assert [(p.read, p.quarantined) for p in both] == [(3, 2), (2, 1)]
    assert b.quarantine(both[0], "row_number, value") == [(2, "x"), (4, "y")]
    assert b.land("traffic", [DAY]) == [both[1]]


def test_identical_rows_without_ids_stay_apart_and_keep_their_ids(tmp_path: Path) -> None:
    source = Source(
        "user_growth", "activity", "p", "act*.csv", "csv", "covering", last_day_complete=True
    )
    header = "user_id,occurred_at,kind\n"
    same = "u1,2024-06-30T10:00:00Z,login\n"
    other = "u1,2024-06-30T10:00:00Z,post\n"
    b = bench(tmp_path, source)
    b.write("act.csv", header + same + other + same)
    (first,) = b.land("user_growth", [DAY])
    ids = b.rows(first, "activity", "event_id, kind")
    assert len({row[0] for row in ids}) == 3
    (tmp_path / "act.csv").unlink()
    b.write("act.1.csv", header + other)
    b.write("act.2.csv", header + same + same)
    (second,) = b.land("user_growth", [DAY])
    assert b.rows(second, "activity", "event_id, kind") == ids
    assert second == first


def test_repeated_key_rejects_a_daily_slice_and_is_summed_where_declared(tmp_path: Path) -> None:
    text = TRAFFIC_HEADER + "2024-06-29,a,m,,d,1\n2024-06-30,a,m,,d,1\n2024-06-30,a,m,,d,2\n"
    b = bench(tmp_path, TRAFFIC)
    b.write("t.csv", text)
    before, piece = b.land("traffic", [DAY - timedelta(days=1), DAY])
    assert (before.status, piece.status) == ("landed", "rejected")
    assert piece.reason is not None
    assert piece.reason.startswith("traffic repeats 1 key, first date 2024-06-30, source a, ")
    assert (piece.read, piece.landed, piece.dropped, dict(piece.tables)) == (2, 0, 2, {})
    summing = bench(tmp_path, replace(TRAFFIC, on_repeat="sum"))
    _, piece = summing.land("traffic", [DAY - timedelta(days=1), DAY])
    assert (piece.status, piece.read, piece.landed) == ("landed", 2, 2)
    assert b.rows(piece, "traffic", "source, visits") == [("a", 3)]


def test_repeated_event_ids_stay(tmp_path: Path) -> None:
    b = bench(tmp_path, PAGE_VIEWS)
    row = "e1,2024-06-30T10:00:00Z,v,/,false\n"
    b.write("pv/2024-06-30.csv", PAGE_HEADER + row + row)
    (piece,) = b.land("page_views", [DAY])
    assert (piece.landed, piece.tables["page_views"].rows) == (2, 2)


def test_single_events_become_daily_rows(tmp_path: Path) -> None:
    source = Source(
        "exposure",
        "exposure",
        "p",
        "ads.csv.gz",
        "csv",
        "covering",
        last_day_complete=True,
        columns={"placement": "position"},
        constants={"channel": "display"},
        aggregate=Aggregate("timestamp", "impressions", {"clicks": "click"}),
    )
    b = bench(tmp_path, source, zone="Asia/Tokyo")
    with gzip.open(tmp_path / "ads.csv.gz", "wt") as stream:
        stream.write(
            "timestamp,position,click\n"
            "2024-06-29 15:00:00.5+00,1,0\n2024-06-30 14:59:59+00,1,1\n"
            "2024-06-30 14:00:00+00,2,x\n2024-06-30 15:00:00+00,1,1\n"
        )
    (piece,) = b.land("exposure", [DAY])
    assert (piece.read, piece.landed, piece.quarantined) == (3, 2, 1)
    assert b.rows(piece, "exposure", "channel, campaign, placement, impressions, clicks") == [
        ("display", "(not set)", "1", 2, 1)
    ]


EXPOSURE = Source("exposure", "exposure", "p", "e.csv", "csv", "covering", last_day_complete=True)
EXPOSURE_HEADER = "date,channel,campaign,impressions,clicks,cost,currency\n"


@pytest.mark.parametrize(
    ("rows", "landed", "reason"),
    [
        (["5,EUR", "7,EUR"], [(2, 12, "EUR")], None),
        (["5,EUR", "7,"], [(2, 12, "EUR")], None),  # no currency: the product's, EUR
        ([",EUR", ",USD"], [(2, None, "USD")], None),  # no cost: nothing of money is added
        (
            ["5,EUR", "7,USD", "1,EUR"],
            [],
            "is one of several in rows that would be added: EUR, USD",
        ),
        (["5,USD", "7,"], [], "is one of several in rows that would be added: EUR, USD"),
        (["5,EUR", "7,USD", ","], [], "is one of several in rows that would be added: EUR, USD"),
        (["5,EUR", ",EUR"], [], "some rows have a cost and others none"),
        (["0,EUR", ","], [], "some rows have a cost and others none"),
    ],
)
def test_only_costs_of_one_currency_are_added_and_no_cost_is_not_0(
    tmp_path: Path, rows: list[str], landed: list[tuple[object, ...]], reason: str | None
) -> None:
    b = bench(tmp_path, replace(EXPOSURE, on_repeat="sum"))
    lines = [f"2024-06-30,ads,x,1,0,{row}" for row in rows]
    b.write("e.csv", EXPOSURE_HEADER + "\n".join([*lines, "2024-06-30,ads,other,9,0,3,USD"]))
    (piece,) = b.land("exposure", [DAY])
    got = b.rows(piece, "exposure", "impressions, cost::int, currency")
    assert got == [*landed, (9, 3, "USD")]
    aside = len(rows) if reason else 0
    assert (piece.status, piece.read, piece.dropped) == ("landed", len(rows) + 1, 0)
    assert (piece.landed, piece.quarantined) == (len(rows) + 1 - aside, aside)
    assert b.quarantine(piece, "distinct reason") == ([(reason,)] if reason else [])
    if reason:
        numbers = b.quarantine(piece, "row_number, raw->>'campaign'")
        assert numbers == [(n + 2, "x") for n in range(aside)]


def test_single_events_of_several_currencies_are_not_added(tmp_path: Path) -> None:
    source = replace(
        EXPOSURE,
        constants={"channel": "display"},
        aggregate=Aggregate("at", "impressions", {"clicks": "click", "cost": "price"}),
    )
    b = bench(tmp_path, source)
    b.write(
        "e.csv",
        "at,click,price,currency\n2024-06-30 10:00:00,0,1.5,EUR\n2024-06-30 11:00:00,1,2,USD\n"
        "2024-06-29 11:00:00,1,2,USD\n2024-06-29 12:00:00,1,2,USD\n",
    )
    before, piece = b.land("exposure", [DAY - timedelta(days=1), DAY])
    assert b.rows(before, "exposure", "impressions, cost::int, currency") == [(2, 4, "USD")]
    assert (piece.read, piece.landed, piece.quarantined) == (2, 0, 2)
    assert b.quarantine(piece, "value, expected") == [
        ("EUR", "one currency"),
        ("USD", "one currency"),
    ]


def test_costs_of_single_events_are_rounded_as_a_sum(tmp_path: Path) -> None:
    events = Aggregate("at", "impressions", {"clicks": "click", "cost": "price"})
    b = bench(tmp_path, replace(EXPOSURE, constants={"channel": "display"}, aggregate=events))
    rows = "2024-06-30 10:00:00,0,0.00004\n" * 3600 + "2024-06-30 11:00:00,1,0.00125\n" * 1000
    b.write("e.csv", "at,click,price\n" + rows)
    (piece,) = b.land("exposure", [DAY])
    assert b.rows(piece, "exposure", "impressions, clicks, cost") == [
        (4600, 1000, Decimal("1.3940"))
    ]


def test_sheets_that_are_not_read_are_told(tmp_path: Path) -> None:
    b = bench(tmp_path, replace(TRAFFIC, files="b.xlsx", format="xlsx"))
    book = openpyxl.Workbook()
    for sheet in (book.worksheets[0], book.create_sheet("July")):
        sheet.append(["date", "visits"])
        sheet.append(["2024-06-30", 1])
    book.save(tmp_path / "b.xlsx")
    said: list[str] = []
    land(b.settings, b.workspace, "traffic", ["p"], [DAY], AT, "run-1", said.append)
    assert said[1:] == [
        "b.xlsx: only the sheet 'Sheet' is read, not 'July'; say in `sheets` of sources.yml which "
        "are."
    ]


def test_absent_is_not_zero(tmp_path: Path) -> None:
    b = bench(tmp_path, PAGE_VIEWS)
    b.write("pv/2024-06-30.csv", b"")
    empty, absent = b.land("page_views", [DAY, DAY + timedelta(days=1)])
    assert (empty.status, empty.read, empty.tables["page_views"].rows) == ("landed", 0, 0)
    assert (absent.status, absent.reason, dict(absent.tables)) == (
        "absent",
        "There is no file pv/2024-07-01.csv.",
        {},
    )
    assert [r["status"] for r in RunLog(b.settings).slices()] == ["landed", "absent"]


def test_covering_source_speaks_for_the_days_between_its_first_and_last(tmp_path: Path) -> None:
    b = bench(tmp_path, replace(TRAFFIC, last_day_complete=False))
    b.write("t.csv", TRAFFIC_HEADER + "2024-06-28,a,m,,d,1\n2024-06-30,a,m,,d,1\n")
    days = [date(2024, 6, n) for n in (27, 28, 29, 30)]
    assert [(p.status, p.read, p.reason) for p in b.land("traffic", days)] == [
        ("absent", 0, "t.csv covers 2024-06-28 to 2024-06-30."),
        ("landed", 1, None),
        ("landed", 0, None),
        ("absent", 0, "2024-06-30 is the last day of t.csv and may be incomplete."),
    ]


def test_day_with_activity_but_no_sign_up_is_landed(tmp_path: Path) -> None:
    users = Source("user_growth", "users", "p", "u.csv", "csv", "covering")
    activity = replace(users, table="activity", files="a.csv", last_day_complete=True)
    b = bench(tmp_path, users, activity)
    b.write("u.csv", "user_id,signed_up_at\nu1,2024-06-28T10:00:00Z\n")
    b.write(
        "a.csv",
        "event_id,user_id,occurred_at,kind\n"
        "1,u1,2024-06-29T10:00:00Z,login\n2,u1,2024-06-30T10:00:00Z,login\n",
    )
    pieces = b.land("user_growth", [date(2024, 6, n) for n in (28, 29, 30)])
    assert [(p.status, p.landed) for p in pieces] == [("landed", 1)] * 3


def test_arrival_waits_until_the_product_gives_up(tmp_path: Path) -> None:
    b = bench(tmp_path, PAGE_VIEWS, zone="America/New_York")
    noon = datetime(2024, 7, 1, 16, tzinfo=UTC)

    def state(at: datetime) -> str:
        return arrival(b.settings, b.workspace, "page_views", "p", DAY, at)

    assert state(noon - timedelta(minutes=1)) == "not_yet"
    assert state(noon) == "given_up"
    b.write("pv/2024-06-30.csv", PAGE_HEADER)
    assert state(noon - timedelta(minutes=1)) == "arrived"
    with pytest.raises(ConfigurationError, match="no source of the feed 'traffic'"):
        arrival(b.settings, b.workspace, "traffic", "p", DAY, noon)


def test_arrival_of_a_covering_source_follows_the_file(tmp_path: Path) -> None:
    b = bench(tmp_path, TRAFFIC)
    b.write("t.csv", TRAFFIC_HEADER + "2024-06-29,a,m,,d,1\n")

    def state(at: datetime = AT) -> str:
        return arrival(b.settings, b.workspace, "traffic", "p", DAY, at)

    assert state() == "given_up"
    b.write("t.csv", TRAFFIC_HEADER + "2024-06-29,a,m,,d,1\n2024-06-30,a,m,,d,12\n")
    assert state() == "arrived"


def test_row_of_the_future_does_not_vouch_for_the_days_before(tmp_path: Path) -> None:
    b = bench(tmp_path, TRAFFIC)
    b.write("t.csv", TRAFFIC_HEADER + "2024-06-29,a,m,,d,1\n2099-01-01,a,m,,d,1\n")
    assert [p.status for p in b.land("traffic", [DAY])] == ["absent"]


def test_missing_column_rejects_the_slice_with_a_sentence(tmp_path: Path) -> None:
    b = bench(tmp_path, replace(PAGE_VIEWS, columns={"visitor_id": "visitor"}))
    b.write("pv/2024-06-30.csv", "event_id,occurred_at,visiter,url\n")
    (piece,) = b.land("page_views", [DAY])
    assert (piece.status, piece.reason) == (
        "rejected",
        "pv/2024-06-30.csv has no column 'visitor'; it has event_id, occurred_at, visiter, url. "
        "Did you mean 'visiter'?",
    )


def test_landing_again_changes_nothing_and_a_correction_replaces(tmp_path: Path) -> None:
    b = bench(tmp_path, TRAFFIC)
    text = TRAFFIC_HEADER + "2024-06-30,a,m,,d,1\n2024-06-30,b,m,,d,x\n"
    b.write("t.csv", text)
    (first,) = b.land("traffic", [DAY])

    def state() -> dict[str, tuple[int, bytes]]:
        return {
            path.name: (path.stat().st_mtime_ns, path.read_bytes())
            for path in b.folder(first).iterdir()
        }

    before = state()
    assert len(before) == 3
    assert b.land("traffic", [DAY], AT + timedelta(days=1)) == [first]
    assert state() == before
    b.write("t.csv", TRAFFIC_HEADER + "2024-06-30,a,m,,d,2\n")
    (second,) = b.land("traffic", [DAY])
    assert second.hash != first.hash
    assert set(state()) == {"slice.json", second.tables["traffic"].file}
    assert read_slice(b.folder(second)) == second
    b.write("t.csv", text)
    (third,) = b.land("traffic", [DAY])
    assert third.hash == first.hash
    left = [path for path in b.settings.landing.iterdir() if path.name.startswith(".")]
    assert left == []


def test_unknown_feed_or_product_is_refused_and_a_key_is_needed(tmp_path: Path) -> None:
    b = bench(tmp_path, TRAFFIC)
    with pytest.raises(ConfigurationError, match="no feed 'visits'"):
        b.land("visits", [DAY])
    from kpi_pipeline.landing import land

    with pytest.raises(ConfigurationError, match="no product 'q'"):
        land(b.settings, b.workspace, "traffic", ["q"], [DAY], AT, "r")
    keyless = replace(b.settings, hash_key=None)
    with pytest.raises(ConfigurationError, match="KPI_HASH_KEY"):
        land(keyless, b.workspace, "traffic", ["p"], [DAY], AT, "r")


def test_organisation_is_typed_without_emails_and_hashes_excluded_ids(tmp_path: Path) -> None:
    b = bench(tmp_path)
    people = Table(
        "people",
        (
            OrgColumn("person_id"),
            OrgColumn("email"),
            OrgColumn("valid_from", "date"),
            OrgColumn("team", required=False),
        ),
        (("ana", "ana@example.org", date(2024, 1, 1), None),),
        "h1",
    )
    exclusions = Table(
        "exclusions",
        (OrgColumn("product_id"), OrgColumn("kind"), OrgColumn("value"), OrgColumn("reason")),
        (("p", "user", "-1", "the site"), ("p", "utm_source", "test", 'ours, "tests"')),
        "h2",
    )
    targets = Table("targets", (OrgColumn("kpi_id"), OrgColumn("value", "number")), (), "h3")
    tables = {t.name: t for t in (people, exclusions, targets)}
    workspace = replace(b.workspace, tables=tables)
    hashes = land_organisation(b.settings, workspace, AT, "run-1")
    folder = b.settings.landing / "organisation"
    index = json.loads((folder / "organisation.json").read_text())
    assert {n: t["rows"] for n, t in index["tables"].items()} == {
        "people": 1,
        "exclusions": 2,
        "targets": 0,
    }

    def content(name: str) -> list[tuple[object, ...]]:
        path = folder / index["tables"][name]["file"]
        return duckdb.execute("from read_parquet(?)", [str(path)]).fetchall()

    assert content("people") == [("ana", date(2024, 1, 1), None)]
    assert content("exclusions") == [
        ("p", "user", hashed("-1"), "the site"),
        ("p", "utm_source", "test", 'ours, "tests"'),
    ]
    assert content("targets") == []
    before = (folder / "organisation.json").read_bytes()
    assert land_organisation(b.settings, workspace, AT + timedelta(days=1), "run-2") == hashes
    assert (folder / "organisation.json").read_bytes() == before
    fewer = replace(workspace, tables=tables | {"people": replace(people, rows=())})
    assert land_organisation(b.settings, fewer, AT, "run-3")["people"] != hashes["people"]
    assert len(list(folder.glob("people-*.parquet"))) == 1


def test_a_text_that_changes_in_several_places_is_seen_to_change(tmp_path: Path) -> None:
    b = bench(tmp_path, PAGE_VIEWS)
    urls = ("https://shop.example/c/7?gclid=91", "https://shop.example/c/8?gclid=21")
    with duckdb.connect() as connection:
        row = connection.execute("select hash(?) = hash(?)", urls).fetchone()
    assert row == (True,), "DuckDB tells them apart now; look for another pair, or trust its hash"
    hashes = set()
    for url in urls:
        b.write("pv/2024-06-30.csv", PAGE_HEADER + f"e1,2024-06-30T00:30:00Z,v1,{url},false\n")
        hashes |= {piece.hash for piece in b.land("page_views", [DAY])}
    assert len(hashes) == 2
