"""`kpi source …`: what the declarations in sources.yml make of their files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpi_pipeline.cli.options import At
from kpi_pipeline.cli.session import Watched, moment, refuse_unknown, settings
from kpi_pipeline.errors import PipelineError
from kpi_pipeline.feeds.contracts import FEEDS

app = typer.Typer(
    help="What the declarations in sources.yml make of their files. Nothing is written.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(name="list")
def list_sources() -> None:
    """List the sources that can be tried, by the number of their entry."""
    from kpi_pipeline.source_trial import declarations

    for declared in declarations(settings().workspace):
        print(declared)


@app.command(name="try")
def try_source(
    number: Annotated[
        int | None, typer.Argument(metavar="N", help="Of the entry in sources.yml, from 1.")
    ] = None,
    feed: Annotated[str | None, typer.Option("--feed", help=f"One of {', '.join(FEEDS)}.")] = None,
    product: Annotated[str | None, typer.Option("--product")] = None,
    table: Annotated[
        str | None, typer.Option("--table", help="Of the feed, where it has several.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Read this one instead of those declared.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=0, help="How many to show.")] = 10,
    days: Annotated[
        int, typer.Option("--days", min=1, help="With a file for each day: the latest so many.")
    ] = 7,
    at: At = None,
) -> None:
    """Show what a source makes of its files: columns, first rows, quarantine, hints.

    Nothing is landed, and no KPI_HASH_KEY is needed. Ends with 1 when nothing could land as it is.
    """
    from kpi_pipeline.source_trial import chosen, tried
    from kpi_pipeline.source_trial_text import told

    own = settings()
    refuse_unknown("feed", [feed] if feed else [], list(FEEDS))
    tables = [t.name for each in FEEDS.values() for t in each.tables]
    refuse_unknown("table", [table] if table else [], tables)
    declared = chosen(own.workspace, number, feed, product, table)
    with Watched() as watched:
        watched.say(f"reading {file or declared.source.files}")
        trial = tried(own, declared, moment(at), file, rows, days)
    for line in told(trial):
        print(line)
    if trial.problems or not trial.landed:
        raise PipelineError("As it is declared, it cannot land; the lines above say why.")
