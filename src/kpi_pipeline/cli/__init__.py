"""`kpi …`: every step of the pipeline from a shell. One module for each group of commands."""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from pathlib import Path

import typer

from kpi_pipeline.cli import deployment, figures, incoming, pipeline, quarantine, source
from kpi_pipeline.cli.leaving import leave
from kpi_pipeline.errors import PipelineError
from kpi_pipeline.lacking import told_when_lacking

UNEXPECTED = 70
EXIT_CODES = """
Exit codes: 0 done · 1 days were rejected, with all others used, or something else can be mended ·
2 the command line, the environment or the workspace is wrong · 3 a check marked `stop` failed,
nothing was published · 4 dbt could not build · 5 a mail failed or its outcome is unknown · 70 a
defect, please report it.
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
for step in (
    pipeline.run,
    pipeline.land,
    pipeline.build,
    pipeline.publish,
    pipeline.send,
    incoming.feeds,
    figures.values,
    figures.status,
    figures.drivers,
    figures.cohorts,
    figures.preview,
    deployment.init,
    deployment.doctor,
    deployment.demo_data,
    deployment.docs,
):
    app.command(step.__name__.replace("_", "-"))(step)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(source.app, name="source")


def command() -> None:
    """`main`, and the end of the process."""
    try:
        main()
    except SystemExit as ended:
        leave(ended.code if isinstance(ended.code, int) else 0)
    leave(0)


def main() -> None:
    """The `kpi` command: errors the user can mend are one sentence on stderr and an exit code."""
    # Libraries' own notices are not for the reader of a command's output.
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    try:
        with told_when_lacking():
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
            f"kpi: this is a defect: {type(error).__name__}: {error} ({_keep_traceback()})",
            file=sys.stderr,
        )
        sys.exit(UNEXPECTED)


def _keep_traceback() -> str:
    path = Path(os.environ.get("KPI_HOME") or "out").absolute() / "logs" / "defect.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError as error:
        return f"the traceback could not be kept: {error.strerror}"
    return f"the traceback is in {path}"
