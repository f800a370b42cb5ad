"""The client's address, and how it is taken out of what is kept of a line.

Almost no line has it anywhere else. So a text is first asked by what costs little whether it could
be in there; an expression for it is only made where it could.
"""

from __future__ import annotations

import duckdb

#: What stands for it.
INSTEAD = r"\1address\2"
MACROS = (
    # An IPv4 address as IPv6 has it may be written without what makes it one
    "own_of(a) as case when contains(a, '.') and starts_with(lower(a), '::ffff:') "
    "then substr(a, 8) else a end",
    # Of an IPv6 address the first group stays as it is, however it is encoded
    "may_hold(t, a) as case when contains(a, ':') then case when starts_with(a, ':') "
    "then contains(t, '::') or contains(t, '%3A%3A') or contains(t, '%3a%3a') "
    "else contains(t, lower(split_part(a, ':', 1))) or contains(t, upper(split_part(a, ':', 1))) "
    "end when contains(t, a) then contains(a, '.') "
    "when a >= 'A' then contains(a, '.') and contains(lower(t), lower(split_part(a, '.', 1))) "
    "when contains(t, '%') then contains(t, '%2E') or contains(t, '%2e') or contains(t, '%252') "
    "else false end",
    # What may not stand beside it, or it is the part of another: digits, or letters of a name
    "beside(a) as case when contains(a, ':') then '[^0-9a-f:]' when a < 'A' then '[^0-9]' "
    "else '[^0-9a-z-]' end",
    "pattern_of(a) as '(^|' || beside(a) || '|%[0-9a-f]{2})' || replace(replace(regexp_escape(a), "
    "'\\.', '(?:\\.|%(?:25)*2e)'), '\\:', '(?::|%(?:25)*3a)') || '(' || beside(a) || '|$)'",
    # Twice, as what stands between two of them belongs to the first
    f"without(t, a) as case when may_hold(t, a) then regexp_replace(regexp_replace("
    f"t, pattern_of(a), '{INSTEAD}', 'gi'), pattern_of(a), '{INSTEAD}', 'gi') else t end",
)


def install(connection: duckdb.DuckDBPyConnection) -> None:
    """Define the macros that `taken_out` uses."""
    for macro in MACROS:
        connection.execute(f"create or replace temp macro {macro}")


def first(address: str) -> str:
    """SQL of the first of a list, without the port that some proxies write after it, which is
    another each time."""
    one = (
        f"case when contains({address}, ',') then split_part({address}, ',', 1) else {address} end"
    )
    pattern = r"^(?:([0-9.]+)|\[([0-9A-Fa-f:.]+)\]):[0-9]+$"
    return (
        f"case when not contains({address}, ':') then {one} "
        f"when not (contains({address}, '.') or starts_with({address}, '[')) then {one} "
        f"else regexp_replace({one}, '{pattern}', '\\1\\2') end"
    )


def taken_out(text: str, own: str, listed: str) -> str:
    """SQL of a text, such as that of a page that was given `?ip=`, without the client's addresses.

    own: SQL of the first, by `own_of`. listed: SQL of all where there are several, else NULL.
    """
    every = f"list_transform(string_split({listed}, ','), lambda a: own_of(trim(a)))"
    return (
        f"case when {listed} is null then without({text}, {own}) "
        f"else list_reduce({every}, lambda t, a: without(t, a), {text}) end"
    )
