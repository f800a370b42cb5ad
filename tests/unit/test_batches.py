"""The spans of days in which page views are built."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from kpi_pipeline.warehouse.handover import BATCH, batches

FIRST = date(2024, 3, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def slices(*rows: int, feed: str = "page_views") -> list[dict[str, Any]]:
    return [
        {"feed": feed, "product_id": "p", "day": day(n), "rows_landed": count}
        for n, count in enumerate(rows)
    ]


def spans(rows: list[dict[str, Any]]) -> list[tuple[date, date]]:
    return batches(rows, [(r["feed"], r["product_id"], r["day"]) for r in rows])


def test_a_batch_ends_with_the_day_that_fills_it() -> None:
    half = BATCH // 2
    assert spans(slices(half, half, 3 * BATCH, 1, 2)) == [
        (day(0), day(1)),
        (day(2), day(2)),
        (day(3), day(4)),
    ]


def test_days_without_rows_are_in_a_batch_too() -> None:
    assert spans(slices(0, 0)) == [(day(0), day(1))]


def test_days_that_are_not_touched_and_other_feeds_count_for_nothing() -> None:
    rows = [*slices(5, BATCH, 5), *slices(BATCH, feed="exposure")]
    touched = [("page_views", "p", day(0)), ("page_views", "p", day(2)), ("exposure", "p", day(0))]
    assert batches(rows, touched) == [(day(0), day(2))]


def test_nothing_touched_is_no_batch() -> None:
    assert spans(slices(feed="exposure")) == []
    assert spans(slices(7, feed="exposure")) == []
