"""Bad input as people meet it: through the command, with its exit code, its sentence, its rows.

What the other rows, files, days and products hold must land, and what had landed must stay.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest

from kpi_pipeline import cli
from kpi_pipeline.feeds import reading
from kpi_pipeline.landing import judge
from kpi_pipeline.slices import Slice, folder_of, read_slice
from kpi_pipeline.workspace import load, write_template

DAYS = (date(2024, 6, 28), date(2024, 6, 29), date(2024, 6, 30))
DAY = DAYS[-1]
AT = "2024-07-15T08:00Z"
PAGES = "event_id,occurred_at,visitor_id,url"
TRAFFIC = "date,source,medium,campaign,device,visits"


def page(name: str, day: date = DAY) -> str:
    return f"{name},{day}T10:00:00Z,v,/{name}\n"


def pages(*names: str, day: date = DAY) -> str:
    return f"{PAGES}\n" + "".join(page(name, day) for name in names)


def visits(*rows: str) -> str:
    return f"{TRAFFIC}\n" + "".join(f"{row}\n" for row in rows)


@dataclass
class Company:
    """A workspace on disk with one product, its home, and the `kpi` command."""

    root: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def declare(self, files: str, *, feed: str = "page_views", **options: object) -> None:
        """The only source. Its arrival is told by its name; JSON is YAML."""
        is_daily = "{day}" in files
        arrival = {"arrival": "file_per_day" if is_daily else "covering"}
        last = {} if is_daily else {"last_day_complete": True}
        source = {"feed": feed, "product": "website", "files": files, "format": "csv"}
        content = {
            "give_up_at": dict.fromkeys(
                ("page_views", "traffic", "exposure", "user_growth"), "12:00"
            ),
            "sources": [source | arrival | last | options],
        }
        self.write("sources.yml", json.dumps(content))

    def kpi(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        self.monkeypatch.setattr(sys, "argv", ["kpi", *arguments])
        code: object = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        out, err = self.capsys.readouterr()
        assert isinstance(code, int)
        assert "Traceback" not in out + err
        return code, out, err

    def land(self, feed: str = "page_views") -> tuple[int, str]:
        """Exit code and the error of landing all days; the sentence alone, without progress."""
        span = ["--from", str(DAYS[0]), "--to", str(DAY), "--at", AT, "--feed", feed]
        code, _, err = self.kpi("land", *span)
        _, found, sentence = err.partition("kpi: ")
        return code, sentence.strip() if found else ""

    def slice(self, day: date = DAY, feed: str = "page_views") -> Slice:
        piece = read_slice(folder_of(self.home / "landing", feed, "website", day))
        assert piece is not None
        return piece

    def rows(self, columns: str, day: date = DAY, feed: str = "page_views") -> list[object]:
        """What the slice's first table holds; single values where it is one column."""
        piece = self.slice(day, feed)
        return self._read(piece, piece.tables[feed].file, columns)

    def aside(self, day: date = DAY, feed: str = "page_views") -> list[object]:
        """File, row, column, what was expected and why."""
        piece = self.slice(day, feed)
        assert piece.read == piece.landed + piece.quarantined + piece.dropped
        columns = "source_file, row_number, column_name, expected, reason"
        return self._read(piece, piece.quarantine_file, columns)

    def _read(self, piece: Slice, file: str | None, columns: str) -> list[object]:
        if file is None:
            return []
        folder = folder_of(self.home / "landing", piece.feed, piece.product_id, piece.day)
        with duckdb.connect() as connection:
            found = connection.execute(
                f"select {columns} from read_parquet(?) order by all", [str(folder / file)]
            ).fetchall()
        return [row[0] if len(row) == 1 else row for row in found]


@pytest.fixture
def company(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Company:
    write_template(tmp_path / "workspace")
    for name, value in {
        "KPI_HOME": str(tmp_path / "home"),
        "KPI_WORKSPACE": str(tmp_path / "workspace"),
        "KPI_HASH_KEY": "a key for tests only",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(logging, "disable", lambda _level: None)
    made = Company(tmp_path, monkeypatch, capsys)
    change(made, "products", "2026-01-01", "2024-01-01")
    change(made, "products", "Europe/Madrid", "UTC")
    change(made, "product_stages", "2026-01-01", "2024-01-01")
    made.declare("pv/{day}.csv")
    return made


def change(company: Company, table: str, old: str, new: str) -> None:
    path = company.workspace / "organisation" / f"{table}.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# --- a file that cannot be used rejects its day, alone -------------------------------------------

CUT = gzip.compress(pages(*(f"e{n * 7919 % 100_003}" for n in range(5000))).encode())[:-500]
UNUSABLE = {
    "a missing column": (
        "pv/{day}.csv",
        pages("e1").replace(",url", ",page"),
        "has no column 'url'; it has event_id, occurred_at, visitor_id, page.",
    ),
    "a column renamed, and its like is there": (
        "pv/{day}.csv",
        pages("e1").replace("occurred_at", "ocurred_at"),
        "has no column 'occurred_at'; it has event_id, ocurred_at, visitor_id, url. Did you mean "
        "'ocurred_at'?",
    ),
    "a column twice": (
        "pv/{day}.csv",
        pages("e1").replace("event_id", "url"),
        "has the column 'url' more than once.",
    ),
    "a truncated gzip": (
        "pv/{day}.csv.gz",
        CUT,
        "cannot be read: it is cut off: its gzip data end too early. Deliver the whole file again.",
    ),
    "a gzip that is none": (
        "pv/{day}.csv.gz",
        b"\x89PNG not gzip",
        "cannot be read: IO Error: Input is not a GZIP stream: ",
    ),
    "NUL bytes in the header": (
        "pv/{day}.csv",
        b"\0\0" + pages("e1").encode(),
        "has a header that has NUL characters; it is no text file.",
    ),
    "a header that is not UTF-8": (
        "pv/{day}.csv",
        pages("e1").encode().replace(b"url", b"url,caf\xe9"),
        "has a header that is not UTF-8.",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_file_that_cannot_be_used_stops_its_day_and_no_other(company: Company, case: str) -> None:
    files, content, problem = UNUSABLE[case]
    company.declare(files)
    before = pages("e1", "e2", day=DAYS[0])
    is_packed = files.endswith(".gz")
    for day in DAYS[:2]:
        text = before.replace(str(DAYS[0]), str(day)).encode()
        company.write(files.format(day=day), gzip.compress(text) if is_packed else text)
    name = files.format(day=DAY)
    company.write(name, content)
    code, said = company.land()
    assert code == 1
    assert said.startswith(f"page_views of website on {DAY} is rejected: {name} {problem}")
    assert [company.slice(day).status for day in DAYS] == ["landed", "landed", "rejected"]
    assert company.rows("url", DAYS[1]) == ["/e1", "/e2"]


def test_an_empty_file_is_a_day_of_zero_and_a_missing_one_is_no_day(company: Company) -> None:
    company.write(f"pv/{DAYS[0]}.csv", pages("e1", day=DAYS[0]))
    company.write(f"pv/{DAYS[1]}.csv", "")
    assert company.land() == (0, "")
    found = [(company.slice(day).status, company.slice(day).landed) for day in DAYS]
    assert found == [("landed", 1), ("landed", 0), ("absent", 0)]


# --- a column that was there the day before ------------------------------------------------------


@pytest.mark.parametrize(("optional", "code"), [([], 1), (["referrer"], 0)])
def test_a_column_that_is_renamed_stops_unless_it_may_be_missing(
    company: Company, optional: list[str], code: int
) -> None:
    company.declare("pv/{day}.csv", optional=optional)
    old = pages("e1", day=DAYS[1]).replace("url\n", "url,referrer\n").replace("/e1", "/e1,/from")
    company.write(f"pv/{DAYS[1]}.csv", old)
    new = old.replace("referrer", "referer").replace(str(DAYS[1]), str(DAY))
    company.write(f"pv/{DAY}.csv", new)
    got, said = company.land()
    assert got == code
    assert company.slice().status == ("rejected" if code else "landed")
    assert company.rows("referrer", DAYS[1]) == ["/from"]
    if code:
        assert f"pv/{DAY}.csv no longer has the column 'referrer', which was there " in said
        assert "Did 'referer' take its place?" in said
    else:
        assert company.rows("url, referrer") == [("/e1", None)]


# --- a row that cannot be used is set aside, alone -----------------------------------------------

A_TIME = "a time as 2024-06-30T23:59:00Z"
WHOLE = "a whole number from 0, as 1234"
ROWS = {
    "a wrong type": ("page_views", b"x,30 June,v,/", "occurred_at", A_TIME),
    "a time without a zone in a file of others": (
        "page_views",
        b"x,2024-06-30 25:00,v,/",
        "occurred_at",
        A_TIME,
    ),
    "no visitor": ("page_views", b"x,2024-06-30T10:00:00Z,,/", "visitor_id", "an id"),
    "a line of 10 MB": (
        "page_views",
        b"x,2024-06-30T10:00:00Z,v,/" + b"x" * 10_000_000,
        "url",
        "text",
    ),
    "a line longer than the reader takes": (
        "page_views",
        b"x,2024-06-30T10:00:00Z,v,/" + b"x" * (reading.LONGEST_LINE + 1),
        None,
        "4 columns",
    ),
    "a NUL byte": ("page_views", b"x,2024-06-30T10:00:00Z,v,/a\0b", "url", "text"),
    "a line of NUL bytes": ("page_views", b"\0" * 4096, None, "4 columns"),
    "invalid UTF-8": ("page_views", b"x,2024-06-30T10:00:00Z,v,/caf\xe9", None, "4 columns"),
    "a quote that never closes": ("page_views", b'x,2024-06-30T10:00:00Z,v,"/a', None, "4 columns"),
    "too few values": ("page_views", b"x,2024-06-30T10:00:00Z", None, "4 columns"),
    "a negative count": ("traffic", b"2024-06-30,a,m,c,d,-1", "visits", WHOLE),
    "half a visit": ("traffic", b"2024-06-30,a,m,c,d,0.5", "visits", WHOLE),
    "a word for a count": ("traffic", b"2024-06-30,a,m,c,d,many", "visits", WHOLE),
}
REASONS = {
    "a line of 10 MB": "is longer than 1 MB",
    "a line longer than the reader takes": "the line is longer than 16 MB",
    "a NUL byte": "has a NUL character",
    "invalid UTF-8": "the line is not UTF-8",
    "a line of NUL bytes": "the line has 1 column",
    "a negative count": "is negative",
}


@pytest.mark.parametrize("case", ROWS)
def test_a_row_that_cannot_be_used_is_named_and_the_others_land(
    company: Company, case: str
) -> None:
    feed, line, column, expected = ROWS[case]
    if feed == "page_views":
        around, columns = (page("e1"), page("e2")), "url"
        header, kept = PAGES, ["/e1", "/e2"]
    else:
        around, columns = ("2024-06-30,b,m,c,d,7\n", "2024-06-30,c,m,c,d,8\n"), "visits::int"
        header, kept = TRAFFIC, [7, 8]
    company.declare("in/{day}.csv", feed=feed)
    content = f"{header}\n{around[0]}".encode() + line + b"\n" + around[1].encode()
    company.write(f"in/{DAY}.csv", content)
    assert company.land(feed) == (0, "")
    assert company.rows(columns, feed=feed) == kept
    ((file, number, name, wanted, reason),) = company.aside(feed=feed)  # type: ignore[misc]
    assert (file, number, name, wanted) == (f"in/{DAY}.csv", 3, column, expected)
    assert reason == REASONS.get(case, reason)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_a_time_without_zone_is_in_the_zone_of_its_source(company: Company, zone: str) -> None:
    company.declare("pv/{day}.csv", time_zone=zone)
    company.write(f"pv/{DAY}.csv", pages("e1").replace("T10:00:00Z", " 10:00:00"))
    assert company.land() == (0, "")
    assert company.rows("hour(occurred_at)::int") == [10 if zone == "UTC" else 14]


# --- rows of no day, or of another one -----------------------------------------------------------


def statuses(company: Company, feed: str = "traffic") -> list[str]:
    return [company.slice(day, feed).status for day in DAYS]


UNDATED = visits("28.06.2024,a,m,c,d,1", "29.06.2024,b,m,c,d,2")
UNDATED_ROWS = [
    ("t2.csv", 2, "date", "a date as 2024-06-30", "cannot be read as declared"),
    ("t2.csv", 3, "date", "a date as 2024-06-30", "cannot be read as declared"),
]


def test_days_that_landed_are_refused_and_not_absent_when_no_row_shows_a_day(
    company: Company,
) -> None:
    company.declare("t*.csv", feed="traffic")
    company.write("t2.csv", visits(*(f"{day},a,m,c,d,1" for day in DAYS[:2])))
    assert company.land("traffic") == (0, "")
    assert statuses(company) == ["landed", "landed", "absent"]
    company.write("t2.csv", UNDATED)
    for _ in range(2):  # a second time they have not landed before
        code, said = company.land("traffic")
        assert code == 1
        assert said == (
            f"traffic of website on {DAYS[0]}, {DAYS[1]}, {DAY} is rejected: t2.csv: the day "
            "of its 2 rows cannot be read (row 2: date is '28.06.2024', expected a date as "
            "2024-06-30). It may be this day."
        )
        assert statuses(company) == ["rejected"] * 3
        assert company.aside(DAY, "traffic") == UNDATED_ROWS


def test_a_file_without_a_readable_day_goes_to_quarantine_beside_files_that_have_some(
    company: Company,
) -> None:
    company.declare("t*.csv", feed="traffic")
    company.write("t1.csv", visits(*(f"{day},a,m,c,d,1" for day in DAYS)))
    company.write("t2.csv", UNDATED)
    assert company.land("traffic") == (0, "")
    assert statuses(company) == ["landed"] * 3
    found = [company.aside(day, "traffic") for day in DAYS]
    assert found == [[], [], UNDATED_ROWS]
    piece = company.slice(feed="traffic")
    assert (piece.read, piece.landed, piece.quarantined) == (3, 1, 2)


def test_a_day_that_had_come_is_refused_when_the_rest_of_its_file_shows_no_day(
    company: Company,
) -> None:
    company.declare("t*.csv", feed="traffic")
    company.write("t2.csv", visits(*(f"{day},a,m,c,d,1" for day in DAYS)))
    assert company.land("traffic") == (0, "")
    company.write("t2.csv", UNDATED + f"{DAY},a,m,c,d,1\n")
    code, said = company.land("traffic")
    assert code == 1
    assert "t2.csv: the day of 2 rows among others cannot be read (row 2: date is '28.06" in said
    assert statuses(company) == ["rejected", "rejected", "landed"]
    assert company.rows("visits::int", DAY, "traffic") == [1]


def test_a_day_of_which_all_rows_are_in_quarantine_is_not_0(company: Company) -> None:
    company.declare("t*.csv", feed="traffic")
    company.write("t1.csv", visits(*(f"{day},a,m,c,d,{n - 1}" for n, day in enumerate(DAYS))))
    code, said = company.land("traffic")
    assert (code, said) == (
        1,
        f"traffic of website on {DAYS[0]} is rejected: traffic: its only row of the day went to "
        "quarantine, so it is not 0.",
    )
    assert statuses(company) == ["rejected", "landed", "landed"]


@pytest.mark.parametrize("name", ["t/{day}.csv", "t/{day}.csv.gz"])
def test_an_empty_file_is_told(company: Company, name: str) -> None:
    company.declare(name, feed="traffic")
    for day in DAYS:
        content = visits(f"{day},a,m,c,d,1").encode() if day != DAY else b""
        path = name.format(day=day)
        company.write(path, gzip.compress(content) if path.endswith(".gz") else content)
    span = ["--from", str(DAYS[0]), "--to", str(DAY), "--at", AT, "--feed", "traffic"]
    code, _, err = company.kpi("land", *span)
    assert code == 0
    assert err.count("is empty") == 1
    path = name.format(day=DAY)
    assert f"{path} is empty and has no header either; {DAY} counts as a day of 0." in err


@pytest.mark.parametrize("restates", [0, 1])
def test_a_row_of_another_day_than_its_file_lands_or_not_whatever_is_landed_with_it(
    company: Company, restates: int
) -> None:
    company.declare("t/{day}.csv", feed="traffic", restates_days=restates)
    company.write(f"t/{DAYS[0]}.csv", visits(f"{DAYS[0]},a,m,c,d,1"))
    company.write(f"t/{DAYS[1]}.csv", visits(f"{DAYS[1]},a,m,c,d,1"))
    company.write(
        f"t/{DAY}.csv",
        visits(
            f"{DAYS[0]},b,m,c,d,2",
            f"{DAYS[1]},b,m,c,d,3",
            f"{DAY},a,m,c,d,1",
            "2024-07-01,a,m,c,d,1",
            f"{DAYS[0]},b,m,c,d,many",
        ),
    )
    found = []
    for spans in ([(DAYS[0], DAY)], [(day, day) for day in DAYS]):
        for first, last in spans:
            span = ["--from", str(first), "--to", str(last), "--at", AT, "--feed", "traffic"]
            assert company.kpi("land", *span)[0] == 0
        found.append(
            [
                (
                    company.rows("source, visits::int", day, "traffic"),
                    [row[1:3] for row in company.aside(day, "traffic")],  # type: ignore[index]
                )
                for day in DAYS
            ]
        )
    own = [("a", 1)]
    rows = [(2, "date"), (5, "date"), (6, "visits")]
    between = [*own, ("b", 3)] if restates else own
    aside = rows if restates else [(2, "date"), (3, "date"), *rows[1:]]
    assert found[0] == [(own, []), (between, []), (own, aside)]
    assert found[1] == found[0]


def test_a_column_in_other_case_is_named(company: Company) -> None:
    company.declare("t*.csv", feed="traffic")
    company.write("t1.csv", "SOURCE,DATE,VISITS\na,2024-06-30,1\n")
    code, said = company.land("traffic")
    assert code == 1
    assert "t1.csv has no column 'date'; it has SOURCE, DATE, VISITS. Did you mean 'DATE'?" in said


@pytest.mark.parametrize(
    ("text", "options", "is_told"),
    [
        ("2024-06-30 10:00:00", {}, True),
        ("30.06.2024 10:00", {"time_format": "%d.%m.%Y %H:%M"}, True),
        ("2024-06-30T10:00:00Z", {}, False),
        ("1719741600", {"time_format": "epoch_seconds"}, False),
        ("2024-06-30 10:00:00", {"time_zone": "UTC"}, False),
        ("2024-06-30 10:00:00", {"time_zone": "Europe/Madrid"}, False),
    ],
)
def test_times_of_no_zone_are_told_where_the_product_is_elsewhere(
    company: Company, text: str, options: dict[str, str], is_told: bool
) -> None:
    change(company, "products", "UTC", "Europe/Madrid")
    company.declare("pv/{day}.csv", **options)
    company.write(f"pv/{DAY}.csv", f"{PAGES}\ne1,{text},v,/\n")
    span = ["--from", str(DAY), "--to", str(DAY), "--at", AT, "--feed", "page_views"]
    code, _, err = company.kpi("land", *span)
    assert code == 0
    assert company.slice().landed == 1
    told = (
        f"pv/{{day}}.csv: times such as {text!r} carry no zone and are read as UTC, while website "
        "is in Europe/Madrid. Say of where they are in sources.yml: `time_zone: Europe/Madrid`, or "
        "`time_zone: UTC`."
    )
    assert err.count("carry no zone") == err.count(told) == int(is_told)
    code, out, _ = company.kpi("doctor")
    line = next(line for line in out.splitlines() if " times: " in line)
    assert line.endswith(told) == is_told
    assert line.startswith("to mend " if is_told else "ok ")


def test_a_lost_column_stops_the_days_of_its_file_alone(company: Company) -> None:
    company.declare("t*.csv", feed="traffic", columns={"source": "Source"})
    header = TRAFFIC.replace("source", "Source")
    old = "".join(f"{day},a,m,c,d,1\n" for day in DAYS[:2])
    company.write("t1.csv", f"{header}\n{old}")
    assert company.land("traffic") == (0, "")
    new = f"{TRAFFIC.replace('source', 'Quelle')}\n{DAY},a,m,c,d,1\n"
    company.write("t2.csv", new)
    code, said = company.land("traffic")
    assert code == 1
    assert said.startswith(f"traffic of website on {DAY} is rejected: t2.csv has no column")
    assert statuses(company) == ["landed", "landed", "rejected"]
    company.write("t2.csv", new.replace("date", "Datum"))
    code, said = company.land("traffic")
    assert code == 1
    assert statuses(company) == ["rejected"] * 3


def test_a_new_column_is_told_of_the_days_that_have_it(company: Company) -> None:
    company.declare("t*.csv", feed="traffic")
    company.write("t1.csv", visits(*(f"{day},a,m,c,d,1" for day in DAYS[:1])))
    company.write("t2.csv", visits(f"{DAY},a,m,c,d,1").replace("\n", ",x\n"))
    span = ["--from", str(DAYS[0]), "--to", str(DAY), "--at", AT, "--feed", "traffic"]
    err = company.kpi("land", *span)[2]
    assert next(line for line in err.splitlines() if "has new columns" in line).endswith(
        f"traffic of website on {DAY} has new columns: 'x'. They are not landed; map under columns "
        "in sources.yml what is needed."
    )
    assert err.count("has new columns") == 1
    assert [company.slice(day, "traffic").unused_columns for day in DAYS] == [(), (), ("x",)]


# --- the same thing twice ------------------------------------------------------------------------

SAME = ("2024-06-30,a,m,c,d,5", "2024-06-30,a,m,c,d,5")
OTHER = ("2024-06-30,a,m,c,d,5", "2024-06-30,a,m,c,d,6")


@pytest.mark.parametrize("rows", [SAME, OTHER], ids=["same content", "other content"])
@pytest.mark.parametrize("files", [1, 2], ids=["in a file", "in two files"])
@pytest.mark.parametrize("dedupe", [None, True, "last_file"])
def test_a_key_that_comes_twice(
    company: Company, rows: tuple[str, str], files: int, dedupe: object
) -> None:
    company.declare(
        "t*.csv", feed="traffic", **({} if dedupe is None else {"dedupe_across_files": dedupe})
    )
    others = ("2024-06-29,a,m,c,d,1", "2024-06-30,b,m,c,d,2")
    company.write("t1.csv", visits(*others, rows[0], *(rows[1:] if files == 1 else ())))
    if files == 2:
        company.write("t2.csv", visits(rows[1]))
    code, said = company.land("traffic")
    one = files == 2 and (dedupe == "last_file" or (dedupe is True and rows == SAME))
    assert company.rows("source, visits::int", DAYS[1], "traffic") == [("a", 1)]
    if one:
        assert (code, said) == (0, "")
        last = int(rows[1][-1])
        assert company.rows("source, visits::int", feed="traffic") == [("a", last), ("b", 2)]
        assert company.slice(feed="traffic").dropped == 1
    else:
        places = "t1.csv, row 4, and t2.csv, row 2" if files == 2 else "t1.csv, rows 4 and 5"
        remedy = "where files overlap set dedupe_across_files: last_file"
        remedy = remedy if files == 2 else "set on_repeat: sum"
        assert (code, said) == (
            1,
            f"traffic of website on {DAY} is rejected: traffic repeats 1 key, first date {DAY}, "
            f"source a, medium m, campaign c, device d, in {places}; each may occur once "
            f"(or {remedy}).",
        )


def test_a_day_in_two_files_of_events_is_kept_as_delivered_or_once(company: Company) -> None:
    company.write("pv1.csv", pages("e1", "e2", "e2"))
    company.write("pv2.csv", pages("e2", "e2", "e3"))
    company.declare("pv*.csv")
    assert company.land() == (0, "")
    assert company.rows("url") == ["/e1", "/e2", "/e2", "/e2", "/e2", "/e3"]
    company.declare("pv*.csv", dedupe_across_files=True)
    assert company.land() == (0, "")
    assert company.rows("url") == ["/e1", "/e2", "/e2", "/e3"]
    assert dict(company.slice().dropped_by) == {"in_two_files": 2}


def test_a_file_that_grows_while_it_is_read_stops_its_day(company: Company) -> None:
    company.write(f"pv/{DAYS[1]}.csv", pages("e1", day=DAYS[1]))
    path = company.write(f"pv/{DAY}.csv", pages("e1"))
    real: Callable[..., object] = judge.judge

    def growing(*arguments: object, **named: object) -> object:
        done = real(*arguments, **named)
        with path.open("a") as stream:
            stream.write(page("e2"))
        return done

    company.monkeypatch.setattr(judge, "judge", growing)
    code, said = company.land()
    assert code == 1
    assert said.startswith(f"page_views of website on {DAY} is rejected: pv/{DAY}.csv ")
    assert company.slice(DAYS[1]).landed == 1
    company.monkeypatch.setattr(judge, "judge", real)
    assert company.land() == (0, "")
    assert company.rows("url") == ["/e1", "/e2"]


def test_a_campaign_may_hold_markup_quotes_line_ends_and_formulas(company: Company) -> None:
    names = [
        '<script>alert("x")</script> & <b>',
        "two\nlines",
        '=HYPERLINK("http://example.org","click")',
        "+1+cmd|' /C calc'!A0",
        "@SUM(1,2)",
        "'; drop table judged; --",
    ]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    company.declare("t.csv", feed="traffic")
    company.write("t.csv", visits(*(f"{DAY},a,m,{name},d,1" for name in quoted)))
    assert company.land("traffic") == (0, "")
    assert company.rows("campaign", feed="traffic") == sorted(names)


# --- the workspace -------------------------------------------------------------------------------

WORKSPACE = {
    "a person without an email": (
        "people",
        "specialist@example.org",
        "",
        "organisation/people.csv, row 6, column email: is empty; expected an email address",
    ),
    "overlapping stages": (
        "product_stages",
        "website,brand,2024-01-01,\n",
        "website,brand,2024-01-01,\nwebsite,growth,2024-02-01,\n",
        "organisation/product_stages.csv, row 5, column valid_from: the stage of website from "
        "2024-02-01 overlaps with row 4;",
    ),
    "an unknown channel": (
        "ownership",
        "organic_search",
        "organic_serch",
        "column which: 'organic_serch' is not in organisation/channels.csv. Did you mean "
        "'organic_search'?",
    ),
    "a typo": (
        "teams",
        "content,",
        "contnet,",
        "column team: 'contnet' is not 'content', 'user', 'business', 'new_media' or 'promotion'. "
        "Did you mean 'content'?",
    ),
}


@pytest.mark.parametrize("case", WORKSPACE)
def test_a_workspace_that_is_wrong_is_refused_before_anything_lands(
    company: Company, case: str
) -> None:
    table, old, new, sentence = WORKSPACE[case]
    company.write(f"pv/{DAY}.csv", pages("e1"))
    assert company.land() == (0, "")
    before = company.slice()
    change(company, table, old, new)
    company.write(f"pv/{DAY}.csv", pages("e1", "e2"))
    code, said = company.land()
    assert code == 2
    assert sentence in said
    assert company.slice() == before


def test_a_typo_in_sources_yml_names_the_nearest_option(company: Company) -> None:
    company.declare("pv/{day}.csv", time_zon="UTC")
    code, said = company.land()
    assert code == 2
    assert "sources.yml" in said
    assert "Did you mean 'time_zone'?" in said


def test_a_target_for_an_unknown_kpi_is_refused_with_its_row(company: Company) -> None:
    change(company, "targets", "visits,", "vists,")
    company.write(f"pv/{DAY}.csv", pages("e1"))
    assert company.land() == (0, "")  # days land; what is computed from them would not be right
    code, _, said = company.kpi("build", "--at", AT)
    assert code == 2
    assert "organisation/targets.csv, row " in said
    assert "'vists'" in said
    assert "'visits'" in said


def test_an_unknown_kpi_is_told_when_days_land_and_beside_other_faults(company: Company) -> None:
    change(company, "targets", "visits,", "vists,")
    company.write(f"pv/{DAY}.csv", pages("e1"))
    span = ["--from", str(DAY), "--to", str(DAY), "--at", AT, "--feed", "page_views"]
    code, _, said = company.kpi("land", *span)
    assert code == 0
    assert "Before the next build: organisation/targets.csv, row " in said
    assert "there is no KPI 'vists'; the nearest is 'visits'." in said
    company.declare("pv/{day}.csv", time_zon="UTC")
    code, out, _ = company.kpi("doctor")
    assert code == 2
    assert "Did you mean 'time_zone'?" in out
    assert "there is no KPI 'vists'; the nearest is 'visits'." in out


def test_a_home_that_is_a_file_is_named(company: Company) -> None:
    for home in ("file", "file/below"):
        (company.root / "file").write_text("")
        company.monkeypatch.setenv("KPI_HOME", str(company.root / home))
        code, said = company.land()
        assert code == 2
        assert f"{company.root / 'file'} is a file; expected a folder" in said


@pytest.mark.parametrize("name", ["sources.yml", "organisation/products.csv"])
def test_a_file_of_the_workspace_that_cannot_be_read_is_its_fault(
    company: Company, name: str
) -> None:
    whole = Path.read_text

    def closed(self: Path, *arguments: object, **options: object) -> str:
        if self == company.workspace / name:
            raise PermissionError(13, "Permission denied", str(self))
        return whole(self, *arguments, **options)  # type: ignore[arg-type]

    company.monkeypatch.setattr(Path, "read_text", closed)
    code, said = company.land()
    assert code == 2
    assert f"{name}: cannot be read: Permission denied." in said


def test_a_product_no_one_owns_is_told_and_lands(company: Company) -> None:
    change(company, "ownership", "writer,product,website,,2026-01-01,\n", "")
    (warning,) = [w for w in load(company.workspace).warnings if "no one owns" in w]
    assert "column product_id: no one owns website; add a row with what=product" in warning
    company.write(f"pv/{DAY}.csv", pages("e1"))
    assert company.land() == (0, "")
    _, out, _ = company.kpi("doctor")
    assert "no one owns website" in out


def test_an_unknown_channel_in_a_feed_lands_for_the_audit_to_tell(company: Company) -> None:
    company.declare("e.csv", feed="exposure")
    company.write(
        "e.csv", f"date,channel,impressions,clicks\n{DAY},emial,1000,3\n{DAY},email,9,1\n"
    )
    assert company.land("exposure") == (0, "")
    assert company.rows("channel", feed="exposure") == ["email", "emial"]


# --- the machine ---------------------------------------------------------------------------------


def elsewhere(company: Company, before: str, *arguments: str) -> tuple[int, str]:
    """`kpi` in a process of its own, which first does `before`; exit code and stderr."""
    code = (
        "import os, resource, signal, sys\n"
        "from kpi_pipeline import cli, run, warehouse, landing\n"
        "import sqlalchemy.dialects.sqlite\n"
        f"{before}\nsys.argv[1:] = {list(arguments)!r}\ncli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stderr.partition("kpi: ")[2].strip()


FULL = (
    "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))\n"
    "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
)


def test_a_full_disk_loses_nothing_that_had_landed(company: Company) -> None:
    company.write(f"pv/{DAYS[1]}.csv", pages("e1", day=DAYS[1]))
    company.write(f"pv/{DAY}.csv", pages("e1"))
    assert company.land() == (0, "")
    before = company.slice()
    many = [os.urandom(16).hex() for _ in range(30_000)]
    company.write(f"pv/{DAY}.csv", pages("e1", *many))
    span = ["--from", str(DAYS[1]), "--to", str(DAY), "--at", AT, "--feed", "page_views"]
    code, said = elsewhere(company, FULL, "land", *span)
    assert code == 1
    assert said.startswith("The disk is full (")
    assert said.endswith("). Make room and run it again; nothing landed is lost.")
    assert company.slice() == before
    assert company.rows("url") == ["/e1"]
    assert not list((company.home / "landing").rglob(".*"))
    assert company.land() == (0, "")
    assert company.slice().landed == 30_001


def test_a_home_without_permission_is_named(company: Company) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become a user who may not write")
    for day in DAYS:
        company.write(f"pv/{day}.csv", pages("e1", day=day))
    assert company.land() == (0, "")
    before = company.slice()
    for day in DAYS:
        company.write(f"pv/{day}.csv", pages("e1", "e2", day=day))
    for folder in (company.root, *company.root.parents):  # pytest's are closed to others
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(folder.stat().st_mode | 0o055)

    def land(day: date) -> list[str]:
        span = ["--from", str(day), "--to", str(day), "--at", AT]
        return ["land", "--feed", "page_views", *span]

    # the first day as root, which also imports what the other user could not
    become_nobody = (
        f"sys.argv[1:] = {land(DAYS[0])!r}\ntry:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "os.setgroups([])\nos.setgid(65534)\nos.setuid(65534)"
    )
    code, said = elsewhere(company, become_nobody, *land(DAY))
    assert code == 1, said
    assert str(company.home) in said
    assert (company.slice(DAYS[0]).landed, company.slice()) == (2, before)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql+psycopg2://kpi:secret@127.0.0.1:9/kpi", "Connection refused"),
        ("sqlite:///{home}/broken.db", "file is not a database"),
        ("sqlite:///{home}", "unable to open database file"),
    ],
)
def test_a_state_database_that_does_not_answer_is_named(
    company: Company, address: str, said: str
) -> None:
    if address.startswith("postgresql"):
        pytest.importorskip("psycopg2")
    company.write(f"pv/{DAY}.csv", pages("e1"))
    assert company.land() == (0, "")
    (company.home / "broken.db").write_text("no database at all " * 100)
    company.monkeypatch.setenv("KPI_STATE_URL", address.format(home=company.home))
    code, sentence = company.land()
    assert code == 1
    assert sentence.startswith("The state database ")
    assert said in sentence
    assert "secret" not in sentence
    assert company.rows("url") == ["/e1"]
