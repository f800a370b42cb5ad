"""Whether a slice's data has arrived. Absent is not 0: an undelivered day is not a quiet day."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

import duckdb

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.feeds.contracts import FEEDS, Feed, FeedTable
from kpi_pipeline.feeds.found import find
from kpi_pipeline.landing import judge
from kpi_pipeline.landing.span import Coverage
from kpi_pipeline.settings import Settings
from kpi_pipeline.workspace import Source, Workspace

Arrival = Literal["arrived", "not_yet", "given_up"]


def arrival(
    settings: Settings,  # noqa: ARG001  # every step takes it first
    workspace: Workspace,
    feed: str,
    product_id: str,
    day: date,
    at: datetime,
) -> Arrival:
    """Whether the slice can be landed, may still come, or is to be written as absent.

    It is given up at the feed's `give_up_at` on the next day, in the product's time zone. Raises
    ConfigurationError when the product has no source for the feed.
    """
    sources = workspace.sources_of(feed, product_id)
    product = workspace.products[product_id]
    if not sources:
        raise ConfigurationError(
            f"sources.yml has no source of the feed {feed!r} for the product {product_id!r}."
        )
    covered = [_coverage_of(workspace, source, at) for source in sources]
    if absence(FEEDS[feed], covered)(day) is None:
        return "arrived"
    give_up = datetime.combine(
        day + timedelta(days=1), workspace.give_up_at[feed], tzinfo=product.zone
    )
    return "given_up" if at >= give_up else "not_yet"


def absence(feed: Feed, covered: Sequence[Coverage]) -> Callable[[date], str | None]:
    """A function from a day to None when it has arrived, else to the reason it has not.

    The feed's first table decides: each of its `file_per_day` sources must have the day's file.
    Its `covering` sources speak for the first to the last day found in the feed's tables together;
    the last counts only where a source that reaches it says `last_day_complete`.
    """
    deciding = [c for c in covered if c.source.table == feed.tables[0].name] or list(covered)
    dated = {t.name for t in feed.tables if t.day_rule != "period_end"}
    spans = [c for c in covered if c.source.arrival == "covering" and c.first is not None]
    spans = [c for c in spans if c.source.table in dated] or spans
    first = min((c.first for c in spans if c.first is not None), default=None)
    last = max((c.last for c in spans if c.last is not None), default=None)
    is_last_complete = any(c.last == last and c.source.last_day_complete for c in spans)

    def reason(day: date) -> str | None:
        for one in deciding:
            source = one.source
            if source.arrival == "file_per_day":
                if day not in one.days:
                    name = source.files.replace("{day}", day.isoformat())
                    return f"There is no file {name}."
            elif first is None or last is None:
                return f"{source.files} has no row whose day can be read."
            elif day < first or day > last:
                return f"{source.files} covers {first} to {last}."
            elif day == last and not is_last_complete:
                return f"{last} is the last day of {source.files} and may be incomplete."
        return None

    return reason


def latest_day(at: datetime, zone: str) -> date:
    """The local day of `at`: rows after it do not show that the days before are complete."""
    from zoneinfo import ZoneInfo

    return at.astimezone(ZoneInfo(zone)).date()


def _coverage_of(workspace: Workspace, source: Source, at: datetime) -> Coverage:
    found = find(source, workspace.root)
    if source.arrival == "file_per_day":
        return Coverage(source, days=frozenset(f.day for f in found if f.day is not None))
    stamps = tuple((f.name, *f.stamp) for f in found)
    zone = workspace.products[source.product].time_zone
    first, last = _span(source, workspace.root, zone, latest_day(at, zone), stamps)
    return Coverage(source, first=first, last=last)


@lru_cache(maxsize=64)
def _span(
    source: Source,
    root: Path,
    zone: str,
    latest: date,
    stamps: tuple[tuple[str, int, str], ...],  # noqa: ARG001  # part of the cache's key
) -> tuple[date | None, date | None]:
    """First and last day found in a covering source, up to `latest`."""
    table = table_of(source)
    with duckdb.connect() as connection, tempfile.TemporaryDirectory() as scratch:
        connection.execute("set timezone = 'UTC'")
        judge.judge(
            connection, source, table, zone, find(source, root), Path(scratch), judge.DAY_ONLY
        )
        return judge.span(connection, latest)


def table_of(source: Source) -> FeedTable:
    """The contract of the table a source holds."""
    return next(t for t in FEEDS[source.feed].tables if t.name == source.table)
