"""The `kpi` command as a user meets it: sentences, exit codes, columns. A small published file."""

from __future__ import annotations

import csv
import io
import json
import logging
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from kpi_pipeline import answers, feed_calendar
from kpi_pipeline.audit import AuditOutcome
from kpi_pipeline.cli import main
from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.runlog import Check, RunLog
from kpi_pipeline.settings import Settings, from_environment
from kpi_pipeline.workspace import load

AT = datetime(2024, 7, 1, 18, tzinfo=UTC)
COLUMNS = (
    "kpi_id,product_id,scope_kind,scope_id,grain,period_start,as_of_date,period_end,value,"
    "numerator,denominator,is_complete,scope_changed,incomplete_because"
)
ROWS = """
('page_views', 'costa', 'product', 'costa', 'day', '2024-06-29', '2024-06-29', '2024-06-30',
 120.0, 120.0, null, true, false, null),
('page_views', 'costa', 'product', 'costa', 'day', '2024-06-30', '2024-06-30', '2024-07-01',
 null, null, null, false, false, 'absent_days'),
('page_views', '(all)', 'company', '(all)', 'month', '2024-06-01', '2024-06-30', '2024-07-01',
 4000.5, 4000.5, null, true, false, null),
('ctr', 'costa', 'channel', 'email', 'week', '2024-06-24', '2024-06-30', '2024-07-01',
 0.1, 1.0, 10.0, true, true, null)
"""
DRIVER_COLUMNS = (
    "kpi_id,product_id,scope_kind,scope_id,grain,period_start,as_of_date,comparison,dimension,"
    "member,effect,contribution,is_reversed,reason"
)
DRIVERS = """
('ctr', 'costa', 'product', 'costa', 'week', '2024-06-24', '2024-06-30', 'previous', 'channel',
 'email', 'rate', 0.25, true, null),
('ctr', 'costa', 'product', 'costa', 'week', '2024-06-24', '2024-06-30', 'previous', 'channel',
 '(all)', 'residual', 0.0, true, null),
('ctr', 'costa', 'product', 'costa', 'week', '2024-06-24', '2024-06-30', 'last_year', 'channel',
 '(all)', 'not_computed', null, false, 'no_last_year_period'),
('page_views', '(all)', 'company', '(all)', 'month', '2024-06-01', '2024-06-30', 'previous',
 'product', 'costa', 'volume', -7.0, false, null)
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    environment = {
        "KPI_HOME": str(tmp_path / "home"),
        "KPI_WORKSPACE": str(tmp_path / "workspace"),
        "KPI_HASH_KEY": "a key for tests only",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return from_environment(environment)


@pytest.fixture
def published(settings: Settings) -> Settings:
    settings.published.mkdir(parents=True)
    path = settings.published / "kpi-test.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table dim_kpis as select unnest(['page_views', 'ctr']) kpi_id")
        connection.execute(
            "create table fct_kpi_values as select kpi_id, product_id, scope_kind, scope_id, "
            "grain, period_start::date as period_start, as_of_date::date as as_of_date, "
            "period_end::date as period_end, value::double as value, numerator::double as "
            "numerator, denominator::double as denominator, is_complete, scope_changed, "
            f"incomplete_because from (values {ROWS}) as t({COLUMNS})"
        )
        connection.execute("create table fct_kpi_status as select * from fct_kpi_values")
        connection.execute(
            "create table fct_kpi_drivers as select kpi_id, product_id, scope_kind, scope_id, "
            "grain, period_start::date as period_start, as_of_date::date as as_of_date, "
            "comparison, dimension, member, effect, contribution::double as contribution, "
            f"is_reversed, reason from (values {DRIVERS}) as t({DRIVER_COLUMNS})"
        )
        connection.execute(
            "create table fct_kpi_cohorts as select product_id, scope_kind, scope_id, "
            'cohort_grain, cohort_start::date as cohort_start, "offset", users, active '
            "from (values"
            "('costa', 'product', 'costa', 'week', '2024-06-24', 1, 4, 3), "
            "('costa', 'product', 'costa', 'week', '2024-06-24', 0, 4, 4), "
            "('costa', 'channel', 'email', 'month', '2024-05-01', 0, 2, null)) as t(product_id, "
            'scope_kind, scope_id, cohort_grain, cohort_start, "offset", users, active)'
        )
    settings.current.symlink_to(path.name)
    return settings


def kpi(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `kpi <arguments>`."""
    monkeypatch.setattr(sys, "argv", ["kpi", *arguments])
    monkeypatch.setattr(logging, "disable", lambda _level: None)
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_values_without_filters_are_all_rows_with_the_columns_of_the_table(
    published: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = kpi(monkeypatch, capsys, "values", "--format", "csv")
    assert (code, err) == (0, "")
    assert out == (
        f"{COLUMNS}\n"
        "ctr,costa,channel,email,week,2024-06-24,2024-06-30,2024-07-01,0.1,1,10,true,true,\n"
        "page_views,(all),company,(all),month,2024-06-01,2024-06-30,2024-07-01,"
        "4000.5,4000.5,,true,false,\n"
        "page_views,costa,product,costa,day,2024-06-29,2024-06-29,2024-06-30,"
        "120,120,,true,false,\n"
        "page_views,costa,product,costa,day,2024-06-30,2024-06-30,2024-07-01,"
        ",,,false,false,absent_days\n"
    )


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (
            [],
            [
                "costa,channel,email,month,2024-05-01,0,2,",
                "costa,product,costa,week,2024-06-24,0,4,4",
                "costa,product,costa,week,2024-06-24,1,4,3",
            ],
        ),
        (["--grain", "month"], ["costa,channel,email,month,2024-05-01,0,2,"]),
        (["--scope", "channel:email", "--from", "2024-06-01"], []),
        (
            ["--product", "costa", "--to", "2024-05-31"],
            ["costa,channel,email,month,2024-05-01,0,2,"],
        ),
    ],
)
def test_cohorts_are_the_rows_of_their_table(
    published: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    rows: list[str],
) -> None:
    code, out, err = kpi(monkeypatch, capsys, "cohorts", "--format", "csv", *arguments)
    assert (code, err) == (0, "")
    header = "product_id,scope_kind,scope_id,cohort_grain,cohort_start,offset,users,active"
    assert out.splitlines() == [header, *rows]


CTR = "ctr,costa,product,costa,week,2024-06-24,2024-06-30"
PAGE_VIEWS = "page_views,(all),company,(all),month,2024-06-01,2024-06-30"
DRIVER_ROWS = [
    f"{CTR},previous,channel,(all),residual,0,true,",
    f"{CTR},previous,channel,email,rate,0.25,true,",
    f"{CTR},last_year,channel,(all),not_computed,,false,no_last_year_period",
    f"{PAGE_VIEWS},previous,product,costa,volume,-7,false,",
]


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        ([], DRIVER_ROWS),
        (["--comparison", "last_year"], DRIVER_ROWS[2:3]),
        (["--dimension", "product", "--dimension", "funnel"], DRIVER_ROWS[3:]),
        (["--kpi", "ctr", "--comparison", "previous", "--grain", "week"], DRIVER_ROWS[:2]),
        (["--scope", "company", "--to", "2024-05-31"], []),
    ],
)
def test_drivers_are_the_rows_of_their_table(
    published: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    rows: list[str],
) -> None:
    code, out, err = kpi(monkeypatch, capsys, "drivers", "--format", "csv", *arguments)
    assert (code, err) == (0, "")
    assert out.splitlines() == [DRIVER_COLUMNS, *rows]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dimension", "chanel"], "There is no dimension 'chanel'; did you mean 'channel'?"),
        (["--comparison", "yesterday"], "expected last_year, previous."),
    ],
)
def test_drivers_by_what_does_not_exist_are_refused(
    published: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    code, out, err = kpi(monkeypatch, capsys, "drivers", *arguments)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        (["--kpi", "ctr"], ["0.1"]),
        (["--kpi", "ctr", "--kpi", "page_views", "--grain", "day"], ["120", ""]),
        (["--scope", "company"], ["4000.5"]),
        (["--scope", "channel:email", "--scope", "company"], ["0.1", "4000.5"]),
        (["--scope", "channel:email", "--grain", "day"], []),
        (["--product", "(all)"], ["4000.5"]),
        (["--from", "2024-06-25", "--to", "2024-06-29"], ["120"]),
        (["--as-of", "2024-06-30", "--grain", "day"], [""]),
    ],
)
def test_filters_narrow_the_rows(
    published: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    values: list[str],
) -> None:
    _, out, _ = kpi(monkeypatch, capsys, "values", "--format", "csv", *arguments)
    assert [row["value"] for row in csv.DictReader(io.StringIO(out))] == values


def test_json_keeps_null_and_numbers(
    published: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = kpi(monkeypatch, capsys, "status", "--kpi", "ctr", "--format", "json")
    assert json.loads(out) == [
        {
            "kpi_id": "ctr",
            "product_id": "costa",
            "scope_kind": "channel",
            "scope_id": "email",
            "grain": "week",
            "period_start": "2024-06-24",
            "as_of_date": "2024-06-30",
            "period_end": "2024-07-01",
            "value": 0.1,
            "numerator": 1.0,
            "denominator": 10.0,
            "is_complete": True,
            "scope_changed": True,
            "incomplete_because": None,
        }
    ]
    _, none, _ = kpi(monkeypatch, capsys, "status", "--scope", "team", "--format", "json")
    assert json.loads(none) == []


def test_a_table_lines_up_and_shows_unknown_as_a_dash(
    published: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, err = kpi(monkeypatch, capsys, "values", "--grain", "day")
    head, first, second = out.splitlines()
    assert head.split() == COLUMNS.split(",")
    at = head.index(" value ") + 1
    assert (first[at : at + 3], second[at]) == ("120", "–")
    assert err == "2 rows\n"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["values", "--kpi", "page_view"], 2, "did you mean 'page_views'?"),
        (["values", "--grain", "year"], 2, "expected day, month, quarter, week"),
        (["values", "--product", "cost"], 2, "no product 'cost'; did you mean 'costa'?"),
        (["values", "--product", "x"], 2, "There is no product 'x'; expected (all), costa."),
        (["status", "--scope", "persn:ana"], 2, "scope kind 'persn'; did you mean 'person'?"),
        (["status", "--scope", "page"], 2, "scope kind 'page' here; expected company, product,"),
        (["drivers", "--grain", "day"], 2, "grain 'day' here; expected week, month, quarter."),
        (["cohorts", "--scope", "team"], 2, "scope kind 'team' here; expected product, channel."),
        (["values", "--from", "2024-02-02", "--to", "2024-02-01"], 2, "is later than --to"),
        (
            ["values", "--scope", "x"],
            2,
            "company, content_type, device, page, person, placement, product, team.",
        ),
        (["values", "--scope", "channel:emial"], 2, "no channel 'emial'; did you mean 'email'?"),
        (["values", "--scope", "person:ana"], 2, "no person 'ana'; expected none at all."),
        (["run", "--from", "2024-06-30", "--to", "2024-06-29"], 2, "is before --from"),
        (["run", "--from", "30/06/2024", "--to", "2024-06-30"], 2, "write YYYY-MM-DD"),
        (["send", "--at", "2024-07-01T12:00"], 2, "has no offset"),
        (["send", "--report", "yearly"], 2, "There is no report 'yearly'"),
        (["build"], 2, "is not a folder"),
        (["feeds"], 2, "is not a folder"),
        (
            ["feeds", "--feed", "trafic"],
            2,
            "no feed 'trafic'; feeds: page_views, traffic, exposure",
        ),
        (["feeds", "--feed", "trafic"], 2, "did you mean 'traffic'?"),
        (["feeds", "--from", "2024-06-30", "--to", "2024-06-29"], 2, "is before --from"),
        (["feeds", "--format", "table"], 2, "'table' is not one of 'calendar', 'csv', 'json'"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_mistakes_are_a_sentence_on_stderr_and_a_code(
    published: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    sentence: str,
) -> None:
    got, out, err = kpi(monkeypatch, capsys, *arguments)
    assert (got, out) == (code, "")
    assert sentence in err
    assert "Traceback" not in err


def test_a_product_that_is_not_there_is_not_landed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kpi(monkeypatch, capsys, "init")
    known = list(load(settings.workspace).products)
    days = ["--from", "2024-06-30", "--to", "2024-06-30"]
    code, out, err = kpi(monkeypatch, capsys, "land", *days, "--product", known[0][:-1])
    assert (code, out) == (2, "")
    assert f"There is no product {known[0][:-1]!r}; products: {', '.join(known)}; " in err
    assert f"did you mean {known[0]!r}?" in err
    assert not (settings.home / "landing").exists()


def test_the_calendar_of_feeds_is_text_csv_and_json(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kpi(monkeypatch, capsys, "init")
    code, out, err = kpi(monkeypatch, capsys, "feeds")
    assert (code, err) == (0, "")
    assert out == "Nothing was loaded yet; `kpi land --from DAY --to DAY` loads days.\n"
    _, out, _ = kpi(monkeypatch, capsys, "feeds", "--format", "csv")
    assert out == ",".join(feed_calendar.COLUMNS) + "\n"
    product = next(iter(load(settings.workspace).products))
    days = ["--from", "2026-01-05", "--to", "2026-01-05", "--product", product]
    one = ["feeds", *days, "--feed", "page_views", "--at", "2026-01-07T12:00Z"]
    _, out, _ = kpi(monkeypatch, capsys, *one)
    assert out.splitlines()[:4] == [
        "2026-01-05 to 2026-01-05, as of 2026-01-07 12:00 UTC",
        "",
        f"2026{' ' * (len(product) + 10)}01-05",
        f"page_views  {product}  M",
    ]
    _, out, _ = kpi(monkeypatch, capsys, *one, "--format", "json")
    (row,) = json.loads(out)
    assert list(row) == list(feed_calendar.COLUMNS)
    assert (row["day"], row["state"]) == ("2026-01-05", "missing")
    code, _, err = kpi(monkeypatch, capsys, "feeds", "--product", product[:-1])
    assert (code, f"did you mean {product!r}?" in err) == (2, True)


def test_nothing_published_is_a_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = kpi(monkeypatch, capsys, "values")
    assert code == 1
    assert "Nothing was published yet" in err


def test_a_defect_is_one_sentence_and_keeps_the_traceback_in_a_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of its own making")

    monkeypatch.setattr("kpi_pipeline.run.send", broken)
    arguments = ("send", "--at", "2024-07-01T12:00Z", "--report", "specialist_daily")
    code, _, err = kpi(monkeypatch, capsys, *arguments)
    assert code == 70
    assert "ZeroDivisionError: of its own making" in err
    assert "Traceback" not in err
    kept = settings.home / "logs" / "defect.txt"
    assert "Traceback" in kept.read_text(encoding="utf-8")


def test_help_states_every_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = kpi(monkeypatch, capsys, "--help")
    assert code == 0
    words = " ".join(out.split())
    for number in (0, 1, 2, 3, 4, 5, 70):
        assert f"{number} " in words.split("Exit codes:")[1]


def test_the_commands_of_the_contract_are_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = kpi(monkeypatch, capsys, "--help")
    listed = {line.split()[0] for line in out.split("Commands:")[1].splitlines() if line.strip()}
    assert listed >= {
        "run",
        "land",
        "build",
        "publish",
        "send",
        "feeds",
        "quarantine",
        "source",
        "values",
        "status",
        "preview",
        "init",
        "doctor",
        "demo-data",
        "docs",
    }


def test_init_writes_a_workspace_that_the_doctor_can_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = kpi(monkeypatch, capsys, "init")
    assert code == 0
    assert str(settings.workspace) in out
    assert (settings.workspace / "sources.yml").exists()
    code, out, _ = kpi(monkeypatch, capsys, "doctor")
    found = {line[8:].split(":")[0]: line[:7].strip() for line in out.splitlines()}
    assert found["environment"] == found["key"] == found["home"] == found["disk"] == "ok"
    assert found["published file"] == "ok"
    assert code == 0


def test_the_output_of_a_reader_that_leaves_early_ends_quietly(published: Settings) -> None:
    command = [sys.executable, "-m", "kpi_pipeline.cli", "values", "--format", "csv"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate()
    assert b"Traceback" not in err


def test_a_scope_may_hold_quotes_without_harm(published: Settings) -> None:
    question = answers.Question(scopes=("channel:x' or 1=1 --",))
    with (
        pytest.raises(ConfigurationError, match="There is no channel"),
        answers.asked(published, "fct_kpi_values", question),
    ):
        pass


def test_days_bound_the_periods_start(published: Settings) -> None:
    question = answers.Question(first=date(2024, 6, 30), grains=("day",))
    with answers.asked(published, "fct_kpi_values", question) as (_, rows):
        assert [row[5] for row in rows] == [date(2024, 6, 30)]
    with (
        pytest.raises(ConfigurationError, match="There is no KPI 'nope'"),
        answers.asked(published, "fct_kpi_values", answers.Question(kpis=("nope",))),
    ):
        pass


def test_a_refused_command_leaves_no_open_run(
    published: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kpi(monkeypatch, capsys, "build")
    assert [run["outcome"] for run in RunLog(published).runs() if run["outcome"] is None] == []


def test_a_build_without_days_that_checks_refuse_ends_with_1_and_names_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    day = date(2024, 6, 30)
    found = Check(
        "audit-1", AT, "in", "slices", "Enough.", "stop", "stopped", "traffic", "costa", day,
        message=f"costa, {day}: Too few.",
    )  # fmt: skip
    built = SimpleNamespace(slices=3, models=20, seconds=1.0)
    monkeypatch.setattr("kpi_pipeline.run.audit_in", lambda *_: AuditOutcome(9, 0, 1, (found,)))
    monkeypatch.setattr("kpi_pipeline.run.build", lambda *_, **__: built)
    code, out, err = kpi(monkeypatch, capsys, "build")
    assert code == 1
    assert out == "audit: 9 checks passed, 0 warned, 1 stopped\nbuild: 3 slices, 20 models, 1.0 s\n"
    assert err == f"kpi: traffic of costa on {day} is rejected: Too few.\n"


def test_a_run_without_some_days_ends_with_1_and_names_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = SimpleNamespace(computed="all of it", deliveries=(), rejected=("One.", "Another."))
    monkeypatch.setattr("kpi_pipeline.run.everything", lambda *_: done)
    code, out, err = kpi(monkeypatch, capsys, "run", "--from", "2024-06-30", "--to", "2024-06-30")
    assert (code, out) == (1, "computed: all of it\nmails: nothing due\n")
    assert err == "kpi: One.\nAnother.\n"
