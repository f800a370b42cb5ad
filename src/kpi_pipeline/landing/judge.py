"""Source text becomes typed rows, each with its local day and its first fault, if it has one."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import duckdb

from kpi_pipeline.feeds import formats
from kpi_pipeline.feeds.contracts import FEEDS, FeedTable
from kpi_pipeline.feeds.found import SourceFile
from kpi_pipeline.feeds.reading import FileRead
from kpi_pipeline.feeds.relation import Relation
from kpi_pipeline.feeds.sql import name_of, quoted
from kpi_pipeline.feeds.unpacked import unpack
from kpi_pipeline.landing import keyed, rules
from kpi_pipeline.landing.times import lacks_zone
from kpi_pipeline.workspace import Source

DAY_ONLY = True
LOOKED_AT = 1000  # rows
PRODUCT = "product_"  # output name of the column that says whose row it is
OTHERS = "another_product"
FAULT = "STRUCT(column_name VARCHAR, value VARCHAR, expected VARCHAR, reason VARCHAR)"


def judge(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    table: FeedTable,
    zone: str,
    found: Sequence[SourceFile],
    scratch: Path,
    day_only: bool = False,
) -> tuple[FileRead, ...]:
    """Read files into `judged(file_no, n, dropped_by, whole, <contract columns>, local_date, fault,
    raw)`, a row for every row of the files, in their order.

    Identifiers are hashed by the macro `keyed` (see `landing.keyed`) unless day_only, which reads
    just what the day needs. Rows of other products are dropped by OTHERS.
    """
    wanted = wanted_of(source, table)
    if day_only:
        needed = {table.day_column, "grain"}
        wanted = {name: column for name, column in wanted.items() if name in needed}
    required = required_of(source, table, wanted)
    if source.product_column is not None:
        wanted[PRODUCT] = source.product_column
        required.append(source.product_column)
    judged = Judged(connection, source, table, zone, set(wanted), day_only)
    connection.execute("drop table if exists zoneless")
    reader = formats.READERS[source.format](connection, source, wanted, required, scratch, judged)
    return reader.read(unpack(source, found, scratch))


class Judged:
    """The table `judged`: types and judges every row it takes."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: Source,
        table: FeedTable,
        zone: str,
        available: set[str],
        day_only: bool,
    ) -> None:
        self.connection = connection
        self.source = source
        self.table = table
        self.zone = zone
        self.available = available
        self.day_only = day_only
        self.has_looked = False
        kept = [c for c in table.columns if not day_only or c.name in (table.day_column, "grain")]
        self.columns = [c.name for c in kept]
        typed = ", ".join(f"{name_of(c.name)} {rules.sql_type(source, table, c)}" for c in kept)
        # a long `in` would become a join, which does not keep the rows' order
        connection.execute("set disabled_optimizers = 'in_clause'")
        connection.execute(
            "create or replace table judged(file_no INTEGER, n BIGINT, dropped_by VARCHAR, "
            f"whole UHUGEINT, {typed}, local_date DATE, fault {FAULT}, raw VARCHAR)"
        )

    def take(self, relation: Relation) -> None:
        """Insert the relation's rows, typed and judged."""
        all_rules = rules.rules_of(
            self.source, self.table, self.zone, self.available, relation.typed
        )
        kept = [r for r in all_rules if r.column.name in self.columns]
        values = ", ".join(f"{r.value} as {name_of(f'v_{r.column.name}')}" for r in kept)
        typed = ", ".join(f"{_hashed(r)} as {name_of(r.column.name)}" for r in kept)
        shares = [] if self.day_only else rules.shared(kept)
        figures = f"* replace ({', '.join(shares)})" if shares else "*"
        fault = "null" if self.day_only else rules.fault(kept, self.table, relation.is_sound)
        shown = [r.column.name for r in kept if r.column.type != "identifier"]
        packed = ", ".join(f"{name_of(c)} := {name_of(f'v_{c}')}" for c in shown)
        plain = ", ".join(name_of(c) for c in self.columns)
        whole = "null" if self.day_only else f"md5_number({relation.whole})"
        self.connection.execute(
            f"insert into judged select file_no, n, dropped_by, whole, {plain}, local_date, fault, "
            f"case when fault is not null then to_json(struct_pack({packed}))::VARCHAR end "
            "from (select *, case when dropped_by is not null then null "
            "when broken is not null then struct_pack(column_name := broken.column_name, "
            "value := broken.value, expected := broken.expected, reason := broken.reason) "
            f"else {self._product_fault(fault)} end as fault from (select *, "
            f"{rules.local_date(self.table, self.zone)} as local_date from (select {figures} from "
            f"(select *, {typed} from "
            f"(select file_no, n, {self._dropped_by()} as dropped_by, broken, "
            f"{whole} as whole, {self._product()} as product_, {values} "
            f"from ({relation.sql}))))))",
            list(relation.parameters),
        )
        if not self.day_only and not self.has_looked:
            self.has_looked = True
            self._look_for_zones(relation, kept)

    def _look_for_zones(self, relation: Relation, kept: Sequence[rules.Rule]) -> None:
        """`zoneless`: the first time that does not say where it is, of a source that does not."""
        self.connection.execute("create or replace temp table zoneless(example VARCHAR)")
        source = self.source
        if not may_lack_zone(source, self.zone):
            return
        for rule in kept:
            if not (rule.is_text and self._is_time(rule) and rule.column.name in self.available):
                continue
            lacks = lacks_zone("text", source.time_format)
            self.connection.execute(
                f"insert into zoneless select text from (select {rule.value} as text "
                f"from ({relation.sql}) limit {LOOKED_AT}) where {lacks} limit 1",
                list(relation.parameters),
            )

    def _is_time(self, rule: rules.Rule) -> bool:
        is_event = self.source.aggregate is not None and rule.column.name == self.table.day_column
        return rule.column.type == "time" or is_event

    def counts(self, files: Sequence[int]) -> dict[int, int]:
        """Rows taken of each of these files; none is not listed."""
        return self._by_file("count(*)", files)

    def starts(self, files: Sequence[int]) -> dict[int, int]:
        """The rowid of the first row of each of these files."""
        return self._by_file("min(rowid)", files)

    def forget(self, files: Sequence[int]) -> None:
        """Delete the rows of these files."""
        if files:
            self.connection.execute(
                "delete from judged where file_no in (select unnest(?))", [list(files)]
            )

    def _by_file(self, what: str, files: Sequence[int]) -> dict[int, int]:
        return dict(
            self.connection.execute(
                f"select file_no, {what} from judged where file_no in (select unnest(?)) "
                "group by 1",
                [list(files)],
            ).fetchall()
        )

    def _product(self) -> str:
        return PRODUCT if PRODUCT in self.available else "null::VARCHAR"

    def _dropped_by(self) -> str:
        """The relation's own rule, else that the row is another product's."""
        others = self.source.other_values
        if self.source.product_column is None or not others:
            return "dropped_by"
        return (
            f"coalesce(dropped_by, case when {PRODUCT} in ({_listed(others)}) "
            f"then {quoted(OTHERS)} end)"
        )

    def _product_fault(self, fault: str) -> str:
        """SQL of a fault for a row that is of no product, else `fault`."""
        column = self.source.product_column
        if column is None or self.day_only:
            return fault
        expected = "one of " + ", ".join((*self.source.product_values, *self.source.other_values))
        return (
            f"case when product_ in ({_listed(self.source.product_values)}) then {fault} else "
            f"struct_pack(column_name := {quoted(column)}, value := product_, "
            f"expected := {quoted(expected)}, reason := 'is no product of sources.yml') end"
        )


def span(connection: duckdb.DuckDBPyConnection, latest: date) -> tuple[date | None, date | None]:
    """First and last day among the judged rows, up to `latest`."""
    row = connection.execute(
        "select min(local_date), max(local_date) from judged where local_date <= ?", [latest]
    ).fetchone()
    return (None, None) if row is None else (row[0], row[1])


def may_lack_zone(source: Source, zone: str) -> bool:
    """Whether nobody said where the source's times are; zone: the product's."""
    is_said = source.is_zone_declared or source.format == "access_log"
    return not is_said and zone != source.time_zone


def zoneless(connection: duckdb.DuckDBPyConnection, source: Source, zone: str) -> list[str]:
    """A sentence when the times just judged carry no zone, and nobody said which is theirs.

    zone: the product's.
    """
    there = connection.execute(
        "select 1 from duckdb_tables() where table_name = 'zoneless'"
    ).fetchone()
    row = connection.execute("select example from zoneless limit 1").fetchone() if there else None
    if row is None:
        return []
    return [
        f"{source.files}: times such as {row[0]!r} carry no zone and are read as UTC, while "
        f"{source.product} is in {zone}. Say of where they are in sources.yml: "
        f"`time_zone: {zone}`, or `time_zone: UTC`."
    ]


def zones_lacking(source: Source, zone: str, file: SourceFile) -> list[str]:
    """The same of one file, of which nothing is kept."""
    table = next(t for t in FEEDS[source.feed].tables if t.name == source.table)
    with duckdb.connect() as connection, tempfile.TemporaryDirectory() as scratch:
        connection.execute("set timezone = 'UTC'")
        keyed.install(connection, secrets.token_hex(32))
        judge(connection, source, table, zone, [file], Path(scratch))
        return zoneless(connection, source, zone)


def wanted_of(source: Source, table: FeedTable) -> dict[str, str]:
    """Contract column → source column, for all that come from the files."""
    wanted = {}
    for column in table.columns:
        name = column.name
        if name in source.constants:
            continue
        if source.aggregate is not None:
            if name == source.aggregate.count:
                continue
            if name == table.day_column:
                wanted[name] = source.aggregate.date_from
                continue
            if name in source.aggregate.sum:
                wanted[name] = source.aggregate.sum[name]
                continue
        wanted[name] = source.columns.get(name, name)
    return wanted


def required_of(source: Source, table: FeedTable, wanted: dict[str, str]) -> list[str]:
    """Source columns a file must have: those that are declared, and those the contract requires."""
    must = {column.name for column in table.columns if column.required}
    declared = set(source.columns)
    if source.aggregate is not None:
        declared |= {table.day_column, *source.aggregate.sum}
    made = {source.unpivot.name, source.unpivot.value} if source.unpivot is not None else set()
    needed = (must | declared) - made - set(source.optional)
    return [column for name, column in wanted.items() if name in needed]


def _hashed(rule: rules.Rule) -> str:
    """SQL of the typed value; an identifier is hashed as it is read."""
    is_raw = rule.column.type == "identifier" and rule.is_text
    return f"keyed({rule.typed})" if is_raw else rule.typed


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(quoted(text) for text in texts) or "null"
