"""Good rows as they are landed: identifiers hashed, ids made where there are none, rows added."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb

from kpi_pipeline.feeds.contracts import SQL_TYPES, Column, FeedTable
from kpi_pipeline.feeds.sql import name_of, quoted
from kpi_pipeline.landing import counting
from kpi_pipeline.workspace import Source

PLACED = "placed_"  # views of good rows as they were read, with `name` and `number`
AT_ONCE = 1_000_000  # rows
NOT_ADDED = {"reach", "visitors", "new_visitors"}  # distinct people: a sum would be wrong


def good(days: Sequence[date]) -> str:
    """SQL of whether a row of `judged` lands, on these days, in order; `requested` has them."""
    whole = days[-1] - days[0] == timedelta(days=len(days) - 1)
    among = "" if whole else " and local_date in (from requested)"
    return (
        "fault is null and dropped_by is null and "
        f"local_date between DATE '{days[0]}' and DATE '{days[-1]}'{among}"
    )


def adds_up(source: Source, table: FeedTable) -> bool:
    """Whether rows of one key become one."""
    return source.aggregate is not None or (
        source.on_repeat == "sum" and table.day_rule != "instant"
    )


def keep(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    table: FeedTable,
    product_id: str,
    name: str,
    days: Sequence[date],
    number: int,
) -> str:
    """SQL of the good rows of `judged`, which is set apart for it; as `out_<table>` has them.

    name: the source's, part of the ids it makes. number: of the source, in the product's feed.
    """
    kept, own = f"kept_{number}", good(days)
    connection.execute(f"create temp table starts_{number} as from starts")
    if adds_up(source, table):
        values = ", ".join(_combined(column) for column in table.columns)
        keys = ", ".join(name_of(column) for column in table.key)
        _make(
            connection,
            kept,
            f"select {values}, local_date from judged where {own} group by local_date, {keys}",
        )
        own = "true"
    elif _lacks_ids(connection, table, own):
        _number_repeats(connection, own)
        values = ", ".join(_single(column, name) for column in table.columns)
        _make(
            connection,
            kept,
            f"select {values}, local_date from judged as j "
            f"left join repeats on j.rowid = repeats.row_no where {own}",
        )
        own = "true"
    else:
        connection.execute(f"alter table judged rename to {kept}")
        connection.execute(
            f"create temp view {PLACED}{table.name}_{number} as "
            f"select name, {counting.NUMBER} as number, j.* from {kept} as j "
            f"join starts_{number} as s using (file_no) where {own}"
        )
    names = ", ".join(_landed(column) for column in table.columns)
    return f"select {names}, {quoted(product_id)} as product_id, local_date from {kept} where {own}"


def define_outputs(
    connection: duckdb.DuckDBPyConnection,
    tables: Sequence[FeedTable],
    parts: Sequence[tuple[str, str]],
) -> None:
    """A view `out_<table>` of each: contract columns, product_id, local_date. parts: table, SQL."""
    for table in tables:
        together = " union all ".join(sql for name, sql in parts if name == table.name)
        connection.execute(f"create view out_{table.name} as {together}")


def _make(connection: duckdb.DuckDBPyConnection, name: str, sql: str) -> None:
    connection.execute("set preserve_insertion_order = false")  # it costs half as much again
    connection.execute(f"create table {name} as {sql}")
    connection.execute("set preserve_insertion_order = true")
    connection.execute("drop table judged")


def _lacks_ids(connection: duckdb.DuckDBPyConnection, table: FeedTable, own: str) -> bool:
    if not any(column.name == "event_id" for column in table.columns):
        return False
    found = connection.execute(f"select 1 from judged where {own} and event_id is null limit 1")
    return found.fetchone() is not None


def _number_repeats(connection: duckdb.DuckDBPyConnection, own: str) -> None:
    """`repeats`: the how-manieth of its day a row without an id is, where it is not the first.

    What repeats is looked for part by part, so that memory does not grow with the rows.
    """
    lacking = f"from judged where {own} and event_id is null"
    found = connection.execute(f"select count(*) {lacking}").fetchone()
    parts = 1 + (found[0] if found else 0) // AT_ONCE
    connection.execute("create or replace temp table repeated(local_date DATE, whole UHUGEINT)")
    for part in range(parts):
        connection.execute(
            f"insert into repeated select local_date, whole {lacking} "
            f"and hash(whole) % {parts} = {part} group by all having count(*) > 1"
        )
    connection.execute(
        "create or replace temp table repeats as select row_no, same from (select rowid as row_no, "
        f"row_number() over (partition by local_date, whole order by rowid) as same {lacking} and "
        "(local_date, whole) in (select (local_date, whole) from repeated)) where same > 1"
    )


def _single(column: Column, name: str) -> str:
    text = name_of(column.name)
    if column.name == "event_id":
        # `hex`, for a UHUGEINT in decimal takes 40 µs
        made = (
            f"left(sha256(concat_ws(chr(31), getvariable('salt'), {quoted(name)}, hex(j.whole), "
            "coalesce(repeats.same, 1))), 32)"
        )
        return f"coalesce(j.event_id, {made}) as event_id"
    return f"j.{text}"


def _landed(column: Column) -> str:
    return "coalesce(is_bot, false) as is_bot" if column.name == "is_bot" else name_of(column.name)


def _combined(column: Column) -> str:
    text = name_of(column.name)
    if column.key:
        return text
    if column.name in NOT_ADDED:
        return f"case when count(*) = 1 then max({text}) end as {text}"
    if column.type in ("count", "decimal"):
        return f"sum({text})::{SQL_TYPES[column.type]} as {text}"
    return f"max({text}) as {text}"
