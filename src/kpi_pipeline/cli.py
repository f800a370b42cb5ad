"""`kpi …`: every step of the pipeline from a shell.

The only module that reads the clock: it is the default of `--at`.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
import warnings
import webbrowser
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kpi_pipeline import run as steps
from kpi_pipeline.errors import ConfigurationError, PipelineError
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.periods import each_day
from kpi_pipeline.settings import Settings, from_environment

UNEXPECTED = 70
EXIT_CODES = """
Exit codes: 0 done · 1 something else that can be mended · 2 the command line, the environment or
the workspace is wrong · 3 a check marked `stop` failed, nothing was published · 4 dbt could not
build · 5 a mail failed or its outcome is unknown · 70 a defect, please report it.
"""

app = typer.Typer(
    name="kpi",
    help="Loads feeds, computes KPIs, publishes them and mails the reports.\n\n" + EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class OutputFormat(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"


class MailFormat(StrEnum):
    html = "html"
    text = "text"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a day; write YYYY-MM-DD.") from error


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not a moment; write for example 2024-07-01T12:00Z."
        ) from error
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no offset; add Z for UTC, or one such as +02:00.")
    return moment.astimezone(UTC)


First = Annotated[date, typer.Option("--from", parser=_day, metavar="DAY", help="First day.")]
Last = Annotated[date, typer.Option("--to", parser=_day, metavar="DAY", help="Last, included.")]
At = Annotated[
    datetime | None,
    typer.Option(
        "--at", parser=_moment, metavar="MOMENT", help="Moment to work as of. Default: now."
    ),
]
Full = Annotated[bool, typer.Option("--full", help="Build every day again.")]
SomeKpis = Annotated[
    list[str] | None, typer.Option("--kpi", metavar="KPI_ID", help="May be repeated.")
]
SomeGrains = Annotated[
    list[str] | None,
    typer.Option("--grain", metavar="GRAIN", help="day, week, month or quarter. May be repeated."),
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
    typer.Option("--from", parser=_day, metavar="DAY", help="Periods that start then or later."),
]
SpanLast = Annotated[
    date | None,
    typer.Option("--to", parser=_day, metavar="DAY", help="Periods that start then or earlier."),
]
AsOf = Annotated[
    date | None,
    typer.Option(
        "--as-of", parser=_day, metavar="DAY", help="Values as known at the end of that day."
    ),
]
As = Annotated[OutputFormat, typer.Option("--format", help="How to write the rows.")]


def main() -> None:
    """The `kpi` command: errors the user can mend are one sentence on stderr and an exit code."""
    # Libraries' own notices are not for the reader of a command's output.
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    try:
        app()
    except PipelineError as error:
        print(f"kpi: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away; what it read was right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        print("kpi: stopped.", file=sys.stderr)
        sys.exit(130)
    except Exception as error:  # a defect: one sentence here, the traceback in a file
        print(
            f"kpi: this is a defect: {type(error).__name__}: {error} "
            f"(the traceback is in {_keep_traceback()})",
            file=sys.stderr,
        )
        sys.exit(UNEXPECTED)


@app.command()
def run(
    first: First,
    last: Last,
    at: At = None,
    no_send: Annotated[bool, typer.Option("--no-send", help="Mail nothing.")] = False,
) -> None:
    """Load all feeds for a span of days, compute, publish, and mail what is due."""
    with _Watched() as watched:
        done = steps.everything(_settings(), first, last, _now(at), not no_send, watched.say)
    print(f"computed: {done.computed}")
    if not no_send:
        print(f"mails: {steps.said(steps.outcomes_of(done.deliveries))}")


@app.command()
def land(
    first: First,
    last: Last,
    feed: Annotated[
        list[str] | None,
        typer.Option("--feed", help=f"One of {', '.join(FEEDS)}. May be repeated. Default: all."),
    ] = None,
    product: Annotated[
        list[str] | None, typer.Option("--product", help="May be repeated. Default: all.")
    ] = None,
    at: At = None,
) -> None:
    """Land feeds for a span of days. A day that is there already is replaced."""
    moment, days = _now(at), tuple(each_day(first, last))
    if not days:
        raise ConfigurationError(f"--to {last} is before --from {first}; give the later day last.")
    for name in product or ():
        _refuse_unknown_product(name)
    with _Watched() as watched:
        for name in feed or FEEDS:
            settings = _settings()
            products = (
                [p for p in steps.products_of(settings, name) if p in product] if product else None
            )
            loaded = steps.load(settings, name, products, days, moment, watched.say)
            print(f"{name}: {steps.counted(loaded)}")


@app.command()
def build(at: At = None, full: Full = False) -> None:
    """Audit what was landed, and compute the KPIs that new or changed slices touch."""
    with _Watched() as watched:
        audit = steps.audit_in(_settings(), _now(at), watched.say)
        built = steps.build(_settings(), _now(at), watched.say, full=full)
    print(f"audit: {steps.checked(audit)}")
    print(f"build: {built.slices} slices, {built.models} models, {built.seconds:.1f} s")


@app.command()
def publish(at: At = None) -> None:
    """Audit what was built, and let readers see it."""
    with _Watched() as watched:
        publication = steps.audit_and_publish(_settings(), _now(at), watched.say)
    print(f"published {publication.path}: {steps.checked(publication.checks)}")


@app.command()
def send(
    at: At = None,
    report: Annotated[
        list[str] | None,
        typer.Option("--report", help=f"One of {', '.join(steps.REPORTS)}. Default: all."),
    ] = None,
) -> None:
    """Mail every report that is due. No mail goes twice; what is held or skipped is said."""
    with _Watched() as watched:
        for name, deliveries in steps.send_each(_settings(), report, _now(at), watched.say):
            print(f"{name}: {steps.said(steps.outcomes_of(deliveries))}")
            for line in steps.told(deliveries):
                print(f"  {line}")


@app.command()
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
    _answer("fct_kpi_values", kpi, grain, scope, product, first, last, as_of, output)


@app.command()
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
    """Values with comparisons, targets and attainment (fct_kpi_status). Without filters: all."""
    _answer("fct_kpi_status", kpi, grain, scope, product, first, last, as_of, output)


@app.command()
def preview(
    reader: Annotated[str, typer.Option("--as", metavar="EMAIL", help="The reader's address.")],
    report: Annotated[str, typer.Option("--report", help=f"One of {', '.join(steps.REPORTS)}.")],
    period: Annotated[
        date, typer.Option("--period", parser=_day, metavar="DAY", help="Its first day.")
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
    settings = _settings()
    mail = delivery.preview(settings, steps.workspace_of(settings), reader, report, period)
    if output is MailFormat.text:
        print(f"{mail.subject}\n\n{mail.text}")
        return
    path = settings.home / "previews" / f"{report}-{period}-{reader.replace('@', '-at-')}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(mail.html, encoding="utf-8")
    print(f"{mail.subject}\n{path}")
    if show == "yes":
        webbrowser.open(path.as_uri())


@app.command()
def init(
    folder: Annotated[
        Path | None, typer.Argument(help="Where to. Default: KPI_WORKSPACE, or ./workspace.")
    ] = None,
) -> None:
    """Write a workspace with comments to start from. Nothing that exists is overwritten."""
    from kpi_pipeline import workspace

    target = folder.absolute() if folder else _settings().workspace
    workspace.write_template(target)
    print(f"Wrote {target}. Fill in organisation/*.csv and sources.yml, then run `kpi doctor`.")


@app.command()
def doctor() -> None:
    """Check environment, workspace, key, state database, published file, disk and transport."""
    from kpi_pipeline import doctor as examination

    findings = examination.examine(_settings())
    for finding in findings:
        print(finding)
    examination.require_health(findings)


@app.command(name="demo-data")
def demo_data(
    folder: Annotated[
        Path | None, typer.Argument(help="Where to. Default: KPI_WORKSPACE, or ./workspace.")
    ] = None,
) -> None:
    """Write the simulated company: a workspace with 18 months of all four feeds."""
    from kpi_pipeline.demo.company import write_company

    target = folder.absolute() if folder else _settings().workspace
    with _Watched() as watched:
        write_company(target, watched.say)
    print(f"Wrote {target}.")


@app.command()
def docs(
    check: Annotated[bool, typer.Option("--check", help="Only say what is out of date.")] = False,
) -> None:
    """Generate the pages in docs/ that are made from the code."""
    from kpi_pipeline import documentation

    project = _settings().project
    if check:
        documentation.check(project)
        print("Generated pages are up to date.")
        return
    for path in documentation.generate(project):
        print(f"Wrote {path}.")


def _settings() -> Settings:
    return from_environment(os.environ)


def _refuse_unknown_product(product_id: str) -> None:
    from difflib import get_close_matches

    known = steps.workspace_of(_settings()).products
    if product_id not in known:
        near = get_close_matches(product_id, known, n=1)
        raise ConfigurationError(
            f"There is no product {product_id!r}; products: {', '.join(known) or 'none'}"
            + (f"; did you mean {near[0]!r}?" if near else ".")
        )


def _now(at: datetime | None) -> datetime:
    return at if at is not None else datetime.now(UTC)


def _answer(
    table: str,
    kpi: list[str] | None,
    grain: list[str] | None,
    scope: list[str] | None,
    product: list[str] | None,
    first: date | None,
    last: date | None,
    as_of: date | None,
    output: OutputFormat,
) -> None:
    from kpi_pipeline import answers

    question = answers.Question(
        tuple(kpi or ()),
        tuple(grain or ()),
        tuple(scope or ()),
        tuple(product or ()),
        first,
        last,
        as_of,
    )
    which: answers.Table = "fct_kpi_values" if table == "fct_kpi_values" else "fct_kpi_status"
    with answers.asked(_settings(), which, question) as (columns, rows):
        count = answers.write(columns, rows, output.value, sys.stdout)
    if output is OutputFormat.table:
        print(f"{count} rows", file=sys.stderr)


def _keep_traceback() -> Path:
    path = Path(os.environ.get("KPI_HOME") or "out").absolute() / "logs" / "defect.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(traceback.format_exc(), encoding="utf-8")
    return path


class _Watched:
    """Shows progress on stderr: one changing line on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._status = self._console.status("…") if self._console.is_terminal else None
        self._began = time.monotonic()

    def __enter__(self) -> _Watched:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def say(self, message: str) -> None:
        """One step: what runs, and the seconds since the start."""
        line = f"{time.monotonic() - self._began:6.1f} s  {message}"
        if self._status:
            self._status.update(line)
        else:
            print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
