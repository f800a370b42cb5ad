"""Times and dates as they are written: SQL that is NULL for whatever is not one.

A cast alone will not do: DuckDB's takes `2024-6-3 1:2`, `12: 4:56`, `epoch` and an offset of 99
hours, and `try_strptime` makes the year 24 of `30.6.24` where %Y was declared. So the shape is
looked at first (`glob` costs half of a regular expression), and the year after.
"""

from __future__ import annotations

import re

from kpi_pipeline.feeds.sql import quoted
from kpi_pipeline.landing.numbers import NO_VALUE, UNREAD, cases_of, trimmed
from kpi_pipeline.workspace.time_formats import EPOCHS

DAY = "20__-__-__"  # where _ is a digit
CLOCK = "[T ]__:__:__"
DATE = r"(19|20|21)\d{2}-\d{2}-\d{2}"
TIME = DATE + r"[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?"
OFFSET = r" ?(Z|UTC|[+-](0\d|1[0-4])(:?[0-5]\d)?)"
FIRST, END = "1900-01-02", "2200-01-01"  # try_strptime makes 1900-01-01 of the text `epoch`
CLOCK_PARTS = ("%H", "%I", "%-H", "%-I", "%c", "%X")


def is_clock(time_format: str) -> bool:
    """Whether the format has a time of day."""
    return time_format in EPOCHS or any(part in time_format for part in CLOCK_PARTS)


def instant(text: str, time_format: str | None, zone: str) -> str:
    """SQL of a UTC TIMESTAMP: by the offset in the text, else of `zone`.

    A local time that clocks skip is taken an hour later; one they repeat is the second.
    """
    if time_format in EPOCHS:
        return _between(_epoch(text, time_format))
    if time_format is not None:
        parsed = f"try_strptime({text}, {quoted(time_format)})"
        if _has_offset(time_format):
            return _between(f"timezone('UTC', {parsed})")
        return _between(_utc(f"{parsed}::TIMESTAMP", zone))
    bare = trimmed(text)
    joined = f"regexp_replace(replace({bare}, 'UTC', 'Z'), ' ([-+Z][0-9:]*)$', '\\1')"
    return (
        f"case when {_shape(text, f'{DAY}{CLOCK}Z', f'{DAY}{CLOCK}.___Z')} "
        f"then try_cast({text} as TIMESTAMP) "
        f"when {_shape(text, f'{DAY}{CLOCK}')} "
        f"then {_utc(f'try_cast({text} as TIMESTAMP)', zone)} "
        f"when {_shape(text, f'{DAY}{CLOCK}[-+]0_:[0-5]_')} "
        f"then timezone('UTC', try_cast({text} as TIMESTAMPTZ)) "
        f"when regexp_full_match({bare}, '{TIME}') "
        f"then {_utc(f'try_cast({bare} as TIMESTAMP)', zone)} "
        f"when regexp_full_match({bare}, '{TIME}{OFFSET}') "
        f"then timezone('UTC', try_cast({joined} as TIMESTAMPTZ)) end"
    )


def day(text: str, time_format: str | None, zone: str) -> str:
    """SQL of the DATE that is written; of an instant, its day in `zone`."""
    if time_format is None:
        bare = trimmed(text)
        return (
            f"case when {_shape(text, DAY)} then try_cast({text} as DATE) "
            f"when regexp_full_match({bare}, '{DATE}') then try_cast({bare} as DATE) end"
        )
    if time_format in EPOCHS or _has_offset(time_format):
        return local_day(instant(text, time_format, "UTC"), zone)
    parsed = f"try_strptime({text}, {quoted(time_format)})::TIMESTAMP"
    return f"{_between(parsed)}::DATE"


def event_day(text: str, time_format: str | None, zone: str, local: str) -> str:
    """SQL of the day in zone `local` of an event, given as a time (of `zone`) or as a date."""
    if time_format is not None and not is_clock(time_format):
        return day(text, time_format, local)
    at = local_day(instant(text, time_format, zone), local)
    return at if time_format is not None else f"coalesce({day(text, None, local)}, {at})"


def local_day(instant: str, zone: str) -> str:
    """SQL of the day in the zone of a UTC TIMESTAMP."""
    if zone == "UTC":
        return f"({instant})::DATE"
    return f"timezone({quoted(zone)}, timezone('UTC', {instant}))::DATE"


def lacks_zone(text: str, time_format: str | None) -> str:
    """SQL of whether the text is a time, with no word of where it is one."""
    if time_format is None:
        return f"coalesce(regexp_full_match({trimmed(text)}, '{TIME}'), false)"
    if not is_clock(time_format) or time_format in EPOCHS or _has_offset(time_format):
        return "false"
    return f"try_strptime({text}, {quoted(time_format)}) is not null"


def expected(time_format: str) -> str:
    """What a declared format expects, in words."""
    if time_format in EPOCHS:
        digits = "1719791940" if time_format == "epoch_seconds" else "1719791940123"
        return f"{EPOCHS[time_format]} since 1970 as {digits}"
    return f"a time or date as {time_format}"


def reason(text: str, time_format: str | None, is_time: bool) -> str:
    """SQL of why a text is no such time or date, in words."""
    cases = [(f"not regexp_matches({text}, '\\d')", NO_VALUE)]
    if time_format is None:
        bare = trimmed(text)
        cases.append(
            (
                f"regexp_full_match({bare}, '\\d{{4}}-.*') "
                f"and not regexp_full_match({bare}, '(19|20|21).*')",
                "is not in the years 1900 to 2199",
            )
        )
        if is_time:
            cases.append((f"regexp_full_match({bare}, '{DATE}')", "has no time of day"))
    return cases_of(cases, UNREAD)


def _epoch(text: str, time_format: str | None) -> str:
    """Ten digits of seconds, or thirteen of milliseconds: neither is mistaken for the other."""
    bare = trimmed(text)
    if time_format == "epoch_milliseconds":
        return (
            f"case when regexp_full_match({bare}, '\\d{{12,13}}') "
            f"then epoch_ms(try_cast({bare} as BIGINT)) end"
        )
    micros = f"try_cast(try_cast({bare} as DECIMAL(20, 6)) * 1000000 as BIGINT)"
    return (
        f"case when regexp_full_match({bare}, '\\d{{9,10}}(\\.\\d{{1,9}})?') "
        f"then make_timestamp({micros}) end"
    )


def _has_offset(time_format: str) -> bool:
    return "%z" in time_format or "%Z" in time_format


def _between(timestamp: str) -> str:
    return (
        f"case when {timestamp} >= TIMESTAMP '{FIRST}' and {timestamp} < TIMESTAMP '{END}' "
        f"then {timestamp} end"
    )


def _utc(timestamp: str, zone: str) -> str:
    if zone == "UTC":
        return timestamp
    return f"timezone('UTC', timezone({quoted(zone)}, {timestamp}))"


def _shape(text: str, *shapes: str) -> str:
    """Whether the text is of one of these shapes; its length tells most of them apart for less."""
    tests = []
    for shape in shapes:
        length = len(re.sub(r"\[[^]]*\]", "_", shape))
        pattern = shape.replace("_", "[0-9]")
        tests.append(f"strlen({text}) = {length} and {text} glob '{pattern}'")
    return f"({' or '.join(tests)})"
