"""The quarantine told in sentences: its groups, what they mean and what to do about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kpi_pipeline.quarantine import Group, Relanded

if TYPE_CHECKING:
    from kpi_pipeline.quarantine_remedies import Remedy

EXAMPLES = 3


def listed(groups: Sequence[Group]) -> Iterator[str]:
    """A paragraph for each group, and where to read on."""
    rows, count = sum(group.rows for group in groups), len(groups)
    yield f"{many(rows, 'row')} in quarantine, in {many(count, 'group')}."
    for group in groups:
        yield ""
        yield from _paragraph(group)
    yield ""
    yield "What to do: kpi quarantine explain. The rows: kpi quarantine show."


def explained(
    group: Group, values: Sequence[tuple[str, int]], remedies: Sequence[Remedy]
) -> Iterator[str]:
    """A group, examples of its values, and what would let its rows in."""
    yield from _paragraph(group)
    others = [(value, n) for value, n in values if value != group.value][: EXAMPLES - 1]
    if others:
        also = ", ".join(f"{quoted(value)} ({many(n, 'row')})" for value, n in others)
        more = len(values) - len(others) - 1
        yield f"  also {also}" + (f" and {more} more" if more > 0 else "")
    for remedy in remedies:
        yield f"  - {remedy.text}"


def reland_command(group: Group) -> str:
    """The command that lands the days of a group again."""
    return (
        f"kpi quarantine reland --feed {group.feed} --product {group.product_id} "
        f"--from {group.first_day} --to {group.last_day}"
    )


def relanded(done: Sequence[Relanded]) -> Iterator[str]:
    """What landing again changed, and whether to build."""
    for one in done:
        name = f"{one.feed} of {one.product_id}"
        if one.days:
            yield (
                f"{name}: {many(len(one.days), 'day')} landed again; "
                f"{many(one.before, 'row')} in quarantine before, {one.now:,} now"
            )
        if one.gone:
            days = ", ".join(str(day) for day in one.gone[:EXAMPLES])
            more = f" and {len(one.gone) - EXAMPLES} more" if len(one.gone) > EXAMPLES else ""
            yield (
                f"{name}: {many(len(one.gone), 'day')} left as they are, because their source is "
                f"not there any more: {days}{more}"
            )
    if any(one.is_changed for one in done):
        yield "The content changed: kpi build && kpi publish"
    else:
        yield "Nothing changed by it, so it needs no build."


def shown(text: str, width: int = 80) -> str:
    """A text for a terminal: control characters written out, cut to the width."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= width else safe[: width - 1] + "…"


def _paragraph(group: Group) -> Iterator[str]:
    days = f"{group.first_day}"
    if group.last_day != group.first_day:
        days += f" to {group.last_day} ({many(group.days, 'day')})"
    yield f"{group.feed} of {group.product_id}, {days}: {many(group.rows, 'row')}"
    what = group.table_name if group.column_name is None else f"{group.column_name} of "
    what += "" if group.column_name is None else group.table_name
    value = "" if group.value is None else f" {quoted(group.value)}"
    yield f"  {what}:{value} {group.reason}"
    row = "" if group.row_number is None else f", row {group.row_number}"
    first = "" if group.rows == 1 else "first "
    expected = f"expected {group.expected}; " if group.expected else ""
    yield f"  {expected}{first}in {group.source_file}{row}"


def quoted(value: str) -> str:
    """A value between quotes, for a terminal."""
    return f"'{shown(value)}'"


def many(count: int, what: str) -> str:
    """For example `1 row` or `1,200 rows`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
