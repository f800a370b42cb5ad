"""Subject, text and HTML of whole mails against golden files.

`UPDATE_GOLDEN=1 pytest tests/golden` writes them anew; read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from published_fixture import opened
from scenarios import SCENARIOS, Scenario

from kpi_pipeline.periods import Calendar, period_of
from kpi_pipeline.reporting.compose import compose
from kpi_pipeline.reporting.render import RenderedMail, render

FOLDER = Path(__file__).parent / "mails"
REPORTS = Path(__file__).resolve().parents[2] / "reports"


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_mail_reads_as_agreed(name: str, tmp_path: Path) -> None:
    mail = render_scenario(SCENARIOS[name], tmp_path)
    said = {"subject.txt": mail.subject + "\n", "body.txt": mail.text, "body.html": mail.html}
    if os.environ.get("UPDATE_GOLDEN"):
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
        for file, content in said.items():
            (FOLDER / name / file).write_text(content, encoding="utf-8")
    agreed = {file: (FOLDER / name / file).read_text(encoding="utf-8") for file in said}
    assert said == agreed


def test_there_is_no_golden_mail_without_a_scenario() -> None:
    assert sorted(p.name for p in FOLDER.iterdir()) == sorted(SCENARIOS)


def test_names_from_data_never_become_markup(tmp_path: Path) -> None:
    mail = render_scenario(SCENARIOS["hostile_names"], tmp_path)
    assert "<script" not in mail.html
    assert "<b>" not in mail.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in mail.html
    assert "&amp;lt;" not in mail.html


def test_a_subject_is_one_line(tmp_path: Path) -> None:
    published = SCENARIOS["normal"].build()
    for row in published.rows["dim_kpis"]:
        row["label_en"] = "Visits\r\nBcc: everyone@example.com"
    mail = _render(SCENARIOS["normal"], published.write(tmp_path / "published.duckdb"))
    assert mail.subject.splitlines() == [mail.subject]


def test_an_abbreviation_at_a_sentences_end_has_one_full_stop(tmp_path: Path) -> None:
    published = SCENARIOS["manager_week"].build()
    for row in published.rows["rpt_manager_weekly"]:
        row["previous_change"] = 0.014
    for row in published.rows["dim_kpis"]:
        row["unit"] = "share"
    for row in published.rows["dim_people"]:
        row["locale"] = "es"
    mail = _render(SCENARIOS["manager_week"], published.write(tmp_path / "published.duckdb"))
    for text in (mail.text, mail.html.replace("&nbsp;", "\u00a0")):
        assert "subida de 1,4\u00a0p.\u00a0p." in text
        assert "p.." not in text


def render_scenario(scenario: Scenario, folder: Path) -> RenderedMail:
    return _render(scenario, scenario.build().write(folder / "published.duckdb"))


def _render(scenario: Scenario, path: Path) -> RenderedMail:
    with opened(path) as connection:
        context = compose(
            connection,
            scenario.report,
            period_of(scenario.grain, scenario.start, Calendar()),
            scenario.person_id,
            calendar=Calendar(),
            sent_on=scenario.sent_on,
            edition=scenario.edition,
            left_out_before=scenario.left_out_before,
        )
    return render(REPORTS, context)
