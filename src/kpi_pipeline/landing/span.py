"""What is known of one feed of one product while a range of its days is landed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from kpi_pipeline.feeds.contracts import Feed
from kpi_pipeline.slices import Slice
from kpi_pipeline.workspace import Source


@dataclass(frozen=True)
class Coverage:
    """The days a source speaks for: `days` of its files, or `first` to `last` found in them."""

    source: Source
    days: frozenset[date] = frozenset()
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Undated:
    """A file with rows whose day cannot be read; is_whole: that is so of all its rows."""

    file_no: int
    is_whole: bool
    said: str


@dataclass
class Range:
    """Counts of source rows by day, why days are rejected, and which of them have arrived.

    zone, currency: the product's. before: the slice that landed last before the range. tallies: by
    table and day, rows `quarantined` and `used`, which landed or were dropped as what they are.
    columns, unused_columns: those of the files that speak for a day. told: sentences about what
    landed all the same.
    """

    feed: Feed
    product_id: str
    zone: str
    currency: str
    days: tuple[date, ...]
    at: datetime
    key_id: str
    before: Slice | None = None
    read: Counter[date] = field(default_factory=Counter)
    landed: Counter[date] = field(default_factory=Counter)
    quarantined: Counter[date] = field(default_factory=Counter)
    dropped: dict[date, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    tallies: dict[tuple[str, date], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    columns: dict[date, dict[str, set[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )
    unused_columns: dict[date, set[str]] = field(default_factory=lambda: defaultdict(set))
    undated: list[Undated] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    problems: dict[date, list[str]] = field(default_factory=lambda: defaultdict(list))
    covered: list[Coverage] = field(default_factory=list)
    missing: Callable[[date], str | None] = lambda _day: None
