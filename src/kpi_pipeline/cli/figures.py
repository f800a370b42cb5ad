"""Commands that show what was published: KPI values, and reports as a reader gets them."""

from __future__ import annotations

import sys
import webbrowser
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from kpi_pipeline import run as steps
from kpi_pipeline.cli.options import As, OutputFormat, day
from kpi_pipeline.cli.session import settings
from kpi_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from kpi_pipeline.answers import Question, Table


class MailFormat(StrEnum):
    html = "html"
    text = "text"


SomeKpis = Annotated[
    list[str] | None, typer.Option("--kpi", metavar="KPI_ID", help="May be repeated.")
]
SomeGrains = Annotated[
    list[str] | None,
    typer.Option("--grain", metavar="GRAIN", help="For example day or week. May be repeated."),
]
SomeScopes = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        metavar="KIND[:ID]",
        help="For example company, channel or person:ana. May be repeated.",
    ),
]
SomeProducts = Annotated[
    list[str] | None,
    typer.Option("--product", metavar="PRODUCT_ID", help="`(all)` for none. May be repeated."),
]
SpanFirst = Annotated[
    date | None,
    typer.Option("--from", parser=day, metavar="DAY", help="Periods that start then or later."),
]
SpanLast = Annotated[
    date | None,
    typer.Option("--to", parser=day, metavar="DAY", help="Periods that start then or earlier."),
]
AsOf = Annotated[
    date | None,
    typer.Option(
        "--as-of",
        parser=day,
        metavar="DAY",
        help="Values up to that day: days and weeks that end with it, months and quarters so far.",
    ),
]


def values(
    kpi: SomeKpis = None,
    grain: SomeGrains = None,
    scope: SomeScopes = None,
    product: SomeProducts = None,
    first: SpanFirst = None,
    last: SpanLast = None,
    as_of: AsOf = None,
    output: As = OutputFormat.table,
) -> None:
    """KPI values as published (fct_kpi_values). Without filters: all of them."""
    _answer("fct_kpi_values", _question(kpi, grain, scope, product, first, last, as_of), output)


def status(
    kpi: SomeKpis = None,
    grain: SomeGrains = None,
    scope: SomeScopes = None,
    product: SomeProducts = None,
    first: SpanFirst = None,
    last: SpanLast = None,
    as_of: AsOf = None,
    output: As = OutputFormat.table,
) -> None:
    """Values with comparisons, targets, pace, limits and signals (fct_kpi_status)."""
    _answer("fct_kpi_status", _question(kpi, grain, scope, product, first, last, as_of), output)


def drivers(
    kpi: SomeKpis = None,
    grain: SomeGrains = None,
    scope: SomeScopes = None,
    product: SomeProducts = None,
    first: SpanFirst = None,
    last: SpanLast = None,
    comparison: Annotated[
        list[str] | None,
        typer.Option(
            "--comparison", metavar="NAME", help="previous or last_year. May be repeated."
        ),
    ] = None,
    dimension: Annotated[
        list[str] | None,
        typer.Option(
            "--dimension", metavar="NAME", help="For example channel or funnel. May be repeated."
        ),
    ] = None,
    output: As = OutputFormat.table,
) -> None:
    """What each channel, campaign, … contributed to a change (fct_kpi_drivers); docs/drivers.md.

    Of weeks, months and quarters that are over; company, products and teams.
    """
    from dataclasses import replace

    question = _question(kpi, grain, scope, product, first, last, None)
    _answer(
        "fct_kpi_drivers",
        replace(question, comparisons=tuple(comparison or ()), dimensions=tuple(dimension or ())),
        output,
    )


def cohorts(
    grain: SomeGrains = None,
    scope: SomeScopes = None,
    product: SomeProducts = None,
    first: SpanFirst = None,
    last: SpanLast = None,
    output: As = OutputFormat.table,
) -> None:
    """Users by week or month of sign-up, and how many were active so many later (fct_kpi_cohorts).

    --grain is that of the cohort; --from and --to bound its first day.
    """
    _answer("fct_kpi_cohorts", _question(None, grain, scope, product, first, last, None), output)


def preview(
    reader: Annotated[str, typer.Option("--as", metavar="EMAIL", help="The reader's address.")],
    report: Annotated[str, typer.Option("--report", help=f"One of {', '.join(steps.REPORTS)}.")],
    period: Annotated[
        date, typer.Option("--period", parser=day, metavar="DAY", help="Its first day.")
    ],
    output: Annotated[MailFormat, typer.Option("--format")] = MailFormat.html,
    show: Annotated[
        str, typer.Option("--open", help="yes or no: open the HTML in a browser.")
    ] = "yes",
) -> None:
    """Show a report as a reader would get it. Nothing is sent and nothing is recorded."""
    from kpi_pipeline.delivery import send as delivery

    if show not in ("yes", "no"):
        raise ConfigurationError(f"--open is {show!r}; expected yes or no.")
    if report not in steps.REPORTS:
        raise ConfigurationError(
            f"There is no report {report!r}; expected one of {', '.join(steps.REPORTS)}."
        )
    own = settings()
    mail = delivery.preview(own, steps.workspace_of(own), reader, report, period)
    if output is MailFormat.text:
        print(f"{mail.subject}\n\n{mail.text}")
        return
    path = own.home / "previews" / f"{report}-{period}-{reader.replace('@', '-at-')}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(mail.html, encoding="utf-8")
    print(f"{mail.subject}\n{path}")
    if show == "yes":
        webbrowser.open(path.as_uri())


def _question(
    kpi: list[str] | None,
    grain: list[str] | None,
    scope: list[str] | None,
    product: list[str] | None,
    first: date | None,
    last: date | None,
    as_of: date | None,
) -> Question:
    from kpi_pipeline.answers import Question

    return Question(
        tuple(kpi or ()),
        tuple(grain or ()),
        tuple(scope or ()),
        tuple(product or ()),
        first,
        last,
        as_of,
    )


def _answer(table: Table, question: Question, output: OutputFormat) -> None:
    from kpi_pipeline import answers

    with answers.asked(settings(), table, question) as (columns, rows):
        count = answers.write(columns, rows, output.value, sys.stdout)
    if output is OutputFormat.table:
        print(f"{count} rows", file=sys.stderr)
