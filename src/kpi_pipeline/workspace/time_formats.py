"""Whether a declared format of times can work, as DuckDB's strptime sees it."""

from __future__ import annotations

from functools import cache

import duckdb

EPOCHS = {"epoch_seconds": "seconds", "epoch_milliseconds": "milliseconds"}
SAMPLE = "2024-11-23 21:58:57"  # its parts are all different, and not to be mistaken
EXPECTED = "expected one such as %Y-%m-%d %H:%M:%S, epoch_seconds or epoch_milliseconds."


@cache
def problem_of(time_format: str, needs_day: bool) -> str | None:
    """A sentence about what is wrong with a format, or None.

    needs_day: year and month alone will not do.
    """
    if time_format in EPOCHS:
        return None
    if "%" not in time_format:
        return f"'{time_format}' is not a strptime format; {EXPECTED}"
    literal = "'" + time_format.replace("'", "''") + "'"
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        try:
            row = connection.execute(
                f"select written, try_strptime(written, {literal})::TIMESTAMP::VARCHAR "  # noqa: S608
                f"from (select strftime(TIMESTAMPTZ '{SAMPLE}+00', {literal}) as written)"
            ).fetchone()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0].rpartition(": ")[2]
            return f"'{time_format}' cannot be used, because of '{reason}'; {EXPECTED}"
    assert row is not None
    written, found = row
    if found is None:
        return f"'{time_format}' contradicts itself: it writes '{written}' and cannot read it."
    if "%I" in time_format and "%p" not in time_format:
        return f"'{time_format}' has %I without %p, so morning and evening are the same."
    shown = 10 if needs_day else 7
    if found[:shown] != SAMPLE[:shown]:
        parts = "year, month and day, as %d.%m.%Y" if needs_day else "year and month, as %Y-%m"
        return f"'{time_format}' does not say when; expected {parts}."
    return None
