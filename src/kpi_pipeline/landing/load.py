"""Land days of a feed: one pass over each source for the whole range."""

# ruff: noqa: S608  # names are quoted by `name_of`, values by `quoted`; contents are bound
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb

from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.feeds.contracts import FEEDS, FeedTable
from kpi_pipeline.feeds.found import SourceFile, find
from kpi_pipeline.feeds.reading import notes_of
from kpi_pipeline.landing import (
    counting,
    dedupe,
    drift,
    judge,
    keeping,
    keyed,
    refusing,
    spoken,
    store,
)
from kpi_pipeline.landing.arrivals import absence, latest_day, table_of
from kpi_pipeline.landing.scratch import scratch_folder
from kpi_pipeline.landing.span import Coverage, Range
from kpi_pipeline.runlog import RunLog
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import Slice
from kpi_pipeline.workspace import Source, Workspace

FOR_LOGS_MB = 500


def quiet(_message: str) -> None:
    """Progress nobody wants to see."""


def land(
    settings: Settings,
    workspace: Workspace,
    feed: str,
    product_ids: Sequence[str],
    days: Sequence[date],
    at: datetime,
    run_id: str,
    progress: Callable[[str], None] = quiet,
) -> list[Slice]:
    """Replace the slices of these products and days; returns them, unchanged ones too.

    Products that have no source for the feed are passed over. Raises ConfigurationError for an
    unknown feed or product, or when KPI_HASH_KEY is not set.
    """
    if feed not in FEEDS:
        raise ConfigurationError(f"There is no feed {feed!r}; the feeds are {', '.join(FEEDS)}.")
    for product_id in product_ids:
        if product_id not in workspace.products:
            known = ", ".join(workspace.products)
            raise ConfigurationError(f"There is no product {product_id!r}; products: {known}.")
    key = settings.require_hash_key()
    log = RunLog(settings)
    wanted = tuple(sorted(set(days)))
    pieces: list[Slice] = []
    if not wanted:
        return pieces
    settings.landing.mkdir(parents=True, exist_ok=True)
    for product_id in product_ids:
        sources = workspace.sources_of(feed, product_id)
        if not sources:
            continue
        product = workspace.products[product_id]
        span = Range(
            feed=FEEDS[feed],
            product_id=product_id,
            zone=product.time_zone,
            currency=product.currency,
            days=wanted,
            at=at,
            key_id=keyed.key_id(key),
            before=drift.slice_before(settings.landing, feed, product_id, wanted[0]),
        )
        with (
            scratch_folder(settings.landing) as scratch,
            duckdb.connect(
                config={
                    "temp_directory": str(scratch / "spill"),
                    "memory_limit": _memory(settings, sources),
                }
            ) as connection,
        ):
            connection.execute("set timezone = 'UTC'")
            connection.execute("attach ':memory:' as work (compress)")
            connection.execute("use work")
            keyed.install(connection, key)
            done = _land_product(
                connection, settings.landing, workspace.root, sources, span, scratch
            )
        log.record_slices(done, run_id, at)
        pieces += done
        counts = Counter(piece.status for piece in done)
        said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        progress(f"{feed} of {product_id}: {said}")
        for told in span.told:
            progress(told)
        for earlier, piece in pairwise([span.before, *done]):
            if piece is not None and (sentence := drift.told(earlier, piece)):
                progress(sentence)
    return pieces


def _memory(settings: Settings, sources: Sequence[Source]) -> str:
    """As set; for logs alone no more than they gain from, for a log may be of any length."""
    if all(source.format == "access_log" for source in sources):
        return f"{min(settings.memory_mb, FOR_LOGS_MB)}MB"
    return settings.memory


def _land_product(
    connection: duckdb.DuckDBPyConnection,
    landing: Path,
    root: Path,
    sources: Sequence[Source],
    span: Range,
    scratch: Path,
) -> list[Slice]:
    connection.execute("create temp table requested(day DATE)")
    listed = ", ".join(f"(DATE '{day}')" for day in span.days)
    connection.execute(f"insert into requested values {listed}")
    store.create_quarantine(connection)
    tables = [t for t in span.feed.tables if any(s.table == t.name for s in sources)]
    parts: list[tuple[str, str]] = []
    for position, source in enumerate(sources):
        same = [s for s in sources[:position] if s.table == source.table]
        name = f"{source.feed}.{source.table}.{source.product}" + (f".{len(same)}" if same else "")
        _load_source(connection, root, source, name, span, scratch / str(position))
        parts.append(
            (
                source.table,
                keeping.keep(
                    connection, source, table_of(source), span.product_id, name, span.days, position
                ),
            )
        )
    keeping.define_outputs(connection, tables, parts)
    for table in tables:
        if table.day_rule != "instant":
            refusing.refuse_repeats(connection, table, span)
    span.missing = absence(span.feed, span.covered)
    refusing.refuse_undated(landing, span)
    refusing.refuse_unusable(span)
    return store.write(connection, landing, scratch, tables, span)


def _load_source(
    connection: duckdb.DuckDBPyConnection,
    root: Path,
    source: Source,
    name: str,
    span: Range,
    scratch: Path,
) -> None:
    table = table_of(source)
    found = find(source, root)
    is_daily = source.arrival == "file_per_day"
    chosen = _files_for(found, source, table, span.days) if is_daily else found
    scratch.mkdir()
    reads = judge.judge(connection, source, table, span.zone, chosen, scratch)
    if is_daily:
        by_name = frozenset(f.day for f in found if f.day is not None)
        span.covered.append(Coverage(source, days=by_name))
    else:
        first, last = judge.span(connection, latest_day(span.at, span.zone))
        span.covered.append(Coverage(source, first=first, last=last))
    refusing.refuse_other_days(connection, source, table, reads)
    dedupe.drop_repeats_across_files(connection, source, table)
    if keeping.adds_up(source, table):
        refusing.refuse_to_add(connection, table, span.currency)
    counting.number(connection, reads, is_daily)
    if not is_daily:
        undated = counting.undated(connection, table)
        counting.move_into(connection, undated, span.covered[-1], span)
        span.undated += undated
    days_of = spoken.days_of(connection, source, table, span, reads, scratch)
    refusing.refuse_unread(connection, reads, span, days_of)
    refusing.refuse_changed(chosen, span, is_daily)
    counting.quarantine(connection, table, span)
    counting.count(connection, table, span)
    refusing.refuse_lost_columns(source, table, name, reads, span, days_of)
    span.told += spoken.empty(source, reads, span)
    span.told += notes_of(reads)
    span.told += judge.zoneless(connection, source, span.zone)


def _files_for(
    found: Sequence[SourceFile], source: Source, table: FeedTable, days: Sequence[date]
) -> list[SourceFile]:
    """The files in which rows of those days may stand."""
    early, late = spoken.reach(source, table)
    near = {day + timedelta(days=shift) for day in days for shift in range(-early, late + 1)}
    return [file for file in found if file.day in near]
