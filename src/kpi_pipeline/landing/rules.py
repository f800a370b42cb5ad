"""How text becomes typed values: one declared rule per column type, as SQL that yields NULL when
the text does not follow it. Whoever asks must tell an absent value from one that did not parse.
"""

from __future__ import annotations

from dataclasses import dataclass

from kpi_pipeline.feeds.contracts import NOT_SET, Column, FeedTable
from kpi_pipeline.feeds.files import name_of, quoted
from kpi_pipeline.workspace import Source

DATE = r"\d{4}-\d{2}-\d{2}"
CLOCK = r"[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?"
OFFSET = r" ?(Z|UTC|[+-]\d{2}(:?\d{2})?)"
EXPECTED = {
    "text": "text",
    "identifier": "an id",
    "time": "a time as 2024-06-30T23:59:00Z",
    "date": "a date as 2024-06-30",
    "count": "a whole number from 0, as 1234",
    "decimal": "a number as 1234.5",
    "boolean": "true or false",
}
DATED_ROW = "timezone({zone}, timezone('UTC', \"{column}\"))::DATE"


@dataclass(frozen=True)
class Rule:
    """What is done with one contract column of one source.

    value: SQL of the text, NULL when absent. typed: SQL over `v_<column>`. expected: for people.
    """

    column: Column
    value: str
    typed: str
    expected: str


def rules_of(source: Source, table: FeedTable, zone: str, available: set[str]) -> list[Rule]:
    """A rule per contract column. available: contract columns for which `raw` has text."""
    return [_rule(source, column, zone, column.name in available) for column in table.columns]


def _rule(source: Source, column: Column, zone: str, is_available: bool) -> Rule:
    value = "null::VARCHAR"
    if column.name in source.constants:
        value = quoted(source.constants[column.name])
    elif source.aggregate is not None and source.aggregate.count == column.name:
        value = "'1'"
    elif is_available:
        tokens = ", ".join(quoted(token) for token in source.null_tokens)
        text = name_of(column.name)
        value = f"case when {text} not in ({tokens}) then {text} end" if tokens else text
    typed = _typed(source, column, zone)
    expected = EXPECTED[column.type]
    if column.type in ("time", "date") and source.time_format is not None:
        expected = f"a time or date as {source.time_format}"
    return Rule(column, value, typed, expected)


def _typed(source: Source, column: Column, zone: str) -> str:
    text = name_of(f"v_{column.name}")
    if column.type in ("text", "identifier"):
        return f"coalesce({text}, {quoted(NOT_SET)})" if _defaults(column) else text
    text = f"trim({text})"
    if column.type == "time":
        return instant(text, source)
    if column.type == "date":
        if source.aggregate is not None and column.name == "date":
            at = instant(text, source)
            local = f"timezone({quoted(zone)}, timezone('UTC', {at}))::DATE"
            if source.time_format is not None:
                return local
            plain = f"regexp_full_match({text}, '{DATE}')"
            return f"case when {plain} then try_cast({text} as DATE) else {local} end"
        if source.time_format is not None:
            return f"try_strptime({text}, {quoted(source.time_format)})::DATE"
        return f"case when regexp_full_match({text}, '{DATE}') then try_cast({text} as DATE) end"
    if column.type == "count":
        return (
            f"case when regexp_full_match({text}, '[+-]?\\d+(\\.0+)?') "
            f"then try_cast({text} as BIGINT) end"
        )
    if column.type == "decimal":
        return (
            rf"case when regexp_full_match({text}, '[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?') "
            f"then try_cast({text} as DECIMAL(18, 4)) end"
        )
    return (
        f"case when lower({text}) in ('true', 't', '1', 'yes') then true "
        f"when lower({text}) in ('false', 'f', '0', 'no') then false end"
    )


def instant(text: str, source: Source) -> str:
    """SQL of a UTC TIMESTAMP: the offset in the text, else the source's time zone."""
    zone = quoted(source.time_zone)
    if source.time_format is not None:
        parsed = f"try_strptime({text}, {quoted(source.time_format)})"
        if "%z" in source.time_format or "%Z" in source.time_format:
            return f"timezone('UTC', {parsed})"
        return f"timezone('UTC', timezone({zone}, {parsed}))"
    plain = f"try_cast({text} as TIMESTAMP)"
    if source.time_zone != "UTC":
        plain = f"timezone('UTC', timezone({zone}, {plain}))"
    return (
        f"case when regexp_full_match({text}, '{DATE}{CLOCK}') then {plain} "
        f"when regexp_full_match({text}, '{DATE}{CLOCK}{OFFSET}') "
        f"then timezone('UTC', try_cast({text} as TIMESTAMPTZ)) end"
    )


def local_date(table: FeedTable, zone: str) -> str:
    """SQL of the row's day in the product's time zone, from typed columns."""
    column = name_of(table.day_column)
    if table.day_rule == "date":
        return column
    if table.day_rule == "instant":
        if zone == "UTC":
            return f"{column}::DATE"
        return DATED_ROW.format(zone=quoted(zone), column=table.day_column)
    return (
        f"case grain when 'day' then {column} when 'week' then {column} + 6 "
        f"when 'month' then last_day({column}) "
        f"when 'quarter' then ({column} + interval 3 month)::DATE - 1 end"
    )


def fault(rules: list[Rule], table: FeedTable) -> str:
    """SQL of the first fault as a struct (column_name, value, expected, reason), else NULL."""
    cases = []
    for rule in rules:
        column = rule.column
        value = name_of(f"v_{column.name}")
        typed = name_of(column.name)
        shown = "null" if column.type == "identifier" else value
        if column.required:
            cases.append((f"{value} is null", column.name, "null", rule.expected, "is missing"))
        if column.type not in ("text", "identifier"):
            cases.append(
                (
                    f"{value} is not null and {typed} is null",
                    column.name,
                    shown,
                    rule.expected,
                    "cannot be read as declared",
                )
            )
        if column.type == "count":
            cases.append((f"{typed} < 0", column.name, shown, rule.expected, "is negative"))
    if table.day_rule == "period_end":
        grains = "'day', 'week', 'month', 'quarter'"
        cases.append(
            (
                f"grain not in ({grains})",
                "grain",
                "v_grain",
                "day, week, month or quarter",
                "is not a grain",
            )
        )
    whens = " ".join(
        f"when {condition} then struct_pack(column_name := {quoted(name)}, value := {shown}, "
        f"expected := {quoted(expected)}, reason := {quoted(reason)})"
        for condition, name, shown, expected, reason in cases
    )
    no_day = (
        f"struct_pack(column_name := {quoted(table.day_column)}, value := null::VARCHAR, "
        "expected := 'a day', reason := 'has no day')"
    )
    return f"case {whens} when local_date is null then {no_day} end"


def _defaults(column: Column) -> bool:
    return (
        column.key and column.type == "text" and not column.required and column.name != "event_id"
    )
