"""A text is the value it was declared to be, or a fault with its reason; never another value."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest
from judging import judged

from kpi_pipeline.landing import rules
from kpi_pipeline.workspace import Aggregate, Source
from kpi_pipeline.workspace.model import Share, Unpivot

TRAFFIC = Source("traffic", "traffic", "p", "t.csv", "csv", "covering")
ADS = Source("exposure", "exposure", "p", "e.csv", "csv", "covering")
VIEWS = Source("page_views", "page_views", "p", "v.csv", "csv", "covering")
WHOLE = "a whole number from 0, as 1234"
UNREAD = "cannot be read as declared"
NO_VALUE = "is no value; if it means that nothing was recorded, declare it in null_tokens"
GROUPED = "looks grouped in thousands; say how in thousands_separator"
SEPARATED = "has separators where none are declared"


def traffic(text: object, column: str = "visits", **changes: object) -> object:
    """The value of a number of a traffic row, or (value, expected, reason) of its fault."""
    return number(replace(TRAFFIC, **changes), {"date": "2024-06-30", "visits": "10"}, column, text)


def ad(text: object, column: str = "cost", **changes: object) -> object:
    row = {"date": "2024-06-30", "impressions": "10", "clicks": "1"}
    return number(replace(ADS, **changes), row, column, text)


def number(source: Source, row: dict[str, object], column: str, text: object) -> object:
    result = judged(source, {**row, column: text})
    if result.fault is None:
        return result.values[column]
    assert result.fault[0] == column
    return result.fault[1:]


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "expected"),
    [
        ("0", ".", "", 0),
        ("0012", ".", "", 12),
        (" +7 ", ".", "", 7),
        ("12.0", ".", "", 12),
        ("9223372036854775807", ".", "", 2**63 - 1),
        ("1,234", ".", ",", 1234),
        ("1,234,567.00", ".", ",", 1_234_567),
        ("1234567", ".", ",", 1_234_567),
        ("1.234.567", ",", ".", 1_234_567),
        ("1.000", ",", ".", 1000),
        ("1 234 567", ",", " ", 1_234_567),
        ("1\u00a0234", ",", " ", 1234),
        ("1\u202f234\u202f567", ",", " ", 1_234_567),
        ("\u00a01234\u00a0", ".", "", 1234),
        ("1'234", ".", "'", 1234),
        ("1’234", ".", "'", 1234),
    ],
)
def test_counts_are_read_in_the_declared_notation(
    text: str, decimal: str, thousands: str, expected: int
) -> None:
    assert traffic(text, decimal_separator=decimal, thousands_separator=thousands) == expected


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "reason"),
    [
        ("1,234", ".", "", GROUPED),
        ("1.000", ".", "", GROUPED),
        ("1.234", ".", "", GROUPED),
        ("1 234", ".", "", SEPARATED),
        ("1.5", ".", "", "is not whole"),
        ("1,23", ".", ",", SEPARATED),
        ("12,34,567", ".", ",", SEPARATED),
        ("1234,567", ".", ",", SEPARATED),
        ("1,234,", ".", ",", UNREAD),
        (",123", ".", ",", SEPARATED),
        ("1,,234", ".", ",", SEPARATED),
        ("1 234,567", ".", " ", SEPARATED),
        ("0,125", ".", ",", "begins with 0, so it is not grouped in thousands"),
        ("-012.345,5", ",", ".", "begins with 0, so it is not grouped in thousands"),
        ("0,125", ".", "", SEPARATED),
        ("12.3 %", ".", "", "has a percent sign; say in percent_of what it is a share of"),
        ("€12", ".", "", "has a currency; expected the number alone"),
        ("12 USD", ".", "", "has a currency; expected the number alone"),
        ("EUR 12", ".", "", "has a currency; expected the number alone"),
        ("(123)", ".", "", "stands in brackets; expected a minus sign where it is below 0"),
        ("-1", ".", "", "is negative"),
        ("9223372036854775808", ".", "", "is too large"),
        ("9" * 5000, ".", "", "is too large"),
        ("N/A", ".", "", NO_VALUE),
        ("-", ".", "", NO_VALUE),
        ("nan", ".", "", NO_VALUE),
        ("1e3", ".", "", "is not whole"),
        ("1_000", ".", "", UNREAD),
        ("0x1F", ".", "", UNREAD),
        ("٣", ".", "", NO_VALUE),
        ("12\x00", ".", "", UNREAD),
        ("0:01:23", ".", "", UNREAD),
    ],
)
def test_counts_in_another_notation_are_faults(
    text: str, decimal: str, thousands: str, reason: str
) -> None:
    shown = text if len(text) < 1000 else text[:1000] + "…"
    expected = f"a whole number from 0, as 1{thousands}234"
    found = traffic(text, decimal_separator=decimal, thousands_separator=thousands)
    assert found == (shown, expected, reason)


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "expected"),
    [
        ("1234.5", ".", "", "1234.5"),
        ("-0.25", ".", "", "-0.25"),
        (".5", ".", "", "0.5"),
        ("5.", ".", "", "5"),
        ("1.5e3", ".", "", "1500"),
        ("1E-4", ".", "", "0.0001"),
        ("1.234,5", ",", ".", "1234.5"),
        ("1 234,5678", ",", " ", "1234.5678"),
        ("1\u202f234,5", ",", " ", "1234.5"),
        ("-1'234.5", ".", "'", "-1234.5"),
        ("12,5", ",", "", "12.5"),
        ("99999999999999.9999", ".", "", "99999999999999.9999"),
        ("0.00005", ".", "", "0.0001"),
    ],
)
def test_decimals_are_read_in_the_declared_notation(
    text: str, decimal: str, thousands: str, expected: str
) -> None:
    found = ad(text, decimal_separator=decimal, thousands_separator=thousands)
    assert found == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "reason"),
    [
        ("1.5", ",", "", SEPARATED),
        ("1.5", ",", ".", SEPARATED),
        ("1,5", ".", ",", SEPARATED),
        ("1,234", ".", "", GROUPED),
        ("1.2.3", ".", "", SEPARATED),
        ("(12.5)", ".", "", "stands in brackets; expected a minus sign where it is below 0"),
        ("12.50 €", ".", "", "has a currency; expected the number alone"),
        ("$12.50", ".", "", "has a currency; expected the number alone"),
        ("100000000000000", ".", "", "is too large"),
        ("1e400", ".", "", "is too large"),
        ("12 %", ".", "", "has a percent sign; say in percent_of what it is a share of"),
        (".", ".", "", NO_VALUE),
        ("1_000", ".", "", UNREAD),
        ("1e", ".", "", UNREAD),
        ("--1", ".", "", UNREAD),
    ],
)
def test_decimals_in_another_notation_are_faults(
    text: str, decimal: str, thousands: str, reason: str
) -> None:
    found = ad(text, decimal_separator=decimal, thousands_separator=thousands)
    assert found == (text, f"a number as 1{thousands}234{decimal}5", reason)


@pytest.mark.parametrize(
    ("text", "visits", "expected"),
    [
        ("45.3 %", "1000", 453),
        ("45.3%", "1000", 453),
        ("45.3\u202f%", "1000", 453),
        (" 45.3 ", "1000", 453),
        ("0", "1000", 0),
        ("100.00%", "3000000000", 3_000_000_000),
        ("100%", str(2**63 - 1), 2**63 - 1),
        ("12.5 %", "4", 1),
        ("33.333333333333 %", "3", 1),
        ("14.5%", "100", 15),
        ("", "1000", None),
    ],
)
def test_a_percentage_becomes_a_count_of_what_it_is_of(
    text: str, visits: str, expected: int | None
) -> None:
    source = replace(TRAFFIC, shares={"bounces": Share("Bounce rate", "visits", is_percent=True)})
    row = {"date": "2024-06-30", "visits": visits, "bounces": text}
    result = judged(source, row)
    assert (result.values["bounces"], result.fault) == (expected, None)


@pytest.mark.parametrize(
    ("text", "visitors", "reason"),
    [
        ("100.1 %", "10", "is not between 0 and 100 %"),
        ("4530 %", "10", "is not between 0 and 100 %"),
        ("-1 %", "10", "is not between 0 and 100 %"),
        ("45,3 %", "10", UNREAD),
        ("45.3 %%", "10", UNREAD),
        ("%", "10", NO_VALUE),
        ("n/a", "10", NO_VALUE),
        ("45.3 %", "", "needs visitors"),
    ],
)
def test_a_percentage_that_cannot_be_is_a_fault(text: str, visitors: str, reason: str) -> None:
    shares = {"new_visitors": Share("New", "visitors", is_percent=True)}
    row = {"date": "2024-06-30", "visits": "9", "visitors": visitors, "new_visitors": text}
    assert judged(replace(TRAFFIC, shares=shares), row).fault == (
        "new_visitors",
        text,
        "a percentage from 0 to 100 as 45.3 %",
        reason,
    )


def test_what_a_share_is_of_is_blamed_before_it() -> None:
    shares = {"visitors": Share("Share", "page_views", is_percent=True)}
    row = {"date": "2024-06-30", "visits": "9", "visitors": "50 %", "page_views": "many"}
    assert judged(replace(TRAFFIC, shares=shares), row).fault == (
        "page_views",
        "many",
        WHOLE,
        NO_VALUE,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0:01:23", 830),
        ("01:23", 830),
        ("0:01:23,45", 835),
        ("83", 830),
        ("83,45", 835),
        ("1.000,5", 10_005),
        ("0", 0),
        ("-5", ("-5", "is negative or too large")),
        ("0:01:73", ("0:01:73", UNREAD)),
        ("9999999999999", ("9999999999999", "is negative or too large")),
    ],
)
def test_a_mean_becomes_a_sum(text: str, expected: object) -> None:
    source = replace(
        TRAFFIC,
        decimal_separator=",",
        thousands_separator=".",
        shares={"duration_seconds": Share("Avg. duration", "visits", is_percent=False)},
    )
    row = {"date": "2024-06-30", "visits": "10", "duration_seconds": text}
    result = judged(source, row)
    if result.fault is None:
        assert result.values["duration_seconds"] == expected
    else:
        value, reason = expected  # type: ignore[misc]
        what = "a mean as 83,5, or a duration as 0:01:23"
        assert result.fault == ("duration_seconds", value, what, reason)


def test_a_mean_price_becomes_a_cost() -> None:
    source = replace(ADS, shares={"cost": Share("CPC", "clicks", is_percent=False)})
    row = {"date": "2024-06-30", "impressions": "900", "clicks": "7", "cost": "0.12345"}
    assert judged(source, row).values["cost"] == Decimal("0.8642")
    row["clicks"] = str(2**63 - 1)
    row["cost"] = "999999999.9"
    assert judged(source, row).fault == (
        "cost",
        "999999999.9",
        "a mean as 83.5",
        "is negative or too large",
    )


def test_what_will_be_added_keeps_the_decimals_of_each_row() -> None:
    row = {"date": "2024-06-30", "impressions": "900", "clicks": "7", "cost": "0.0000412345"}
    for added in ({"on_repeat": "sum"}, {"aggregate": Aggregate("date", "impressions")}):
        source = replace(ADS, **added)  # type: ignore[arg-type]
        assert judged(source, row).values["cost"] == Decimal("0.0000412345")
        huge = judged(source, {**row, "cost": "1e14"}).fault
        assert huge is not None
        assert huge[3] == "is too large"
    assert judged(ADS, row).values["cost"] == 0


def test_a_share_can_be_of_a_share() -> None:
    source = replace(
        ADS,
        shares={
            "clicks": Share("CTR", "impressions", is_percent=True),
            "cost": Share("CPC", "clicks", is_percent=False),
        },
    )
    row = {"date": "2024-06-30", "impressions": "1000", "clicks": "1.26 %", "cost": "0.5"}
    values = judged(source, row).values
    assert (values["clicks"], values["cost"]) == (13, Decimal("6.5"))
    assert judged(source, {**row, "clicks": ""}).fault == (
        "clicks",
        None,
        "a percentage from 0 to 100 as 45.3 %",
        "is missing",
    )
    assert judged(source, {**row, "cost": "free"}).fault == (
        "cost",
        "free",
        "a mean as 83.5",
        NO_VALUE,
    )


def test_a_share_of_money_keeps_its_decimals() -> None:
    source = replace(ADS, shares={"reach": Share("Share", "cost", is_percent=True)})
    row = {"date": "2024-06-30", "impressions": "9", "clicks": "7", "cost": "2.6", "reach": "50"}
    assert judged(source, row).values["reach"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("83", 83),
        ("1:02:03", 3723),
        ("100:00:00", 360_000),
        ("01:23", 83),
        ("1:02", 62),
        ("9:59", 599),
        ("00:00:01.499", 1),
        ("00:00:01.5", 2),
        ("0:59:59.9999", 3600),
    ],
)
def test_durations_are_seconds(text: str, expected: int) -> None:
    assert traffic(text, "duration_seconds") == expected


@pytest.mark.parametrize(
    "text", ["1:75:00", "1:00:60", "75:00", "1:2:3", "-0:01:00", "0:01:23,5", "1:00:00:00"]
)
def test_a_duration_that_cannot_be_is_a_fault(text: str) -> None:
    expected = f"{WHOLE}, or a duration as 0:01:23"
    assert traffic(text, "duration_seconds") == (text, expected, UNREAD)


@pytest.mark.parametrize(
    ("time_format", "text", "expected"),
    [
        (None, "2024-06-30T10:05:06Z", "2024-06-30 10:05:06"),
        (None, "2024-06-30 10:05:06.123456Z", "2024-06-30 10:05:06.123456"),
        (None, "2024-06-30T10:05:06.123Z", "2024-06-30 10:05:06.123"),
        (None, " 2024-06-30T10:05Z ", "2024-06-30 10:05:00"),
        (None, "2024-06-30 10:05:06 UTC", "2024-06-30 10:05:06"),
        (None, "2024-06-30T10:05:06+09:00", "2024-06-30 01:05:06"),
        (None, "2024-06-30 10:05:06-0330", "2024-06-30 13:35:06"),
        (None, "2024-06-30 10:05:06 +0200", "2024-06-30 08:05:06"),
        (None, "2024-06-30T10:05+14", "2024-06-29 20:05:00"),
        (None, "2024-06-30 10:05:06", "2024-06-30 08:05:06"),
        (None, "2024-01-30T10:05", "2024-01-30 09:05:00"),
        (None, "1999-12-31T23:59:59Z", "1999-12-31 23:59:59"),
        (None, "2024-06-30T24:00:00Z", "2024-07-01 00:00:00"),
        (None, "2024-03-31 02:30:00", "2024-03-31 01:30:00"),
        (None, "2024-10-27 02:30:00", "2024-10-27 01:30:00"),
        ("%m/%d/%y %H:%M", "6/3/24 9:05", "2024-06-03 07:05:00"),
        ("%d.%m.%Y %H:%M:%S", "3.6.2024 9:05:06", "2024-06-03 07:05:06"),
        ("%d %b %Y %H:%M", "30 Jun 2024 10:05", "2024-06-30 08:05:00"),
        ("%m/%d/%Y %I:%M %p", "6/30/2024 12:05 AM", "2024-06-29 22:05:00"),
        ("%m/%d/%Y %I:%M %p", "6/30/2024 1:05 pm", "2024-06-30 11:05:00"),
        ("%d/%b/%Y:%H:%M:%S %z", "30/Jun/2024:10:05:06 -0400", "2024-06-30 14:05:06"),
        ("%Y%m%d%H%M%S", "20240630100506", "2024-06-30 08:05:06"),
        ("epoch_seconds", "1719741906", "2024-06-30 10:05:06"),
        ("epoch_seconds", "1719741906.25", "2024-06-30 10:05:06.25"),
        ("epoch_milliseconds", "1719741906250", "2024-06-30 10:05:06.25"),
    ],
)
def test_times_are_read_in_the_declared_format_and_zone(
    time_format: str | None, text: str, expected: str
) -> None:
    source = replace(VIEWS, time_format=time_format, time_zone="Europe/Madrid")
    result = judged(source, {"occurred_at": text, "visitor_id": "v", "url": "/"})
    assert result.fault is None
    assert result.values["occurred_at"] == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("time_format", "text", "reason"),
    [
        (None, "2024-06-30", "has no time of day"),
        (None, "1719741906", UNREAD),
        (None, "2024-6-3 1:2", UNREAD),
        (None, "2024-06-30T10: 5:06Z", UNREAD),
        (None, "2024-06-30T10:05:5.Z", UNREAD),
        (None, "2024-02-30T10:05:06Z", UNREAD),
        (None, "2024-06-30T10:05:60Z", UNREAD),
        (None, "2024-06-30T25:05:06Z", UNREAD),
        (None, "2024-06-30T10:05:06+99:00", UNREAD),
        (None, "2024-06-30T10:05:06+15:00", UNREAD),
        (None, "2024-06-30T10:05:06 Europe/Madrid", UNREAD),
        (None, "30/06/2024 10:05", UNREAD),
        (None, "0001-01-01T00:00:00Z", "is not in the years 1900 to 2199"),
        (None, "9999-12-31T23:59:59Z", "is not in the years 1900 to 2199"),
        (None, "epoch", NO_VALUE),
        (None, "infinity", NO_VALUE),
        ("%d.%m.%Y %H:%M", "3.6.24 9:05", UNREAD),
        ("%d.%m.%Y %H:%M", "epoch", NO_VALUE),
        ("%d.%m.%Y %H:%M", "31.4.2024 9:05", UNREAD),
        ("%m/%d/%y %H:%M", "6/30/2024 9:05", UNREAD),
        ("%m/%d/%Y %I:%M %p", "6/30/2024 13:05 PM", UNREAD),
        ("%d %b %Y %H:%M", "30 Juin 2024 10:05", UNREAD),
        ("epoch_seconds", "1719741906250", UNREAD),
        ("epoch_milliseconds", "1719741906", UNREAD),
        ("epoch_seconds", "-1719741906", UNREAD),
        ("epoch_seconds", "9999999999", UNREAD),
        ("epoch_seconds", "1.7e9", UNREAD),
    ],
)
def test_times_in_another_format_are_faults(
    time_format: str | None, text: str, reason: str
) -> None:
    source = replace(VIEWS, time_format=time_format)
    expected = {
        None: "a time as 2024-06-30T23:59:00Z",
        "epoch_seconds": "seconds since 1970 as 1719791940",
        "epoch_milliseconds": "milliseconds since 1970 as 1719791940123",
    }.get(time_format, f"a time or date as {time_format}")
    result = judged(source, {"occurred_at": text, "visitor_id": "v", "url": "/"})
    assert result.fault == ("occurred_at", text, expected, reason)
    assert (result.values["occurred_at"], result.local_date) == (None, None)


@pytest.mark.parametrize(
    ("time_format", "text", "expected"),
    [
        (None, "2024-06-30", date(2024, 6, 30)),
        (None, " 1987-06-30 ", date(1987, 6, 30)),
        ("%d.%m.%Y", "3.6.2024", date(2024, 6, 3)),
        ("%m/%d/%y", "6/3/24", date(2024, 6, 3)),
        ("%m/%d/%y", "6/3/69", date(1969, 6, 3)),
        ("%d %B %Y", "3 june 2024", date(2024, 6, 3)),
        ("%Y-%m-%d %H:%M:%S", "2024-06-30 23:30:00", date(2024, 6, 30)),
        ("%Y-%m-%dT%H:%M:%S%z", "2024-06-30T23:30:00+0000", date(2024, 7, 1)),
        ("epoch_seconds", "1719790200", date(2024, 7, 1)),
        (None, "2024-6-3", None),
        (None, "2024-05-3 ", None),
        (None, "2024-06-31", None),
        (None, "20240630", None),
        (None, "2024-06-30T10:00:00", None),
        ("%d.%m.%Y", "3.6.24", None),
        ("%d.%m.%Y", "3.6.2024 10:00", None),
    ],
)
def test_dates_are_read_in_the_declared_format(
    time_format: str | None, text: str, expected: date | None
) -> None:
    source = replace(TRAFFIC, time_format=time_format)
    result = judged(source, {"date": text, "visits": "1"}, zone="Asia/Tokyo")
    assert (result.values["date"], result.local_date) == (expected, expected)
    assert (result.fault is None) == (expected is not None)


@pytest.mark.parametrize(
    ("time_format", "text", "expected"),
    [
        (None, "2024-06-30T15:30:00Z", date(2024, 7, 1)),
        (None, "2024-06-30 23:30:00", date(2024, 7, 1)),
        (None, "2024-06-30", date(2024, 6, 30)),
        ("%d.%m.%Y", "30.6.2024", date(2024, 6, 30)),
        ("%d.%m.%Y %H:%M", "30.6.2024 23:30", date(2024, 7, 1)),
        ("epoch_milliseconds", "1719761400000", date(2024, 7, 1)),
        (None, "30.6.2024", None),
    ],
)
def test_an_event_counts_on_its_day_in_the_products_zone(
    time_format: str | None, text: str, expected: date | None
) -> None:
    source = replace(
        ADS,
        aggregate=Aggregate("at", "impressions"),
        time_format=time_format,
        time_zone="Europe/Madrid",
    )
    result = judged(source, {"date": text, "clicks": "0"}, zone="Asia/Tokyo")
    assert (result.values["date"], result.values["impressions"]) == (expected, 1)
    assert (result.fault is None) == (expected is not None)


def test_days_that_were_headers_are_iso_whatever_the_other_times_are() -> None:
    source = replace(TRAFFIC, time_format="%d.%m.%Y", unpivot=Unpivot("%d.%m.%Y", "date", "visits"))
    assert judged(source, {"date": "2024-06-30", "visits": "1"}).local_date == date(2024, 6, 30)


def test_a_tables_own_null_tokens_do_not_touch_a_column_with_others() -> None:
    source = replace(
        ADS, null_tokens=("", "#N/A", "-"), null_tokens_of={"campaign": ("",), "placement": ()}
    )
    row = {"date": "2024-06-30", "impressions": "9", "clicks": "1"}
    named = judged(
        source,
        {**row, "channel": "#N/A", "campaign": "#N/A", "placement": "", "cost": "-", "reach": ""},
    )
    assert named.fault is None
    assert {n: named.values[n] for n in ("channel", "campaign", "placement", "cost", "reach")} == {
        "channel": "(not set)",
        "campaign": "#N/A",
        "placement": "",
        "cost": None,
        "reach": None,
    }
    assert judged(source, {**row, "clicks": "#N/A"}).fault == (
        "clicks",
        None,
        WHOLE,
        "is missing",
    )
    assert judged(source, {**row, "clicks": "N/A"}).fault == ("clicks", "N/A", WHOLE, NO_VALUE)


@pytest.mark.parametrize(
    "text",
    [
        "(not set)",
        "<script>alert(1)</script>",
        "say \"hi\", it's\nme\r\n\tagain",
        "=HYPERLINK(\"http://x\")",
        " padded ",
        "日本 \u202e\u0001",
        "{{ 7 * 7 }}",
        "x" * rules.LONGEST,
    ],
)  # fmt: skip
def test_texts_pass_as_they_are(text: str) -> None:
    row = {"date": "2024-06-30", "impressions": "9", "clicks": "1", "campaign": text}
    result = judged(ADS, row)
    assert (result.fault, result.values["campaign"]) == (None, text)


def test_texts_with_nul_or_without_end_are_faults() -> None:
    row = {"date": "2024-06-30", "impressions": "9", "clicks": "1"}
    assert judged(ADS, {**row, "campaign": "a\x00b"}).fault == (
        "campaign",
        "a␀b",
        "text",
        "has a NUL character",
    )
    assert judged(ADS, {**row, "campaign": "é" * (rules.LONGEST // 2 + 1)}).fault == (
        "campaign",
        "é" * 1000 + "…",
        "text",
        "is longer than 1 MB",
    )


def test_constants_are_read_as_written_in_the_workspace() -> None:
    source = replace(
        ADS,
        constants={"date": "2024-06-30", "cost": "0.5", "reach": "1234"},
        decimal_separator=",",
        thousands_separator=".",
        time_format="%d.%m.%Y",
        null_tokens=("", "0.5"),
    )
    values = judged(source, {"impressions": "1.234", "clicks": "1"}).values
    found = {name: values[name] for name in ("date", "cost", "reach", "impressions")}
    assert found == {
        "date": date(2024, 6, 30),
        "cost": Decimal("0.5"),
        "reach": 1234,
        "impressions": 1234,
    }


def test_values_that_are_typed_already_pass_untouched() -> None:
    at = datetime.fromisoformat("2024-06-30 15:30:00")
    row = {"occurred_at": at, "visitor_id": "", "url": "/\x00", "is_bot": False}
    result = judged(VIEWS, row, "Asia/Tokyo", frozenset(row))
    assert (result.fault, result.local_date) == (None, date(2024, 7, 1))
    assert {name: result.values[name] for name in row} == row
    missing = judged(VIEWS, {**row, "occurred_at": None}, "UTC", frozenset(row))
    assert missing.fault == (
        "occurred_at",
        None,
        "a time as 2024-06-30T23:59:00Z",
        "is missing",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("true", True), (" Yes", True), ("T", True), ("1", True), ("FALSE", False), ("no", False)]
    + [(text, None) for text in ("maybe", "2", "-", "ja")],
)
def test_booleans_are_words_or_digits(text: str, expected: bool | None) -> None:
    row = {"occurred_at": "2024-06-30T10:00:00Z", "visitor_id": "v", "url": "/", "is_bot": text}
    result = judged(VIEWS, row)
    fault = None if expected is not None else ("is_bot", text, "true or false", UNREAD)
    assert (result.values["is_bot"], result.fault) == (expected, fault)


@pytest.mark.parametrize(
    ("grain", "last"),
    [
        ("day", date(2024, 4, 1)),
        ("week", date(2024, 4, 7)),
        ("month", date(2024, 4, 30)),
        ("quarter", date(2024, 6, 30)),
        ("year", None),
    ],
)
def test_a_period_belongs_to_its_last_day(grain: str, last: date | None) -> None:
    source = Source("traffic", "traffic_uniques", "p", "u.csv", "csv", "covering")
    row = {"scope_kind": "product", "scope_id": "p", "grain": grain}
    result = judged(source, {**row, "period_start": "2024-04-01", "visitors": "1"})
    reason = ("grain", "year", "day, week, month or quarter", "is not a grain")
    assert (result.local_date, result.fault) == (last, None if last else reason)
