"""Numbers and times come back exactly in any declared notation; anything else is a fault."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from judging import Judged, judged_rows

from kpi_pipeline.workspace import Source
from kpi_pipeline.workspace.model import Share

TRAFFIC = Source("traffic", "traffic", "p", "t.csv", "csv", "covering")
ADS = Source("exposure", "exposure", "p", "e.csv", "csv", "covering")
VIEWS = Source("page_views", "page_views", "p", "v.csv", "csv", "covering")
SPACES = " \u00a0\u2009\u202f"
MARKS = {",": ",", ".": ".", " ": SPACES, "'": "'’", "’": "'’", "": ""}
NOTATIONS = st.sampled_from(
    [(".", t) for t in ("", ",", " ", "'", "’")] + [(",", t) for t in ("", ".", " ", "'", "’")]
)
PADDING = st.text(" \u00a0", max_size=2)
NOISE = st.text(string.digits + "+-.,'’eE%_:()$ \u00a0\u202fxN/A٣", max_size=12)


def source_of(basis: Source, notation: tuple[str, str]) -> Source:
    decimal, thousands = notation
    return replace(basis, decimal_separator=decimal, thousands_separator=thousands)


def visits(source: Source, texts: list[str]) -> list[Judged]:
    return judged_rows(source, [{"date": "2024-06-30", "visits": text} for text in texts])


def costs(source: Source, texts: list[str]) -> list[Judged]:
    row = {"date": "2024-06-30", "impressions": "1", "clicks": "0"}
    return judged_rows(source, [{**row, "cost": text} for text in texts])


@st.composite
def grouped(draw: st.DrawFn, digits: str, thousands: str) -> str:
    """The digits, with or without the declared marks between groups of three."""
    if not thousands or not draw(st.booleans()):
        return digits
    groups = [digits[max(end - 3, 0) : end] for end in range(len(digits), 0, -3)][::-1]
    text = groups[0]
    for group in groups[1:]:
        text += draw(st.sampled_from(MARKS[thousands])) + group
    return text


@st.composite
def written_counts(draw: st.DrawFn) -> tuple[tuple[str, str], list[tuple[int, str]]]:
    decimal, thousands = notation = draw(NOTATIONS)
    tail = ["", f"{decimal}0", f"{decimal}00"] + ([f"{decimal}000"] if thousands else [])
    found = []
    for number in draw(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=20)):
        text = draw(grouped(str(number), thousands)) + draw(st.sampled_from(tail))
        sign = draw(st.sampled_from(["", "+"]))
        found.append((number, draw(PADDING) + sign + text + draw(PADDING)))
    return notation, found


@settings(deadline=None)
@given(written_counts())
def test_counts_come_back_exactly(case: tuple[tuple[str, str], list[tuple[int, str]]]) -> None:
    notation, written = case
    found = visits(source_of(TRAFFIC, notation), [text for _, text in written])
    assert [(r.values["visits"], r.fault) for r in found] == [(n, None) for n, _ in written]


@st.composite
def written_decimals(draw: st.DrawFn) -> tuple[tuple[str, str], list[tuple[Decimal, str]]]:
    decimal, thousands = notation = draw(NOTATIONS)
    found = []
    money = st.decimals(-(10**14) + 1, 10**14 - 1, places=4)
    for number in draw(st.lists(money, min_size=1, max_size=20)):
        sign, plain = ("-", f"{-number:f}") if number < 0 else ("", f"{number:f}")
        whole, _, fraction = plain.partition(".")
        places = draw(st.integers(len(fraction.rstrip("0")), 6))
        fraction = fraction.ljust(places, "0")[:places]
        text = draw(grouped(whole, thousands)) + (decimal + fraction if fraction else "")
        found.append((number, draw(PADDING) + sign + text + draw(PADDING)))
    return notation, found


@settings(deadline=None)
@given(written_decimals())
def test_decimals_come_back_exactly(
    case: tuple[tuple[str, str], list[tuple[Decimal, str]]],
) -> None:
    notation, written = case
    found = costs(source_of(ADS, notation), [text for _, text in written])
    assert [(r.values["cost"], r.fault) for r in found] == [(n, None) for n, _ in written]


def read_whole(text: str, thousands: str) -> str | None:
    """The digits before the fraction, read character by character; None where it is no number."""
    marks = MARKS[thousands]
    groups = [""]
    for character in text:
        if character in marks and thousands:
            groups.append("")
        elif character in string.digits:
            groups[-1] += character
        else:
            return None
    sizes = [len(group) for group in groups]
    if len(groups) > 1 and (not 1 <= sizes[0] <= 3 or set(sizes[1:]) != {3}):
        return None
    return "".join(groups)


def read_number(text: str, decimal: str, thousands: str, *, is_whole: bool) -> Decimal | None:
    """A slow and obvious reading of a number."""
    text = text.strip(SPACES)
    sign = -1 if text.startswith("-") else 1
    text = text[1:] if text[:1] in ("+", "-") else text
    mantissa, e, exponent = text.replace("E", "e").partition("e")
    whole, point, fraction = mantissa.partition(decimal)
    digits = read_whole(whole, thousands)
    if digits is None or (fraction and not set(fraction) <= set(string.digits)):
        return None
    if is_whole:
        if e or not digits or fraction.strip("0") or (point and not fraction and not thousands):
            return None
        if not thousands and fraction == "000":
            return None
        return sign * Decimal(digits)
    if not digits and not fraction:
        return None
    power_digits = exponent[1:] if exponent[:1] in ("+", "-") else exponent
    if e and (not power_digits or not set(power_digits) <= set(string.digits)):
        return None
    power = int(exponent) if e else 0
    return sign * Decimal(f"{digits or '0'}.{fraction or '0'}").scaleb(power)


@settings(deadline=None)
@given(NOTATIONS, st.lists(NOISE, min_size=1, max_size=30))
def test_a_count_is_what_it_says_or_a_fault(notation: tuple[str, str], texts: list[str]) -> None:
    source = source_of(TRAFFIC, notation)
    for text, row in zip(texts, visits(source, texts), strict=True):
        number = read_number(text, *notation, is_whole=True)
        if number is not None and 0 <= number < 2**63:
            assert (row.values["visits"], row.fault) == (number, None)
        else:
            assert row.fault is not None
            assert row.fault[:2] == ("visits", text if text else None)


@settings(deadline=None)
@given(NOTATIONS, st.lists(NOISE, min_size=1, max_size=30))
def test_a_decimal_is_what_it_says_or_a_fault(notation: tuple[str, str], texts: list[str]) -> None:
    source = source_of(ADS, notation)
    for text, row in zip(texts, costs(source, texts), strict=True):
        number = read_number(text, *notation, is_whole=False)
        if not text:
            assert (row.values["cost"], row.fault) == (None, None)
            continue
        if number is not None and abs(number) < 10**14 - 1:
            rounded = number.quantize(Decimal("0.0001"), ROUND_HALF_UP)
            assert (row.values["cost"], row.fault) == (rounded, None)
        else:
            assert row.fault is not None
            assert row.fault[:2] == ("cost", text)


@settings(deadline=None)
@given(
    st.sampled_from([".", ","]),
    st.lists(
        st.tuples(
            st.decimals(0, 200, places=3),
            st.integers(0, 2**63 - 1),
            st.sampled_from(["", "%", " %", "\u202f%"]),
        ),
        min_size=1,
        max_size=20,
    ),
)
def test_percentages_are_exact_shares(decimal: str, rows: list[tuple[Decimal, int, str]]) -> None:
    source = replace(
        TRAFFIC, decimal_separator=decimal, shares={"bounces": Share("b", "visits", True)}
    )
    texts = [f"{share:f}".replace(".", decimal) + sign for share, _, sign in rows]
    found = judged_rows(
        source,
        [
            {"date": "2024-06-30", "visits": str(of), "bounces": text}
            for text, (_, of, _) in zip(texts, rows, strict=True)
        ],
    )
    for text, (share, of, _), row in zip(texts, rows, found, strict=True):
        if share <= 100:
            exact = (Decimal(of) * share / 100).quantize(Decimal(1), ROUND_HALF_UP)
            assert (row.values["bounces"], row.fault) == (exact, None)
        else:
            assert row.fault is not None
            assert (row.fault[1], row.fault[3]) == (text, "is not between 0 and 100 %")


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3_599_999), st.booleans()), min_size=1, max_size=20))
def test_durations_come_back_in_seconds(rows: list[tuple[int, bool]]) -> None:
    texts = []
    for seconds, is_padded in rows:
        hours, rest = divmod(seconds, 3600)
        clock = f"{rest // 60:02}:{rest % 60:02}"
        short = clock if is_padded or clock[0] != "0" else clock[1:]
        texts.append(f"{hours:02}:{clock}" if hours else short)
    row = {"date": "2024-06-30", "visits": "1"}
    found = judged_rows(TRAFFIC, [{**row, "duration_seconds": text} for text in texts])
    assert [(r.values["duration_seconds"], r.fault) for r in found] == [(s, None) for s, _ in rows]


def local(at: datetime, zone: ZoneInfo) -> datetime:
    """The local time, where no other instant has the same."""
    there = at.astimezone(zone)
    assume(there.replace(fold=1 - there.fold).utcoffset() == there.utcoffset())
    return there


def unpadded(form: str) -> Callable[[datetime], str]:
    """Writes without leading zeros, as spreadsheets do."""
    return lambda t: t.strftime(form).replace(" 0", " ").replace("/0", "/").lstrip("0")


# How a time is written, the format that is declared for it, and what its precision is.
FORMS: dict[str, tuple[Callable[[datetime], str], str | None, timedelta]] = {
    "iso": (lambda t: f"{t:%Y-%m-%dT%H:%M:%S}", None, timedelta(seconds=1)),
    "iso, a space": (lambda t: f"{t:%Y-%m-%d %H:%M:%S.%f}", None, timedelta(microseconds=1)),
    "iso, minutes": (lambda t: f"{t:%Y-%m-%d %H:%M}", None, timedelta(minutes=1)),
    "iso, utc": (
        lambda t: f"{t.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z",
        None,
        timedelta(seconds=1),
    ),
    "iso, milliseconds": (
        lambda t: t.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        None,
        timedelta(milliseconds=1),
    ),
    "iso, offset": (lambda t: t.isoformat(timespec="seconds"), None, timedelta(seconds=1)),
    "iso, short offset": (lambda t: f"{t:%Y-%m-%d %H:%M:%S %z}", None, timedelta(seconds=1)),
    "M/D/Y": (unpadded("%m/%d/%Y %H:%M:%S"), "%m/%d/%Y %H:%M:%S", timedelta(seconds=1)),
    "twelve hours": (unpadded("%m/%d/%Y %I:%M %p"), "%m/%d/%Y %I:%M %p", timedelta(minutes=1)),
    "D.M.Y": (lambda t: f"{t:%d.%m.%Y %H:%M}", "%d.%m.%Y %H:%M", timedelta(minutes=1)),
    "named month": (lambda t: f"{t:%d %b %Y %H:%M}", "%d %b %Y %H:%M", timedelta(minutes=1)),
    "log": (
        lambda t: f"{t:%d/%b/%Y:%H:%M:%S %z}",
        "%d/%b/%Y:%H:%M:%S %z",
        timedelta(seconds=1),
    ),
    "seconds": (lambda t: str(int(t.timestamp())), "epoch_seconds", timedelta(seconds=1)),
    "milliseconds": (
        lambda t: str(int(t.timestamp()) * 1000 + t.microsecond // 1000),
        "epoch_milliseconds",
        timedelta(milliseconds=1),
    ),
}
ZONES = st.sampled_from(
    ["UTC", "Europe/Madrid", "America/New_York", "Asia/Kathmandu", "Asia/Tokyo", "Pacific/Apia"]
)
INSTANTS = st.datetimes(datetime(1975, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=200, deadline=None)
@given(INSTANTS, ZONES, ZONES, st.sampled_from(sorted(FORMS)))
def test_times_come_back_exactly(at: datetime, zone: str, product_zone: str, form: str) -> None:
    write, time_format, precision = FORMS[form]
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + (at - midnight) // precision * precision
    there = local(at, ZoneInfo(zone))
    source = replace(VIEWS, time_format=time_format, time_zone=zone)
    text = write(there)
    (row,) = judged_rows(
        source, [{"occurred_at": text, "visitor_id": "v", "url": "/"}], product_zone
    )
    expected = (at.replace(tzinfo=None), at.astimezone(ZoneInfo(product_zone)).date(), None)
    assert (row.values["occurred_at"], row.local_date, row.fault) == expected


@st.composite
def misspelt_times(draw: st.DrawFn) -> str:
    """A time with up to three characters put in, taken out or replaced."""
    at = draw(INSTANTS)
    write = draw(st.sampled_from([write for write, form, _ in FORMS.values() if form is None]))
    text = list(write(at))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(text) - 1))
        text[place : place + draw(st.integers(0, 1))] = draw(
            st.text("0123456789 -+:.TZ/", max_size=1)
        )
    return "".join(text)


@settings(deadline=None)
@given(st.lists(misspelt_times(), min_size=1, max_size=30))
def test_a_time_is_what_it_says_or_a_fault(texts: list[str]) -> None:
    rows = [{"occurred_at": text, "visitor_id": "v", "url": "/"} for text in texts]
    for text, row in zip(texts, judged_rows(VIEWS, rows), strict=True):
        at = row.values["occurred_at"]
        if at is None:
            assert row.fault is not None
            assert row.fault[:2] == ("occurred_at", text)
        elif "T24:00" not in text and " 24:00" not in text:
            bare = text.strip(SPACES)
            day, clock = bare[:10], bare[11:].replace(" ", "")
            said = datetime.fromisoformat(f"{day}T{clock}")
            said = said if said.tzinfo else said.replace(tzinfo=UTC)
            assert at == said.astimezone(UTC).replace(tzinfo=None)


@settings(deadline=None)
@given(
    st.lists(st.text(max_size=20), min_size=1, max_size=20),
    st.lists(st.text(max_size=3), max_size=3),
)
def test_texts_pass_unchanged_but_for_null_tokens_and_nul(
    texts: list[str], tokens: list[str]
) -> None:
    tokens = [token for token in tokens if "\x00" not in token]
    row = {"date": "2024-06-30", "impressions": "1", "clicks": "0"}
    source = replace(ADS, null_tokens=("2024",), null_tokens_of={"currency": tuple(tokens)})
    found = judged_rows(source, [{**row, "currency": text} for text in texts])
    for text, judged in zip(texts, found, strict=True):
        if "\x00" in text:
            assert judged.fault is not None
            assert judged.fault[3] == "has a NUL character"
        else:
            expected = None if text in tokens else text
            assert (judged.values["currency"], judged.fault) == (expected, None)
