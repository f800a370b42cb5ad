"""Reads `sources.yml`: which files hold which feed of which product, and how they are written."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Mapped
from datetime import time
from pathlib import Path
from typing import cast

from kpi_pipeline.feeds.contracts import FEEDS, Feed, FeedTable
from kpi_pipeline.workspace.checks import known, unknown
from kpi_pipeline.workspace.model import Aggregate, Arrival, Format, Source, Table
from kpi_pipeline.workspace.problems import Problems, nearest, one_of
from kpi_pipeline.workspace.tables import is_time_zone
from kpi_pipeline.workspace.yaml_file import Mapping, Node, read

FILE = "sources.yml"
DEFAULT_GIVE_UP_AT = "12:00"
_KEYS = (
    "feed",
    "table",
    "product",
    "files",
    "format",
    "arrival",
    "last_day_complete",
    "columns",
    "constants",
    "time_format",
    "time_zone",
    "null_tokens",
    "delimiter",
    "aggregate",
    "on_repeat",
)


def read_sources(
    root: Path, tables: Mapped[str, Table], problems: Problems
) -> tuple[tuple[Source, ...], dict[str, time]]:
    """The sources in file order, and each feed's time to give up."""
    defaults = {feed: time.fromisoformat(DEFAULT_GIVE_UP_AT) for feed in FEEDS}
    node = read(root / FILE, problems)
    if node is None:
        return (), defaults
    top = Mapping(FILE, "", node, ("give_up_at", "sources"), problems)
    give_up_at = dict(defaults)
    if "give_up_at" in top:
        times = Mapping(FILE, "give_up_at", top.items["give_up_at"], tuple(FEEDS), problems)
        for feed in FEEDS:
            give_up_at[feed] = times.time(feed, DEFAULT_GIVE_UP_AT) or defaults[feed]
    entries = top.items.get("sources")
    if entries is None or not isinstance(entries.value, list) or not entries.value:
        top.add("sources", "is missing or empty; expected a list of sources.")
        return (), give_up_at
    found = [
        _source(Mapping(FILE, f"sources[{n}]", entry, _KEYS, problems), tables)
        for n, entry in enumerate(entries.value, start=1)
    ]
    return tuple(source for source in found if source is not None), give_up_at


def _source(entry: Mapping, tables: Mapped[str, Table]) -> Source | None:
    feed = FEEDS.get(entry.choice("feed", tuple(FEEDS)) or "")
    product = entry.text("product", expected="a product_id of organisation/products.csv")
    products = known(tables, "products", "product_id")
    if product is not None and products and product not in products:
        entry.add("product", unknown(product, "products", products))
    form = entry.choice("format", ("csv", "jsonl", "parquet"))
    arrival = entry.choice("arrival", ("file_per_day", "covering"))
    files = _files(entry, arrival)
    last_day_complete = entry.boolean("last_day_complete", False)
    if last_day_complete and arrival == "file_per_day":
        entry.add("last_day_complete", "has a meaning only with arrival: covering.")
    zone = entry.text("time_zone", "UTC") or "UTC"
    if not is_time_zone(zone):
        entry.add("time_zone", f"'{zone}' is not an IANA time zone such as Europe/Madrid.")
    time_format = entry.optional("time_format")
    if time_format is not None and "%" not in time_format:
        entry.add(
            "time_format",
            f"'{time_format}' is not a strptime format; expected one such as %Y-%m-%d %H:%M:%S.",
        )
    delimiter = entry.text("delimiter", ",") or ","
    if len(delimiter) != 1:
        entry.add("delimiter", f"'{delimiter}' is not one character.")
    if "delimiter" in entry and form not in ("csv", None):
        entry.add("delimiter", f"has a meaning only with format: csv, not {form}.")
    on_repeat = entry.choice("on_repeat", ("error", "sum"), "error")
    if feed is None:
        return None
    table = _table(entry, feed)
    if table is None:
        return None
    columns, constants = _mapped_columns(entry, table)
    _check_kinds(entry, columns, constants, tables)
    aggregate = _aggregate(entry, table)
    if "on_repeat" in entry and on_repeat == "sum" and table.day_rule != "date":
        entry.add("on_repeat", f"sum is for daily tables; {table.name} is not one.")
    if product is None or form is None or arrival is None or files is None:
        return None
    return Source(
        feed=feed.name,
        table=table.name,
        product=product,
        files=files,
        format=cast("Format", form),
        arrival=cast("Arrival", arrival),
        last_day_complete=last_day_complete,
        columns=columns,
        constants=constants,
        time_format=time_format,
        time_zone=zone,
        null_tokens=entry.sequence("null_tokens", ("",)),
        delimiter=delimiter,
        aggregate=aggregate,
        on_repeat="sum" if on_repeat == "sum" else "error",
    )


def _files(entry: Mapping, arrival: str | None) -> str | None:
    files = entry.text("files", expected="a path such as data/visits/{day}.csv")
    if files is None or arrival is None:
        return files
    if arrival == "file_per_day" and "{day}" not in files:
        entry.add("files", f"'{files}' has no {{day}}; expected it with arrival: file_per_day.")
    if arrival == "covering" and "{day}" in files:
        entry.add("files", f"'{files}' has a {{day}}; expected * or a name with arrival: covering.")
    return files


def _table(entry: Mapping, feed: Feed) -> FeedTable | None:
    names = tuple(table.name for table in feed.tables)
    name = entry.choice("table", names, names[0])
    return next((table for table in feed.tables if table.name == name), None)


def _mapped_columns(entry: Mapping, table: FeedTable) -> tuple[dict[str, str], dict[str, str]]:
    columns, constants = entry.texts("columns"), entry.texts("constants")
    names = [column.name for column in table.columns]
    for key, mapped in (("columns", columns), ("constants", constants)):
        for name in mapped:
            _check_column(entry, f"{key}.{name}", name, names, table)
    for name in columns.keys() & constants.keys():
        entry.add("constants", f"'{name}' also stands under columns; expected it in one of them.")
    return columns, constants


def _check_column(
    entry: Mapping, key: str, name: str, names: Iterable[str], table: FeedTable
) -> None:
    if name not in names:
        top = entry.items[key.split(".")[0]].value
        line = _line_of(top, name)
        entry.problems.add(
            entry.place(key, line),
            f"'{name}' is not a column of {table.name}; expected {one_of(names)}."
            f"{nearest(name, names)}",
        )


def _line_of(value: object, name: str) -> int | None:
    if isinstance(value, dict):
        node = value.get(name)
        return node.line if isinstance(node, Node) else None
    return None


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


def _aggregate(entry: Mapping, table: FeedTable) -> Aggregate | None:
    node = entry.items.get("aggregate")
    if node is None:
        return None
    if table.day_rule != "date":
        entry.add("aggregate", f"is for daily tables; {table.name} is not one.")
        return None
    inner = Mapping(
        FILE, f"{entry.path}.aggregate", node, ("date_from", "count", "sum"), entry.problems
    )
    date_from = inner.text("date_from", expected="the source column with each event's time")
    counted, summed = inner.optional("count"), inner.texts("sum")
    names = [column.name for column in table.columns if column.type in ("count", "decimal")]
    if counted is not None and counted not in names:
        inner.add("count", f"'{counted}' is not {one_of(names)}.{nearest(counted, names)}")
    for name in summed:
        if name not in names:
            inner.add("sum", f"'{name}' is not {one_of(names)}.{nearest(name, names)}")
    if counted is None and not summed:
        inner.add("count", f"is missing, and sum too; expected {one_of(names)} in one of them.")
    return Aggregate(date_from, counted, summed) if date_from else None
