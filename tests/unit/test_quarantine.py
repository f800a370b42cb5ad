"""Rows in quarantine: grouped, explained with options that do read them, and landed again."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
import small_company

from kpi_pipeline import run as steps
from kpi_pipeline.cli import main
from kpi_pipeline.errors import PipelineError
from kpi_pipeline.quarantine import Asked, Group, Relanded, asked, reland
from kpi_pipeline.quarantine_remedies import Remedy, readable, remedies, source_of
from kpi_pipeline.quarantine_text import explained, listed, relanded, shown
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import folder_of, read_slice
from kpi_pipeline.workspace.model import Source

MONDAY, TUESDAY = date(2024, 2, 5), date(2024, 2, 6)
AT = datetime(2024, 2, 10, 12, tzinfo=UTC)
FEEDS = {"york": ("traffic", "exposure"), "rio": ("user_growth",)}
TRAFFIC = Source("traffic", "traffic", "york", "visits.csv", "csv", "covering")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    workspace = small_company.write_workspace(tmp_path, feeds=FEEDS)
    for day in (MONDAY, TUESDAY):
        small_company.write_day(workspace, day, feeds=FEEDS)
    return small_company.settings_for(tmp_path, workspace)


def spoil(settings: Settings) -> None:
    """Two rows of one kind, one of another, a line that is no row, and one of another feed."""
    traffic = {"source": "s", "medium": "m", "visits": 3}
    for day in (MONDAY, TUESDAY):
        bad = {**traffic, "date": day, "bounces": "1.000"}
        small_company.add_rows(settings.workspace, "york", "traffic", day, [bad])
    late = {**traffic, "date": "06.02.2024"}
    small_company.add_rows(settings.workspace, "york", "traffic", TUESDAY, [late])
    with (settings.workspace / f"data/york/traffic/{TUESDAY}.csv").open("a") as file:
        file.write("Total,9\n")
    user = {"user_id": "u-secret", "signed_up_at": "yesterday"}
    small_company.add_rows(settings.workspace, "rio", "users", TUESDAY, [user])


def load(settings: Settings) -> None:
    for feed in ("traffic", "user_growth"):
        steps.load(settings, feed, None, [MONDAY, TUESDAY], AT)


@pytest.fixture
def spoiled(settings: Settings) -> Settings:
    spoil(settings)
    load(settings)
    return settings


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


BOUNCES = Group(
    feed="traffic",
    product_id="york",
    table_name="traffic",
    column_name="bounces",
    reason="looks grouped in thousands; say how in thousands_separator",
    expected="a whole number from 0, as 1234",
    rows=2,
    days=2,
    first_day=MONDAY,
    last_day=TUESDAY,
    value="1.000",
    source_file=f"data/york/traffic/{MONDAY}.csv",
    row_number=8,
)
LATE = replace(
    BOUNCES,
    column_name="date",
    reason="cannot be read as declared",
    expected="a date as 2024-06-30",
    rows=1,
    days=1,
    first_day=TUESDAY,
    value="06.02.2024",
    source_file=f"data/york/traffic/{TUESDAY}.csv",
    row_number=9,
)
TOTAL = replace(
    LATE,
    column_name=None,
    reason="the line has 2 columns",
    expected="9 columns",
    value=None,
    row_number=10,
)


def test_groups_are_what_has_the_same_reason_with_its_first_row(spoiled: Settings) -> None:
    with asked(spoiled, Asked(feeds=("traffic",))) as found:
        assert found.groups() == [BOUNCES, LATE, TOTAL]
        assert found.values(BOUNCES, 10) == [("1.000", 2)]
        assert found.values(TOTAL, 10) == []
        assert found.landed_beside(BOUNCES) == 12
        assert found.landed_beside(LATE) == 6
        assert found.days() == {("traffic", "york"): {MONDAY: 1, TUESDAY: 3}}


@pytest.mark.parametrize(
    ("which", "rows"),
    [
        (Asked(), 5),
        (Asked(feeds=("user_growth",)), 1),
        (Asked(products=("york",)), 4),
        (Asked(columns=("bounces", "signed_up_at")), 3),
        (Asked(first=TUESDAY), 4),
        (Asked(last=MONDAY), 1),
        (Asked(feeds=("exposure",)), 0),
    ],
)
def test_filters_narrow_the_rows(spoiled: Settings, which: Asked, rows: int) -> None:
    with asked(spoiled, which) as found:
        assert (found.count(), len(list(found.rows()))) == (rows, rows)


def test_rows_say_where_they_stand_and_hold_no_identifier(spoiled: Settings) -> None:
    with asked(spoiled, Asked(columns=("signed_up_at",))) as found:
        (row,) = found.rows()
    assert row[:10] == (
        "user_growth",
        "rio",
        TUESDAY,
        "users",
        f"data/rio/users/{TUESDAY}.csv",
        row[5],
        "signed_up_at",
        "yesterday",
        "a time as 2024-06-30T23:59:00Z",
        row[9],
    )
    assert json.loads(row[10])["signed_up_at"] == "yesterday"
    assert "secret" not in str(row)
    with asked(spoiled, Asked()) as found:
        assert len(list(found.rows(2))) == 2


def test_the_most_frequent_values_come_first(settings: Settings) -> None:
    row = {"date": MONDAY, "source": "s", "medium": "m", "visits": 3}
    for number, value in enumerate(["a few", "many", "some", "many"]):
        bad = {**row, "campaign": number, "bounces": value}
        small_company.add_rows(settings.workspace, "york", "traffic", MONDAY, [bad])
    load(settings)
    with asked(settings, Asked()) as found:
        (group,) = found.groups()
        assert found.values(group, 2) == [("many", 2), ("a few", 1)]


def test_a_file_that_is_gone_is_a_sentence(spoiled: Settings) -> None:
    folder = folder_of(spoiled.landing, "traffic", "york", MONDAY)
    piece = read_slice(folder)
    assert piece is not None
    (folder / str(piece.quarantine_file)).unlink()
    with (
        pytest.raises(PipelineError, match=r"is gone; land that day again: kpi land --feed traf"),
        asked(spoiled, Asked()),
    ):
        pass


def test_landing_again_touches_the_affected_days_only_and_says_what_changed(
    spoiled: Settings,
) -> None:
    small_company.write_day(spoiled.workspace, TUESDAY, feeds=FEEDS)
    path = spoiled.workspace / f"data/york/traffic/{MONDAY}.csv"
    path.write_text(path.read_text() + "Total,8\n")
    said: list[str] = []
    done = reland(spoiled, Asked(columns=("date",)), AT, said.append)
    assert done == [Relanded("traffic", "york", (TUESDAY,), (), 3, 0, True)]
    assert list(relanded(done)) == [
        "traffic of york: 1 day landed again; 3 rows in quarantine before, 0 now",
        "The content changed: kpi build && kpi publish",
    ]
    done = reland(spoiled, Asked(feeds=("traffic",)), AT, said.append)
    assert done == [Relanded("traffic", "york", (MONDAY,), (), 1, 2, True)]
    done = reland(spoiled, Asked(feeds=("traffic",)), AT, said.append)
    assert done == [Relanded("traffic", "york", (MONDAY,), (), 2, 2, False)]
    assert list(relanded(done))[-1] == "Nothing changed by it, so it needs no build."


def test_a_day_whose_file_is_gone_is_not_replaced_by_nothing(spoiled: Settings) -> None:
    (spoiled.workspace / f"data/york/traffic/{MONDAY}.csv").unlink()
    before = read_slice(folder_of(spoiled.landing, "traffic", "york", MONDAY))
    done = reland(spoiled, Asked(products=("york",)), AT, lambda _: None)
    assert done == [Relanded("traffic", "york", (TUESDAY,), (MONDAY,), 3, 3, False)]
    assert read_slice(folder_of(spoiled.landing, "traffic", "york", MONDAY)) == before
    assert list(relanded(done))[1] == (
        "traffic of york: 1 day left as they are, because their source is not there any more: "
        "2024-02-05"
    )


STYLE = '`decimal_separator: ","` with `thousands_separator: "."`'
EXPORT = "; only who makes the export knows which."


@pytest.mark.parametrize(
    ("changes", "column", "values", "said"),
    [
        ({}, "bounces", {"1,234": 2}, '`thousands_separator: ","` in sources.yml reads all 2.'),
        ({}, "bounces", {"1.234": 1}, f"{STYLE} in sources.yml reads it."),
        (
            {"decimal_separator": ",", "thousands_separator": "."},
            "bounces",
            {"1 234": 1},
            "`thousands_separator: space` in sources.yml reads it.",
        ),
        (
            {},
            "bounces",
            {"1,234": 2, "12 apples": 1},
            '`thousands_separator: ","` in sources.yml reads 2 of 3. '
            "The rest must be corrected in the file.",
        ),
        (
            {},
            "bounces",
            {"45.3 %": 1},
            '`columns: {bounces: {column: "bounces", percent_of: visits}}` in sources.yml '
            "reads it.",
        ),
        (
            {},
            "bounces",
            {"45,3 %": 1},
            '`columns: {bounces: {column: "bounces", percent_of: visits}}` with '
            '`decimal_separator: ","` in sources.yml reads it.',
        ),
        (
            {"columns": {"duration_seconds": "Avg. time"}},
            "duration_seconds",
            {"83.5": 3},
            '`columns: {duration_seconds: {column: "Avg. time", mean_of: visits}}` in sources.yml '
            "reads all 3.",
        ),
        (
            {},
            "bounces",
            {"N/A": 2, "-": 1},
            '`null_tokens: ["", "N/A", "-"]` in sources.yml reads all 3, as no value.',
        ),
        (
            {},
            "visits",
            {"N/A": 2},
            "'N/A' says that there is no value, and traffic requires visits: have the file say "
            "the number, 0 if it means none.",
        ),
        (
            {},
            "date",
            {"30.06.2024": 4},
            '`time_format: "%d.%m.%Y"` in sources.yml reads all 4.',
        ),
        (
            {},
            "date",
            {"03/04/2024": 1},
            '`time_format: "%d/%m/%Y"` or `time_format: "%m/%d/%Y"` in sources.yml reads it'
            + EXPORT,
        ),
        (
            {},
            "date",
            {"03/04/2024": 1, "25/04/2024": 1},
            '`time_format: "%d/%m/%Y"` in sources.yml reads all 2.',
        ),
        (
            {"time_format": "%d/%m/%Y"},
            "date",
            {"2024-06-30": 1},
            "no time_format in sources.yml reads it.",
        ),
        (
            {"columns": {"visits": "Sessions"}},
            "visits",
            {"twelve": 1},
            "No option of sources.yml reads this. Is 'Sessions' the right column for visits? "
            "If it is, have it corrected in the file.",
        ),
        (
            {},
            "bounces",
            {"-12-": 1},
            "No option of sources.yml reads this. Is 'bounces' the right column for bounces? "
            "If it is, have it corrected in the file.",
        ),
        (
            {"constants": {"visits": "many"}},
            "visits",
            {"many": 9},
            "Correct `constants: {visits: many}` in sources.yml.",
        ),
    ],
)
def test_an_option_that_reads_the_values_is_named(
    connection: duckdb.DuckDBPyConnection,
    changes: dict[str, object],
    column: str,
    values: dict[str, int],
    said: str,
) -> None:
    source = replace(TRAFFIC, **changes)
    found = remedies(connection, source, "UTC", column, "cannot be read as declared", values)
    assert [remedy.text for remedy in found] == [said]


def test_an_option_that_would_spoil_the_rows_beside_is_not_advised(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    args = (connection, TRAFFIC, "UTC", "date", "cannot be read as declared", {"30.06.2024": 1})
    assert remedies(*args, 24) == [
        Remedy(
            "Have it corrected in the file, so that all rows are written alike: "
            '`time_format: "%d.%m.%Y"` would read it, but 24 rows beside landed without.'
        )
    ]
    grouped = (*args[:3], "bounces", args[4], {"1,234": 1})
    assert remedies(*grouped, 24) == remedies(*grouped, 0)


def test_another_decimal_separator_is_advised_with_what_it_would_set_aside(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    args = (connection, TRAFFIC, "UTC", "visits", "cannot be read", {"1.234,00": 2})
    (found,) = remedies(*args, 24)
    assert found.text == (
        f"{STYLE} in sources.yml reads all 2. Rows that landed with a '.' before their decimals "
        "would then be set aside."
    )
    assert remedies(*args, 0)[0].text == f"{STYLE} in sources.yml reads all 2."


def test_a_total_among_the_values_is_dropped_by_its_name(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    values = {"Grand total": 1, "30.06.2024": 2}
    args = (connection, TRAFFIC, "UTC", "date", "cannot be read as declared", values)
    assert remedies(*args) == [
        Remedy('`total_rows: ["Grand total"]` in sources.yml drops rows that begin so.', 1),
        Remedy('`time_format: "%d.%m.%Y"` in sources.yml reads all 2.', 2),
    ]
    lines = replace(TRAFFIC, format="jsonl")
    found = remedies(connection, lines, *args[2:5], {"Total": 1})
    assert "total_rows" not in found[0].text


def test_numbers_and_nothings_in_one_group_have_a_remedy_each(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    values = {"1,234": 2, "n/a": 1}
    found = remedies(connection, TRAFFIC, "UTC", "bounces", "cannot be read", values)
    assert [(remedy.rows, remedy.text[:13]) for remedy in found] == [
        (1, "`null_tokens:"),
        (2, "`thousands_se"),
    ]
    both = replace(TRAFFIC, thousands_separator=",", null_tokens=("", "n/a"))
    assert readable(connection, both, "UTC", "bounces", {"1,234": 2}) == 2


@pytest.mark.parametrize(
    ("column", "reason", "values", "begins"),
    [
        (None, "the line has 2 columns", {}, "The header has another number of columns."),
        (None, "a quote is not closed", {}, 'A text begins with " and does not end with one'),
        (None, "the line is not UTF-8", {}, "The file is declared as utf-8."),
        (None, "the line is not a JSON object", {}, "A line of JSON lines is one object"),
        ("visits", "is missing", {}, "traffic requires visits, and the column 'visits' has no"),
        ("visits", "is negative", {"-3": 1}, "Correct it in the file; a visits below 0 cannot"),
        ("site", "is no product of sources.yml", {"blog": 2}, "'blog' in 'site' is no value of"),
    ],
)
def test_what_no_option_reads_is_explained_too(
    connection: duckdb.DuckDBPyConnection,
    column: str | None,
    reason: str,
    values: dict[str, int],
    begins: str,
) -> None:
    source = replace(TRAFFIC, product_column="site")
    (found,) = remedies(connection, source, "UTC", column, reason, values)
    assert found.text.startswith(begins)


def test_a_line_of_a_log_is_not_explained_as_one_of_a_table(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    source = replace(TRAFFIC, feed="page_views", table="page_views", format="access_log")
    (found,) = remedies(connection, source, "UTC", None, "its quotes do not match", {})
    stamp = {"[31/Feb/2024:10:00:00 +0000]": 1}
    assert remedies(connection, source, "UTC", "occurred_at", "its time is none", stamp) == [found]
    assert found.text.startswith("The line is cut off or damaged; the others are not affected.")


def test_an_unknown_grain_is_told_the_one_that_is_meant(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    source = replace(TRAFFIC, table="traffic_uniques")
    args = (connection, source, "UTC", "grain", "is not a grain")
    assert remedies(*args, {"Weekly": 3})[0].text == (
        "Have the file say day, week, month, quarter: 'week' for 'Weekly'. "
        "If it is that for all rows: `constants: {grain: week}` in sources.yml."
    )
    constant = replace(source, constants={"grain": "monht"})
    found = remedies(connection, constant, "UTC", "grain", "is not a grain", {"monht": 3})
    assert found[0].text == (
        "Correct the grain under constants in sources.yml: 'month' for 'monht'."
    )


def test_a_source_is_found_by_table_and_by_the_file_most_like_its_pattern() -> None:
    spring = replace(TRAFFIC, files="data/spring/*.csv")
    autumn = replace(TRAFFIC, files="data/autumn/*.csv")
    uniques = replace(TRAFFIC, table="traffic_uniques")
    sources = (spring, autumn, uniques)
    assert source_of(sources, "traffic", "data/autumn/2024.csv") is autumn
    assert source_of(sources, "traffic_uniques", "x.csv") is uniques
    assert source_of(sources, "users", "x.csv") is None


def test_the_text_lists_groups_and_explains_one() -> None:
    assert list(listed([BOUNCES, TOTAL])) == [
        "3 rows in quarantine, in 2 groups.",
        "",
        "traffic of york, 2024-02-05 to 2024-02-06 (2 days): 2 rows",
        "  bounces of traffic: '1.000' looks grouped in thousands; say how in thousands_separator",
        "  expected a whole number from 0, as 1234; first in data/york/traffic/2024-02-05.csv, "
        "row 8",
        "",
        "traffic of york, 2024-02-06: 1 row",
        "  traffic: the line has 2 columns",
        "  expected 9 columns; in data/york/traffic/2024-02-06.csv, row 10",
        "",
        "What to do: kpi quarantine explain. The rows: kpi quarantine show.",
    ]
    values = [("1.000", 5), ("2.000", 2), ("3.000", 1), ("4.000", 1)]
    assert list(explained(BOUNCES, values, [Remedy("Do this."), Remedy("Or that.")]))[3:] == [
        "  also '2.000' (2 rows), '3.000' (1 row) and 1 more",
        "  - Do this.",
        "  - Or that.",
    ]


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert shown("a\x1b[31m\nb\u202ec") == "a\\x1b[31m\\nb\\u202ec"
    assert shown("é" * 90) == "é" * 79 + "…"


def kpi(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *arguments: str,
) -> tuple[int, str, str]:
    for name, value in (
        ("KPI_WORKSPACE", settings.workspace),
        ("KPI_HOME", settings.home),
        ("KPI_HASH_KEY", settings.hash_key),
    ):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(sys, "argv", ["kpi", "quarantine", *arguments])
    monkeypatch.setattr(logging, "disable", lambda _level: None)
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_commands_from_a_bad_row_to_a_landed_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        return kpi(settings, monkeypatch, capsys, *arguments)

    for command in ("list", "show", "explain", "reland"):
        assert run(command) == (0, "Nothing is in quarantine.\n", "")
    spoil(settings)
    load(settings)
    assert run("list")[1].startswith("5 rows in quarantine, in 4 groups.\n")
    assert run("list", "--feed", "exposure")[1] == "Nothing of that is in quarantine.\n"
    _, out, _ = run("list", "--format", "json", "--column", "bounces")
    assert [(group["rows"], group["value"]) for group in json.loads(out)] == [(2, "1.000")]
    _, out, err = run("show", "--rows", "2", "--feed", "traffic")
    assert (len(out.splitlines()), err) == (3, "2 rows of 4; --rows shows more\n")
    assert len(run("show", "--format", "csv")[1].splitlines()) == 6
    _, out, _ = run("explain", "--column", "bounces")
    assert (
        f"  - {STYLE} in sources.yml reads all 2. Rows that landed with a '.' before their "
        "decimals would then be set aside.\n"
    ) in out
    assert (
        "  Then: kpi quarantine reland --feed traffic --product york "
        "--from 2024-02-05 --to 2024-02-06\n"
    ) in out
    sources = settings.workspace / "sources.yml"
    style = "table: traffic, decimal_separator: ',', thousands_separator: .,"
    sources.write_text(sources.read_text().replace("table: traffic,", style))
    _, out, _ = run("reland", "--feed", "traffic")
    assert out == (
        "traffic of york: 2 days landed again; 4 rows in quarantine before, 2 now\n"
        "The content changed: kpi build && kpi publish\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["list", "--feed", "trafic"], "did you mean 'traffic'?"),
        (["show", "--product", "yorck"], "did you mean 'york'?"),
        (["explain", "--column", "visit"], "did you mean 'visits'?"),
        (["reland", "--from", "2024-02-06", "--to", "2024-02-05"], "is before --from"),
        (["lst"], "Did you mean 'list'?"),
    ],
)
def test_mistakes_name_the_nearest(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    code, out, err = kpi(settings, monkeypatch, capsys, *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
