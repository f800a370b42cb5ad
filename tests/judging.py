"""What the rules of landing make of rows, without files around them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import duckdb

from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.feeds.sql import name_of
from kpi_pipeline.landing import rules
from kpi_pipeline.workspace import Source

TABLES = {table.name: table for feed in FEEDS.values() for table in feed.tables}
CONNECTION = duckdb.connect()
CONNECTION.execute("set timezone = 'America/New_York'")  # on which no result may depend


class Judged(NamedTuple):
    """A row: its typed values, its day, and its fault as (column, value, expected, reason)."""

    values: dict[str, object]
    local_date: date | None
    fault: tuple[str, str | None, str, str] | None


def judged(
    source: Source, row: Mapping[str, object], zone: str = "UTC", typed: Collection[str] = ()
) -> Judged:
    """What becomes of a row, by contract column; texts unless in `typed`."""
    return judged_rows(source, [row], zone, typed)[0]


def judged_rows(
    source: Source,
    rows: Sequence[Mapping[str, object]],
    zone: str = "UTC",
    typed: Collection[str] = (),
) -> list[Judged]:
    """What becomes of rows that have the same columns."""
    table = TABLES[source.table]
    made = rules.rules_of(source, table, zone, rows[0].keys(), typed)
    values = ", ".join(f"{r.value} as {name_of(f'v_{r.column.name}')}" for r in made)
    typing = ", ".join(f"{r.typed} as {name_of(r.column.name)}" for r in made)
    shares = rules.shared(made)
    figures = f"* replace ({', '.join(shares)})" if shares else "*"
    names = [column.name for column in table.columns]
    given = ", ".join(f"unnest(?) as {name_of(name)}" for name in rows[0])
    found = CONNECTION.execute(
        f"select {', '.join(map(name_of, names))}, local_date, {rules.fault(made, table)} "
        f"from (select *, {rules.local_date(table, zone)} as local_date "
        f"from (select {figures} from (select *, {typing} "
        f"from (select n, {values} from (select {given}, generate_subscripts(?, 1) as n))))) "
        "order by n",
        [*([row[name] for row in rows] for name in rows[0]), list(range(len(rows)))],
    ).fetchall()
    return [
        Judged(
            dict(zip(names, row, strict=False)),
            row[-2],
            tuple(row[-1].values()) if row[-1] else None,
        )
        for row in found
    ]
