"""How text becomes typed values: one declared rule per column, as SQL that yields NULL when the
text does not follow it. Whoever asks must tell an absent value from one that did not parse.

Texts pass as they are, whatever is in them; what shows them escapes them. Only a NUL character or
more than LONGEST bytes is a fault.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from kpi_pipeline.feeds.contracts import NOT_SET, SQL_TYPES, Column, FeedTable
from kpi_pipeline.feeds.relation import LONGEST_TEXT
from kpi_pipeline.feeds.sql import name_of, quoted
from kpi_pipeline.landing import numbers, times
from kpi_pipeline.landing.numbers import Notation
from kpi_pipeline.workspace import Source
from kpi_pipeline.workspace.model import Share

LONGEST = LONGEST_TEXT
SHOWN = 1000  # characters of a value in quarantine
EXPECTED = {
    "text": "text",
    "identifier": "an id",
    "time": "a time as 2024-06-30T23:59:00Z",
    "date": "a date as 2024-06-30",
    "boolean": "true or false",
}


@dataclass(frozen=True)
class Rule:
    """What is done with one contract column of one source.

    value: SQL of what was delivered, NULL when absent. typed: SQL over `v_<column>`, the share
    itself where the column is given as one (see `shared`). expected: for people. reason: SQL over
    `v_<column>` of why it could not be typed. is_text: `value` is text, and not typed already.
    sql_type: of `typed`, or of the figure a share becomes.
    """

    column: Column
    value: str
    typed: str
    expected: str
    reason: str
    share: Share | None = None
    is_text: bool = True
    sql_type: str = "VARCHAR"

    @property
    def delivered(self) -> str:
        return name_of(f"v_{self.column.name}")


def rules_of(
    source: Source,
    table: FeedTable,
    zone: str,
    available: Collection[str],
    typed: Collection[str] = (),
) -> list[Rule]:
    """A rule per contract column. available: columns the relation has; typed: those that are no
    text there, which pass as they are."""
    return [
        _passed(column)
        if column.name in typed
        else _rule(source, table, column, zone, column.name in available)
        for column in table.columns
    ]


def sql_type(source: Source, table: FeedTable, column: Column) -> str:
    """What a value is held as until it lands: finer than it lands where it will be added."""
    is_added = source.aggregate is not None or (
        source.on_repeat == "sum" and table.day_rule != "instant"
    )
    return numbers.ADDEND if column.type == "decimal" and is_added else SQL_TYPES[column.type]


def shared(rules: list[Rule]) -> list[str]:
    """Over the typed columns, for `* replace (…)`: each share made a figure of what it is of."""
    by_name = {rule.column.name: rule for rule in rules}
    return [
        f"{_figure(rule.column.name, by_name)} as {name_of(rule.column.name)}"
        for rule in rules
        if rule.share is not None
    ]


def _figure(name: str, by_name: Mapping[str, Rule]) -> str:
    """SQL of a number, which may be a share of one that is itself a share."""
    rule = by_name[name]
    if rule.share is None:
        return name_of(name)
    of = _figure(rule.share.of, by_name)
    return f"try_cast(try({name_of(name)} * {of}) as {rule.sql_type})"


def local_date(table: FeedTable, zone: str) -> str:
    """SQL of the row's day in the product's time zone, from typed columns."""
    column = name_of(table.day_column)
    if table.day_rule == "date":
        return column
    if table.day_rule == "instant":
        return times.local_day(column, zone)
    return (
        f"case grain when 'day' then {column} when 'week' then {column} + 6 "
        f"when 'month' then last_day({column}) "
        f"when 'quarter' then ({column} + interval 3 month)::DATE - 1 end"
    )


def fault(rules: list[Rule], table: FeedTable, is_sound: bool = False) -> str:
    """SQL of the first fault as a struct (column_name, value, expected, reason), else NULL.

    is_sound: no text holds a NUL character or is longer than LONGEST.
    """
    # a share comes last, for what it is of may be at fault itself
    cases = [
        case
        for rule in sorted(rules, key=lambda r: r.share is not None)
        for case in _faults(rule, is_sound)
    ]
    if table.day_rule == "period_end":
        expected = quoted("day, week, month or quarter")
        cases.append(
            (
                "grain not in ('day', 'week', 'month', 'quarter')",
                _fault("grain", "v_grain", expected, quoted("is not a grain")),
            )
        )
    nothing = "null::VARCHAR"
    no_day = _fault(table.day_column, nothing, quoted("a day"), quoted("has no day"))
    whens = " ".join(f"when {condition} then {struct}" for condition, struct in cases)
    return f"case {whens} when local_date is null then {no_day} end"


def _passed(column: Column) -> Rule:
    name, value = name_of(column.name), name_of(f"v_{column.name}")
    return Rule(
        column, name, value, _expected(column, Notation(), None), numbers.UNREAD, is_text=False
    )


def _rule(source: Source, table: FeedTable, column: Column, zone: str, is_available: bool) -> Rule:
    name = name_of(column.name)
    held = sql_type(source, table, column)
    notation = Notation(source.decimal_separator, source.thousands_separator)
    time_format = source.time_format
    share = source.shares.get(column.name)
    value = "null::VARCHAR"
    if column.name in source.constants:
        # written in sources.yml, not in the source's notation
        value, notation, time_format = quoted(source.constants[column.name]), Notation(), None
    elif source.aggregate is not None and source.aggregate.count == column.name:
        value, notation = quoted("1"), Notation()
    elif is_available:
        value = name
        for token in source.null_tokens_of.get(column.name, source.null_tokens):
            value = f"nullif({value}, {quoted(token)})"  # a long `in` is a join, which mixes rows
    if source.unpivot is not None and column.name == source.unpivot.name:
        time_format = None  # headers that are days come as ISO dates
    text = name_of(f"v_{column.name}")
    return Rule(
        column,
        value,
        _typed(source, column, text, notation, time_format, zone, held),
        _expected(column, notation, time_format, share),
        _reason(column, text, notation, time_format, share),
        share,
        sql_type=held,
    )


def _typed(
    source: Source,
    column: Column,
    text: str,
    notation: Notation,
    time_format: str | None,
    zone: str,
    held: str,
) -> str:
    share = source.shares.get(column.name)
    if column.type in ("text", "identifier"):
        return f"coalesce({text}, {quoted(NOT_SET)})" if _defaults(column) else text
    if column.type == "time":
        return times.instant(text, time_format, source.time_zone)
    if column.type == "date":
        if source.aggregate is not None and column.name == "date":
            return times.event_day(text, time_format, source.time_zone, zone)
        return times.day(text, time_format, zone)
    if column.type == "boolean":
        lowered = f"lower(trim({text}))"
        return (
            f"case when {text} = 'false' then false when {text} = 'true' then true "
            f"when {lowered} in ('true', 't', '1', 'yes') then true "
            f"when {lowered} in ('false', 'f', '0', 'no') then false end"
        )
    if share is not None and share.is_percent:
        return numbers.percent(text, notation)
    if share is not None:
        number = numbers.mean(text, notation)
    elif column.type == "count":
        number = numbers.whole(text, notation)
    else:
        number = numbers.decimal(text, notation, held)
    if not _is_duration(column):
        return number
    wanted = numbers.MEAN if share is not None else held
    return f"coalesce({number}, try_cast({numbers.duration(text, notation)} as {wanted}))"


def _expected(
    column: Column, notation: Notation, time_format: str | None, share: Share | None = None
) -> str:
    point = notation.decimal
    if column.type in ("time", "date") and time_format is not None:
        return times.expected(time_format)
    if share is not None and share.is_percent:
        return f"a percentage from 0 to 100 as 45{point}3 %"
    if share is not None:
        number = f"a mean as 83{point}5"
    elif column.type == "count":
        number = f"a whole number from 0, as {notation.example}"
    elif column.type == "decimal":
        number = f"a number as {notation.example}{point}5"
    else:
        return EXPECTED[column.type]
    return f"{number}, or a duration as 0:01:23" if _is_duration(column) else number


def _reason(
    column: Column, text: str, notation: Notation, time_format: str | None, share: Share | None
) -> str:
    if share is not None:
        unread = numbers.share_reason(text, notation, share.is_percent)
        needs = f"when {name_of(share.of)} is null then {quoted(f'needs {share.of}')}"
        return f"case {needs} else {unread} end"
    if column.type in ("count", "decimal"):
        return numbers.reason(text, notation, column.type == "count")
    if column.type in ("time", "date"):
        return times.reason(text, time_format, column.type == "time")
    return quoted(numbers.UNREAD)


def _faults(rule: Rule, is_sound: bool) -> list[tuple[str, str]]:
    """Conditions, in order, and the fault each is."""
    column = rule.column
    value, typed = rule.delivered, name_of(column.name)
    nothing = "null::VARCHAR"
    expected = quoted(rule.expected)
    found = []
    if column.required:
        struct = _fault(column.name, nothing, expected, quoted("is missing"))
        found.append((f"{value} is null", struct))
    if not rule.is_text:
        return found
    if column.type == "identifier" or (column.type == "text" and is_sound):
        return found
    if column.type == "text":
        shown = f"replace({_cut(value)}, chr(0), '␀')"
        for condition, reason in (
            (f"strlen({value}) > {LONGEST}", "is longer than 1 MB"),
            (f"contains({value}, chr(0))", "has a NUL character"),
        ):
            found.append((condition, _fault(column.name, shown, expected, quoted(reason))))
        return found
    condition = f"{value} is not null and {typed} is null"
    found.append((condition, _fault(column.name, _cut(value), expected, rule.reason)))
    if column.type == "count":
        struct = _fault(column.name, _cut(value), expected, quoted("is negative"))
        found.append((f"{typed} < 0", struct))
    return found


def _fault(column: str, value: str, expected: str, reason: str) -> str:
    return (
        f"struct_pack(column_name := {quoted(column)}, value := {value}, "
        f"expected := {expected}, reason := {reason})"
    )


def _cut(value: str) -> str:
    return (
        f"case when length({value}) > {SHOWN} then left({value}, {SHOWN}) || '…' else {value} end"
    )


def _is_duration(column: Column) -> bool:
    return column.name.endswith("_seconds")


def _defaults(column: Column) -> bool:
    return (
        column.key and column.type == "text" and not column.required and column.name != "event_id"
    )
