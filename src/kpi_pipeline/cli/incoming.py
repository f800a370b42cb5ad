"""Commands about what comes in: the calendar of feeds, the quarantine, a source tried out."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from kpi_pipeline import run as steps
from kpi_pipeline.cli.options import At, FromDay, SomeFeeds, SomeProducts, ToDay
from kpi_pipeline.cli.session import moment, refuse_backward, refuse_unknown_pairs, settings

PIPE_WIDTH = 100


class CalendarFormat(StrEnum):
    calendar = "calendar"
    csv = "csv"
    json = "json"


def feeds(
    first: FromDay = None,
    last: ToDay = None,
    feed: SomeFeeds = None,
    product: SomeProducts = None,
    output: Annotated[
        CalendarFormat, typer.Option("--format", help="csv and json have all there is to know.")
    ] = CalendarFormat.calendar,
    at: At = None,
) -> None:
    """Show what came of every feed, product and day, and what to do about the rest.

    Without --from and --to: the five weeks up to the last day that was loaded.
    """
    from kpi_pipeline import answers, feed_calendar
    from kpi_pipeline.feed_calendar_text import drawn

    refuse_backward(first, last)
    refuse_unknown_pairs(feed, product)
    own = settings()
    found = feed_calendar.calendar(
        own, steps.workspace_of(own), moment(at), feed or (), product or (), first, last
    )
    if output is not CalendarFormat.calendar:
        rows = found.rows() if found else []
        form: answers.Format = "csv" if output is CalendarFormat.csv else "json"
        answers.write(feed_calendar.COLUMNS, iter(rows), form, sys.stdout)
        return
    if found is None:
        what = "of these feeds and products " if feed or product else ""
        print(f"Nothing {what}was loaded yet; `kpi land --from DAY --to DAY` loads days.")
        return
    console = Console(highlight=False)
    for line in drawn(found, console.width if console.is_terminal else PIPE_WIDTH):
        if console.is_terminal:
            console.print(line, soft_wrap=True)  # commands stay whole when they are copied
        else:
            print(line.plain)
