"""Whatever form a file has and whatever is broken in it: every row is accounted for, and right.

Files are written from a list of rows; what must come out is known before anything reads them.
"""

from __future__ import annotations

import gzip
import json
import re
import tempfile
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from landing_workspace import Bench

from kpi_pipeline.workspace import Source

DAYS = tuple(date(2024, 6, n) for n in (28, 29, 30))
COLUMNS = ("date", "source", "medium", "campaign", "visits", "page_views")
EXTRA = "remark"
ASCII = "abcXYZ 0123.-_%&=+@#()<>/'"
ALPHABETS = {
    "utf-8": ASCII + "éß€日本\U0001f600\u2028",
    "utf-8-sig": ASCII + "éß€日本",
    "utf-16": ASCII + "éß€日本\U0001f600",
    "latin-1": ASCII + "éßñ£",
    "cp1252": ASCII + "éß€–",
}
BAD_BYTES = {"utf-8": b"\xff", "utf-8-sig": b"\xe9", "cp1252": b"\x81"}  # no such bytes in others
NULLS = ("", "N/A")


@dataclass
class File:
    """Lines of a file, and what must become of each: the number of its line, to its row or why."""

    lines: list[bytes] = field(default_factory=list)
    landed: list[tuple[object, ...]] = field(default_factory=list)
    aside: list[tuple[int, date]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Form:
    """How a source writes its files."""

    encoding: str
    delimiter: str
    newline: str
    decimal: str
    thousands: str
    columns: tuple[str, ...]
    above: int
    has_total: bool
    packing: str

    def encoded(self, text: str) -> bytes:
        """Text of the file's encoding without a mark, which stands at its beginning only."""
        plain = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(self.encoding, self.encoding)
        return text.encode(plain)

    @property
    def mark(self) -> bytes:
        return {"utf-8-sig": b"\xef\xbb\xbf", "utf-16": b"\xff\xfe"}.get(self.encoding, b"")

    def number(self, value: int) -> str:
        return f"{value:,}".replace(",", self.thousands)

    @property
    def source(self) -> Source:
        return Source(
            "traffic",
            "traffic",
            "p",
            "t*",
            "csv",
            "covering",
            last_day_complete=True,
            encoding=self.encoding,
            delimiter=self.delimiter,
            decimal_separator=self.decimal,
            thousands_separator=self.thousands,
            header_row=self.above + 1,
            total_rows=("Total",) if self.has_total else (),
            null_tokens=NULLS,
        )


@st.composite
def forms(draw: DrawFn) -> Form:
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    decimal = draw(st.sampled_from([".", ","]))
    others = [sign for sign in (",", ".", " ", "'") if sign not in (decimal, delimiter)]
    optional = [c for c in COLUMNS if c == "page_views"]
    columns = [c for c in COLUMNS if c not in optional or draw(st.booleans())]
    if draw(st.booleans()):
        columns.append(EXTRA)
    return Form(
        encoding=draw(st.sampled_from(sorted(ALPHABETS))),
        delimiter=delimiter,
        newline=draw(st.sampled_from(["\n", "\r\n"])),
        decimal=decimal,
        thousands=draw(st.sampled_from(["", *others])),
        columns=tuple(draw(st.permutations(columns))),
        above=draw(st.integers(0, 3)),
        has_total=draw(st.booleans()),
        packing=draw(st.sampled_from(["plain", "gzip", "zip"])),
    )


def cell(draw: DrawFn, form: Form, value: str) -> str:
    needed = any(sign in value for sign in (form.delimiter, '"', "\n", "\r"))
    if needed or draw(st.booleans()):
        return '"' + value.replace('"', '""') + '"'
    return value


def row(
    draw: DrawFn, form: Form, number: int, ends: date | None
) -> tuple[dict[str, str], tuple[object, ...], date]:
    """A good row as written, and as it must land; its source is its own, so no key repeats."""
    day = ends or draw(st.sampled_from(DAYS))
    letters = st.text(st.sampled_from(ALPHABETS[form.encoding] + '",;\t|'), min_size=1, max_size=8)
    campaign = draw(letters.filter(lambda t: t.strip() == t))
    if draw(st.integers(0, 9)) == 0:
        campaign += "\nand more"
    visits = draw(st.one_of(st.integers(0, 2000), st.integers(0, 10**12)))
    views = draw(st.one_of(st.none(), st.integers(0, 10**6)))
    written = {
        "date": str(day),
        "source": f"s{number}",
        "medium": "m",
        "campaign": campaign,
        "visits": form.number(visits),
        "page_views": draw(st.sampled_from(NULLS)) if views is None else form.number(views),
        EXTRA: "nobody asked",
    }
    kept = views if "page_views" in form.columns else None
    return written, (day, f"s{number}", "m", campaign, visits, kept), day


BREAKS = ("short", "long", "open", "date", "negative", "word", "missing", "bytes")


@st.composite
def files(draw: DrawFn, form: Form, first: int) -> File:
    made = File()

    def put(text: str, raw: bytes = b"") -> int:
        """Write a line; returns its number."""
        number = sum(line.count(form.encoded("\n")) for line in made.lines) + 1
        made.lines.append(form.encoded(text) + raw + form.encoded(form.newline))
        return number

    for n in range(form.above):
        put(f"report, part {n}")
    put(form.delimiter.join(cell(draw, form, name) for name in form.columns))
    day = DAYS[0]
    for number in range(2 + draw(st.integers(1, 6))):
        if draw(st.integers(0, 5)) == 0:
            put("")
        ends = {0: DAYS[0], 1: DAYS[-1]}.get(number)  # so that all days are covered
        written, landed, own = row(draw, form, first + number, ends)
        kind = draw(st.sampled_from(("good",) * len(BREAKS) + BREAKS))
        if ends or (kind == "bytes" and form.encoding not in BAD_BYTES):
            kind = "good"
        if kind == "good":
            put(form.delimiter.join(cell(draw, form, written[c]) for c in form.columns))
            made.landed.append(landed)
            day = own
        else:
            at, dated = broken(draw, form, kind, written, put)
            day = own if dated else day
            made.aside.append((at, day))
    if form.has_total:
        put(form.delimiter.join("Total" if n == 0 else "" for n in range(len(form.columns))))
        made.dropped.append("total_row")
    return made


def broken(
    draw: DrawFn, form: Form, kind: str, written: dict[str, str], put: object
) -> tuple[int, bool]:
    """Write a broken row; its line's number, and whether its day can still be read."""
    assert callable(put)
    plain = {c: v if c != "campaign" else "x" for c, v in written.items()}
    wrong = {
        "date": {"date": "30 June"},
        "negative": {"visits": "-1"},
        "word": {"visits": "many"},
        "missing": {"visits": "N/A"},
    }.get(kind, {})
    values = [(plain | wrong)[c] for c in form.columns]
    if kind == "short":
        values = values[:-2]
    if kind == "long":
        values += ["one", "more"]
    if kind == "open":
        values[draw(st.integers(0, len(values) - 1))] = '"never closed'
    raw = BAD_BYTES[form.encoding] if kind == "bytes" else b""
    return put(form.delimiter.join(values), raw), bool(wrong) and kind != "date"


def packed(form: Form, name: str, content: bytes) -> tuple[str, bytes]:
    if form.packing == "gzip":
        return f"{name}.gz", gzip.compress(content)
    if form.packing == "zip":
        target = BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr(name, content)
        return f"{name}.zip", target.getvalue()
    return name, content


# no shrinking: with several landings a second it takes longer than reading the example
SETTINGS = settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])


@SETTINGS
@given(st.data())
def test_every_row_of_a_delimited_file_is_accounted_for(data: st.DataObject) -> None:
    form = data.draw(forms())
    made = [data.draw(files(form, 100 * n)) for n in range(data.draw(st.integers(1, 3)))]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), sources=(form.source,))
        for n, one in enumerate(made):
            bench.write(*packed(form, f"t{n}.csv", form.mark + b"".join(one.lines)))
        pieces = bench.land("traffic", DAYS)
        # a day of which no row could be used is not a day of 0
        lost = {day for one in made for _, day in one.aside}
        lost -= {day for one in made for day, *_ in one.landed}
        assert [p.status for p in pieces] == [
            "rejected" if day in lost else "landed" for day in DAYS
        ]
        assert all(("went to quarantine" in str(p.reason)) == (p.day in lost) for p in pieces)
        columns = "date, source, medium, campaign, visits, page_views"
        landed = [
            row for p in pieces if p.day not in lost for row in bench.rows(p, "traffic", columns)
        ]
        aside = [
            (re.findall(r"t\d\.csv", str(file))[-1], number, piece.day)
            for piece in pieces
            for file, number in bench.quarantine(piece, "source_file, row_number")
        ]
    for piece in pieces:
        assert piece.read == piece.landed + piece.quarantined + piece.dropped
    assert sorted(map(repr, landed)) == sorted(repr(row) for one in made for row in one.landed)
    wanted = [(f"t{n}.csv", at, day) for n, one in enumerate(made) for at, day in one.aside]
    assert sorted(aside) == sorted(wanted)
    assert sum(p.dropped for p in pieces) == sum(len(one.dropped) for one in made)
    assert sum(p.read for p in pieces) == sum(
        len(one.landed) + len(one.aside) + len(one.dropped) for one in made
    )


TIMES = "2024-06-30T10:00:00Z"
GOOD_JSON = st.text(ALPHABETS["utf-8"] + '",\\\n\t', min_size=1, max_size=8)
BAD_JSON = st.sampled_from(
    [
        b"not json",
        b"[1]",
        b'{"event_id": "x", "occurred_at"',
        b'{"event_id": "x", "occurred_at": "' + TIMES.encode() + b'", "visitor_id": "v"}',
        b'{"event_id": "x", "occurred_at": "never", "visitor_id": "v", "url": "/"}',
        b'{"event_id": "x", "url": "\xff"}',
        b"\0\0",
    ]
)


@SETTINGS
@given(st.lists(st.one_of(GOOD_JSON, BAD_JSON, st.just(b""))), st.booleans(), st.booleans())
def test_every_json_line_is_accounted_for(
    lines: list[str | bytes], is_packed: bool, is_ascii: bool
) -> None:
    written, landed, aside = [], [], []
    for number, line in enumerate(["/", *lines], 1):  # so that every column is there
        if isinstance(line, bytes):
            written.append(line)
            aside += [number] if line else []
            continue
        row = {"url": line, "event_id": f"e{number}", "occurred_at": TIMES, "visitor_id": "v"}
        written.append(json.dumps(row, ensure_ascii=is_ascii).encode())
        landed.append((f"e{number}", line))
    content = b"".join(line + b"\n" for line in written)
    source = Source("page_views", "page_views", "p", "{day}.jsonl*", "jsonl", "file_per_day")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), sources=(source,))
        name = f"{DAYS[-1]}.jsonl" + (".gz" if is_packed else "")
        bench.write(name, gzip.compress(content) if is_packed else content)
        (piece,) = bench.land("page_views", [DAYS[-1]])
        assert sorted(bench.rows(piece, "page_views", "event_id, url")) == sorted(landed)
        assert [n for (n,) in bench.quarantine(piece, "row_number")] == aside
    assert (piece.read, piece.landed) == (len(landed) + len(aside), len(landed))
    assert (piece.quarantined, piece.dropped) == (len(aside), 0)


LOG = '{host} - - [30/Jun/2024:10:00:00 +0000] "{request}" {status} 5 "-" "Mozilla/5.0 (X11)"'
GOOD_LOG = ("GET /page HTTP/1.1", 200)
LOG_LINES = st.sampled_from(
    [
        ("landed", *GOOD_LOG),
        ("landed", 'GET /a?q="x" HTTP/1.1'.replace('"', "%22"), 200),
        ("dropped", "POST /page HTTP/1.1", 200),
        ("dropped", "GET /page HTTP/1.1", 404),
        ("dropped", "GET /style.css HTTP/1.1", 200),
        ("aside", None, 0),
        ("blank", "", 0),
    ]
)


@SETTINGS
@given(st.lists(LOG_LINES), st.booleans())
def test_every_line_of_an_access_log_is_accounted_for(
    lines: list[tuple[str, str | None, int]], is_packed: bool
) -> None:
    texts = []
    for kind, request, status in lines:
        whole = LOG.format(host="192.0.2.1", request=request or "GET /cut", status=status)
        texts.append("" if kind == "blank" else whole[:70] if kind == "aside" else whole)
    content = "".join(f"{text}\n" for text in texts).encode()
    source = Source(
        "page_views",
        "page_views",
        "p",
        "{day}.log*",
        "access_log",
        "file_per_day",
        log_format="combined",
    )
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), sources=(source,))
        name = f"{DAYS[-1]}.log" + (".gz" if is_packed else "")
        bench.write(name, gzip.compress(content) if is_packed else content)
        (piece,) = bench.land("page_views", [DAYS[-1]])
        numbers = [n for (n,) in bench.quarantine(piece, "row_number")]
    counts = Counter(kind for kind, _, _ in lines)
    got = (piece.landed, piece.quarantined, piece.dropped)
    assert got == (counts["landed"], counts["aside"], counts["dropped"])
    assert piece.read == sum(got)
    assert numbers == [n for n, (kind, _, _) in enumerate(lines, 1) if kind == "aside"]
