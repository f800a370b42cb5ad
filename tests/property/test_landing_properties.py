"""Whatever is wrong with a CSV file: every line is accounted for, and good rows come through."""

from __future__ import annotations

import csv
import io
import tempfile
from datetime import date, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from landing_workspace import Bench

from kpi_pipeline.feeds.contracts import TRAFFIC
from kpi_pipeline.landing import arrivals
from kpi_pipeline.landing.span import Coverage
from kpi_pipeline.workspace import Source

DAY = date(2024, 6, 30)
HEADER = ["event_id", "occurred_at", "visitor_id", "url", "referrer", "is_bot"]
TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\x01\x02\r\n", exclude_categories=["Cs"]),
    min_size=1,
    max_size=12,
)
LINES = st.lists(TEXT, min_size=2, max_size=3).map("\n".join)
GOOD = st.tuples(st.one_of(TEXT, LINES), TEXT)
BREAKAGES = st.sampled_from(
    [
        'x,2024-06-30T10:00:00Z,v,"/never closed,,false',
        "too,few",
        "x,2024-06-30T10:00:00Z,v,/,,false,too many",
        "x,30 June,v,/,,false",
        "x,2024-06-30T10:00:00Z,,/,,false",
        "x,2024-06-30T10:00:00Z,v,/,,maybe",
        '"x"y,2024-06-30T10:00:00Z,v,/,,false',
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.tuples(st.just("good"), GOOD), st.tuples(st.just("bad"), BREAKAGES))),
    st.sampled_from(["\n", "\r\n"]),
)
def test_every_row_is_landed_unchanged_or_quarantined(
    rows: list[tuple[str, object]], newline: str
) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator=newline, quoting=csv.QUOTE_ALL)
    stream.write(",".join(HEADER) + newline)
    expected = []
    for number, (kind, content) in enumerate(rows):
        if kind == "bad":
            stream.write(f"{content}{newline}")
            continue
        assert isinstance(content, tuple)
        url, referrer = content
        instant = datetime(2024, 6, 30, 12) + timedelta(seconds=number)  # noqa: DTZ001
        writer.writerow([f"e{number}", f"{instant.isoformat()}Z", "v", url, referrer, "false"])
        expected.append((f"e{number}", instant, url, referrer))
    with tempfile.TemporaryDirectory() as folder:
        source = Source("page_views", "page_views", "p", "pv/{day}.csv", "csv", "file_per_day")
        bench = Bench(Path(folder), sources=(source,))
        bench.write(f"pv/{DAY}.csv", stream.getvalue())
        (piece,) = bench.land("page_views", [DAY])
        columns = "event_id, occurred_at, url, referrer"
        is_landed = piece.status == "landed"
        landed = bench.rows(piece, "page_views", columns) if is_landed else []
    bad = sum(kind == "bad" for kind, _ in rows)
    assert is_landed == (piece.reason is None) == (bool(expected) or not bad)
    assert piece.read == piece.landed + piece.quarantined + piece.dropped == len(rows)
    assert piece.quarantined == bad
    assert sorted(map(repr, landed)) == sorted(map(repr, expected))


DAYS = st.integers(0, 20).map(lambda n: date(2024, 6, 1) + timedelta(days=n))


@given(st.lists(DAYS), st.lists(DAYS, max_size=2), st.booleans(), DAYS)
def test_covered_days_are_those_from_first_to_last(
    days: list[date], others: list[date], is_complete: bool, day: date
) -> None:
    source = Source(
        "traffic", "traffic", "p", "t.csv", "csv", "covering", last_day_complete=is_complete
    )
    uniques = Source("traffic", "traffic_uniques", "p", "u.csv", "csv", "covering")
    covered = [
        Coverage(source, first=min(days, default=None), last=max(days, default=None)),
        Coverage(uniques, first=min(others, default=None), last=max(others, default=None)),
    ]
    reason = arrivals.absence(TRAFFIC, covered)(day)
    known = days or others
    last_counts = is_complete and bool(days)
    inside = (
        bool(known)
        and min(known) <= day
        and (day < max(known) or (day == max(known) and last_counts))
    )
    assert (reason is None) == inside
