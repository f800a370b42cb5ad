"""What would let rows out of quarantine: an option of sources.yml that reads them, or the file.

An option is only named when the rules of landing, given it, do read the values.
"""

# ruff: noqa: S608  # rules quote their names and texts, values are bound
from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kpi_pipeline.feeds.contracts import FEEDS, Column, FeedTable
from kpi_pipeline.landing import rules
from kpi_pipeline.landing.judge import wanted_of
from kpi_pipeline.landing.refusing import OTHER_DAY
from kpi_pipeline.periods import GRAINS
from kpi_pipeline.workspace.model import Share, Source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Values = Mapping[str, int]  # text → number of rows that have it

NOTHING = re.compile(
    r"[-–—?.]+|x+|#?n/?a!?|n\.a\.?|[ns]/d|k\.a\.|\(?(none|null|nil|nan|empty|blank|unknown|undefined|"
    r"missing|tbd|not (set|provided|available|applicable))\)?|#(value|ref|div/0|null|name|num)[!?]",
    re.IGNORECASE,
)
TOTAL = re.compile(
    r"(grand |sub)?totals?|sum|summe|(gesamt|zwischen)(summe)?|suma|somme|totale?s?|合计|总计|合計",
    re.IGNORECASE,
)
NOTATIONS = (
    (".", ","),
    (",", "."),
    (",", " "),
    (".", " "),
    (",", ""),
    (".", "'"),
    (",", "'"),
    (".", ""),
)
DAYS = (
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
    "%d-%m-%y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%A, %B %d, %Y",
)
ALTERNATIVES = 3
CLOCKS = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
OTHER_TIMES = (
    "epoch_seconds",
    "epoch_milliseconds",
    "%d/%b/%Y:%H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %z",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y%m%d%H%M%S",
    "%Y%m%dT%H%M%S",
)
TIME_FORMATS = (
    *DAYS,
    *(f"{day} {clock}" for day in ("%Y-%m-%d", *DAYS) for clock in CLOCKS),
    *OTHER_TIMES,
)


@dataclass(frozen=True)
class Remedy:
    """What to do. rows: how many rows it would let in, 0 where that is not known."""

    text: str
    rows: int = 0


def remedies(
    connection: DuckDBPyConnection,
    source: Source,
    zone: str,
    column_name: str | None,
    reason: str,
    values: Values,
    landed: int = 0,
) -> list[Remedy]:
    """What could be done about rows of that source, set aside for that reason with these values.

    zone: the product's. landed: rows beside them that could be used, which an option must not
    spoil.
    """
    table = next(t for t in FEEDS[source.feed].tables if t.name == source.table)
    column = next((c for c in table.columns if c.name == column_name), None)
    if column is None or source.format == "access_log":
        return _of_lines(source, column_name, reason, values)
    if column.name in source.constants and column.name != "grain":
        given = f"{column.name}: {source.constants[column.name]}"
        return [Remedy(f"Correct `constants: {{{given}}}` in sources.yml.")]
    if reason == OTHER_DAY:
        return [_of_another_day(table)]
    if reason == "is missing" or not values:
        return [_of_missing(source, table, column)]
    if column.name == "grain":
        return _of_grain(source, values)
    if reason == "is negative":
        return [Remedy(f"Correct it in the file; a {column.name} below 0 cannot be counted.")]
    totals = [value for value in values if TOTAL.fullmatch(value.strip(" :"))]
    if totals and source.format in ("csv", "xlsx"):
        rows = sum(values[value] for value in totals)
        text = f"`total_rows: {json.dumps(totals, ensure_ascii=False)}` in sources.yml drops rows"
        rest = {value: n for value, n in values.items() if value not in totals}
        others = remedies(connection, source, zone, column_name, reason, rest, landed)
        return [Remedy(f"{text} that begin so.", rows), *(others if rest else [])]
    empty = {value: n for value, n in values.items() if NOTHING.fullmatch(value.strip())}
    rest = {value: n for value, n in values.items() if value not in empty}
    found = list(_of_nothing(source, table, column, empty)) if empty else []
    if rest:
        options = _of_options(connection, source, table, column, zone, rest, landed)
        found += options or [_in_the_file(source, table, column)]
    return found


def readable(
    connection: DuckDBPyConnection, source: Source, zone: str, column_name: str, values: Values
) -> int:
    """The number of rows whose value that source would read as that column."""
    table = next(t for t in FEEDS[source.feed].tables if t.name == source.table)
    rule = next(
        r
        for r in rules.rules_of(source, table, zone, {column_name})
        if r.column.name == column_name
    )
    below = f"and not coalesce({rule.typed} < 0, false)" if rule.column.type == "count" else ""
    name = f'"{column_name}"'
    row = connection.execute(
        f'select sum(n) from (select *, {rule.value} as "v_{column_name}" '
        f"from (select unnest(?) as {name}, unnest(?) as n)) "
        f"where ({rule.typed}) is not null {below}",
        [list(values), list(values.values())],
    ).fetchone()
    return int(row[0] or 0) if row else 0


@dataclass(frozen=True)
class _Option:
    """An option as it is written in sources.yml, and the source with it. is_exclusive: rows that
    could be used without it could not be with it. weight: the lighter of two is likelier."""

    text: str
    source: Source
    is_exclusive: bool
    weight: int = 1


def _of_options(
    connection: DuckDBPyConnection,
    source: Source,
    table: FeedTable,
    column: Column,
    zone: str,
    values: Values,
    landed: int,
) -> list[Remedy]:
    """The options that read most of the values; those that read equally many, in one sentence."""
    reach = [
        (readable(connection, option.source, zone, column.name, values), option)
        for option in _options(source, table, column, values)
    ]
    rows = max((rows for rows, _ in reach), default=0)
    if not rows:
        return []
    best = [option for each, option in reach if each == rows]
    best = [option for option in best if option.weight == min(o.weight for o in best)]
    total = sum(values.values())
    which = "it" if total == 1 else f"all {total}" if rows == total else f"{rows} of {total}"
    texts = " or ".join(option.text for option in best[:ALTERNATIVES])
    if landed and best[0].is_exclusive:
        return [
            Remedy(
                f"Have it corrected in the file, so that all rows are written alike: {texts} would "
                f"read {which}, but {landed:,} rows beside landed without."
            )
        ]
    doubt = "; only who makes the export knows which" if len(best) > 1 else ""
    rest = " The rest must be corrected in the file." if rows < total else ""
    if landed and best[0].source.decimal_separator != source.decimal_separator:
        mark = source.decimal_separator
        rest += f" Rows that landed with a {mark!r} before their decimals would then be set aside."
    return [Remedy(f"{texts} in sources.yml reads {which}{doubt}.{rest}", rows)]


def _options(source: Source, table: FeedTable, column: Column, values: Values) -> Iterator[_Option]:
    if column.type in ("count", "decimal"):
        for decimal, thousands in NOTATIONS:
            changed = replace(source, decimal_separator=decimal, thousands_separator=thousands)
            is_there = any(_has_separator(value, thousands) for value in values)
            if changed != source and is_there:
                is_exclusive = column.type == "decimal" and decimal != source.decimal_separator
                parts = _notation(source, changed)
                yield _Option(" with ".join(parts), changed, is_exclusive, len(parts))
        if column.name not in source.shares:
            yield from _share_options(source, table, column, values)
    elif column.type in ("time", "date"):
        if source.time_format is not None:
            yield _Option("no time_format", replace(source, time_format=None), True)
        for written in (*(DAYS if column.type == "date" else ()), *TIME_FORMATS[len(DAYS) :]):
            if written != source.time_format:
                changed = replace(source, time_format=written)
                yield _Option(f'`time_format: "{written}"`', changed, True)


def _notation(source: Source, changed: Source) -> list[str]:
    parts = []
    if changed.decimal_separator != source.decimal_separator:
        parts.append(f'`decimal_separator: "{changed.decimal_separator}"`')
    if changed.thousands_separator != source.thousands_separator:
        thousands = changed.thousands_separator
        written = "space" if thousands == " " else f'"{thousands}"'
        parts.append(f"`thousands_separator: {written}`" if thousands else "no thousands_separator")
    return parts


def _has_separator(value: str, separator: str) -> bool:
    """Whether it is in the text; a space of any width, and an apostrophe of either form."""
    if separator == " ":
        return bool(re.search(r"\d\s\d", value))
    return separator in value.replace("’", "'")


def _share_options(
    source: Source, table: FeedTable, column: Column, values: Values
) -> Iterator[_Option]:
    """A percentage, or a fraction where a count is wanted: the column may be a share or a mean, as
    numbers are written now or with the other decimal separator."""
    of = next((c.name for c in table.columns if c.type == "count" and c.required), None)
    is_percent = any("%" in value for value in values)
    if of is None or of == column.name or not (is_percent or column.type == "count"):
        return
    own = wanted_of(source, table).get(column.name, column.name)
    key = "percent_of" if is_percent else "mean_of"
    shares = {**source.shares, column.name: Share(own, of, is_percent)}
    name = json.dumps(own, ensure_ascii=False)
    text = f"`columns: {{{column.name}: {{column: {name}, {key}: {of}}}}}`"
    shared = replace(source, shares=shares)
    yield _Option(text, shared, True, weight=3)
    other = "." if source.decimal_separator == "," else ","
    if other != source.thousands_separator and any(other in value for value in values):
        changed = replace(shared, decimal_separator=other)
        parts = [text, *_notation(source, changed)]
        yield _Option(" with ".join(parts), changed, True, weight=4)


def _of_nothing(
    source: Source, table: FeedTable, column: Column, values: Values
) -> Iterator[Remedy]:
    listed = ", ".join(repr(value) for value in values)
    rows = sum(values.values())
    if column.required:
        number = " the number, 0 if it means none" if column.type in ("count", "decimal") else " it"
        yield Remedy(
            f"{listed} says that there is no value, and {table.name} requires {column.name}: have "
            f"the file say{number}."
        )
        return
    known = source.null_tokens_of.get(column.name, source.null_tokens)
    tokens = json.dumps([*known, *values], ensure_ascii=False)
    which = "it" if rows == 1 else f"all {rows}"
    yield Remedy(f"`null_tokens: {tokens}` in sources.yml reads {which}, as no value.", rows)


def _of_another_day(table: FeedTable) -> Remedy:
    """A row of another day than its file's."""
    once = " and `dedupe_across_files: last_file`" if table.day_rule != "instant" else ""
    return Remedy(
        "A file named for a day gives that day alone. If files hold days before theirs too, "
        f"`restates_days: 3` (as many as they do){once} in sources.yml read them."
    )


def _of_missing(source: Source, table: FeedTable, column: Column) -> Remedy:
    own = wanted_of(source, table).get(column.name, column.name)
    tokens = source.null_tokens_of.get(column.name, source.null_tokens)
    listed = ", ".join(repr(token) if token else "an empty text" for token in tokens) or "nothing"
    return Remedy(
        f"{table.name} requires {column.name}, and the column {own!r} has no value there "
        f"(null_tokens: {listed}). Have it filled in the file; if another column has it, name that "
        f"one under columns; if it is the same everywhere, give it under constants."
    )


def _of_grain(source: Source, values: Values) -> list[Remedy]:
    adverbs = {"daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter"}
    meant = {}
    for value in values:
        text = value.strip().casefold()
        near = adverbs.get(text) or next(iter(difflib.get_close_matches(text, GRAINS, 1)), None)
        if near:
            meant[value] = near
    said = ": " + ", ".join(f"{near!r} for {value!r}" for value, near in meant.items())
    said = said if meant else ""
    if "grain" in source.constants:
        return [Remedy(f"Correct the grain under constants in sources.yml{said}.")]
    only = next(iter(meant.values())) if len(set(meant.values())) == len(values) == 1 else None
    all_one = (
        f" If it is that for all rows: `constants: {{grain: {only}}}` in sources.yml."
        if only
        else ""
    )
    return [Remedy(f"Have the file say {', '.join(GRAINS)}{said}.{all_one}")]


def _in_the_file(source: Source, table: FeedTable, column: Column) -> Remedy:
    own = wanted_of(source, table).get(column.name, column.name)
    return Remedy(
        f"No option of sources.yml reads this. Is {own!r} the right column for {column.name}? "
        "If it is, have it corrected in the file."
    )


def _of_lines(source: Source, column_name: str | None, reason: str, values: Values) -> list[Remedy]:
    """About lines that are no rows, and rows of no product."""
    if column_name is not None and column_name == source.product_column:
        listed = ", ".join(repr(value) for value in values)
        return [
            Remedy(
                f"{listed} in {column_name!r} is no value of `products:` in sources.yml. Add it "
                "there under values, with its product, or under ignore.",
                sum(values.values()),
            )
        ]
    if "UTF-8" in reason:
        return [
            Remedy(
                f"The file is declared as {source.encoding}. If Excel on Windows wrote it: "
                "`encoding: cp1252`; if every other byte is empty: `encoding: utf-16`. If only "
                "this line is damaged, have it corrected in the file."
            )
        ]
    if source.format == "access_log":
        return [
            Remedy(
                "The line is cut off or damaged; the others are not affected. If all lines are "
                f"set aside: is it a {source.log_format} log (`log_format`)?"
            )
        ]
    if "quote" in reason:
        return [
            Remedy(
                'A text begins with " and does not end with one, often because the file was cut '
                'off. A " inside a text is written "". Have the line corrected in the file.'
            )
        ]
    if "columns" in reason:
        return [
            Remedy(
                "The header has another number of columns. A line below the table that is a total: "
                'name how it begins in `total_rows: ["Total"]`, or say `ends_at_blank_line: true`. '
                "Lines above the header: `header_row`. All lines: is the delimiter right "
                f"({source.delimiter!r})? Else the line has a {source.delimiter!r} in a text "
                "without quotes: have it corrected."
            )
        ]
    if "JSON" in reason:
        return [
            Remedy("A line of JSON lines is one object {…}; have the export write one to a line.")
        ]
    return [Remedy("Have it corrected in the file, as it says what was expected.")]


def source_of(sources: Sequence[Source], table_name: str, source_file: str) -> Source | None:
    """The source a row came from: of its table, and where there are several the one whose pattern
    is most like the file's name."""
    same = [source for source in sources if source.table == table_name]
    if len(same) < 2:
        return same[0] if same else None
    return max(same, key=lambda s: difflib.SequenceMatcher(None, s.files, source_file).ratio())
