"""SQL that more than one log format needs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kpi_pipeline.feeds.sql import quoted

BRACKETED = "[%d/%b/%Y:%H:%M:%S"  # [17/May/2015:10:05:03


def recorded(text: str) -> str:
    """NULL for the sign that nothing was recorded."""
    return f"nullif(nullif({text}, '-'), '')"


def agent(text: str) -> str:
    """An empty text for the sign that none was sent; NULL, where none are recorded, stays."""
    return f"case when {text} = '-' then '' else {text} end"


def harmless(text: str) -> str:
    """A text that is to be shown, NULL where it is long or may be an address or a name."""
    return (
        f"case when length({text}) <= 40 and regexp_matches({text}, '[0-9]') and not "
        f"regexp_matches({text}, '[0-9]+[.][0-9]+[.][0-9]|::|^[0-9A-Fa-f:]*:[0-9A-Fa-f:]*$|@') "
        f"then {text} end"
    )


def is_one_of(text: str, values: Sequence[str]) -> str:
    """Whether it is one of these; NULL is not.

    DuckDB makes a join of an `in` of five or more, and after a join rows come in any order.
    """
    if len(values) < 5:
        return f"coalesce({text} in ({', '.join(quoted(value) for value in values)}), false)"
    pattern = "|".join(re.escape(value) for value in values)
    return f"coalesce(regexp_full_match({text}, {quoted(pattern)}), false)"


def is_no_status(text: str) -> str:
    """Whether it is not three digits."""
    return (
        f"case when {text} in ('200', '304', '301', '404') then false "
        f"else not coalesce(regexp_full_match({text}, '[0-9]{{3}}'), false) end"
    )


def method(request: str) -> str:
    """The first of the words of a request line; NULL where the last is no protocol."""
    return f"case when starts_with({request}[-1], 'HTTP/') then {request}[1] end"


def target(request: str) -> str:
    """What stands between method and protocol; spaces are kept."""
    return (
        f"case when not starts_with({request}[-1], 'HTTP/') then null "
        f"when len({request}) = 3 then {request}[2] "
        f"else nullif(array_to_string({request}[2:-2], ' '), '') end"
    )
