"""Numbers as people and programs write them: SQL that is NULL for whatever is not one.

Digits alone, the usual case, are told by their characters, which takes a third of the time of a
regular expression. A cast alone will not do: DuckDB's takes `1_000`, and 12.5 as the whole 13.
"""

from __future__ import annotations

from dataclasses import dataclass

from kpi_pipeline.feeds.sql import quoted

BLANKS = " \u00a0\u2009\u202f"  # space, no-break space, thin space, narrow no-break space
GROUPS = {
    ",": ",",
    ".": r"\.",
    " ": f"[{BLANKS}]",
    "'": "['’]",
    "’": "['’]",
}
MONEY = "DECIMAL(18, 4)"
# What is added is rounded once, as a sum: the cost of one event may be far below a cent
ADDEND = "DECIMAL(24, 10)"
PERCENT = "DECIMAL(15, 12)"
# Two of at most 18 digits would multiply into one of 18, which overflows; these have 19.
SHARE = "DECIMAL(19, 14)"
MEAN = "DECIMAL(19, 9)"
NO_VALUE = "is no value; if it means that nothing was recorded, declare it in null_tokens"
UNREAD = "cannot be read as declared"


@dataclass(frozen=True)
class Notation:
    """How numbers are written: `decimal` before the fraction, `thousands` between groups of three.

    Groups are optional, but where they are they must be right: 1,234 and 1234, never 1,23 or 0,123.
    """

    decimal: str = "."
    thousands: str = ""

    @property
    def example(self) -> str:
        return f"1{self.thousands}234"

    @property
    def integer(self) -> str:
        """Regular expression of the digits before the fraction."""
        if not self.thousands:
            return r"\d+"
        return rf"([1-9]\d{{0,2}}({GROUPS[self.thousands]}\d{{3}})+|\d+)"

    @property
    def point(self) -> str:
        return GROUPS[self.decimal]

    @property
    def whole(self) -> str:
        """Regular expression of a whole number; a fraction of zeros may follow, as in 12.0.

        Without declared groups not three of them: 1.000 is one here and a thousand there.
        """
        zeros = "0*" if self.thousands else "(00?|0{4,})"
        return rf"[+-]?{self.integer}({self.point}{zeros})?"

    @property
    def number(self) -> str:
        """Regular expression of a number with or without a fraction and an exponent."""
        return rf"[+-]?({self.integer}({self.point}\d*)?|{self.point}\d+)([eE][+-]?\d+)?"

    def plain(self, text: str) -> str:
        """SQL of the text with no groups and a decimal point."""
        if self.thousands:
            text = f"regexp_replace({text}, {quoted(GROUPS[self.thousands])}, '', 'g')"
        return text if self.decimal == "." else f"replace({text}, {quoted(self.decimal)}, '.')"


def whole(text: str, notation: Notation) -> str:
    """SQL of a BIGINT."""
    bare = trimmed(text)
    return (
        f"case when {text} not glob '*[!0-9]*' then try_cast({text} as BIGINT) "
        f"when {_is(bare, notation.whole)} then try_cast({notation.plain(bare)} as BIGINT) end"
    )


def decimal(text: str, notation: Notation, sql_type: str = MONEY) -> str:
    """SQL of a decimal number, rounded to the places of its type."""
    bare = trimmed(text)
    digits = text
    if notation.decimal != ".":
        digits = f"replace({text}, {quoted(notation.decimal)}, '.')"
    return (
        f"case when {text} not glob '*[!0-9{notation.decimal}]*' "
        f"then try_cast({digits} as {sql_type}) "
        f"when {_is(bare, notation.number)} then try_cast({notation.plain(bare)} as {sql_type}) end"
    )


def percent(text: str, notation: Notation) -> str:
    """SQL of the share, 0 to 1, of a percentage from 0 to 100 with or without its sign."""
    bare = f"rtrim({text}, {quoted('%' + BLANKS)})"
    value = (
        f"case when {_is(trimmed(text), rf'{notation.number}[{BLANKS}]?%?')} "
        f"then {decimal(bare, notation, PERCENT)} end"
    )
    return f"case when {value} between 0 and 100 then ({value} * 0.01)::{SHARE} end"


def mean(text: str, notation: Notation) -> str:
    """SQL of a mean, which is 0 or more."""
    value = decimal(text, notation, MEAN)
    return f"case when {value} >= 0 then {value} end"


def duration(text: str, notation: Notation) -> str:
    """SQL of the seconds of a text written `h:mm:ss`, `mm:ss` or `h:mm:ss.fff`."""
    bare = trimmed(text)
    seconds = f"replace(split_part({bare}, ':', -1), {quoted(notation.decimal)}, '.')"
    return (
        f"case when {_is(bare, _duration(notation))} then "
        f"coalesce(try_cast(nullif(split_part({bare}, ':', -3), '') as BIGINT), 0) * 3600 "
        f"+ try_cast(split_part({bare}, ':', -2) as BIGINT) * 60 "
        f"+ try_cast({seconds} as DECIMAL(11, 9)) end"
    )


def reason(text: str, notation: Notation, is_whole: bool) -> str:
    """SQL of why a text is no such number, in words."""
    bare = trimmed(text)
    separators = f"{BLANKS}.,'’"
    cases = [
        (f"contains({text}, '%')", "has a percent sign; say in percent_of what it is a share of"),
        (
            f"regexp_matches({text}, '\\p{{Sc}}|^[A-Z]{{3}}[^A-Z]*\\d|\\d[^A-Z]*[A-Z]{{3}}$')",
            "has a currency; expected the number alone",
        ),
        (_is(bare, r"\(.*\d.*\)"), "stands in brackets; expected a minus sign where it is below 0"),
        (_is(bare, notation.whole if is_whole else notation.number), "is too large"),
    ]
    if not notation.thousands:
        grouped = "looks grouped in thousands; say how in thousands_separator"
        cases.append((_is(bare, r"[+-]?[1-9]\d{0,2}([.,]\d{3})+"), grouped))
    else:
        leading = rf"[+-]?0\d{{0,2}}({GROUPS[notation.thousands]}\d{{3}})+({notation.point}\d*)?"
        cases.append((_is(bare, leading), "begins with 0, so it is not grouped in thousands"))
    if is_whole:
        cases.append((_is(bare, notation.number), "is not whole"))
    cases += [
        (_is(bare, rf"[+-]?[\d{separators}]*\d"), "has separators where none are declared"),
        (f"not regexp_matches({text}, '\\d')", NO_VALUE),
    ]
    return cases_of(cases, UNREAD)


def share_reason(text: str, notation: Notation, is_percent: bool) -> str:
    """SQL of why a text is no percentage, or no mean, in words."""
    value = rf"[+-]?{notation.number}[{BLANKS}]?%?" if is_percent else notation.number
    limit = "is not between 0 and 100 %" if is_percent else "is negative or too large"
    cases = [
        (_is(trimmed(text), value), limit),
        (f"not regexp_matches({text}, '\\d')", NO_VALUE),
    ]
    return cases_of(cases, UNREAD)


def cases_of(cases: list[tuple[str, str]], otherwise: str) -> str:
    """SQL of the first text whose condition holds."""
    whens = " ".join(f"when {condition} then {quoted(words)}" for condition, words in cases)
    return f"case {whens} else {quoted(otherwise)} end"


def trimmed(text: str) -> str:
    return f"trim({text}, {quoted(BLANKS)})"


def _is(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {quoted(pattern)})"


def _duration(notation: Notation) -> str:
    return rf"(\d{{1,6}}:[0-5]\d|[0-5]?\d):[0-5]\d({notation.point}\d{{1,9}})?"
