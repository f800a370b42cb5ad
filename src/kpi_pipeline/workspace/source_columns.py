"""Which column of a source becomes which column of the feed, as `sources.yml` says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping as Mapped
from dataclasses import dataclass

from kpi_pipeline.feeds.contracts import FeedTable
from kpi_pipeline.workspace.checks import known, unknown
from kpi_pipeline.workspace.model import Aggregate, Share, Table, Unpivot
from kpi_pipeline.workspace.problems import nearest, one_of
from kpi_pipeline.workspace.time_formats import problem_of
from kpi_pipeline.workspace.yaml_file import Mapping, Node

EMPTY = "is empty; expected the name of a column of the source."
_DATE = r"(19|20|21)\d\d-\d\d-\d\d"
_CONSTANTS = {
    "count": (r"[0-9]{1,18}", "a whole number such as 1234"),
    "decimal": (r"[+-]?[0-9]{1,14}(\.[0-9]+)?", "a number such as 1234.5"),
    "boolean": (r"true|false", "true or false"),
    "date": (_DATE, "a date such as 2024-06-30"),
    "time": (rf"{_DATE}T\d\d:\d\d:\d\dZ", "a time such as 2024-06-30T23:59:00Z"),
}
_COLUMN_KEYS = ("column", "percent_of", "mean_of", "null_tokens")


@dataclass(frozen=True)
class Columns:
    """The parts of a source that name columns; attributes as in `Source`."""

    columns: dict[str, str]
    constants: dict[str, str]
    shares: dict[str, Share]
    null_tokens_of: dict[str, tuple[str, ...]]
    optional: tuple[str, ...]


def read_columns(entry: Mapping, table: FeedTable, tables: Mapped[str, Table]) -> Columns:
    """`columns`, `constants` and `optional` of an entry."""
    names = [column.name for column in table.columns]
    columns: dict[str, str] = {}
    shares: dict[str, Share] = {}
    tokens: dict[str, tuple[str, ...]] = {}
    for name, node in _nodes(entry, "columns").items():
        _check_column(entry, "columns", name, names, table)
        if isinstance(node.value, str):
            columns[name] = node.value
            if not node.value:
                entry.problems.add(_place(entry, "columns", name), EMPTY)
            continue
        inner = Mapping(
            entry.file, f"{entry.path}.columns.{name}", node, _COLUMN_KEYS, entry.problems
        )
        columns[name] = inner.text("column", name) or name
        share = _share(inner, table, columns[name])
        if share is not None and name in names and name not in _numbers(table):
            inner.add(
                "percent_of" if share.is_percent else "mean_of",
                f"is for numbers; expected one of {one_of(_numbers(table))}.",
            )
        elif share is not None:
            shares[name] = share
        if "null_tokens" in inner:
            tokens[name] = inner.sequence("null_tokens", ())
    constants = entry.texts("constants")
    for name in constants:
        _check_column(entry, "constants", name, names, table)
    for name in columns.keys() & constants.keys():
        entry.add("constants", f"'{name}' also stands under columns; expected it in one of them.")
    optional = entry.sequence("optional", ())
    for name in optional:
        _check_column(entry, "optional", name, names, table)
        if any(c.name == name and c.required for c in table.columns):
            entry.add("optional", f"'{name}' is required by {table.name}; it cannot be optional.")
    _check_constants(entry, table, constants)
    _check_kinds(entry, columns, constants, tables)
    return Columns(columns, constants, shares, tokens, optional)


def read_aggregate(entry: Mapping, table: FeedTable) -> Aggregate | None:
    """How single events become daily rows, or None."""
    node = entry.items.get("aggregate")
    if node is None:
        return None
    if table.day_rule != "date":
        entry.add("aggregate", f"is for daily tables; {table.name} is not one.")
        return None
    inner = Mapping(
        entry.file, f"{entry.path}.aggregate", node, ("date_from", "count", "sum"), entry.problems
    )
    date_from = inner.text("date_from", expected="the source column with each event's time")
    counted, summed = inner.optional("count"), inner.texts("sum")
    names = _numbers(table)
    if counted is not None and counted not in names:
        inner.add("count", f"'{counted}' is not {one_of(names)}.{nearest(counted, names)}")
    for name in summed:
        if name not in names:
            inner.add("sum", f"'{name}' is not {one_of(names)}.{nearest(name, names)}")
    if counted is None and not summed:
        inner.add("count", f"is missing, and sum too; expected {one_of(names)} in one of them.")
    return Aggregate(date_from, counted, summed) if date_from else None


def read_unpivot(entry: Mapping, table: FeedTable) -> Unpivot | None:
    """How a wide file becomes rows, or None."""
    node = entry.items.get("unpivot")
    if node is None:
        return None
    inner = Mapping(
        entry.file, f"{entry.path}.unpivot", node, ("header", "name", "value"), entry.problems
    )
    header = inner.text("header", expected="how the headers are written, such as %d.%m.%Y")
    days = tuple(c.name for c in table.columns if c.type in ("date", "time"))
    name = inner.choice("name", days, table.day_column)
    value = inner.choice("value", tuple(_numbers(table)))
    if header is not None:
        wrong = problem_of(header, needs_day=table.day_rule != "period_end")
        if wrong is not None:
            inner.add("header", wrong)
    return Unpivot(header, name, value) if header and name and value else None


def check_together(
    entry: Mapping,
    table: FeedTable,
    columns: Columns,
    aggregate: Aggregate | None,
    unpivot: Unpivot | None,
) -> None:
    """What each part says is right; that they do not contradict each other."""
    _check_shares(entry, columns)
    if aggregate is not None and unpivot is not None:
        entry.add("unpivot", "stands beside aggregate; expected one of them.")
    if aggregate is not None and columns.shares:
        names = ", ".join(columns.shares)
        entry.add("aggregate", f"adds up single events, which cannot have a share: {names}.")
    made: dict[str, str] = {}
    if aggregate is not None:
        if aggregate.count in aggregate.sum:
            entry.add("aggregate", f"both counts and sums '{aggregate.count}'; expected one.")
        made = dict.fromkeys([table.day_column, *aggregate.sum], "aggregate")
        if aggregate.count is not None:
            made[aggregate.count] = "aggregate"
    if unpivot is not None:
        made |= dict.fromkeys([unpivot.name, unpivot.value], "unpivot")
    for name, maker in made.items():
        for key in ("columns", "constants"):
            if name in getattr(columns, key):
                entry.add(key, f"'{name}' comes from {maker} already; expected it in one of them.")


def _check_shares(entry: Mapping, columns: Columns) -> None:
    for name, share in columns.shares.items():
        wrong = None
        chain = [name]
        while chain[-1] in columns.shares and chain[-1] not in chain[:-1]:
            chain.append(columns.shares[chain[-1]].of)
        if chain[-1] == name:
            way = f", by way of {one_of(chain[1:-1])}" if chain[1:-1] else ""
            wrong = f"is given as a share of itself{way}; expected one of another column."
        elif share.of in columns.optional and name not in columns.optional:
            wrong = f"needs '{share.of}', which is optional; expected this to be optional too."
        if wrong is not None:
            entry.problems.add(_place(entry, "columns", name), wrong)


def _place(entry: Mapping, key: str, name: str) -> str:
    """Where a name under a key of an entry stands."""
    node = entry.items[key].value
    line = node[name].line if isinstance(node, dict) and name in node else None
    return entry.place(f"{key}.{name}" if isinstance(node, dict) else key, line)


def _share(inner: Mapping, table: FeedTable, column: str) -> Share | None:
    names = tuple(_numbers(table))
    percent = inner.choice("percent_of", names) if "percent_of" in inner else None
    mean = inner.choice("mean_of", names) if "mean_of" in inner else None
    if percent and mean:
        inner.add("mean_of", "stands beside percent_of; expected one of them.")
    of = percent or mean
    return Share(column, of, percent is not None) if of else None


def _numbers(table: FeedTable) -> list[str]:
    return [column.name for column in table.columns if column.type in ("count", "decimal")]


def _nodes(entry: Mapping, key: str) -> dict[str, Node]:
    node = entry.items.get(key)
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        entry.add(key, "is not a mapping; expected names and values.")
        return {}
    return node.value


def _check_column(
    entry: Mapping, key: str, name: str, names: Iterable[str], table: FeedTable
) -> None:
    if name not in names:
        entry.problems.add(
            _place(entry, key, name),
            f"'{name}' is not a column of {table.name}; expected {one_of(names)}."
            f"{nearest(name, names)}",
        )


def _check_constants(entry: Mapping, table: FeedTable, constants: Mapped[str, str]) -> None:
    """Constants are read as SQL writes values, whatever the source's own notation is."""
    for column in table.columns:
        value = constants.get(column.name)
        form = _CONSTANTS.get(column.type)
        if value is not None and form is not None and not re.fullmatch(form[0], value):
            entry.problems.add(
                _place(entry, "constants", column.name), f"'{value}' is not {form[1]}."
            )


def _check_kinds(
    entry: Mapping,
    columns: Mapped[str, str],
    constants: Mapped[str, str],
    tables: Mapped[str, Table],
) -> None:
    """Constants that name a channel or a kind of activity must name a known one."""
    for name, table, key in (
        ("channel", "channels", "channel"),
        ("kind", "activity_kinds", "kind"),
    ):
        value = constants.get(name)
        names = known(tables, table, key)
        if value is not None and name not in columns and names and value not in names:
            entry.add("constants", f"{name} {unknown(value, table, names)}")
