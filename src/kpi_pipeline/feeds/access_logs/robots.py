"""Which user agents are bots: the library's patterns, the source's own, and those that say nothing.

Only distinct user agents are looked at. DuckDB applies the expressions, in groups small enough for
one automaton each; that is twenty times as fast as Python and comes to the same.
"""

# ruff: noqa: S608  # texts are quoted by `quoted`
from __future__ import annotations

from collections.abc import Sequence

import duckdb

from kpi_pipeline.feeds.sql import quoted

GROUP = 100


def is_bot(connection: duckdb.DuckDBPyConnection, fields: str, own: Sequence[str]) -> str:
    """SQL of whether `user_agent` of `fields` is a bot's. own: further expressions.

    It looks the agent up in a type made for it, in which bots come first: after a join rows would
    come in any order.
    """
    connection.execute(
        f"create or replace temp table agents as select distinct user_agent from ({fields})"
    )
    connection.execute(
        "create or replace temp table judged_agents as select user_agent, "
        f"{matches('user_agent', own)} as is_bot from agents where user_agent is not null"
    )
    connection.execute("drop table agents")
    bots, types = connection.execute(
        "select count(*) filter (where is_bot), (select count(*) from duckdb_types()) "
        "from judged_agents"
    ).fetchall()[0]
    connection.execute(
        f"create temp type agents_{types} as enum "
        "(select user_agent from judged_agents order by is_bot desc, user_agent)"
    )
    connection.execute("drop table judged_agents")
    return f"enum_code(try_cast(user_agent as agents_{types})) < {bots}"


def matches(agent: str, own: Sequence[str]) -> str:
    """SQL of whether a user agent names a bot, or nothing: browsers always name themselves."""
    # reads its list when imported, and most commands need none
    import crawleruseragents  # type: ignore[import-untyped]

    known = [str(entry["pattern"]) for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA]
    groups = ["|".join(known[i : i + GROUP]) for i in range(0, len(known), GROUP)]
    tests = [f"regexp_matches({agent}, {quoted(pattern)})" for pattern in (*groups, *own)]
    return f"({agent} = '' or {' or '.join(tests)})"
