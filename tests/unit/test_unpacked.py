"""What becomes of files before they are read: fetched, unzipped, out of sheets, in UTF-8."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path

import duckdb
import fsspec
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpi_pipeline.errors import PipelineError
from kpi_pipeline.feeds import archives, plain_text
from kpi_pipeline.feeds.found import find
from kpi_pipeline.feeds.table_edges import Dropped
from kpi_pipeline.feeds.unpacked import Unpacked, unpack
from kpi_pipeline.workspace import Source

Grid = dict[str, object]


def source(files: str, form: str = "csv", **more: object) -> Source:
    return Source("traffic", "traffic", "p", files, form, "covering", **more)  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., tuple[Unpacked, ...]]:
    """Unpacks what a declaration finds in `tmp_path`."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def run(files: str, form: str = "csv", **more: object) -> tuple[Unpacked, ...]:
        declared = source(files, form, **more)
        return unpack(declared, find(declared, tmp_path), scratch)

    return run


Bench = Callable[..., tuple[Unpacked, ...]]


def texts(pieces: tuple[Unpacked, ...]) -> list[tuple[str, bytes | str]]:
    """Of each piece its name, and what is in it or why nothing is."""
    return [(piece.name, piece.problem or piece.path.read_bytes()) for piece in pieces]


def zipped(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def book(path: Path, **sheets: Grid) -> None:
    """A workbook; a cell is a value or a pair of it and its number format."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, cells in sheets.items():
        sheet = workbook.create_sheet(name)
        for place, content in cells.items():
            value, form = content if isinstance(content, tuple) else (content, None)
            sheet[place] = value
            if form is not None:
                sheet[place].number_format = form
    workbook.save(path)


def rows_of(piece: Unpacked) -> list[list[str]]:
    with piece.path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


# Files that need nothing


def test_a_utf8_file_is_read_where_it_lies(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "a.csv").write_bytes(codecs.BOM_UTF8 + "day,n\né,1\n".encode())
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"day,n\n"))
    (tmp_path / "c.csv").write_bytes(b"")
    pieces = bench("*.csv*")
    assert pieces == tuple(
        Unpacked(number, piece.file, tmp_path / piece.file.name, piece.file.name)
        for number, piece in enumerate(pieces)
    )
    assert [piece.name for piece in pieces] == ["a.csv", "b.csv.gz", "c.csv"]
    assert [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()] == []


def test_a_truncated_gzip_nul_bytes_and_a_long_line_go_to_the_reader(
    tmp_path: Path, bench: Bench
) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(os.urandom(10_000))[:5_000])
    (tmp_path / "b.csv").write_bytes(b"a,b\n1,\0\n")
    (tmp_path / "c.csv").write_bytes(b"a,b\n1," + b"x" * 10_000_000 + b"\n")
    assert [(piece.path.name, piece.problem) for piece in bench("*.csv*")] == [
        ("a.csv.gz", None),
        ("b.csv", None),
        ("c.csv", None),
    ]


def test_a_name_duckdb_would_misread_gets_another(tmp_path: Path, bench: Bench) -> None:
    folder = tmp_path / "day=2024-06-30"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"a\n1\n")
    (tmp_path / "b[1]*.csv").write_bytes(b"a\n2\n")
    (tmp_path / "b1x.csv").write_bytes(b"a\n3\n")
    (tmp_path / "log.gz.1").write_bytes(gzip.compress(b"a\n4\n"))
    Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.csv")).write_bytes(b"a\n5\n")
    pieces = (*bench("**/*.csv"), *bench("log*"))
    read = [
        (p.name, duckdb.execute("from read_csv(?, header = true)", [str(p.path)]).fetchall())
        for p in pieces
    ]
    assert read == [
        ("b1x.csv", [(3,)]),
        ("b[1]*.csv", [(2,)]),
        ("caf\N{REPLACEMENT CHARACTER}.csv", [(5,)]),
        ("day=2024-06-30/a.csv", [(1,)]),
        ("log.gz.1", [(4,)]),
    ]


def test_parquet_is_read_where_it_lies(tmp_path: Path, bench: Bench) -> None:
    duckdb.execute(f"copy (select 1 as a) to '{tmp_path / 'a.parquet'}'")
    assert [piece.path for piece in bench("a.parquet", "parquet")] == [tmp_path / "a.parquet"]


def test_a_file_that_may_not_be_read_is_a_problem_of_its_own(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "a.csv").symlink_to("/proc/self/mem")  # found, but cannot be read
    (tmp_path / "b.csv").write_bytes(b"a\n1\n")
    assert texts(bench("*.csv")) == [
        ("a.csv", "a.csv cannot be read: Input/output error."),
        ("b.csv", b"a\n1\n"),
    ]


def test_a_file_of_a_store_is_fetched(tmp_path: Path, bench: Bench) -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/in/a.csv.gz", gzip.compress(b"a\n1\n"))
    store.pipe("/in/b.csv", "a\né\n".encode("cp1252"))
    zip_bytes = io.BytesIO()
    with zipfile.ZipFile(zip_bytes, "w") as archive:
        archive.writestr("x.csv", "a\né\n".encode("cp1252"))
    store.pipe("/in/c.zip", zip_bytes.getvalue())
    try:
        gz, *others = bench("memory://in/*", encoding="cp1252")
        assert (gz.name, gz.problem, gz.path.read_bytes()) == (
            "memory://in/a.csv.gz",
            None,
            b"a\n1\n",
        )
        assert texts(tuple(others)) == [
            ("memory://in/b.csv", "a\né\n".encode()),
            ("memory://in/c.zip/x.csv", "a\né\n".encode()),
        ]
    finally:
        store.store.clear()


# ZIP


def test_members_of_a_zip_become_files_in_order(tmp_path: Path, bench: Bench) -> None:
    members = {
        "june/10.csv": b"a\n10\n",
        "june/9.csv": b"a\n9\n",
        "june/8.csv.gz": gzip.compress(b"a\n8\n"),
        "__MACOSX/june/._9.csv": b"\0\5\26\7",
        "__MACOSX/june/9.csv": b"\0",
        "june/.DS_Store": b"\0\0",
        "june/": b"",
        "readme.txt": b"hello",
    }
    zipped(tmp_path / "exports.zip", **members)
    (tmp_path / "other.zip").write_bytes((tmp_path / "exports.zip").read_bytes())
    pieces = bench("exports.zip", member="*.csv")
    assert texts(pieces) == [
        ("exports.zip/june/9.csv", b"a\n9\n"),
        ("exports.zip/june/10.csv", b"a\n10\n"),
    ]
    assert [(piece.number, piece.file.number) for piece in pieces] == [(0, 0), (1, 0)]
    assert [piece.name for piece in bench("*.zip", member="june/*")] == [
        "exports.zip/june/8.csv.gz",
        "exports.zip/june/9.csv",
        "exports.zip/june/10.csv",
        "other.zip/june/8.csv.gz",
        "other.zip/june/9.csv",
        "other.zip/june/10.csv",
    ]
    assert [piece.path.suffix for piece in bench("exports.zip", member="8*")] == [".gz"]
    assert len(bench("exports.zip")) == 4


def test_a_member_cannot_leave_the_folder_it_is_unpacked_to(tmp_path: Path, bench: Bench) -> None:
    evil = {"../../evil.csv": b"a\n1\n", f"{tmp_path}/evil2.csv": b"a\n2\n", "..\\evil3.csv": b"a"}
    zipped(tmp_path / "e.zip", **evil)
    link = zipfile.ZipInfo("link.csv")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "e.zip", "a") as archive:
        archive.writestr(link, "/etc/passwd")
    before = {path for path in tmp_path.rglob("*") if "scratch" not in path.parts}
    pieces = bench("e.zip")
    assert texts(pieces) == [
        ("e.zip/../../evil.csv", b"a\n1\n"),
        ("e.zip/../evil3.csv", b"a"),
        (f"e.zip/{tmp_path}/evil2.csv".replace("zip//", "zip//"), b"a\n2\n"),
        ("e.zip/link.csv", b"/etc/passwd"),
    ]
    folder = (tmp_path / "scratch").resolve()
    assert all(piece.path.resolve().is_relative_to(folder) for piece in pieces)
    assert {path for path in tmp_path.rglob("*") if "scratch" not in path.parts} == before


def test_zips_that_cannot_be_unpacked_say_why_and_the_others_are_read(
    tmp_path: Path, bench: Bench
) -> None:
    zipped(tmp_path / "a.zip", **{"x.csv": b"a\n1\n" * 1000, "y.csv": b"a\n2\n"})
    whole = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "b.zip").write_bytes(whole[:-30])
    damaged = bytearray(whole)
    damaged[40] ^= 0xFF
    (tmp_path / "c.zip").write_bytes(damaged)
    locked = bytearray(whole)
    for signature, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        locked[whole.find(signature) + offset] |= 1
    (tmp_path / "d.zip").write_bytes(locked)
    zipped(tmp_path / "e.zip")
    zipped(tmp_path / "f.zip", **{"inner.zip": whole})
    found = texts(bench("*.zip"))
    assert found[0][0] == "a.zip/x.csv"
    assert found[1:] == [
        ("a.zip/y.csv", b"a\n2\n"),
        ("b.zip", "b.zip is a damaged ZIP: File is not a zip file."),
        ("c.zip/x.csv", found[3][1]),
        ("c.zip/y.csv", b"a\n2\n"),
        (
            "d.zip/x.csv",
            "d.zip/x.csv is encrypted, and there is no place for a password; export it without "
            "one.",
        ),
        ("d.zip/y.csv", b"a\n2\n"),
        ("e.zip", "e.zip is an empty ZIP."),
        ("f.zip/inner.zip", "f.zip/inner.zip is a ZIP inside a ZIP, which is not unpacked."),
    ]
    assert str(found[3][1]).startswith("c.zip/x.csv is damaged: ")
    assert texts(bench("a.zip", member="z*")) == [
        ("a.zip", "a.zip has no file that matches member: z*; it has x.csv, y.csv.")
    ]


def test_a_zip_that_would_fill_the_disk_is_not_unpacked(
    tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped(tmp_path / "bomb.zip", **{"x.csv": b"0" * 5_000_000})
    assert bench("bomb.zip")[0].problem is None
    monkeypatch.setattr(archives, "HARMLESS", 1 << 20)
    expected = (
        "bomb.zip would be 4 MB unpacked, from 0 MB; at most 64 GB and 200 times its size are "
        "unpacked. Split it."
    )
    assert texts(bench("bomb.zip")) == [("bomb.zip", expected)]
    monkeypatch.setattr(archives, "HARMLESS", 1 << 30)
    monkeypatch.setattr(archives, "LARGEST", 1 << 20)
    assert bench("bomb.zip")[0].problem == expected.replace("64 GB", "0 GB")


# XLSX


def test_cells_of_a_sheet_become_text_that_can_be_read(tmp_path: Path, bench: Bench) -> None:
    day = datetime(2024, 6, 30)  # noqa: DTZ001  # a spreadsheet knows no zones
    noon = day + timedelta(hours=12, seconds=5)
    book(
        tmp_path / "b.xlsx",
        June={
            "A1": "Date", "B1": "At", "C1": "Visits", "D1": "Share", "E1": "Spent", "F1": "New\nly",
            "A2": day.date(), "B2": noon, "C2": 12345.0, "D2": (0.453, "0.0%"), "E2": time(0, 2, 5),
            "A3": day, "B3": day, "C3": 2**53, "D3": 0.1 + 0.2, "E3": timedelta(1, 7201),
            "A4": day, "B4": day, "C4": -1.5, "D4": 1e-7, "E4": (1.5, "h:mm:ss"), "F2": True,
            "C5": "#N/A", "D5": "=1/0", "E5": (0, "[h]:mm:ss"), "F3": False, "F4": 'a "b"\n<i>,é',
            "A5": " x ", "F5": "=HYPERLINK()", "H4": "a note",
        },
    )  # fmt: skip
    (piece,) = bench("b.xlsx", "xlsx")
    assert (piece.name, piece.columns, piece.rows, piece.header_row, piece.dropped) == (
        "b.xlsx, sheet June",
        ("Date", "At", "Visits", "Share", "Spent", "New ly", "column H"),
        4,
        1,
        (),
    )
    assert rows_of(piece) == [
        ["2", "2024-06-30", "2024-06-30T12:00:05", "12345", "45.3%", "0:02:05", "true", ""],
        ["3", "2024-06-30", "2024-06-30T00:00:00", "9007199254740992", "0.3", "26:00:01", "false",
         ""],
        ["4", "2024-06-30", "2024-06-30T00:00:00", "-1.5", "0.0000001", "36:00:00", 'a "b"\n<i>,é',
         "a note"],
        ["5", " x ", "", "#N/A", "=1/0", "0:00:00", "=HYPERLINK()", ""],
    ]  # fmt: skip


def test_percentages_of_a_sheet_are_read_as_they_are_shown(tmp_path: Path, bench: Bench) -> None:
    forms = ("0%", "0.00%", "0.0%", '0.0" %"', "[Red]0.0\\%", "General", "0 %;[Red]-0 %")
    cells: Grid = {f"A{n}": (0.615, form) for n, form in enumerate(forms, 2)}
    whole: Grid = {"B2": (1, "0.0%"), "B3": (0, "0%"), "B4": ("12 %", "0%"), "B5": (True, "0%")}
    book(tmp_path / "b.xlsx", June={"A1": "share", "B1": "other", **cells, **whole})
    (piece,) = bench("b.xlsx", "xlsx")
    shown = ["61.5%", "61.5%", "61.5%", "0.615", "0.615", "0.615", "61.5%"]
    assert [row[1] for row in rows_of(piece)] == shown
    assert [row[2] for row in rows_of(piece)] == ["100%", "0%", "12 %", "true", "", "", ""]


def test_a_time_of_day_among_dates_is_alone_at_fault(tmp_path: Path, bench: Bench) -> None:
    at = datetime(2024, 6, 30, 12, 5)  # noqa: DTZ001  # a spreadsheet knows no zones
    book(tmp_path / "b.xlsx", June={"A1": "Day", "A2": at.date(), "A3": at, "A4": at.date()})
    (piece,) = bench("b.xlsx", "xlsx", columns={"date": "Day"})
    read = [row[1] for row in rows_of(piece)]
    assert read == ["2024-06-30", "2024-06-30T12:05:00", "2024-06-30"]
    declared = {"columns": {"date": "Day"}, "time_format": "%Y-%m-%dT%H:%M:%S"}
    (piece,) = bench("b.xlsx", "xlsx", **declared)
    assert rows_of(piece)[0][1] == "2024-06-30T00:00:00"


def test_formulas_with_a_result_show_it_and_errors_their_name(tmp_path: Path, bench: Bench) -> None:
    book(tmp_path / "b.xlsx", June={"B1": "n", "C1": "x", "B2": 1, "C2": 2, "B3": 3, "C3": 4})
    cells = (
        '<row r="2"><c r="A2"><v>0.30000000000000004</v></c>'
        '<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v></c>'
        '<c r="C2" t="str"><f>""</f><v></v></c></row>'
        '<row r="3"><c r="B3"><f t="shared" si="0"/><v>7</v></c>'
        '<c r="C3"><f>SUM(A1:B2)</f></c><c r="D3" t="e"><v>#REF!</v></c></row>'
    )
    change_sheet(tmp_path / "b.xlsx", lambda xml: cut(xml, '<row r="2"', "</sheetData>", cells))
    (piece,) = bench("b.xlsx", "xlsx")
    assert (piece.columns, rows_of(piece)) == (
        ("column A", "n", "x", "column D"),
        [["2", "0.3", "#DIV/0!", "", ""], ["3", "", "7", "=SUM(A1:B2)", "#REF!"]],
    )


def change_sheet(path: Path, change: Callable[[str], str]) -> None:
    """Rewrite the XML of a workbook's first sheet."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = change(parts[sheet].decode()).encode()
    zipped(path, **parts)


def cut(text: str, start: str, end: str, instead: str) -> str:
    return text[: text.index(start)] + instead + text[text.index(end) :]


def test_sheets_are_chosen_by_name_and_keep_their_row_numbers(tmp_path: Path, bench: Bench) -> None:
    june: Grid = {"B3": "day", "C3": "n", "B5": "2024-06-01", "C5": 1, "B9": "2024-06-02", "C9": 2}
    book(tmp_path / "b.xlsx", Cover={"A1": "x"}, June=june, July={"A1": "day"}, Empty={})
    pieces = bench("b.xlsx", "xlsx", sheets=("Ju*", "Empty"))
    assert [(p.number, p.name, p.columns, p.rows, p.header_row) for p in pieces] == [
        (0, "b.xlsx, sheet June", ("day", "n"), 2, 3),
        (1, "b.xlsx, sheet July", ("day",), 0, 1),
        (2, "b.xlsx, sheet Empty", (), 0, 1),
    ]
    assert rows_of(pieces[0]) == [["5", "2024-06-01", "1"], ["9", "2024-06-02", "2"]]
    assert [piece.name for piece in bench("b.xlsx", "xlsx")] == ["b.xlsx, sheet Cover"]
    assert texts(bench("b.xlsx", "xlsx", sheets=("June", "August"))) == [
        ("b.xlsx", "b.xlsx has no sheet 'August'; it has 'Cover', 'June', 'July', 'Empty'.")
    ]


def test_sheets_with_cells_that_are_not_read_are_told(tmp_path: Path, bench: Bench) -> None:
    cells: Grid = {"A1": "day", "A2": "2024-06-01"}
    book(tmp_path / "b.xlsx", June=cells, July=cells, Empty={}, August=cells)
    notes = [piece.notes for piece in bench("b.xlsx", "xlsx")]
    assert notes == [
        (
            "b.xlsx: only the sheet 'June' is read, not 'July', 'August'; say in `sheets` of "
            "sources.yml which are.",
        )
    ]
    assert [piece.notes for piece in bench("b.xlsx", "xlsx", sheets=("June", "Ju*"))] == [(), ()]


def test_members_that_are_passed_over_for_their_ending_are_told(
    tmp_path: Path, bench: Bench
) -> None:
    members = dict.fromkeys(("a.csv", "in/B.CSV", "c.csv.gz", "readme.txt"), b"day\n")
    zipped(tmp_path / "z.zip", **members)
    (piece,) = bench("z.zip", member="*.csv")
    assert (piece.name, piece.notes) == (
        "z.zip/a.csv",
        ("z.zip: member: *.csv of sources.yml passes over 'c.csv.gz', 'in/B.CSV'.",),
    )
    assert all(piece.notes == () for piece in bench("z.zip"))


def test_rows_around_the_table_of_a_sheet_are_dropped_by_rule(tmp_path: Path, bench: Bench) -> None:
    lines = ["Report", "", "day", "", "1", "2", "Total", "3", "", "footer", "more", "", "last"]
    book(tmp_path / "b.xlsx", S={f"B{n}": text for n, text in enumerate(lines, 1) if text})
    (piece,) = bench("b.xlsx", "xlsx", header_row=3, total_rows=("TOTAL",), ends_at_blank_line=True)
    assert (piece.columns, piece.rows, piece.header_row) == (("day",), 3, 3)
    assert rows_of(piece) == [["5", "1"], ["6", "2"], ["8", "3"]]
    assert piece.dropped == (
        Dropped("total_row", 7),
        Dropped("below_the_table", 10, 2),
        Dropped("below_the_table", 13),
    )
    assert texts(bench("b.xlsx", "xlsx", header_row=14)) == [
        (
            "b.xlsx, sheet S",
            "b.xlsx, sheet S ends before row 14, where header_row says its header is.",
        )
    ]


def test_workbooks_inside_a_zip_are_read(tmp_path: Path, bench: Bench) -> None:
    book(tmp_path / "b.xlsx", June={"A1": "n", "A2": 1})
    zipped(tmp_path / "z.zip", **{"in/b.xlsx": (tmp_path / "b.xlsx").read_bytes()})
    (piece,) = bench("z.zip", "xlsx")
    assert (piece.name, rows_of(piece)) == ("z.zip/in/b.xlsx, sheet June", [["2", "1"]])


def test_what_is_no_workbook_says_so(tmp_path: Path, bench: Bench) -> None:
    book(tmp_path / "a.xlsx", June={"A1": "n", "A2": 1})
    change_sheet(tmp_path / "a.xlsx", lambda xml: xml[:300])
    (tmp_path / "b.xlsx").write_bytes(b"n\n1\n")
    (tmp_path / "c.xlsx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1000)
    zipped(tmp_path / "d.xlsx", **{"[Content_Types].xml": b"<Types/>", "xl/workbook.bin": b""})
    zipped(tmp_path / "e.xlsx", **{"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<x"})
    book(tmp_path / "f.xlsx", June={"A1": "n", "A2": "=1"})
    doctype = '<!DOCTYPE x [<!ENTITY a "b">]>'
    change_sheet(tmp_path / "f.xlsx", lambda xml: xml.replace("<worksheet", f"{doctype}<worksheet"))
    found = texts(bench("*.xlsx", "xlsx"))
    assert [(name, str(problem).split(": ")[0]) for name, problem in found] == [
        ("a.xlsx, sheet June", "a.xlsx is a damaged XLSX workbook"),
        (
            "b.xlsx",
            "b.xlsx is no XLSX workbook; save it as .xlsx, or write format",
        ),
        ("c.xlsx", "c.xlsx is an old .xls workbook or has a password; save it as .xlsx without."),
        ("d.xlsx", "d.xlsx is no XLSX workbook; save it as .xlsx."),
        ("e.xlsx", "e.xlsx is a damaged XLSX workbook"),
        ("f.xlsx, sheet June", "Sheet 'June' is damaged"),
    ]
    assert bench("f.xlsx")[0].problem == (
        "f.xlsx is a workbook, not csv; write format: xlsx in sources.yml."
    )


# Encodings


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16", "utf-16-le with a mark"),
        ("utf-16", "utf-16-be with a mark"),
        ("latin-1", "latin-1"),
        ("cp1252", "cp1252"),
        ("gb18030", "gb18030"),
        ("utf-8", "utf-8"),
    ],
)
def test_text_of_any_encoding_comes_through(
    tmp_path: Path, bench: Bench, encoding: str, written: str
) -> None:
    text = 'day;n\r\n"é\nü";1\n2;ß\n\n'
    mark = "\ufeff" if "mark" in written else ""
    content = (mark + text).encode(written.split(" ")[0])
    (tmp_path / "a.csv").write_bytes(content)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(content))
    plain, packed = bench("*.csv*", encoding=encoding)
    assert plain.path.read_bytes() == text.encode()
    content = packed.path.read_bytes()
    assert (gzip.decompress(content) if encoding == "utf-8" else content) == text.encode()


def test_what_is_not_of_the_encoding_spoils_only_its_line(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "a.csv").write_bytes(b"day,n\n\xe9,1\n\x81,2\n3,\xfc\n")
    assert texts(bench("a.csv", encoding="cp1252")) == [
        ("a.csv", "day,n\né,1\n".encode() + b"\xff,2\n" + "3,ü\n".encode())
    ]
    good = ["day,n\n", "1,é\n", "2,x\n", "3,y\n"]
    lines = [line.encode("utf-16-le") for line in good]
    lines[2] = b"\x00\xd8" + lines[2]
    (tmp_path / "b.csv").write_bytes(codecs.BOM_UTF16_LE + b"".join(lines) + b"4")
    assert texts(bench("b.csv", encoding="utf-16")) == [
        ("b.csv", "day,n\n1,é\n".encode() + b"\xff2,x\n3,y\n\xff")
    ]


def test_another_encoding_than_declared_is_told(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "a.csv").write_bytes("day,n\n".encode("utf-16"))
    (tmp_path / "b.csv").write_bytes("day,n\n".encode("utf-8-sig"))
    (tmp_path / "c.csv").write_bytes(b"day,n\n1,2\n")
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress("day,n\n".encode("utf-16")))
    zipped(tmp_path / "e.zip", **{"x.csv": "day,n\n".encode("utf-32")})
    told = {
        encoding: [piece.problem for piece in bench("*.*", encoding=encoding)]
        for encoding in ("utf-8", "cp1252", "utf-16")
    }
    is_16 = " is UTF-16, not {}; write encoding: utf-16 in sources.yml."
    is_32 = "e.zip/x.csv is UTF-32, not {}; write encoding: utf-32 in sources.yml."
    is_8 = "b.csv is UTF-8, not {}; write encoding: utf-8 in sources.yml."
    assert told == {
        "utf-8": [
            f"a.csv{is_16}".format("utf-8"),
            None,
            None,
            f"d.csv.gz{is_16}".format("utf-8"),
            is_32.format("utf-8"),
        ],
        "cp1252": [
            f"a.csv{is_16}".format("cp1252"),
            is_8.format("cp1252"),
            None,
            f"d.csv.gz{is_16}".format("cp1252"),
            is_32.format("cp1252"),
        ],
        "utf-16": [
            None,
            is_8.format("utf-16"),
            "c.csv is not utf-16; leave out encoding in sources.yml where it is UTF-8.",
            None,
            is_32.format("utf-16"),
        ],
    }


def test_what_cannot_be_decompressed_on_the_way_to_utf8_is_told(
    tmp_path: Path, bench: Bench
) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(os.urandom(10_000))[:5_000])
    duckdb.execute(f"copy (select 1 as a) to '{tmp_path / 'b.csv.zst'}' (compression zstd)")
    (tmp_path / "c.csv").write_bytes("é\n".encode("utf-32-le"))
    assert texts(bench("*.csv*", encoding="cp1252")) == [
        (
            "a.csv.gz",
            "a.csv.gz cannot be decompressed; it may be cut off: Compressed file ended before the "
            "end-of-stream marker was reached.",
        ),
        (
            "b.csv.zst",
            "b.csv.zst is compressed with zstd, which is read only where the file is UTF-8 and "
            "header_row, total_rows and ends_at_blank_line are not set; compress it with gzip.",
        ),
        ("c.csv", b"\xc3\xa9\0\0\0\n\0\0\0"),
    ]
    assert texts(bench("c.csv", encoding="utf-32")) == [
        ("c.csv", "c.csv is not utf-32: UTF-32 stream does not start with BOM.")
    ]
    assert [piece.problem for piece in bench("b.csv.zst")] == [None]


@pytest.mark.parametrize(
    "mixed",
    [
        b"a;b\r\n1;2\r3;4\r\n5;6\r\n",
        b"a;b\r\n1;2\n3;4\r5;6\r\n",
        b"a;b\n1;2\r3;4\n5;6\n",
        b"a;b\n1;2\n3;4\n5;6\r",
        b"a;b\r\r\n1;2\r\r\n3;4\r\r\n5;6\r\r\n",
    ],
)
def test_returns_alone_beside_other_line_ends_are_line_ends_too(
    tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch, mixed: bytes
) -> None:
    monkeypatch.setattr(plain_text, "BLOCK", 2)  # so that an end stands where two blocks meet
    even = b"a;b\n1;2\n3;4\n5;6\n"
    (tmp_path / "a.csv").write_bytes(mixed)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(mixed))
    assert texts(bench("[ab].csv*", delimiter=";")) == [("a.csv", even), ("b.csv.gz", even)]
    assert texts(bench("a.csv", encoding="cp1252")) == [("a.csv", even)]
    (tmp_path / "c.csv").write_bytes(mixed.decode().encode("utf-16"))
    assert texts(bench("c.csv", encoding="utf-16")) == [("c.csv", even)]


@pytest.mark.parametrize("ends", [b"\n \n", b"\r\n \r\n", b"\r \r", b"\r\n \n"])
def test_a_file_with_usual_line_ends_is_read_where_it_lies(
    tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch, ends: bytes
) -> None:
    monkeypatch.setattr(plain_text, "BLOCK", 2)
    first, second = ends.split(b" ")
    (tmp_path / "a.csv").write_bytes(b"a,b" + first + b"1,2" + second + b"3,4" + second)
    assert [piece.path for piece in bench("a.csv")] == [tmp_path / "a.csv"]


def test_bytes_behind_the_data_of_a_gzip_file_are_not_called_a_cut(
    tmp_path: Path, bench: Bench
) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n") + b"trailing")
    assert [piece.problem for piece in bench("a.csv.gz")] == [
        "a.csv.gz goes on behind its gzip data with bytes that are none. Deliver it again without "
        "them."
    ]


LINES = st.lists(
    st.text(
        st.characters(codec="cp1252", exclude_characters="\r\n\x1a", exclude_categories=["Cc"])
    ),
    max_size=20,
)


@given(LINES, st.sampled_from(["cp1252", "utf-16", "utf-16-be", "gb18030"]), st.integers(0, 20))
def test_all_lines_but_the_broken_one_come_through(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], encoding: str, place: int
) -> None:
    root = tmp_path_factory.mktemp("encoding")
    broken = {"cp1252": b"\x81", "utf-16": b"\x00\xdc", "utf-16-be": b"\xdc\x00"}
    encoded = [f"{line}\n".encode(encoding.replace("-16", "-16-le", encoding == "utf-16"))
               for line in lines]  # fmt: skip
    if place < len(lines):
        encoded[place] = broken.get(encoding, b"\xff") + encoded[place]
    path, target = root / "a", root / "b"
    path.write_bytes((codecs.BOM_UTF16_LE if encoding == "utf-16" else b"") + b"".join(encoded))
    plain_text.write_plain(source("a", encoding=encoding), path, "a", target)
    expected = [f"{line}\n".encode() for line in lines]
    if place < len(lines):
        expected[place] = b"\xff" + expected[place]
    assert target.read_bytes() == b"".join(expected)
    shutil.rmtree(root)


# What is around a table


def test_lines_that_are_none_of_the_table_are_emptied_in_their_place(
    tmp_path: Path, bench: Bench
) -> None:
    content = (
        b'Report "June\r\n'
        b"\r\n"
        b"day;n;x\r\n"
        b"\r\n"
        b";;\n"
        b'1;"two\n'
        b"\n"
        b'parts";x\n'
        b"2;caf\xe9;x\n"
        b"Totals;3;x\n"
        b' ; "TOTAL" ;x\n'
        b';"Total";x\n'
        b'total;"4\n'
        b'";x\n'
        b"5;too;many;columns\n"
        b'6;"not closed;x\n'
        b"7;7;x\n"
        b' ;"";\n'
        b"footer\r\n"
        b"8;8;x\n"
        b"\n"
        b"Total;9;x"
    )
    (tmp_path / "a.csv").write_bytes(content)
    kept = (
        b"\r\n\r\nday;n;x\r\n\r\n\n"
        b'1;"two\n\nparts";x\n2;caf\xe9;x\nTotals;3;x\n ; "TOTAL" ;x\n\n\n\n'
        b'5;too;many;columns\n6;"not closed;x\n7;7;x\n\n\r\n\n\n'
    )
    (piece,) = bench(
        "a.csv", delimiter=";", header_row=3, total_rows=("Total",), ends_at_blank_line=True
    )
    assert (piece.path.read_bytes(), piece.header_row) == (kept, 3)
    assert piece.dropped == (
        Dropped("total_row", 12, 2),
        Dropped("below_the_table", 19, 2),
        Dropped("below_the_table", 22),
    )
    assert kept.count(b"\n") == content.count(b"\n")


def test_each_rule_holds_without_the_others(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "a.csv").write_bytes(b"x\n\nday\n1\nTotal\n\n2\n\r\n\n")
    found = {
        str(options): (piece.path.read_bytes(), piece.header_row, piece.dropped)
        for options in (
            {"header_row": 3},
            {"header_row": 2},
            {"header_row": 3, "total_rows": ("total",)},
            {"header_row": 3, "ends_at_blank_line": True},
            {"ends_at_blank_line": True},
        )
        for piece in bench("a.csv", **options)
    }
    assert list(found.values()) == [
        (b"\n\nday\n1\nTotal\n\n2\n\r\n\n", 3, ()),
        (b"\n\nday\n1\nTotal\n\n2\n\r\n\n", 3, ()),
        (b"\n\nday\n1\n\n\n2\n\r\n\n", 3, (Dropped("total_row", 5),)),
        (b"\n\nday\n1\nTotal\n\n\n\r\n\n", 3, (Dropped("below_the_table", 7),)),
        (b"x\n\nday\n1\nTotal\n\n\n\r\n\n", 1, (Dropped("below_the_table", 7),)),
    ]


def test_a_file_that_ends_before_its_header_says_so(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "a.csv").write_bytes(b"Report\n2024")
    (tmp_path / "b.csv").write_bytes(b"")
    assert texts(bench("*.csv", header_row=3)) == [
        ("a.csv", "a.csv ends before line 3, where header_row says its header is."),
        ("b.csv", b""),
    ]


def test_a_header_that_cannot_be_read_says_so(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "a.csv").write_bytes(b"Report\nd\xe9y,n\xdf\x81\n1,2\n")
    told = [
        texts(bench("a.csv", header_row=2, encoding=encoding))
        for encoding in ("utf-8", "cp1252", "latin-1")
    ]
    assert told == [
        [("a.csv", "a.csv has a header that is not utf-8.")],
        [("a.csv", "a.csv has a header that is not cp1252.")],
        [("a.csv", "\ndéy,nß\x81\n1,2\n".encode())],
    ]


def test_a_full_disk_is_told_with_its_folder(
    tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_bytes(b"a\n" * 100_000)
    zipped(tmp_path / "b.zip", **{"a.csv": b"a\n" * 100_000})
    book(tmp_path / "c.xlsx", June={f"A{n}": "some text" for n in range(1, 3000)})
    store = fsspec.filesystem("memory")
    store.pipe("/d.csv", b"a\n" * 100_000)
    to_file = Path.open

    def to_full_disk(path: Path, mode: str = "r", *arguments: object, **more: object) -> object:
        place = Path("/dev/full") if "w" in mode else path
        return to_file(place, mode, *arguments, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", to_full_disk)
    monkeypatch.setattr(
        "fsspec.implementations.memory.MemoryFileSystem.get_file",
        lambda self, path, target: Path(target).write_bytes(b"x"),
    )
    try:
        for files, form, encoding in (
            ("a.csv", "csv", "cp1252"),
            ("b.zip", "csv", "utf-8"),
            ("c.xlsx", "xlsx", "utf-8"),
            ("memory://d.csv", "csv", "utf-8"),
        ):
            with pytest.raises(PipelineError) as told:
                bench(files, form, encoding=encoding)
            assert str(told.value) == (
                f"The disk of {tmp_path}/scratch is full. Free some space for unpacked files and "
                "run it again."
            )
    finally:
        store.store.clear()


def test_numbers_count_all_pieces_of_all_files(tmp_path: Path, bench: Bench) -> None:
    zipped(tmp_path / "a.zip", **{"1.csv": b"a\n", "2.csv": b"a\n"})
    (tmp_path / "b.csv").write_bytes(b"a\n")
    assert [(p.number, p.file.number, p.name) for p in bench("*.*")] == [
        (0, 0, "a.zip/1.csv"),
        (1, 0, "a.zip/2.csv"),
        (2, 1, "b.csv"),
    ]
