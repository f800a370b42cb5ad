"""The audit of what came in, slice by slice."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from kpi_pipeline.audit import suites
from kpi_pipeline.audit.batch import SLICES, write_batch
from kpi_pipeline.audit.engine import Door, Result, check_types, write_index
from kpi_pipeline.audit.findings import COUNT, first_rows, sentence
from kpi_pipeline.audit.lookups import Lookups
from kpi_pipeline.audit.outcome import AuditOutcome, Progress, failed, quiet
from kpi_pipeline.audit.suites import Expectation
from kpi_pipeline.audit.usual import History
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.runlog import Check, CheckOutcome, RunLog, SliceAudit
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import Slice, folder_of, read_slice, write_slice
from kpi_pipeline.workspace.thresholds import Thresholds, load_thresholds

SliceKey = tuple[str, str, date]
#: In the reason of an accepted day that something else refuses, so that it is asked only once.
STILL_REFUSED = "checks.yml accepts the day, but not this."


def audit_in(
    settings: Settings, at: datetime, run_id: str, progress: Progress = quiet
) -> AuditOutcome:
    """Audit every landed slice whose content was not audited yet, and those rejected before that
    `checks.yml` accepts by now.

    A failing `stop` turns the slice into `rejected`, in `slice.json` and in the run log.
    """
    log = RunLog(settings)
    thresholds = load_thresholds(settings.workspace, settings.expectations)
    reopened = _reopened(settings.landing, log, thresholds)
    pieces = [*_unaudited(settings.landing, log), *(_opened(piece) for piece in reopened)]
    if not pieces:
        return AuditOutcome(0, 0, 0, ())
    folder = settings.expectations / "landing"
    expected = suites.load(folder)
    for name, expectations in expected.items():
        check_types(expectations, folder / f"{name}.yml")
    tallies: dict[SliceKey, Counter[CheckOutcome]] = {_key(p): Counter() for p in pieces}
    checks: list[Check] = []
    lookups = Lookups.of(settings.landing)
    zones = lookups.zones()
    with (
        tempfile.TemporaryDirectory(dir=settings.landing, prefix=".audit-") as scratch,
        Door() as door,
    ):
        for feed in FEEDS.values():
            batch = [piece for piece in pieces if piece.feed == feed.name]
            if not batch:
                continue
            path = Path(scratch) / f"{feed.name}.duckdb"
            history = History(settings.landing, log, batch, zones)
            write_batch(path, settings.landing, batch, history, thresholds, lookups)
            source = door.open(path, is_read_only=False)
            for table in (SLICES, *(t.name for t in feed.tables)):
                asked = dict(enumerate(batch))
                if table != SLICES:
                    asked = {n: piece for n, piece in asked.items() if table in piece.tables}
                if not asked or not expected.get(table):
                    continue
                found = _ask(door, source, table, asked, expected[table], thresholds, run_id, at)
                checks += found
                count = _tally(tallies, list(asked.values()), expected[table], found)
                of_feed = f" of {feed.name}" if table == SLICES else ""
                progress(f"audited {table}{of_feed}: {len(asked)} slices, {count} findings")
        door.write_docs(settings.data_docs / "landing", progress)
    write_index(settings.data_docs)
    findings = tuple(check for check in checks if check.outcome != "passed")
    before = {_key(piece): piece for piece in reopened}
    audits = [
        SliceAudit(
            _judged(settings.landing, piece, before.get(_key(piece)), findings),
            tallies[_key(piece)]["passed"],
            tallies[_key(piece)]["warned"],
            tallies[_key(piece)]["stopped"],
        )
        for piece in pieces
    ]
    log.record_checks(checks)
    log.record_audits(audits, run_id, at)
    return AuditOutcome(
        sum(a.passed for a in audits),
        sum(a.warned for a in audits),
        sum(a.stopped for a in audits),
        findings,
    )


def _unaudited(landing: Path, log: RunLog) -> list[Slice]:
    pieces = []
    for row in log.unaudited():
        piece = read_slice(folder_of(landing, row["feed"], row["product_id"], row["day"]))
        if piece is not None and piece.status == "landed":
            pieces.append(piece)
    return pieces


def _reopened(landing: Path, log: RunLog, thresholds: Thresholds) -> list[Slice]:
    """Slices an earlier audit rejected, of days that are accepted now."""
    pieces = {}
    for days in thresholds.accepted:
        for row in log.slices(days.feed, days.product, days.first, days.last):
            if row["status"] != "rejected" or not row["checks_stopped"]:
                continue
            piece = read_slice(folder_of(landing, row["feed"], row["product_id"], row["day"]))
            if piece is not None and STILL_REFUSED not in (piece.reason or ""):
                pieces[_key(piece)] = piece
    return list(pieces.values())


def _opened(piece: Slice) -> Slice:
    """A rejected slice as landed, under a hash of its own, so that a build takes it."""
    return replace(piece, status="landed", reason=None, hash=_hash("accepted", piece.hash))


def _ask(
    door: Door,
    source: Any,
    table: str,
    asked: Mapping[int, Slice],
    expectations: Sequence[Expectation],
    thresholds: Thresholds,
    run_id: str,
    at: datetime,
) -> list[Check]:
    """A check for each expectation that slices passed, and one for each slice that did not.

    asked: slice_no to slice.
    """
    first = next(iter(asked.values()))
    title = f"landing {table}" if table != SLICES else f"landing {table} of {first.feed}"
    checks = []
    results = door.run(source, table, title, expectations)
    for expectation, result in zip(expectations, results, strict=True):
        failing: dict[int, tuple[Result, list[dict[str, Any]]]] = {}
        if not result.success and expectation.query is None:
            parts = door.failing_parts(source, table, title, expectation, min(asked), max(asked))
            failing = {number: (part, []) for number, part in parts.items()}
        elif not result.success:
            for row in first_rows(door, source, table, expectation, "slice_no"):
                part = Result(False, row[COUNT], "")
                failing.setdefault(row["slice_no"], (part, []))[1].append(row)
        if not result.success and not failing:  # they pass one by one, but not together
            failing = dict.fromkeys(asked, (result, []))
        base = Check(
            run_id, at, "in", table, expectation.label, expectation.severity, "passed", first.feed
        )
        if len(failing) < len(asked):
            checks.append(replace(base, slices=len(asked) - len(failing)))
        for number, (part, rows) in sorted(failing.items()):
            piece = asked[number]
            said = sentence(expectation, part, rows)
            accepted = (
                thresholds.why_accepted(*_key(piece)) if expectation.can_be_accepted else None
            )
            if accepted:
                said = f"{said} Accepted: {accepted}"
            checks.append(
                replace(
                    base,
                    outcome="warned" if accepted else failed(expectation),
                    product_id=piece.product_id,
                    day=piece.day,
                    unexpected_rows=part.unexpected_rows,
                    message=f"{piece.product_id}, {piece.day}: {said}",
                )
            )
    return checks


def _tally(
    tallies: dict[SliceKey, Counter[CheckOutcome]],
    batch: Sequence[Slice],
    expectations: Sequence[Expectation],
    checks: Sequence[Check],
) -> int:
    """Add a table's outcomes to those of its slices; returns how many did not pass."""
    count: Counter[SliceKey] = Counter()
    for check in checks:
        if check.feed and check.product_id and check.day and check.outcome != "passed":
            key = (check.feed, check.product_id, check.day)
            tallies[key][check.outcome] += 1
            count[key] += 1
    for piece in batch:
        tallies[_key(piece)]["passed"] += len(expectations) - count[_key(piece)]
    return count.total()


def _judged(landing: Path, piece: Slice, before: Slice | None, findings: Sequence[Check]) -> Slice:
    """The slice, or the same rejected, when a check stopped it; rewritten where that is new.

    before: the rejected slice that was opened again.
    """
    key = _key(piece)
    prefix = f"{piece.product_id}, {piece.day}: "
    own = [
        f"{'' if f.table_name == SLICES else f.table_name + ': '}{f.message.removeprefix(prefix)}"
        for f in findings
        if f.outcome == "stopped" and (f.feed, f.product_id, f.day) == key
    ]
    folder = folder_of(landing, *key)
    if own and before:
        judged = replace(before, reason=" ".join([*own, STILL_REFUSED]))
    elif own:
        digest = _hash("rejected", piece.hash)
        judged = replace(piece, status="rejected", reason=" ".join(own), hash=digest)
    else:
        judged = piece
    if own or before:
        write_slice(folder, judged)
    return judged


def _hash(word: str, content: str) -> str:
    return hashlib.sha256(f"{word}:{content}".encode()).hexdigest()[:32]


def _key(piece: Slice) -> SliceKey:
    return piece.feed, piece.product_id, piece.day
