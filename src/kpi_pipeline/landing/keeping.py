"""Good rows as they are landed: identifiers hashed, ids made where there are none, rows added."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

from collections.abc import Sequence

import duckdb

from kpi_pipeline.feeds.access_logs.reader import TYPED
from kpi_pipeline.feeds.contracts import SQL_TYPES, Column, FeedTable
from kpi_pipeline.feeds.sql import name_of, quoted
from kpi_pipeline.workspace import Source

NOT_ADDED = {"reach", "visitors", "new_visitors"}  # distinct people: a sum would be wrong
GOOD = "fault is null and dropped_by is null and local_date in (from requested)"


def create_outputs(connection: duckdb.DuckDBPyConnection, tables: Sequence[FeedTable]) -> None:
    """An empty table `out_<table>` of each: contract columns, product_id, local_date."""
    for table in tables:
        columns = ", ".join(f"{name_of(c.name)} {SQL_TYPES[c.type]}" for c in table.columns)
        connection.execute(
            f"create table out_{table.name}({columns}, product_id VARCHAR, local_date DATE)"
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
) -> None:
    """Move the good rows of `judged` to `out_<table>`. name: the source's, part of ids it makes."""
    into = f"insert into out_{table.name} select"
    if adds_up(source, table):
        values = ", ".join(_combined(column) for column in table.columns)
        keys = ", ".join(name_of(column) for column in table.key)
        connection.execute(
            f"{into} {values}, {quoted(product_id)}, local_date from judged where {GOOD} "
            f"group by local_date, {keys}"
        )
        return
    keyed = TYPED if source.format == "access_log" else frozenset[str]()
    hashed = [c.name for c in table.columns if c.type == "identifier" and c.name not in keyed]
    joins = ""
    for column in hashed:
        connection.execute(
            f"create or replace temp table ids_of_{column} as select {column} as id, "
            f"keyed({column}) as hashed from (select distinct {column} from judged "
            f"where {GOOD} and {column} is not null)"
        )
        joins += f" left join ids_of_{column} on j.{column} = ids_of_{column}.id"
    makes_ids = _lacks_ids(connection, table)
    if makes_ids:
        _number_repeats(connection)
        joins += " left join repeats on j.rowid = repeats.row_no"
    values = ", ".join(_single(column, name, hashed, makes_ids) for column in table.columns)
    connection.execute("set preserve_insertion_order = false")  # it costs half as much again
    connection.execute(
        f"{into} {values}, {quoted(product_id)}, local_date from judged as j{joins} where {GOOD}"
    )
    connection.execute("set preserve_insertion_order = true")


def _lacks_ids(connection: duckdb.DuckDBPyConnection, table: FeedTable) -> bool:
    if not any(column.name == "event_id" for column in table.columns):
        return False
    found = connection.execute(f"select 1 from judged where {GOOD} and event_id is null limit 1")
    return found.fetchone() is not None


def _number_repeats(connection: duckdb.DuckDBPyConnection) -> None:
    """`repeats`: the how-manieth of its day a row without an id is, where it is not the first."""
    own = f"from judged where {GOOD} and event_id is null"
    connection.execute(
        "create or replace temp table repeats as select row_no, same from (select rowid as row_no, "
        f"row_number() over (partition by local_date, whole order by rowid) as same {own} and "
        f"(local_date, whole) in (select (local_date, whole) {own} group by local_date, whole "
        "having count(*) > 1)) where same > 1"
    )


def _single(column: Column, name: str, hashed: Sequence[str], makes_ids: bool) -> str:
    text = name_of(column.name)
    if column.name in hashed:
        return f"ids_of_{column.name}.hashed"
    if column.name == "event_id" and makes_ids:
        made = (
            f"left(sha256(concat_ws(chr(31), getvariable('salt'), {quoted(name)}, j.whole, "
            "coalesce(repeats.same, 1))), 32)"
        )
        return f"coalesce(j.event_id, {made})"
    if column.name == "is_bot":
        return "coalesce(j.is_bot, false)"
    return f"j.{text}"


def _combined(column: Column) -> str:
    text = name_of(column.name)
    if column.key:
        return text
    if column.name in NOT_ADDED:
        return f"case when count(*) = 1 then max({text}) end"
    if column.type in ("count", "decimal"):
        return f"sum({text})"
    return f"max({text})"
