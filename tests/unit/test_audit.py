"""Both doors: what stops a slice, what is only noted, and what never gets published."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from landing_workspace import AT, PROJECT, Bench

from kpi_pipeline.audit import audit_in, audit_out, suites
from kpi_pipeline.audit.engine import check_types, great_expectations
from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.runlog import RunLog
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import read_slice
from kpi_pipeline.workspace import Source

DAY = date(2024, 6, 30)
EXPOSURE = Source("exposure", "exposure", "p", "e.csv", "csv", "covering", last_day_complete=True)
HEADER = "date,channel,campaign,placement,content_id,impressions,clicks,cost,currency\n"


def bench(root: Path, days: int, odd: dict[int, str] | None = None) -> Bench:
    b = Bench(root, sources=(EXPOSURE,))
    lines = []
    for number in range(days):
        day = DAY - timedelta(days=days - 1 - number)
        lines.append((odd or {}).get(number, f"{day},seo,c,p,x,100,5,1.5,EUR"))
    b.write("e.csv", HEADER + "".join(f"{line}\n" for line in lines))
    b.land("exposure", [DAY - timedelta(days=n) for n in range(days)])
    return b


def own_expectations(b: Bench, name: str, text: str, door: str = "landing") -> Settings:
    folder = b.root / "project" / "expectations" / door
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yml").write_text(text)
    return replace(b.settings, project=b.root / "project")


def test_duckdb_is_among_the_dialects_gx_keeps_connections_of() -> None:
    great_expectations()
    from great_expectations.execution_engine import sqlalchemy_execution_engine as sql

    assert "duckdb" in sql._PERSISTED_CONNECTION_DIALECTS
    assert sql._dialect_requires_persisted_connection(connection_string="duckdb:///x.duckdb")


def test_every_landed_table_has_expectations_gx_understands() -> None:
    expected = suites.load(PROJECT / "expectations" / "landing")
    assert set(expected) == {t.name for feed in FEEDS.values() for t in feed.tables}
    for name, expectations in expected.items():
        check_types(expectations, Path(name))
        for one in expectations:
            assert one.query is None or ("{batch}" in one.query and "slice_no" in one.query)


def test_published_expectations_are_understood() -> None:
    for name, expectations in suites.load(PROJECT / "expectations" / "published").items():
        check_types(expectations, Path(name))
        assert {e.severity for e in expectations} & {"stop"}, name
        for one in expectations:
            assert one.query is None or "{batch}" in one.query


def test_good_slices_pass_once_and_are_not_asked_again(tmp_path: Path) -> None:
    b = bench(tmp_path, 12)
    count = len(suites.load(PROJECT / "expectations" / "landing")["exposure"])
    outcome = audit_in(b.settings, AT, "audit-1")
    assert (outcome.passed, outcome.warned, outcome.stopped) == (12 * count, 0, 0)
    assert outcome.findings == ()
    rows = RunLog(b.settings).slices()
    assert {(r["audited_hash"] == r["hash"], r["checks_passed"]) for r in rows} == {(True, count)}
    assert audit_in(b.settings, AT, "audit-2").passed == 0
    assert [c["slices"] for c in RunLog(b.settings).checks_of("audit-1")] == [12] * count


def test_warning_is_noted_for_its_own_slice_only(tmp_path: Path) -> None:
    day = DAY - timedelta(days=9)
    b = bench(tmp_path, 12, {2: f"{day},seo,c,p,x,100,500,1.5,EUR"})
    outcome = audit_in(b.settings, AT, "audit-1")
    assert [(f.day, f.outcome, f.unexpected_rows, f.message) for f in outcome.findings] == [
        (day, "warned", 1, "There are no more clicks than impressions. (1 row against it)")
    ]
    rows = RunLog(b.settings).slices()
    assert [r["day"] for r in rows if r["checks_warned"]] == [day]
    assert {r["status"] for r in rows} == {"landed"}


@pytest.mark.parametrize("days", [3, 20])
def test_failing_stop_rejects_only_the_slices_at_fault(tmp_path: Path, days: int) -> None:
    first, last = DAY - timedelta(days=days - 1), DAY
    b = bench(tmp_path, days, {0: f"{first},seo,c,p,x,7,0,,", days - 1: f"{last},seo,c,p,x,7,0,,"})
    settings = own_expectations(
        b,
        "exposure",
        "- type: expect_column_values_to_be_between\n"
        "  kwargs: {column: impressions, min_value: 50}\n"
        "  severity: stop\n  reason: Enough impressions.\n"
        "- type: unexpected_rows_expectation\n"
        "  kwargs: {unexpected_rows_query: 'select slice_no from {batch} where impressions < 50'}\n"
        "  severity: stop\n  reason: Enough again.\n",
    )
    outcome = audit_in(settings, AT, "audit-1")
    assert (outcome.passed, outcome.stopped) == (2 * days - 4, 4)
    rejected = [r for r in RunLog(settings).slices() if r["status"] == "rejected"]
    assert [r["day"] for r in rejected] == [first, last]
    reason = (
        "exposure: Enough impressions. (1 row against it) "
        "exposure: Enough again. (1 row against it)"
    )
    assert {r["reason"] for r in rejected} == {reason}
    (piece,) = b.land("exposure", [last])
    folder = b.folder(piece)
    assert piece.status == "landed"
    audit_in(settings, AT, "audit-2")
    again = read_slice(folder)
    assert again is not None
    assert (again.status, again.reason, again.hash) == (
        "rejected",
        reason,
        rejected[1]["hash"],
    )


def test_day_with_half_the_usual_rows_is_noted(tmp_path: Path) -> None:
    b = Bench(tmp_path, sources=(EXPOSURE,))
    days = [DAY - timedelta(weeks=n) for n in range(6)]
    lines = [
        f"{day},seo,c,p{n},x,100,5,1.5,EUR" for day in days for n in range(10 if day == DAY else 40)
    ]
    b.write("e.csv", HEADER + "\n".join(lines) + "\n")
    b.land("exposure", days)
    outcome = audit_in(b.settings, AT, "audit-1")
    assert [(f.day, f.expectation) for f in outcome.findings] == [
        (DAY, "A day has at least half the rows that are usual on its weekday.")
    ]


def test_slice_without_rows_is_audited(tmp_path: Path) -> None:
    source = replace(EXPOSURE, files="e/{day}.csv", arrival="file_per_day")
    b = Bench(tmp_path, sources=(source,))
    b.write(f"e/{DAY}.csv", HEADER)
    b.land("exposure", [DAY])
    outcome = audit_in(b.settings, AT, "audit-1")
    assert (outcome.warned, outcome.stopped) == (0, 0)
    assert outcome.passed > 0


def test_data_docs_are_written_and_ask_nothing_of_the_network(tmp_path: Path) -> None:
    b = bench(tmp_path, 2)
    audit_in(b.settings, AT, "audit-1")
    index = b.settings.data_docs / "index.html"
    assert 'href="landing/index.html"' in index.read_text()
    pages = list((b.settings.data_docs / "landing").rglob("*.html"))
    assert len(pages) >= 3
    for page in pages:
        text = page.read_text()
        assert 'src="http' not in text, page
        assert "@import" not in text, page
        assert re.search(r'<link[^>]*href="http', text) is None, page
        assert re.search(r"url\(['\"]?http", text) is None, page
    texts = "".join(page.read_text() for page in pages)
    assert "Impressions and clicks are not negative." in texts


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("- {type: a, kwargs: {}, severity: halt, reason: r}", "severity is 'halt'"),
        ("- {type: a, kwargs: {}, reason: r}", "expected exactly the keys"),
        ("- {type: a, kwargs: {}, severity: stop, reason: ''}", "reason must be a sentence"),
        ("a: b", "must be a list"),
        ("- {type: expect_nothing, kwargs: {}, severity: stop, reason: r}", "expect_nothing"),
    ],
)
def test_wrong_expectation_names_file_and_entry(tmp_path: Path, entry: str, message: str) -> None:
    b = bench(tmp_path, 1)
    settings = own_expectations(b, "exposure", entry)
    with pytest.raises(ConfigurationError, match=message) as caught:
        audit_in(settings, AT, "audit-1")
    assert "exposure.yml" in str(caught.value)


def test_audit_out_names_what_passed_was_noted_and_stopped(tmp_path: Path) -> None:
    b = Bench(tmp_path)
    text = (
        "- type: expect_column_values_to_not_be_null\n  kwargs: {column: a}\n"
        "  severity: stop\n  reason: There is an a.\n"
        "- type: expect_column_values_to_be_unique\n  kwargs: {column: b}\n"
        "  severity: stop\n  reason: One row per b.\n"
        "- type: unexpected_rows_expectation\n"
        "  kwargs: {unexpected_rows_query: 'select a from {batch} where a > 1'}\n"
        "  severity: warn\n  reason: No a above 1.\n"
    )
    settings = own_expectations(b, "t", text, "published")
    own_expectations(b, "gone", "- " + text.split("- ")[1], "published")
    path = tmp_path / "candidate.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table t as select * from (values (1, 1), (2, 1)) as v(a, b)")
    before = path.read_bytes()
    outcome = audit_out(settings, path, AT, "publish-1")
    assert (outcome.passed, outcome.warned, outcome.stopped) == (1, 1, 2)
    assert [(f.table_name, f.outcome, f.message) for f in outcome.findings] == [
        ("gone", "stopped", "The table gone is not there."),
        ("t", "stopped", "One row per b. (2 rows against it)"),
        ("t", "warned", "No a above 1. (1 row against it)"),
    ]
    assert len(RunLog(settings).checks_of("publish-1")) == 4
    assert path.read_bytes() == before
    renamed = tmp_path / "published.duckdb"
    shutil.move(path, renamed)
    with duckdb.connect(str(renamed)) as connection:  # nothing holds it any more
        connection.execute("insert into t values (3, 3)")
