"""Reads `sources.yml`: which files hold which feed of which product, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Mapping as Mapped
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import cast

from kpi_pipeline.feeds.contracts import FEEDS, Feed, FeedTable
from kpi_pipeline.workspace.checks import known, unknown
from kpi_pipeline.workspace.model import Arrival, Deduplicate, Source, Table, TimePrecision
from kpi_pipeline.workspace.problems import Problems
from kpi_pipeline.workspace.source_columns import (
    check_together,
    read_aggregate,
    read_columns,
    read_unpivot,
)
from kpi_pipeline.workspace.source_layout import read_layout
from kpi_pipeline.workspace.tables import is_time_zone
from kpi_pipeline.workspace.time_formats import problem_of
from kpi_pipeline.workspace.yaml_file import Mapping, Node, read

FILE = "sources.yml"
DEFAULT_GIVE_UP_AT = "12:00"
MOST_RESTATED = 400  # days
_DEDUPE: dict[str, Deduplicate] = {
    "true": "identical",
    "identical": "identical",
    "last_file": "last_file",
}
KEYS = (
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
    "products",
    "member",
    "sheets",
    "encoding",
    "header_row",
    "total_rows",
    "ends_at_blank_line",
    "decimal_separator",
    "thousands_separator",
    "unpivot",
    "optional",
    "several_files_a_day",
    "dedupe_across_files",
    "restates_days",
    "time_precision",
    "log_format",
    "log_fields",
    "pages",
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
    entries = [Mapping(FILE, path, entry, KEYS, problems) for path, entry in _entries(top)]
    found: dict[Source, str] = {}
    for entry in entries:
        for source in _sources(entry, tables):
            same = next((path for other, path in found.items() if _overlap(other, source)), None)
            if same is not None:
                entry.add("files", f"'{source.files}' is read by {same} already; expected it once.")
            found[source] = entry.path
    return tuple(found), give_up_at


def _overlap(one: Source, other: Source) -> bool:
    """Whether rows that one source lands are landed by the other again."""
    same = ("table", "product", "files", "member", "sheets", "product_column", "aggregate")
    return all(getattr(one, name) == getattr(other, name) for name in same) and (
        not one.product_values or bool(set(one.product_values) & set(other.product_values))
    )


@dataclass(frozen=True)
class Entry:
    """One entry of `sources:`, numbered from 1, with what is wrong with it alone."""

    number: int
    sources: tuple[Source, ...]
    problems: tuple[str, ...]


def read_entries(root: Path, tables: Mapped[str, Table]) -> tuple[Entry, ...]:
    """Every entry by itself, so that one can be used while others are wrong.

    Raises ConfigurationError when the file cannot be read, or has none.
    """
    problems = Problems()
    node = read(root / FILE, problems)
    entries = []
    if node is not None:
        entries = _entries(Mapping(FILE, "", node, ("give_up_at", "sources"), problems))
    if not entries:
        problems.raise_if_any(root)
    found = []
    for number, (path, entry) in enumerate(entries, start=1):
        own = Problems()
        sources = _sources(Mapping(FILE, path, entry, KEYS, own), tables)
        found.append(Entry(number, tuple(sources), tuple(own.found)))
    return tuple(found)


def _entries(top: Mapping) -> list[tuple[str, Node]]:
    """The path and node of every entry of `sources`."""
    entries = top.items.get("sources")
    if entries is None or not isinstance(entries.value, list) or not entries.value:
        top.add("sources", "is missing or empty; expected a list of sources.")
        return []
    return [(f"sources[{n}]", entry) for n, entry in enumerate(entries.value, start=1)]


def _sources(entry: Mapping, tables: Mapped[str, Table]) -> list[Source]:
    """The sources of an entry: one, or one for each product whose rows its files hold."""
    feed = FEEDS.get(entry.choice("feed", tuple(FEEDS)) or "")
    shares = _products(entry, tables)
    arrival = entry.choice("arrival", ("file_per_day", "covering"))
    files = _files(entry, arrival)
    layout = read_layout(entry)
    last_day_complete = entry.boolean("last_day_complete", False)
    if last_day_complete and arrival == "file_per_day":
        entry.add("last_day_complete", "has a meaning only with arrival: covering.")
    several = entry.choice("several_files_a_day", ("add", "last"), "add")
    if several == "last" and arrival == "covering":
        entry.add("several_files_a_day", "has a meaning only with arrival: file_per_day.")
    zone = entry.text("time_zone", "UTC") or "UTC"
    if not is_time_zone(zone):
        entry.add("time_zone", f"'{zone}' is not an IANA time zone such as Europe/Madrid.")
    time_format = entry.optional("time_format")
    on_repeat = entry.choice("on_repeat", ("error", "sum"), "error")
    restates = entry.whole("restates_days", 0)
    precision = entry.choice("time_precision", ("second", "minute", "hour", "day"), "second")
    if restates > MOST_RESTATED:
        entry.add("restates_days", f"is {restates}; expected at most {MOST_RESTATED} days.")
    dedupes = ("no", "false", "true", "identical", "last_file")
    dedupe = entry.choice("dedupe_across_files", dedupes, "no")
    if feed is None:
        return []
    table = _table(entry, feed)
    if table is None:
        return []
    if layout.format == "access_log" and table.name != "page_views":
        entry.add("format", f"access_log gives page_views, not {table.name}.")
    if layout.format == "access_log" and dedupe == "last_file":
        entry.add("dedupe_across_files", "last_file needs a key, which lines of a log do not have.")
    if time_format is not None:
        wrong = problem_of(time_format, needs_day=table.day_rule != "period_end")
        if wrong is not None:
            entry.add("time_format", wrong)
    columns = read_columns(entry, table, tables)
    aggregate, unpivot = read_aggregate(entry, table), read_unpivot(entry, table)
    check_together(entry, table, columns, aggregate, unpivot)
    if on_repeat == "sum" and table.day_rule != "date":
        entry.add("on_repeat", f"sum is for daily tables; {table.name} is not one.")
    if layout.format is None or arrival is None or files is None:
        return []
    return [
        Source(
            feed=feed.name,
            table=table.name,
            product=share.product,
            files=files,
            arrival=cast("Arrival", arrival),
            last_day_complete=last_day_complete,
            time_format=time_format,
            time_zone=zone,
            is_zone_declared="time_zone" in entry.items,
            null_tokens=entry.sequence("null_tokens", ("",)),
            aggregate=aggregate,
            unpivot=unpivot,
            on_repeat="sum" if on_repeat == "sum" else "error",
            product_column=share.column,
            product_values=share.values,
            other_values=share.others,
            several_files_a_day="last" if several == "last" else "add",
            dedupe_across_files=_DEDUPE.get(dedupe or "no", "no"),
            restates_days=restates,
            time_precision=cast("TimePrecision", precision),
            **vars(columns),
            **vars(layout),
        )
        for share in shares
    ]


@dataclass(frozen=True)
class _Product:
    """A product of an entry, and which values of which column mark its rows."""

    product: str
    column: str | None = None
    values: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def _products(entry: Mapping, tables: Mapped[str, Table]) -> list[_Product]:
    products = known(tables, "products", "product_id")
    if "products" not in entry:
        name = entry.text("product", expected="a product_id of organisation/products.csv")
        if name is not None and products and name not in products:
            entry.add("product", unknown(name, "products", products))
        return [_Product(name)] if name is not None else []
    if "product" in entry:
        entry.add("products", "stands beside product; expected one of them.")
    keys = ("column", "values", "ignore")
    node = entry.items["products"]
    inner = Mapping(FILE, f"{entry.path}.products", node, keys, entry.problems)
    column = inner.text("column", expected="the source column that says whose row it is")
    values = inner.texts("values")
    ignored = inner.sequence("ignore", ())
    if not values and ("values" not in inner or isinstance(inner.items["values"].value, dict)):
        inner.add("values", "is missing or empty; expected values and their product_id.")
    for value, name in values.items():
        if products and name not in products:
            inner.add("values", f"'{value}': {unknown(name, 'products', products)}")
        if value in ignored:
            inner.add("ignore", f"'{value}' also stands under values; expected it in one of them.")
    return [
        _Product(
            product,
            column,
            tuple(v for v, name in values.items() if name == product),
            tuple(v for v, name in values.items() if name != product) + ignored,
        )
        for product in dict.fromkeys(values.values())
        if column is not None
    ]


def _files(entry: Mapping, arrival: str | None) -> str | None:
    files = entry.text("files", expected="a path such as data/visits/{day}.csv")
    if files is None or arrival is None:
        return files
    if "://" in files and _has_secret(files):
        entry.add(
            "files",
            f"has a password or a key in its {files.split(':')[0]}:// URL; expected it in the "
            "environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )
        return files
    for brace in re.findall(r"\{[^}]*\}", files):
        if brace != "{day}":
            entry.add("files", f"'{files}' has {brace}; {{day}} is the only name in braces.")
            return files
    if arrival == "file_per_day" and "{day}" not in files:
        entry.add("files", f"'{files}' has no {{day}}; expected it with arrival: file_per_day.")
    if arrival == "covering" and "{day}" in files:
        entry.add("files", f"'{files}' has a {{day}}; expected * or a name with arrival: covering.")
    return files


def _has_secret(url: str) -> bool:
    from kpi_pipeline.feeds.stores import has_secret  # fsspec is for those who have URLs

    return has_secret(url)


def _table(entry: Mapping, feed: Feed) -> FeedTable | None:
    names = tuple(table.name for table in feed.tables)
    name = entry.choice("table", names, names[0])
    return next((table for table in feed.tables if table.name == name), None)
