"""Pages under docs/ that are made from the code, and the check that they are up to date."""

from __future__ import annotations

import ast
from pathlib import Path

from kpi_pipeline.errors import ConfigurationError

DAGS_HEAD = """# The DAGs

Generated from the docstrings in `dags/` by `make docs`; `make lint` fails when it is out of date.
Each text is also shown in Airflow's UI, on the DAG's page.

    load_page_views ─┐
    load_traffic ────┤  all four of a day    ┌──────────────┐   every 15 minutes   send_specialist_daily
    load_exposure ───┼──────────────────────▶│ compute_kpis │ ······ asks ······   send_manager_weekly
    load_user_growth ┘  or a slice changed   └──────────────┘      "is it due?"    send_director_monthly
                                                                                   send_director_quarterly

"""  # noqa: E501  # a picture


def pages(project: Path) -> dict[Path, str]:
    """Every generated page and the text it should have."""
    return {project / "docs" / "dags.md": dags_page(project / "dags")}


def generate(project: Path) -> list[Path]:
    """Write the pages that are out of date; returns them."""
    stale = out_of_date(project)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages(project)[path], encoding="utf-8")
    return stale


def check(project: Path) -> None:
    """Raises ConfigurationError that names the pages that are out of date."""
    stale = out_of_date(project)
    if stale:
        names = ", ".join(str(path.relative_to(project)) for path in stale)
        raise ConfigurationError(f"{names} is out of date; run `make docs` and commit it.")


def out_of_date(project: Path) -> list[Path]:
    """The pages whose file is missing or says something else."""
    return [
        path
        for path, text in pages(project).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def dags_page(folder: Path) -> str:
    """One section for each DAG file: its name and its docstring."""
    sections = []
    for path in sorted(folder.glob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if not text:
            raise ConfigurationError(
                f"{path} has no docstring; a DAG's docstring is its manual: what it does, its "
                "params, what to do when it fails."
            )
        sections.append(f"## {path.stem}\n\n{text}\n")
    return DAGS_HEAD + "\n".join(sections)
