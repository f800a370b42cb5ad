"""`kpi quarantine …`: the rows that could not be used."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from kpi_pipeline import run as steps
from kpi_pipeline.cli.options import (
    As,
    At,
    FromDay,
    OutputFormat,
    SomeFeeds,
    SomeProducts,
    ToDay,
)
from kpi_pipeline.cli.session import (
    Watched,
    moment,
    refuse_backward,
    refuse_unknown,
    refuse_unknown_pairs,
    settings,
)
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.quarantine import GROUP_COLUMNS, ROW_COLUMNS, Asked, asked
from kpi_pipeline.quarantine import reland as land_again
from kpi_pipeline.quarantine_text import explained, listed, reland_command, relanded, shown

VALUES_READ = 1000
ROWS_SHOWN = 50
COLUMNS = {column.name for feed in FEEDS.values() for t in feed.tables for column in t.columns}

app = typer.Typer(
    help="The rows that could not be used: which, why, and landing them again after a fix.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class GroupFormat(StrEnum):
    text = "text"
    csv = "csv"
    json = "json"


SomeColumns = Annotated[
    list[str] | None,
    typer.Option("--column", help="A column of the feed, such as visits. May be repeated."),
]


@app.command(name="list")
def list_groups(
    first: FromDay = None,
    last: ToDay = None,
    feed: SomeFeeds = None,
    product: SomeProducts = None,
    column: SomeColumns = None,
    output: Annotated[
        GroupFormat, typer.Option("--format", help="How to write the groups.")
    ] = GroupFormat.text,
) -> None:
    """List them by reason: table, column, what was expected, rows, days, and an example."""
    which = _which(first, last, feed, product, column)
    with asked(settings(), which) as found:
        groups = found.groups()
    if output is GroupFormat.text:
        _say(listed(groups) if groups else iter([_nothing(which)]))
        return
    from kpi_pipeline import answers

    rows = (tuple(getattr(group, name) for name in GROUP_COLUMNS) for group in groups)
    form: answers.Format = "csv" if output is GroupFormat.csv else "json"
    answers.write(GROUP_COLUMNS, rows, form, sys.stdout)


@app.command()
def show(
    first: FromDay = None,
    last: ToDay = None,
    feed: SomeFeeds = None,
    product: SomeProducts = None,
    column: SomeColumns = None,
    output: As = OutputFormat.table,
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows", min=1, help=f"How many. Default: {ROWS_SHOWN} in a table, else all."
        ),
    ] = None,
) -> None:
    """Show the rows with file, row, column, value, what was expected and why."""
    from kpi_pipeline import answers

    which = _which(first, last, feed, product, column)
    is_table = output is OutputFormat.table
    limit = rows or (ROWS_SHOWN if is_table else None)
    with asked(settings(), which) as found:
        count = found.count()
        if is_table and not count:
            print(_nothing(which))
            return
        cells = found.rows(limit)
        if is_table:
            cells = (tuple(_cell(cell) for cell in row) for row in cells)
        written = answers.write(ROW_COLUMNS, cells, output.value, sys.stdout)
    if is_table:
        rest = f" of {count}; --rows shows more" if written < count else ""
        print(f"{written} rows{rest}", file=sys.stderr)


@app.command()
def explain(
    first: FromDay = None,
    last: ToDay = None,
    feed: SomeFeeds = None,
    product: SomeProducts = None,
    column: SomeColumns = None,
) -> None:
    """Say what each group means and what to do: the option that reads it, or the file."""
    import duckdb

    from kpi_pipeline.quarantine_remedies import Remedy, remedies, source_of

    which = _which(first, last, feed, product, column)
    own = settings()
    space = steps.workspace_of(own)
    with asked(own, which) as found, duckdb.connect() as connection:
        groups = found.groups()
        if not groups:
            print(_nothing(which))
        for group in groups:
            values = found.values(group, VALUES_READ)
            sources = space.sources_of(group.feed, group.product_id)
            source = source_of(sources, group.table_name, group.source_file)
            todo = (
                [Remedy("sources.yml has no such source any more; its rows stay as they are.")]
                if source is None
                else remedies(
                    connection,
                    source,
                    space.products[group.product_id].time_zone,
                    group.column_name,
                    group.reason,
                    dict(values),
                    found.landed_beside(group),
                )
            )
            _say(explained(group, values, todo))
            print(f"  Then: {reland_command(group)}\n")
    if groups:
        print("An option holds for all rows of its source: `kpi source try` shows them with it.")


@app.command()
def reland(
    first: FromDay = None,
    last: ToDay = None,
    feed: SomeFeeds = None,
    product: SomeProducts = None,
    column: SomeColumns = None,
    at: At = None,
) -> None:
    """Land exactly the affected days again, after a fix, and say what changed."""
    which = _which(first, last, feed, product, column)
    with Watched() as watched:
        done = land_again(settings(), which, moment(at), watched.say)
    _say(relanded(done) if done else iter([_nothing(which)]))


def _which(
    first: Any, last: Any, feed: list[str] | None, product: list[str] | None, column: Any
) -> Asked:
    refuse_backward(first, last)
    refuse_unknown_pairs(feed, product)
    refuse_unknown("column", column or (), sorted(COLUMNS))
    return Asked(tuple(feed or ()), tuple(product or ()), tuple(column or ()), first, last)


def _nothing(which: Asked) -> str:
    return "Nothing is in quarantine." if which == Asked() else "Nothing of that is in quarantine."


def _cell(cell: Any) -> Any:
    return shown(cell) if isinstance(cell, str) else cell


def _say(lines: Iterator[str]) -> None:
    for line in lines:
        print(line)
