"""What the pages say is there: links, variables, commands, decisions, DAGs, generated pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kpi_pipeline import documentation
from kpi_pipeline.cli import app

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = ROOT / "docs" / "decisions"
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_generated_pages_are_up_to_date() -> None:
    assert documentation.out_of_date(ROOT) == [], "run `make docs` and commit it"


def test_every_dag_file_is_in_the_page_of_dags() -> None:
    titles = re.findall(r"^## (\w+)$", _read("docs/dags.md"), re.M)
    assert titles == sorted(path.stem for path in (ROOT / "dags").glob("*.py"))


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not target.startswith(("https://", "http://")):
            assert (page.parent / target).exists(), target


@each_page
def test_a_page_names_no_place_of_the_machine_it_was_written_on(page: Path) -> None:
    assert not re.findall(r"(?<![\w$}])/(?:home|root|work|Users|tmp)/", page.read_text("utf-8"))


def test_the_readme_lists_the_variables_there_are() -> None:
    table = _read("README.md").split("**The environment**")[1].split("## ")[0]
    listed = set(re.findall(r"KPI_[A-Z]+(?:_[A-Z]+)*(?!\w|\*)", table)) - {"KPI_SMTP"}
    read = set(re.findall(r'"(KPI_[A-Z_]+)"', _read("src/kpi_pipeline/settings.py")))
    assert listed == read


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/runbook.md"])
def test_commands_and_targets_that_are_named_exist(name: str) -> None:
    code = "\n".join(re.findall(r"^ {4,}.*$|`[^`]+`", _read(name), re.M))
    commands = {command.name for command in app.registered_commands}
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    named = re.findall(r"(?<![\w./-])kpi ([a-z][a-z-]+)(?: ([a-z]+))?", code)
    assert {command for command, _ in named} <= commands | groups.keys()
    for command, one in named:
        if command in groups and one:
            known = groups[command].registered_commands
            assert one in {each.name or each.callback.__name__ for each in known}
    targets = set(re.findall(r"^([a-z-]+):", _read("Makefile"), re.M))
    assert set(re.findall(r"\bmake ([a-z-]+)", code)) <= targets


def test_the_map_of_the_readme_names_what_is_there() -> None:
    readme = _read("README.md").split("## Map")[1].split("\n## ")[0]
    base = ROOT
    for indent, names in re.findall(r"^ {4}( *)(\S+(?:, \S+)*) {2,}\S", readme, re.M):
        for name in names.split(", "):
            if indent:
                assert (base / name).exists(), name
            else:
                base = ROOT / name
                assert base.exists(), name


def test_every_decision_is_numbered_in_turn_and_listed() -> None:
    records = sorted(path.name for path in DECISIONS.glob("[0-9]*.md"))
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    assert re.findall(r"\]\((\d{4}-[^)]+)\)", _read("docs/decisions/README.md")) == records
    for name in records:
        text = (DECISIONS / name).read_text(encoding="utf-8")
        assert text.startswith(f"# {int(name[:4])}. ")
        for part in ("**Context.**", "**Decision.**", "**Consequence.**"):
            assert part in text, name
