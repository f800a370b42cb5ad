"""What is said of an expectation that failed: what must hold, and what was seen instead."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

from kpi_pipeline.audit.engine import Door, Result
from kpi_pipeline.audit.suites import Expectation
from kpi_pipeline.errors import ConfigurationError

ROWS_TOLD = 3
LONGEST_TEXT = 80
COUNT = "rows_against"


class _Words(string.Formatter):
    """Values of a row in a sentence: on one line, not long, and `nothing` for NULL."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None:
            return "nothing"
        if isinstance(value, str):
            line = " ".join(value.split())
            return line if len(line) <= LONGEST_TEXT else f"{line[:LONGEST_TEXT]}…"
        return str(super().format_field(value, format_spec))


def sentence(expectation: Expectation, result: Result, rows: Sequence[Mapping[str, Any]]) -> str:
    """What must hold, and what was seen. rows: the first of those against it, with their columns.

    Raises ConfigurationError when the finding names a column that its query does not return.
    """
    if expectation.finding is None or not rows:
        count = result.unexpected_rows
        told = f"{count} row{'' if count == 1 else 's'}" if count else f"observed {result.observed}"
        return f"{expectation.reason} ({told} against it)"
    try:
        said = [_Words().vformat(expectation.finding, (), row) for row in rows[:ROWS_TOLD]]
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigurationError(
            f"The finding of the expectation {expectation.reason!r} cannot be written: {error!r}. "
            f"Its query returns {', '.join(rows[0])}."
        ) from error
    more = result.unexpected_rows - len(said)
    rest = f"; and {more:,} more" if more > 0 else ""
    return f"{expectation.reason} {'; '.join(said)}{rest}."


def first_rows(
    door: Door, source: Any, table: str, expectation: Expectation, per: str | None
) -> list[dict[str, Any]]:
    """The first rows of a failing query, all when `per` (a column) says of what each, with COUNT.

    GX decided that it fails; here is only read what there is to say.
    """
    sql = (expectation.query or "").replace("{batch}", table)
    window = f"partition by f.{per}" if per else ""
    return door.query(
        source,
        f"select f.*, count(*) over ({window}) as {COUNT} from ({sql}) as f "  # noqa: S608
        f"qualify row_number() over ({window} order by f) <= {ROWS_TOLD} order by f",
    )
