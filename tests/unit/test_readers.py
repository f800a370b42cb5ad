"""CSV, JSON lines and Parquet, whole and broken, as rows of a relation."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kpi_pipeline.feeds import formats
from kpi_pipeline.feeds.found import find
from kpi_pipeline.feeds.reading import FileRead
from kpi_pipeline.feeds.relation import BROKEN, Relation
from kpi_pipeline.feeds.sql import name_of
from kpi_pipeline.feeds.unpacked import unpack
from kpi_pipeline.workspace import Source
from kpi_pipeline.workspace.model import Unpivot


class Rows:
    """A sink that keeps rows as they come."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
        self.connection = connection
        self.names = names
        columns = "".join(f", {name_of(name)} VARCHAR" for name in names)
        connection.execute(
            "create table rows_(file_no INTEGER, n BIGINT, dropped_by VARCHAR, "
            f"broken {BROKEN}, whole VARCHAR{columns})"
        )

    def take(self, relation: Relation) -> None:
        listed = "".join(f", {name_of(name)}" for name in self.names)
        self.connection.execute(
            f"insert into rows_ select file_no, n, dropped_by, broken, {relation.whole}{listed} "
            f"from ({relation.sql})",
            list(relation.parameters),
        )

    def counts(self, files: Sequence[int]) -> dict[int, int]:
        return self._by_file("count(*)", files)

    def starts(self, files: Sequence[int]) -> dict[int, int]:
        return self._by_file("min(rowid)", files)

    def forget(self, files: Sequence[int]) -> None:
        self.connection.execute("delete from rows_ where file_no in (select unnest(?))", [files])

    def _by_file(self, what: str, files: Sequence[int]) -> dict[int, int]:
        return dict(
            self.connection.execute(
                f"select file_no, {what} from rows_ where file_no in (select unnest(?)) group by 1",
                [files],
            ).fetchall()
        )


def read(
    source: Source, root: Path, wanted: dict[str, str]
) -> tuple[list[Any], list[Any], tuple[FileRead, ...]]:
    """Rows with the number people see, what is broken, and what came of each file."""
    scratch = root / "scratch"
    scratch.mkdir()
    with duckdb.connect() as connection:
        sink = Rows(connection, list(wanted))
        reader = formats.READERS[source.format](
            connection, source, wanted, wanted.values(), scratch, sink
        )
        reads = reader.read(unpack(source, find(source, root), scratch))
        listed = ", ".join(name_of(name) for name in wanted)
        rows = connection.execute(
            f"select file_no, n, rowid, broken, dropped_by, {listed} from rows_ order by rowid"
        ).fetchall()
    numbered = [(f, _number(reads[f], n, at), b, d, *rest) for f, n, at, b, d, *rest in rows]
    good = [(f, n, *rest) for f, n, b, d, *rest in numbered if b is None and d is None]
    faults = [(f, n, b) for f, n, b, _, *_ in numbered if b is not None]
    assert all(b["column_name"] is b["value"] is None for _, _, b in faults)
    broken = [(f, n, b["expected"], b["reason"]) for f, n, b in faults]
    return sorted(good), sorted(broken), reads


def _number(one: FileRead, n: int | None, position: int) -> int:
    if n is not None:
        return n
    record = (position - one.first) // one.cells + one.first_row
    return record + sum(before < record for before in one.blanks)


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


def test_a_quote_that_is_not_closed_takes_no_line_with_it_that_stands_for_itself(
    tmp_path: Path,
) -> None:
    """A later quote would close it, and leave three columns, too."""
    (tmp_path / "a.csv").write_text(
        'id,name,v\n1,"not closed,4\n2,ok,5\n3,in"side,6\n'
        '4,"not closed,7\n5,ok,8\n6,closes",9\n7,last,10\n'
    )
    raw, broken, reads = read(source("a.csv"), tmp_path, {"i": "id", "name": "name", "v": "v"})
    assert raw == [
        (0, 3, "2", "ok", "5"),
        (0, 4, "3", 'in"side', "6"),
        (0, 6, "5", "ok", "8"),
        (0, 7, "6", 'closes"', "9"),
        (0, 8, "7", "last", "10"),
    ]
    assert broken == [(0, n, "3 columns", "a quote is not closed") for n in (2, 5)]
    assert [r.expected for r in reads] == [7]


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
    assert raw == [(0, 1, "3000000000", "2024-06-30 10:00:00"), (0, 2, "2", None)]
    assert broken == []
    assert [r.expected for r in reads] == [2]


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
    assert raw == [(1, 2, "1")]
    assert reads[0].problem is not None
    assert reads[0].problem.startswith("a.csv.gz cannot be read: ")
    assert reads[1].problem is None


def test_files_with_other_columns_are_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a;b\n1;2\n")
    (tmp_path / "b.csv").write_text("b;x;a\n4;9;3\n")
    raw, _, _ = read(source("*.csv", delimiter=";"), tmp_path, {"a": "a", "b": "b"})
    assert [row[2:] for row in raw] == [("1", "2"), ("3", "4")]


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


def test_row_numbers_are_those_of_the_file_in_spite_of_blank_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\nid\n\n\n1\n2\n\n3\n\n")
    (tmp_path / "b.csv").write_text("id\n4\n5\n")
    raw, _, reads = read(source("*.csv"), tmp_path, {"i": "id"})
    assert raw == [(0, 5, "1"), (0, 6, "2"), (0, 8, "3"), (1, 2, "4"), (1, 3, "5")]
    assert [r.expected for r in reads] == [3, 2]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_rows_keep_their_order_and_numbers_when_files_are_read_in_parallel(
    tmp_path: Path, kind: str
) -> None:
    form = {"csv": "csv, header", "jsonl": "json", "parquet": "parquet"}[kind]
    for number in range(3):
        duckdb.execute(
            f"copy (select range + {number} * 400000 as id from range(400000)) "
            f"to '{tmp_path}/{number}.{kind}' (format {form})"
        )
    raw, _, _ = read(source(f"*.{kind}", kind), tmp_path, {"i": "id"})
    first = {"csv": 2, "jsonl": 1, "parquet": 1}[kind]
    assert len(raw) == 1_200_000
    assert all(int(i) == (n - first) + f * 400_000 for f, n, i in raw)


def test_json_that_says_two_things_of_a_value_is_broken(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"id": 1, "x": ["any"]}\n{"id": 2, "id": 3}\n{"id": ["4"]}\n{"id": {"a": 5}}\n'
        '{"id": "[6]"}\n{"id": "{7"}\n["id"]\n'
    )
    raw, broken, _ = read(source("a.jsonl", "jsonl"), tmp_path, {"i": "id"})
    assert raw == [(0, 1, "1"), (0, 5, "[6]"), (0, 6, "{7")]
    nested = ("a text, a number, true or false", "'id' is a list or an object")
    assert broken == [
        (0, 2, "an object that names each key once", "names a key twice"),
        (0, 3, *nested),
        (0, 4, *nested),
        (0, 7, "a JSON object", "the line is not a JSON object"),
    ]


def test_lines_that_are_not_utf8_keep_the_numbers_of_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xff\n{"id": 1}\n\n\xfe\n\xfd\n{"id": 2}\n{"id": 3}\n\xfc')
    raw, broken, reads = read(source("a.jsonl", "jsonl"), tmp_path, {"i": "id"})
    assert raw == [(0, 2, "1"), (0, 6, "2"), (0, 7, "3")]
    assert broken == [(0, n, "UTF-8 text", "the line is not UTF-8") for n in (1, 4, 5, 8)]
    assert [r.expected for r in reads] == [7]


def test_wide_file_becomes_a_row_for_each_day(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        'Source,29.06.2024,30.06.2024,Total\nbing,1,2,3\nna"ver,,4,4\nbroken,1\n'
    )
    wide = Source(
        "traffic",
        "traffic",
        "p",
        "a.csv",
        "csv",
        "covering",
        unpivot=Unpivot("%d.%m.%Y", "date", "visits"),
    )
    raw, broken, reads = read(
        wide, tmp_path, {"date": "Source", "visits": "Source", "source": "Source"}
    )
    assert raw == [
        (0, 2, "2024-06-29", "1", "bing"),
        (0, 2, "2024-06-30", "2", "bing"),
        (0, 3, "2024-06-30", "4", 'na"ver'),
    ]
    assert broken == [(0, 4, "4 columns", "the line has 2 columns")] * 2
    assert [(r.expected, r.cells) for r in reads] == [(6, 2)]


def test_a_text_over_two_lines_is_one_row_in_a_long_file(tmp_path: Path) -> None:
    rows = [f"{n},text {n}" for n in range(30_000)]
    rows[20_000] = '20000,"text\n20000"'
    (tmp_path / "a.csv").write_text("id,name\n" + "\n".join(rows) + "\n")
    raw, broken, reads = read(source("a.csv"), tmp_path, {"i": "id", "name": "name"})
    assert [row[2] for row in raw] == [str(n) for n in range(30_000)]
    assert raw[20_000] == (0, 20_002, "20000", "text\n20000")
    assert raw[20_001] == (0, 20_004, "20001", "text 20001")
    assert (broken, [r.expected for r in reads]) == ([], [30_000])
