"""CSV, JSON lines and Parquet, whole and broken, through the file adapter."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import duckdb
import pytest
from landing_workspace import Bench

from kpi_pipeline.feeds import files
from kpi_pipeline.workspace import Source

DAY = date(2024, 6, 30)
HEADER = "date,source,medium,campaign,device,visits\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(
        tmp_path,
        sources=(
            Source("traffic", "traffic", "p", "t/*.csv", "csv", "covering", last_day_complete=True),
        ),
    )


def read(source: Source, root: Path, wanted: dict[str, str]) -> tuple[list, list, tuple]:
    with duckdb.connect() as connection:
        scratch = root / "scratch"
        scratch.mkdir(exist_ok=True)
        reads = files.read(
            connection, source, files.find(source, root), wanted, list(wanted.values()), scratch
        )
        listed = ", ".join(wanted)
        raw = connection.execute(f"select file_no, n, {listed} from raw order by all").fetchall()
        broken = connection.execute("from broken order by all").fetchall()
    return raw, broken, reads


def source(pattern: str, kind: str = "csv", delimiter: str = ",") -> Source:
    return Source("traffic", "traffic", "p", pattern, kind, "covering", delimiter=delimiter)  # type: ignore[arg-type]


def test_every_line_after_a_broken_quote_survives(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(
        b'\xef\xbb\xbfid,name,v\r\n1,"a, b",3\r\n2,"not closed,4\r\n3,ok,5\r\n4,too,many,6\r\n'
        b'5,few\r\n6,"two\r\n\r\nparts",7\r\n7,"he said ""hi""",8\r\n\r\n8,in"side,9\r\n'
        b"9,caf\xe9,10\r\n10,last,11\r\n"
    )
    raw, broken, reads = read(source("a.csv"), tmp_path, {"i": "id", "name": "name", "v": "v"})
    assert raw == [
        (0, 2, "1", "a, b", "3"),
        (0, 4, "3", "ok", "5"),
        (0, 7, "6", "two\n\nparts", "7"),
        (0, 10, "7", 'he said "hi"', "8"),
        (0, 12, "8", 'in"side', "9"),
        (0, 14, "10", "last", "11"),
    ]
    assert broken == [
        (0, 3, "3 columns", "a quote is not closed"),
        (0, 5, "3 columns", "the line has 4 columns"),
        (0, 6, "3 columns", "the line has 2 columns"),
        (0, 13, "3 columns", "the line is not UTF-8"),
    ]
    assert [r.expected for r in reads] == [10]


def test_json_lines_keep_numbers_as_text_and_name_broken_lines(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.jsonl.gz", "wb") as stream:
        stream.write(
            b'{"id": 12345678901234567890, "v": null}\nnot json\n{"id": "x", "v": true}\n[1]\n'
        )
    raw, broken, reads = read(source("a.jsonl.gz", "jsonl"), tmp_path, {"i": "id", "v": "v"})
    assert raw == [(0, 1, "12345678901234567890", None), (0, 3, "x", "true")]
    assert [row[1] for row in broken] == [2, 4]
    assert [r.expected for r in reads] == [4]


def test_parquet_is_read_as_text_with_its_row_numbers(tmp_path: Path) -> None:
    duckdb.execute(
        f"copy (select 3000000000 as id, timestamp '2024-06-30 10:00:00' as v union all "
        f"select 2, null order by 1 desc) to '{tmp_path / 'a.parquet'}'"
    )
    raw, broken, reads = read(source("a.parquet", "parquet"), tmp_path, {"i": "id", "v": "v"})
    assert raw == [(0, 0, "3000000000", "2024-06-30 10:00:00"), (0, 1, "2", None)]
    assert broken == []
    assert [(r.expected, r.first_row) for r in reads] == [(2, 1)]


def test_missing_column_names_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("day,visit\n2024-06-30,1\n")
    _, _, reads = read(source("a.csv"), tmp_path, {"visits": "visits"})
    assert [r.problem for r in reads] == [
        "a.csv has no column 'visits'; it has day, visit. Did you mean 'visit'?"
    ]


def test_unreadable_file_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(b"this is no gzip")
    with gzip.open(tmp_path / "b.csv.gz", "wt") as stream:
        stream.write("id\n1\n")
    raw, _, reads = read(source("*.csv.gz"), tmp_path, {"i": "id"})
    assert raw == [(1, 1, "1")] or [row[2] for row in raw] == ["1"]
    assert reads[0].problem is not None
    assert reads[0].problem.startswith("a.csv.gz cannot be read: ")
    assert reads[1].problem is None


def test_files_with_other_columns_are_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a;b\n1;2\n")
    (tmp_path / "b.csv").write_text("b;x;a\n4;9;3\n")
    raw, _, _ = read(source("*.csv", delimiter=";"), tmp_path, {"a": "a", "b": "b"})
    assert [row[2:] for row in raw] == [("1", "2"), ("3", "4")]


def test_day_is_taken_from_the_place_the_pattern_names(tmp_path: Path) -> None:
    for name in ("v2020-01-01/2024-06-30.csv", "v2020-01-01/2024-13-45.csv", "v2020-01-01/x.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("a\n1\n")
    found = files.find(source("v*/{day}.csv"), tmp_path)
    assert [(f.name, f.day) for f in found] == [("v2020-01-01/2024-06-30.csv", DAY)]


def test_empty_file_has_no_rows_and_no_problem(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"")
    with gzip.open(tmp_path / "b.csv.gz", "wb"):
        pass
    (tmp_path / "c.csv").write_text("id\n")
    raw, broken, reads = read(source("*.csv*"), tmp_path, {"i": "id"})
    assert (raw, broken) == ([], [])
    assert [(r.expected, r.problem) for r in reads] == [(0, None)] * 3


def test_text_beyond_ascii_comes_through(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,À l'été — 日本\n", encoding="utf-8")
    raw, broken, reads = read(source("a.csv"), tmp_path, {"i": "id", "name": "name"})
    assert [row[2:] for row in raw] == [("1", "À l'été — 日本")]
    assert (broken, reads[0].problem) == ([], None)
