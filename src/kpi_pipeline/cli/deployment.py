"""Commands for whoever sets the pipeline up: a workspace, its examination, demo data, pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpi_pipeline.cli.session import Watched, settings

Folder = Annotated[
    Path | None, typer.Argument(help="Where to. Default: KPI_WORKSPACE, or ./workspace.")
]


def init(folder: Folder = None) -> None:
    """Write a workspace with comments to start from. Nothing that exists is overwritten."""
    from kpi_pipeline import workspace

    target = folder.absolute() if folder else settings().workspace
    workspace.write_template(target)
    print(f"Wrote {target}. Fill in organisation/*.csv and sources.yml, then run `kpi doctor`.")


def doctor() -> None:
    """Check environment, workspace, key, state database, published file, disk and transport."""
    from kpi_pipeline import doctor as examination

    findings = examination.examine(settings())
    for finding in findings:
        print(finding)
    examination.require_health(findings)


def demo_data(folder: Folder = None) -> None:
    """Write the simulated company: a workspace with 18 months of all four feeds."""
    from kpi_pipeline.demo.company import write_company

    target = folder.absolute() if folder else settings().workspace
    with Watched() as watched:
        write_company(target, watched.say)
    print(f"Wrote {target}.")


def docs(
    check: Annotated[bool, typer.Option("--check", help="Only say what is out of date.")] = False,
) -> None:
    """Generate the pages in docs/ that are made from the code."""
    from kpi_pipeline import documentation

    project = settings().project
    if check:
        documentation.check(project)
        print("Generated pages are up to date.")
        return
    for path in documentation.generate(project):
        print(f"Wrote {path}.")
