"""What a declaration in sources.yml makes of its files, tried in a temporary place.

Nothing is written to landing or the run log, and identifiers are hashed with a key nobody keeps.
"""

# ruff: noqa: S608  # names are quoted by `name_of`, texts by `quoted`
from __future__ import annotations

import re
import secrets
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.feeds.contracts import FEEDS, FeedTable
from kpi_pipeline.feeds.found import SourceFile, find, has_changed
from kpi_pipeline.feeds.reading import FileRead
from kpi_pipeline.feeds.sql import name_of, quoted
from kpi_pipeline.landing import counting, dedupe, judge, keeping, keyed, refusing
from kpi_pipeline.landing.arrivals import table_of
from kpi_pipeline.landing.span import Range
from kpi_pipeline.quarantine import Group, Quarantine
from kpi_pipeline.quarantine_remedies import Remedy, remedies
from kpi_pipeline.source_hints import hints
from kpi_pipeline.source_sample import SeenColumn, likely, masked, seen_columns, without_addresses
from kpi_pipeline.workspace.model import Source
from kpi_pipeline.workspace.problems import Problems
from kpi_pipeline.workspace.sources import read_entries
from kpi_pipeline.workspace.tables import read_tables

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from kpi_pipeline.settings import Settings

DAYS_READ = 7
VALUES_READ = 1000


@dataclass(frozen=True)
class Declared:
    """A source of sources.yml. number: its entry's, from 1. zone, currency: its product's.

    products: all there are, for values that name them.
    """

    number: int
    source: Source
    zone: str
    currency: str
    products: tuple[str, ...]

    def __str__(self) -> str:
        one = self.source
        name = one.feed if one.feed == one.table else f"{one.feed}, {one.table},"
        return f"{self.number:>3}  {name} of {one.product}: {one.files} ({one.format})"


@dataclass(frozen=True)
class TriedFile:
    """A file that was read. replaces: files of its day that do not count because of it."""

    name: str
    rows: int
    replaces: tuple[str, ...]
    problem: str | None


@dataclass(frozen=True)
class WantedColumn:
    """A column of the feed and where it comes from. likely: where it is missing, the column of the
    files that may be it."""

    name: str
    type: str
    is_required: bool
    origin: str
    likely: str | None = None


@dataclass(frozen=True)
class SetAside:
    """Rows that would be in quarantine for one reason: the first, how many, what to do."""

    group: Group
    values: tuple[tuple[str, int], ...]
    remedies: tuple[Remedy, ...]


@dataclass(frozen=True)
class Trial:
    """What came of it. Counts are source rows: read = landed + quarantined + dropped.

    found: how many files there are, of which `files` were read. made: rows that would be in
    landing, fewer where rows of a key are added. others: rows of other products. rows: the first of
    them, cells as texts, identifiers cut. days: landed rows by day. problems: why days would be
    rejected, or nothing would land. hints: what is probably not meant so.
    """

    declared: Declared
    found: int
    files: tuple[TriedFile, ...]
    seen: tuple[SeenColumn, ...]
    wanted: tuple[WantedColumn, ...]
    read: int
    landed: int
    quarantined: int
    dropped: Mapping[str, int]
    others: int
    made: int
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    days: Mapping[date, int]
    set_aside: tuple[SetAside, ...]
    problems: tuple[str, ...]
    hints: tuple[str, ...]

    @property
    def unused(self) -> tuple[str, ...]:
        """Columns of the files that nothing is read from."""
        own = (self.declared.source.product_column, *_day_headers(self))
        return tuple(c.name for c in self.seen if not c.contract and c.name not in own)


def declarations(root: Path) -> list[Declared]:
    """Every source that can be tried, whatever is wrong with the rest of the workspace."""
    return _declarations(root)[0]


def chosen(
    root: Path,
    number: int | None = None,
    feed: str | None = None,
    product: str | None = None,
    table: str | None = None,
) -> Declared:
    """The one source these name. Raises ConfigurationError for none, for several, and for one that
    is not declared as it must be."""
    found, problems = _declarations(root)
    if number is not None and number in problems:
        listed = "\n".join(f"  - {problem}" for problem in problems[number])
        raise ConfigurationError(f"Source {number} of sources.yml cannot be tried yet:\n{listed}")
    matching = [
        one
        for one in found
        if (number is None or one.number == number)
        and (feed is None or one.source.feed == feed)
        and (product is None or one.source.product == product)
        and (table is None or one.source.table == table)
    ]
    if len(matching) == 1:
        return matching[0]
    listed = "\n".join(str(one) for one in matching or found)
    broken = "".join(
        f"\n{n:>3}  cannot be tried yet: {wrong[0]}" for n, wrong in sorted(problems.items())
    )
    if not matching:
        what = "There is no such source in sources.yml, which has"
    else:
        what = (
            "There are several; say which by its number, such as "
            f"`kpi source try {_choice(matching)}`"
        )
    raise ConfigurationError(f"{what}:\n{listed}{broken}")


def _choice(matching: Sequence[Declared]) -> str:
    """What names the first of them alone: its number, and its product where its entry has more."""
    first = matching[0]
    same = [one for one in matching if one.number == first.number]
    return (
        f"{first.number} --product {first.source.product}" if len(same) > 1 else f"{first.number}"
    )


def tried(
    settings: Settings,
    declared: Declared,
    at: datetime,
    file: Path | None = None,
    rows: int = 10,
    days: int = DAYS_READ,
) -> Trial:
    """Read the files as declared, and tell what would land.

    file: this one instead of those that are found. days: of a source with a file for each day, how
    many of the latest are read.
    """
    import duckdb

    source, table, root = declared.source, table_of(declared.source), settings.workspace
    is_daily = source.arrival == "file_per_day"
    found = (_given(file, root),) if file is not None else find(source, root)
    files = _latest(found, days) if is_daily and file is None else list(found)
    with (
        tempfile.TemporaryDirectory(prefix="kpi-source-") as scratch,
        duckdb.connect(
            config={"temp_directory": str(Path(scratch) / "spill"), "memory_limit": settings.memory}
        ) as connection,
    ):
        connection.execute("set timezone = 'UTC'")
        keyed.install(connection, secrets.token_hex(32))
        reads = judge.judge(connection, source, table, declared.zone, files, Path(scratch))
        _account(connection, declared, table, reads, is_daily)
        landed, quarantined, others, dropped = _counts(connection)
        landed_days = _days(connection)
        seen = _seen(connection, declared, table, reads)
        aside = tuple(_set_aside(connection, declared, landed))
        made, columns, first_rows, repeats = _kept(
            connection, declared, table, tuple(landed_days), at, rows
        )
        advice = list(
            hints(connection, source, table, reads, seen, landed_days, root, Path(scratch))
        )
        problems = [one.problem for one in reads if one.problem]
        problems += [f"{f.name} changed while it was read." for f in files if has_changed(f)]
        return Trial(
            declared,
            len(found),
            tuple(
                TriedFile(one.file.name, one.expected, one.file.file.replaces, one.problem)
                for one in reads
            ),
            tuple(seen),
            tuple(_wanted(source, table, [column.name for column in seen])),
            landed + quarantined + sum(dropped.values()),
            landed,
            quarantined,
            dropped,
            others,
            made,
            columns,
            first_rows,
            landed_days,
            aside,
            tuple(dict.fromkeys([*problems, *repeats])),
            tuple(advice),
        )


def _declarations(root: Path) -> tuple[list[Declared], dict[int, tuple[str, ...]]]:
    """The sources that can be tried, and what is wrong with the other entries by number."""
    if not root.is_dir():
        raise ConfigurationError(
            f"The workspace {root} is not a folder; set KPI_WORKSPACE to one, or write one "
            "with `kpi init`."
        )
    tables = read_tables(root / "organisation", Problems())
    products = {row["product_id"]: row for row in tables["products"].records()}
    names = tuple(str(name) for name in products if name)
    found: list[Declared] = []
    problems: dict[int, tuple[str, ...]] = {}
    for entry in read_entries(root, tables):
        if entry.problems:
            problems[entry.number] = entry.problems
            continue
        for source in entry.sources:
            product = products.get(source.product, {})
            zone, currency = product.get("time_zone"), product.get("currency")
            if not zone or not currency:
                problems[entry.number] = (
                    f"organisation/products.csv does not say the time zone and the currency of "
                    f"{source.product!r}.",
                )
                continue
            found.append(Declared(entry.number, source, str(zone), str(currency), names))
    return found, problems


def _given(file: Path, root: Path) -> SourceFile:
    path = file.absolute()
    if not path.is_file():
        raise ConfigurationError(f"{file} is not a file; give one to --file.")
    match = re.search(r"\d{4}-\d{2}-\d{2}", path.name)
    try:
        day = date.fromisoformat(match[0]) if match else None
    except ValueError:
        day = None
    status = path.stat()
    name = str(path.relative_to(root)) if path.is_relative_to(root) else str(file)
    return SourceFile(0, path, name, day, (status.st_size, str(status.st_mtime_ns)))


def _latest(found: Sequence[SourceFile], days: int) -> list[SourceFile]:
    latest = sorted({file.day for file in found if file.day is not None})[-days:]
    return [file for file in found if file.day in latest]


def _account(
    connection: DuckDBPyConnection,
    declared: Declared,
    table: FeedTable,
    reads: Sequence[FileRead],
    is_daily: bool,
) -> None:
    """What landing does with `judged` before it keeps rows, for all days; then `aside` has what
    would be in quarantine."""
    source = declared.source
    connection.execute(
        "create temp table requested as select distinct local_date as day from judged "
        "where local_date is not null"
    )
    refusing.refuse_other_days(connection, source, table, reads)
    dedupe.drop_repeats_across_files(connection, source, table)
    if keeping.adds_up(source, table):
        refusing.refuse_to_add(connection, table, declared.currency)
    counting.number(connection, reads, is_daily)
    connection.execute(
        f"create temp table aside as select 0 as place, {quoted(source.feed)} as feed, "
        f"{quoted(source.product)} as product_id, day, {quoted(table.name)} as table_name, "
        "name as source_file, number as row_number, fault.column_name as column_name, "
        "fault.value as value, fault.expected as expected, fault.reason as reason, raw "
        "from set_aside where fault is not null and dropped_by is null"
    )


def _kept(
    connection: DuckDBPyConnection,
    declared: Declared,
    table: FeedTable,
    days: Sequence[date],
    at: datetime,
    rows: int,
) -> tuple[int, tuple[str, ...], tuple[tuple[str, ...], ...], list[str]]:
    """The rows that land: how many, the columns and texts of the first, and days that would be
    rejected because they repeat a key."""
    if not days:
        return 0, (), (), []
    source = declared.source
    sql = keeping.keep(connection, source, table, source.product, "trial", days, 0)
    keeping.define_outputs(connection, [table], [(table.name, sql)])
    span = Range(
        FEEDS[source.feed], source.product, declared.zone, declared.currency, tuple(days), at, ""
    )
    if table.day_rule != "instant":
        refusing.refuse_repeats(connection, table, span)
    made = connection.execute(f"select count(*) from out_{table.name}").fetchone()
    columns, texts = _first_rows(connection, table, rows)
    repeats = [f"{day}: {why}" for day, whys in sorted(span.problems.items()) for why in whys]
    return made[0] if made else 0, columns, texts, repeats


def _counts(connection: DuckDBPyConnection) -> tuple[int, int, int, dict[str, int]]:
    """Rows landed, in quarantine, of other products, and dropped by rule."""
    landed = quarantined = others = 0
    dropped: Counter[str] = Counter()
    for rule, is_bad, count in connection.execute(
        "select dropped_by, fault is not null, count(*) from judged group by all order by all"
    ).fetchall():
        if rule == judge.OTHERS:
            others += count
        elif rule is not None:
            dropped[rule] += count
        elif is_bad:
            quarantined += count
        else:
            landed += count
    return landed, quarantined, others, dict(dropped)


def _days(connection: DuckDBPyConnection) -> dict[date, int]:
    return dict(
        connection.execute(
            "select local_date, count(*) from judged where fault is null and dropped_by is null "
            "group by 1 order by 1"
        ).fetchall()
    )


def _set_aside(connection: DuckDBPyConnection, declared: Declared, landed: int) -> list[SetAside]:
    aside = Quarantine(connection, ())
    found = []
    for group in aside.groups():
        values = tuple(aside.values(group, VALUES_READ))
        todo = remedies(
            connection,
            declared.source,
            declared.zone,
            group.column_name,
            group.reason,
            dict(values),
            landed,
        )
        found.append(SetAside(group, values, tuple(todo)))
    return found


def _first_rows(
    connection: DuckDBPyConnection, table: FeedTable, count: int
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The first rows by day and time: columns that have a value there, and cells as texts."""
    order = ["local_date"]
    order += [name_of(table.day_column)] if table.day_rule == "instant" else []
    order += [name_of(name) for name in table.key]
    cursor = connection.execute(
        f"select * exclude (product_id) from out_{table.name} order by {', '.join(order)} "
        f"limit {count}"
    )
    names = [column[0] for column in cursor.description or ()]
    rows = cursor.fetchall()
    kept = [i for i, _ in enumerate(names) if any(row[i] is not None for row in rows)]
    identifiers = {column.name for column in table.columns if column.type == "identifier"}
    return (
        tuple(names[i] for i in kept),
        tuple(tuple(_cell(row[i], names[i] in identifiers) for i in kept) for row in rows),
    )


def _cell(value: Any, is_identifier: bool) -> str:
    if value is None:
        return "–"
    if is_identifier:
        return masked(str(value))
    return without_addresses(str(value))


def _seen(
    connection: DuckDBPyConnection,
    declared: Declared,
    table: FeedTable,
    reads: Sequence[FileRead],
) -> list[SeenColumn]:
    """The columns of the latest file that has any; of a log, whose fields are known, none."""
    one = next((read for read in reversed(reads) if read.columns), None)
    if one is None or declared.source.format == "access_log":
        return []
    return seen_columns(connection, declared.source, table, one, declared.products)


def _wanted(source: Source, table: FeedTable, there: Sequence[str]) -> list[WantedColumn]:
    """Where each column of the feed comes from. there: the columns of the files."""
    if source.format == "access_log":
        return []
    own = judge.wanted_of(source, table)
    required = set(judge.required_of(source, table, own))
    free = [name for name in there if name not in own.values()]
    found = []
    for column in table.columns:
        near = None
        if column.name in source.constants:
            origin = f"constant {source.constants[column.name]!r}"
        elif source.aggregate is not None and source.aggregate.count == column.name:
            origin = "number of rows"
        elif source.unpivot is not None and column.name == source.unpivot.name:
            origin = "headers that are days"
        elif source.unpivot is not None and column.name == source.unpivot.value:
            origin = "cells under them"
        elif own[column.name] in there:
            origin = f"{own[column.name]!r}"
            if own[column.name] == column.name and column.name not in source.columns:
                origin = "by its name"
            if column.name in source.shares:
                share = source.shares[column.name]
                origin += f", {'a percentage' if share.is_percent else 'a mean'} of {share.of}"
            if source.aggregate is not None and column.name in source.aggregate.sum:
                origin += ", added"
        else:
            near = likely(column.name, free)
            origin = "MISSING" if own[column.name] in required else "not there"
            if column.name == "event_id":
                origin = "made from the whole row"
        found.append(WantedColumn(column.name, column.type, column.required, origin, near))
    return found


def _day_headers(trial: Trial) -> tuple[str, ...]:
    """The columns of a wide file that are days."""
    unpivot = trial.declared.source.unpivot
    if unpivot is None:
        return ()
    return tuple(c.name for c in trial.seen if _is_written_as(c.name, unpivot.header))


def _is_written_as(text: str, written: str) -> bool:
    try:
        datetime.strptime(text, written)  # noqa: DTZ007  # only whether it can be read
    except ValueError:
        return False
    return True
