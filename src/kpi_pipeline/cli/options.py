"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated

import typer

from kpi_pipeline.feeds.contracts import FEEDS


class OutputFormat(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"


def day(text: str) -> date:
    """A day; raises BadParameter that says how one is written."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a day; write YYYY-MM-DD.") from error


def moment(text: str) -> datetime:
    """A moment in UTC; raises BadParameter that says how one is written."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not a moment; write for example 2024-07-01T12:00Z."
        ) from error
    if read.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no offset; add Z for UTC, or one such as +02:00.")
    return read.astimezone(UTC)


First = Annotated[date, typer.Option("--from", parser=day, metavar="DAY", help="First day.")]
Last = Annotated[date, typer.Option("--to", parser=day, metavar="DAY", help="Last, included.")]
At = Annotated[
    datetime | None,
    typer.Option(
        "--at", parser=moment, metavar="MOMENT", help="Moment to work as of. Default: now."
    ),
]
FromDay = Annotated[
    date | None, typer.Option("--from", parser=day, metavar="DAY", help="First day.")
]
ToDay = Annotated[
    date | None, typer.Option("--to", parser=day, metavar="DAY", help="Last, included.")
]
SomeFeeds = Annotated[
    list[str] | None,
    typer.Option("--feed", help=f"One of {', '.join(FEEDS)}. May be repeated. Default: all."),
]
SomeProducts = Annotated[
    list[str] | None, typer.Option("--product", help="May be repeated. Default: all.")
]
As = Annotated[OutputFormat, typer.Option("--format", help="How to write the rows.")]
