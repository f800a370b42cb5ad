"""Answers to `kpi values`, `status`, `drivers`, `cohorts`: published rows, filtered and written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, TextIO

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.periods import GRAINS
from kpi_pipeline.settings import Settings
from kpi_pipeline.workspace import SCOPE_KINDS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Table = Literal["fct_kpi_values", "fct_kpi_status", "fct_kpi_drivers", "fct_kpi_cohorts"]
Format = Literal["table", "csv", "json"]
Row = tuple[Any, ...]
BATCH = 10_000
KEY = "kpi_id, product_id, scope_kind, scope_id, grain, period_start, as_of_date"
DRIVER_KEY = f"{KEY}, comparison desc, dimension, member, effect"
COHORT_KEY = 'product_id, scope_kind, scope_id, cohort_grain, cohort_start, "offset"'
COMPARISONS = ("previous", "last_year")
DIMENSIONS = (
    "channel", "campaign", "product", "device", "content_type", "first_touch_channel", "funnel",
    "growth_accounting",
)  # fmt: skip
#: Scopes that have values of finished periods only, and nothing else.
SPARSE_SCOPES = ("campaign", "placement", "device", "page", "content_type")
#: Of which scopes and grains a table has rows; all, where it is not listed.
SCOPES_OF: dict[Table, tuple[str, ...]] = {
    "fct_kpi_status": SCOPE_KINDS,
    "fct_kpi_drivers": ("company", "product", "team"),
    "fct_kpi_cohorts": ("product", "channel"),
}
GRAINS_OF: dict[Table, tuple[str, ...]] = {
    "fct_kpi_drivers": ("week", "month", "quarter"),
    "fct_kpi_cohorts": ("week", "month"),
}


@dataclass(frozen=True)
class Question:
    """Which rows: empty means all. `scopes` are `kind` or `kind:id`; days bound period_start.

    comparisons, dimensions: of drivers only.
    """

    kpis: tuple[str, ...] = ()
    grains: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None
    as_of: date | None = None
    comparisons: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()


@contextmanager
def asked(
    settings: Settings, table: Table, question: Question
) -> Iterator[tuple[list[str], Iterator[Row]]]:
    """Column names and rows, in key order, from the published file opened read-only.

    Raises ConfigurationError for a KPI, grain, scope, product, comparison or dimension that does
    not exist or of which the table has no rows, and for days in the wrong order; PipelineError when
    nothing is published.
    """
    from kpi_pipeline import warehouse

    with warehouse.open_published(settings) as connection:
        known = [row[0] for row in connection.execute("select kpi_id from dim_kpis").fetchall()]
        _refuse_unknown("KPI", question.kpis, known)
        _refuse_unknown("grain", question.grains, GRAINS)
        _refuse_without_rows("grain", question.grains, GRAINS_OF.get(table, GRAINS))
        _refuse_unknown("product", question.products, _published(connection, "product_id"))
        _refuse_unknown_scopes(connection, question.scopes)
        kinds = [scope.partition(":")[0] for scope in question.scopes]
        _refuse_without_rows("scope kind", kinds, SCOPES_OF.get(table, kinds))
        if question.first and question.last and question.first > question.last:
            raise ConfigurationError(
                f"--from {question.first} is later than --to {question.last}; no period starts "
                "between them."
            )
        _refuse_unknown("comparison", question.comparisons, COMPARISONS)
        _refuse_unknown("dimension", question.dimensions, DIMENSIONS)
        is_cohorts = table == "fct_kpi_cohorts"
        where, values = _conditions(question, "cohort_" if is_cohorts else "")
        key = {"fct_kpi_cohorts": COHORT_KEY, "fct_kpi_drivers": DRIVER_KEY}.get(table, KEY)
        cursor = connection.execute(f"select * from {table}{where} order by {key}", values)  # noqa: S608  # literals
        yield [column[0] for column in cursor.description], _batches(cursor.fetchmany)


def write(columns: Sequence[str], rows: Iterator[Row], format: Format, out: TextIO) -> int:
    """Write the rows; returns how many. NULL is empty in CSV, null in JSON, `–` in a table."""
    if format == "csv":
        return _write_csv(columns, rows, out)
    if format == "json":
        return _write_json(columns, rows, out)
    return _write_table(columns, rows, out)


def _conditions(question: Question, of: str) -> tuple[str, list[Any]]:
    """`of`: what a table calls its periods by; cohorts are of a grain and a start of their own."""
    grain, start = f"{of}grain", "cohort_start" if of else "period_start"
    parts: list[str] = []
    values: list[Any] = []

    def among(column: str, wanted: Sequence[str]) -> None:
        if wanted:
            parts.append(f"{column} in ({', '.join('?' * len(wanted))})")
            values.extend(wanted)

    among("kpi_id", question.kpis)
    among(grain, question.grains)
    among("product_id", question.products)
    among("comparison", question.comparisons)
    among("dimension", question.dimensions)
    if question.scopes:
        alternatives = []
        for scope in question.scopes:
            kind, has_id, which = scope.partition(":")
            alternatives.append("(scope_kind = ? and scope_id = ?)" if has_id else "scope_kind = ?")
            values.extend([kind, which] if has_id else [kind])
        parts.append(f"({' or '.join(alternatives)})")
    bounds = ((f"{start} >= ?", question.first), (f"{start} <= ?", question.last))
    for condition, day in (*bounds, ("as_of_date = ?", question.as_of)):
        if day is not None:
            parts.append(condition)
            values.append(day)
    return (f" where {' and '.join(parts)}" if parts else ""), values


def _refuse_unknown_scopes(connection: DuckDBPyConnection, scopes: Sequence[str]) -> None:
    asked_for = [scope.partition(":") for scope in scopes]
    _refuse_unknown(
        "scope kind", [kind for kind, _, _ in asked_for], [*SCOPE_KINDS, *SPARSE_SCOPES]
    )
    for kind, has_id, scope_id in asked_for:
        if has_id:
            known = _published(connection, "scope_id", "where scope_kind = ?", [kind])
            _refuse_unknown(kind, [scope_id], known)


def _published(
    connection: DuckDBPyConnection, column: str, where: str = "", values: Sequence[str] = ()
) -> list[str]:
    """What the values published stand for, whatever their KPI and period."""
    rows = connection.execute(
        f"select distinct {column} from fct_kpi_values {where}",  # noqa: S608  # literals
        list(values),
    ).fetchall()
    return [row[0] for row in rows]


def _refuse_unknown(what: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    from difflib import get_close_matches

    for name in wanted:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            there = ", ".join(sorted(known)) or "none at all"
            hint = f"did you mean {near[0]!r}?" if near else f"expected {there}."
            raise ConfigurationError(f"There is no {what} {name!r}; {hint}")


def _refuse_without_rows(what: str, wanted: Sequence[str], there: Sequence[str]) -> None:
    for name in wanted:
        if name not in there:
            raise ConfigurationError(
                f"Nothing is told of {what} {name!r} here; expected {', '.join(there)}."
            )


def _batches(fetch: Callable[[int], list[Row]]) -> Iterator[Row]:
    while batch := fetch(BATCH):
        yield from batch


def _write_csv(columns: Sequence[str], rows: Iterator[Row], out: TextIO) -> int:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow(["" if cell is None else _text(cell) for cell in row])
        count += 1
    return count


def _write_json(columns: Sequence[str], rows: Iterator[Row], out: TextIO) -> int:
    count = 0
    out.write("[")
    for row in rows:
        record = json.dumps(dict(zip(columns, row, strict=True)), default=str, ensure_ascii=False)
        out.write(f"{',' if count else ''}\n{record}")
        count += 1
    out.write("\n]\n" if count else "]\n")
    return count


def _write_table(columns: Sequence[str], rows: Iterator[Row], out: TextIO) -> int:
    lines = [[("–" if cell is None else _text(cell)) for cell in row] for row in rows]
    widths = [max([len(name), *(len(line[i]) for line in lines)]) for i, name in enumerate(columns)]
    for line in ([*columns], *lines):
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        out.write("  ".join(padded).rstrip() + "\n")
    return len(lines)


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return f"{cell:.15g}"
    return str(cell)
