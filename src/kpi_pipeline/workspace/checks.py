"""Checks across rows and tables: references, overlaps, patterns, periods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import cast

import duckdb

from kpi_pipeline.periods import GRAINS, WEEKDAYS, Calendar, Grain, period_of
from kpi_pipeline.referrers import KINDS
from kpi_pipeline.workspace.model import Table
from kpi_pipeline.workspace.problems import Problems, nearest, one_of
from kpi_pipeline.workspace.schema import ALL
from kpi_pipeline.workspace.tables import place

Record = dict[str, object]
Tables = Mapping[str, Table]

_SCOPE_TABLES = {
    "product": ("products", "product_id"),
    "team": ("teams", "team"),
    "person": ("people", "person_id"),
    "channel": ("channels", "channel"),
}


def check_tables(tables: Tables, problems: Problems) -> None:
    """All checks that need more than one cell. Cells already found wrong are None and skipped."""
    _check_references(tables, problems)
    _check_validity(tables, problems)
    _check_overlaps(tables["product_stages"], ("product_id",), "stage", problems)
    _check_overlaps(tables["people"], ("person_id",), "person", problems)
    _check_people(tables, problems)
    _check_ownership(tables, problems)
    _check_rules(tables["channel_rules"], problems)
    _check_targets(tables, problems)
    _check_annotations(tables, problems)
    _warn(tables, problems)


def calendar_of(company: Table) -> Calendar:
    """The company's calendar; the default where its row is unusable."""
    for row in company.records():
        week_start, month = row["week_start"], row["fiscal_year_start_month"]
        if isinstance(week_start, str) and isinstance(month, int):
            return Calendar(WEEKDAYS.index(week_start), month)
    return Calendar()


def _rows(table: Table) -> Iterator[tuple[int, Record]]:
    yield from zip(table.lines, table.records(), strict=True)


def known(tables: Tables, table: str, column: str) -> list[str]:
    """The distinct texts of a column, in order."""
    found = (record[column] for record in tables[table].records())
    return list(dict.fromkeys(value for value in found if isinstance(value, str)))


def unknown(value: object, table: str, names: list[str]) -> str:
    """What to say of a name that `table` does not have."""
    return f"'{value}' is not in organisation/{table}.csv.{nearest(str(value), names)}"


def _check_references(tables: Tables, problems: Problems) -> None:
    for table in tables.values():
        for index, column in enumerate(table.columns):
            if column.refers is None:
                continue
            other, key = column.refers.split(".")
            names = known(tables, other, key)
            if not names:
                continue  # the other table's own problem is already listed
            for line, row in zip(table.lines, table.rows, strict=True):
                if row[index] is not None and row[index] not in names:
                    problems.add(
                        place(table.name, line, column.name), unknown(row[index], other, names)
                    )


def _check_validity(tables: Tables, problems: Problems) -> None:
    for table in tables.values():
        if "valid_to" not in (column.name for column in table.columns):
            continue
        for line, row in _rows(table):
            first, end = row["valid_from"], row["valid_to"]
            if isinstance(first, date) and isinstance(end, date) and end <= first:
                problems.add(
                    place(table.name, line, "valid_to"),
                    f"{end} is not after valid_from {first}; expected a later day (it is the "
                    "first day on which the row no longer holds).",
                )


def _check_overlaps(table: Table, key: tuple[str, ...], what: str, problems: Problems) -> None:
    spans: dict[tuple[object, ...], list[tuple[date, date, int]]] = defaultdict(list)
    for line, row in _rows(table):
        first, end = row["valid_from"], row["valid_to"]
        if not isinstance(first, date):
            continue
        last = end if isinstance(end, date) else date.max
        entity = tuple(row[name] for name in key)
        for other_first, other_end, other_line in spans[entity]:
            if first < other_end and other_first < last:
                problems.add(
                    place(table.name, line, "valid_from"),
                    f"the {what} of {entity[0]} from {first} overlaps with row {other_line}; "
                    "expected each day to belong to one row (valid_to is the first day on which "
                    "a row no longer holds).",
                )
        spans[entity].append((first, last, line))


def _check_people(tables: Tables, problems: Problems) -> None:
    for line, row in _rows(tables["people"]):
        if row["rank"] in ("specialist", "manager") and row["team"] is None:
            problems.add(
                place("people", line, "team"),
                f"is empty; expected the team of the {row['rank']} {row['person_id']}.",
            )
        if row["manager"] is not None and row["manager"] == row["person_id"]:
            problems.add(
                place("people", line, "manager"),
                f"{row['manager']} is their own manager; expected someone else or nothing.",
            )
    have_stage = known(tables, "product_stages", "product_id")
    for line, row in _rows(tables["products"]):
        if have_stage and row["product_id"] is not None and row["product_id"] not in have_stage:
            problems.add(
                place("products", line, "product_id"),
                f"{row['product_id']} has no row in organisation/product_stages.csv; expected "
                "its stage, 'brand' or 'growth', from the day it started.",
            )


def _check_ownership(tables: Tables, problems: Problems) -> None:
    for line, row in _rows(tables["ownership"]):
        what, which = row["what"], row["which"]
        where = place("ownership", line, "which")
        if what in ("product", "channel"):
            table, key = _SCOPE_TABLES[str(what)]
            names = known(tables, table, key)
            if which is not None and names and which not in names:
                problems.add(where, unknown(which, table, names))
        elif what == "page_prefix" and which is not None and not str(which).startswith("/"):
            problems.add(where, f"'{which}' is not a path; expected one such as /guides.")


def _check_rules(rules: Table, problems: Problems) -> None:
    connection = duckdb.connect()
    try:
        for line, row in _rows(rules):
            field, pattern = row["field"], row["pattern"]
            where = place("channel_rules", line, "pattern")
            if field == "direct":
                if pattern is not None:
                    problems.add(where, f"'{pattern}' has no meaning; expected nothing for direct.")
            elif field is not None and pattern is None:
                problems.add(where, f"is empty; expected a regular expression for {field}.")
            elif pattern is not None:
                try:
                    kinds = connection.execute(
                        "select count_if(regexp_full_match(k.kind, ?, 'i')) "
                        "from unnest(?) as k (kind)",
                        [pattern, list(KINDS)],
                    ).fetchone()
                except duckdb.Error as error:
                    reason = str(error).removeprefix("Invalid Input Error: ").splitlines()[0]
                    problems.add(
                        where,
                        f"'{pattern}' is not a regular expression (RE2): {reason}.",
                    )
                    continue
                if field == "referrer_kind" and kinds == (0,):
                    problems.add(where, f"'{pattern}' matches no kind; there are {one_of(KINDS)}.")
    finally:
        connection.close()


def _check_scopes(tables: Tables, table: str, problems: Problems) -> None:
    """Every scope_id names something of its scope_kind."""
    scopes = {kind: known(tables, *where) for kind, where in _SCOPE_TABLES.items()}
    for line, row in _rows(tables[table]):
        kind, scope = row["scope_kind"], row["scope_id"]
        if not isinstance(kind, str) or scope is None:
            continue
        if kind == "company":
            if scope != ALL:
                message = f"'{scope}' is not '{ALL}', the only scope_id of the company."
                problems.add(place(table, line, "scope_id"), message)
        elif scopes[kind] and scope not in scopes[kind]:
            message = unknown(scope, _SCOPE_TABLES[kind][0], scopes[kind])
            problems.add(place(table, line, "scope_id"), message)


def _check_targets(tables: Tables, problems: Problems) -> None:
    calendar = calendar_of(tables["company"])
    products = known(tables, "products", "product_id")
    _check_scopes(tables, "targets", problems)
    for line, row in _rows(tables["targets"]):
        kind, product = row["scope_kind"], row["product_id"]
        wrong = None
        if kind in ("company", "team", "person") and product != ALL:
            wrong = f"'{product}' is not '{ALL}', which a {kind} target has."
        elif kind == "product" and product != row["scope_id"]:
            wrong = f"'{product}' is not '{row['scope_id']}', the scope_id beside it."
        elif kind == "channel" and product != ALL and products and product not in products:
            wrong = unknown(product, "products", products)
        if wrong:
            problems.add(place("targets", line, "product_id"), wrong)
        grain, start = row["grain"], row["period_start"]
        if isinstance(start, date) and grain in GRAINS:
            first = period_of(cast("Grain", grain), start, calendar).start
            if first != start:
                problems.add(
                    place("targets", line, "period_start"),
                    f"{start} is not the first day of a {grain}; expected {first}.",
                )


def _check_annotations(tables: Tables, problems: Problems) -> None:
    _check_scopes(tables, "annotations", problems)
    for line, row in _rows(tables["annotations"]):
        if row["scope_kind"] is None and row["scope_id"] is not None:
            problems.add(
                place("annotations", line, "scope_kind"),
                f"is empty while scope_id is '{row['scope_id']}'; expected the kind of that scope.",
            )


def _warn(tables: Tables, problems: Problems) -> None:
    owned = {r["which"] for r in tables["ownership"].records() if r["what"] == "product"}
    currencies = known(tables, "exchange_rates", "currency")
    company = known(tables, "company", "currency")
    for line, row in _rows(tables["products"]):
        if row["product_id"] not in owned:
            problems.warn(
                place("products", line, "product_id"),
                f"no one owns {row['product_id']}; add a row with what=product to "
                "organisation/ownership.csv so that someone reads about it.",
            )
        currency = row["currency"]
        if company and currency not in company and currency not in currencies:
            problems.warn(
                place("products", line, "currency"),
                f"organisation/exchange_rates.csv has no rate for {currency}; money KPIs of the "
                f"company stay without a value until it has one in {company[0]}.",
            )
