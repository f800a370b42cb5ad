"""The audit of what came in, slice by slice, and of what is about to go out, as a whole."""

# ruff: noqa: S608  # names come from the feed contracts and from `expectations/`
from __future__ import annotations

import hashlib
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from kpi_pipeline.audit import suites
from kpi_pipeline.audit.engine import Door, Result, check_types
from kpi_pipeline.audit.suites import Expectation
from kpi_pipeline.feeds.contracts import FEEDS, SQL_TYPES, FeedTable
from kpi_pipeline.feeds.files import name_of, quoted
from kpi_pipeline.runlog import Check, CheckOutcome, RunLog, SliceAudit
from kpi_pipeline.settings import Settings
from kpi_pipeline.slices import Slice, folder_of, read_slice, write_slice

VIEW_LIMIT = 8  # files; more of them are read once into a table
USUAL_WEEKS = 8
USUAL_AT_LEAST = 4
SliceKey = tuple[str, str, date]


@dataclass(frozen=True)
class AuditOutcome:
    """passed, warned, stopped: expectations, each counted once per slice (or table, going out).

    findings: what did not pass.
    """

    passed: int
    warned: int
    stopped: int
    findings: tuple[Check, ...]


def quiet(_message: str) -> None:
    """Progress nobody wants to see."""


def audit_in(
    settings: Settings,
    at: datetime,
    run_id: str,
    progress: Callable[[str], None] = quiet,
) -> AuditOutcome:
    """Audit every landed slice whose content was not audited yet.

    A failing `stop` turns the slice into `rejected`, in `slice.json` and in the run log.
    """
    log = RunLog(settings)
    pieces = []
    for row in log.unaudited():
        piece = read_slice(folder_of(settings.landing, row["feed"], row["product_id"], row["day"]))
        if piece is not None and piece.status == "landed":
            pieces.append(piece)
    if not pieces:
        return AuditOutcome(0, 0, 0, ())
    folder = settings.expectations / "landing"
    expected = suites.load(folder)
    for name, expectations in expected.items():
        check_types(expectations, folder / f"{name}.yml")
    tallies: dict[SliceKey, Counter[CheckOutcome]] = {_key(p): Counter() for p in pieces}
    checks: list[Check] = []
    with (
        tempfile.TemporaryDirectory(dir=settings.landing, prefix=".audit-") as scratch,
        Door() as door,
    ):
        for feed, table in ((f, t) for f in FEEDS.values() for t in f.tables):
            batch = [p for p in pieces if p.feed == feed.name and table.name in p.tables]
            expectations = expected.get(table.name, [])
            if not batch or not expectations:
                continue
            path = Path(scratch) / f"{table.name}.duckdb"
            _write_batch(path, settings.landing, table, batch, log)
            found = _audit_table(door, path, table, batch, expectations, run_id, at)
            checks += found
            failed = _tally(tallies, batch, expectations, found)
            progress(f"audited {table.name}: {len(batch)} slices, {failed} findings")
        door.write_docs(settings.data_docs / "landing", progress)
    _index(settings.data_docs)
    findings = tuple(check for check in checks if check.outcome != "passed")
    audits = [
        SliceAudit(
            _judged(settings.landing, piece, findings),
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


def audit_out(
    settings: Settings,
    path: Path,
    at: datetime,
    run_id: str,
    progress: Callable[[str], None] = quiet,
) -> AuditOutcome:
    """Check the tables of a DuckDB file that is about to be published; nothing may have it open.

    A table that has expectations and is not there counts as stopped.
    """
    folder = settings.expectations / "published"
    expected = suites.load(folder)
    for name, expectations in expected.items():
        check_types(expectations, folder / f"{name}.yml")
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'main'"
        ).fetchall()
    present = {name for (name,) in rows}
    checks: list[Check] = []
    with Door() as door:
        source = door.open(path, is_read_only=True)
        for name, expectations in expected.items():
            if name not in present:
                message = f"The table {name} is not there."
                checks.append(
                    Check(
                        run_id, at, "out", name, "table exists", "stop", "stopped", message=message
                    )
                )
                continue
            results = door.run(source, name, f"published {name}", expectations)
            for expectation, result in zip(expectations, results, strict=True):
                checks.append(
                    Check(
                        run_id,
                        at,
                        "out",
                        name,
                        expectation.label,
                        expectation.severity,
                        _outcome(expectation, result.success),
                        unexpected_rows=result.unexpected_rows,
                        message="" if result.success else _sentence(expectation, result),
                    )
                )
        door.write_docs(settings.data_docs / "published", progress)
    _index(settings.data_docs)
    RunLog(settings).record_checks(checks)
    counts = Counter(check.outcome for check in checks)
    findings = tuple(check for check in checks if check.outcome != "passed")
    return AuditOutcome(counts["passed"], counts["warned"], counts["stopped"], findings)


def _write_batch(
    path: Path, landing: Path, table: FeedTable, batch: Sequence[Slice], log: RunLog
) -> None:
    """A DuckDB file with `rows` (the table's rows, slice_day, slice_no) and `slices`.

    slices: slice_no, product_id, day, row_count, usual_rows (median of the same weekday in the
    weeks before, NULL when there are too few).
    """
    usual = _usual(log, batch[0].feed)
    listed = []
    files = []
    for number, piece in enumerate(batch):
        entry = piece.tables[table.name]
        file = "null"
        if entry.file is not None:
            full = folder_of(landing, piece.feed, piece.product_id, piece.day) / entry.file
            files.append(str(full))
            file = quoted(str(full))
        expected = usual(piece.product_id, piece.day)
        listed.append(
            f"({number}, {quoted(piece.product_id)}, DATE '{piece.day}', {piece.landed}, "
            f"{'null' if expected is None else expected}, {file})"
        )
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create table slices(slice_no INTEGER, product_id VARCHAR, day DATE, "
            "row_count BIGINT, usual_rows DOUBLE, file VARCHAR)"
        )
        connection.execute(f"insert into slices values {', '.join(listed)}")
        if not files:
            columns = ", ".join(f"{name_of(c.name)} {SQL_TYPES[c.type]}" for c in table.columns)
            connection.execute(
                f"create table rows({columns}, product_id VARCHAR, local_date DATE, "
                "slice_day DATE, slice_no INTEGER)"
            )
            return
        kind = "view" if len(files) <= VIEW_LIMIT else "table"
        named = ", ".join(quoted(file) for file in files)
        connection.execute(
            f"create {kind} rows as select r.* exclude (filename), s.day as slice_day, s.slice_no "
            f"from read_parquet([{named}], filename = true, hive_partitioning = false) as r "
            "join slices as s on s.file = r.filename"
        )


def _audit_table(
    door: Door,
    path: Path,
    table: FeedTable,
    batch: Sequence[Slice],
    expectations: Sequence[Expectation],
    run_id: str,
    at: datetime,
) -> list[Check]:
    source = door.open(path, is_read_only=False)
    title = f"landing {table.name}"
    results = door.run(source, "rows", title, expectations)
    checks = []
    for expectation, result in zip(expectations, results, strict=True):
        failing: dict[int, Result] = {}
        if not result.success:
            if expectation.query is None:
                failing = door.failing_parts(source, title, expectation, 0, len(batch) - 1)
            else:
                failing = _failing_slices(door, source, expectation.query)
            if not failing:  # the slices pass one by one, but not together
                failing = dict.fromkeys(range(len(batch)), result)
        base = Check(
            run_id, at, "in", table.name, expectation.label, expectation.severity, "passed"
        )
        if len(failing) < len(batch):
            checks.append(replace(base, feed=batch[0].feed, slices=len(batch) - len(failing)))
        for number, one in sorted(failing.items()):
            piece = batch[number]
            checks.append(
                replace(
                    base,
                    outcome=_outcome(expectation, False),
                    feed=piece.feed,
                    product_id=piece.product_id,
                    day=piece.day,
                    unexpected_rows=one.unexpected_rows,
                    message=_sentence(expectation, one),
                )
            )
    return checks


def _failing_slices(door: Door, source: Any, query: str) -> dict[int, Result]:
    """The slices of a failing query's rows: it names `slice_no`, GX decided that it fails."""
    sql = query.replace("{batch}", "rows")
    rows = door.query(source, f"select slice_no, count(*) from ({sql}) group by 1 order by 1")
    return {number: Result(False, count, "") for number, count in rows}


def _tally(
    tallies: dict[SliceKey, Counter[CheckOutcome]],
    batch: Sequence[Slice],
    expectations: Sequence[Expectation],
    checks: Sequence[Check],
) -> int:
    """Add a table's outcomes to those of its slices; returns how many did not pass."""
    failed: Counter[SliceKey] = Counter()
    for check in checks:
        if check.feed and check.product_id and check.day and check.outcome != "passed":
            key = (check.feed, check.product_id, check.day)
            tallies[key][check.outcome] += 1
            failed[key] += 1
    for piece in batch:
        tallies[_key(piece)]["passed"] += len(expectations) - failed[_key(piece)]
    return failed.total()


def _judged(landing: Path, piece: Slice, findings: Sequence[Check]) -> Slice:
    """The slice, or the same rejected and rewritten when a check stopped it."""
    own = [
        f"{f.table_name}: {f.message}"
        for f in findings
        if f.outcome == "stopped"
        and (f.feed, f.product_id, f.day) == (piece.feed, piece.product_id, piece.day)
    ]
    if not own:
        return piece
    digest = hashlib.sha256(f"rejected:{piece.hash}".encode()).hexdigest()[:32]
    rejected = replace(piece, status="rejected", reason=" ".join(own), hash=digest)
    write_slice(folder_of(landing, piece.feed, piece.product_id, piece.day), rejected)
    return rejected


def _usual(log: RunLog, feed: str) -> Callable[[str, date], float | None]:
    """The usual number of rows of a product on a day: the median of the same weekday before it."""
    landed = {
        (row["product_id"], row["day"]): row["rows_landed"]
        for row in log.slices(feed=feed)
        if row["status"] == "landed"
    }

    def usual(product_id: str, day: date) -> float | None:
        days = (day - timedelta(weeks=back) for back in range(1, USUAL_WEEKS + 1))
        counts = [landed[product_id, d] for d in days if (product_id, d) in landed]
        return statistics.median(counts) if len(counts) >= USUAL_AT_LEAST else None

    return usual


def _key(piece: Slice) -> SliceKey:
    return piece.feed, piece.product_id, piece.day


def _outcome(expectation: Expectation, success: bool) -> CheckOutcome:
    if success:
        return "passed"
    return "stopped" if expectation.severity == "stop" else "warned"


def _sentence(expectation: Expectation, result: Result) -> str:
    rows = result.unexpected_rows
    told = f"{rows} row{'' if rows == 1 else 's'}" if rows else f"observed {result.observed}"
    return f"{expectation.reason} ({told} against it)"


def _index(folder: Path) -> None:
    """One page that opens both sites."""
    links = "".join(
        f'<li><a href="{name}/index.html">{title}</a></li>'
        for name, title in (("landing", "What came in"), ("published", "What went out"))
        if (folder / name / "index.html").exists()
    )
    (folder / "index.html").write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Checks</title></head>'
        f"<body><h1>Checks of the latest audits</h1><ul>{links}</ul></body></html>\n",
        encoding="utf-8",
    )
