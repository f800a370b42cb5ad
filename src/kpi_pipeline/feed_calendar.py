"""What came of every day of every feed and product: landed or not, in time, and as much as usual.

Read from the run log and the workspace; nothing is loaded and nothing is written.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.periods import each_day, period_of
from kpi_pipeline.slices import folder_of, read_slice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kpi_pipeline.settings import Settings
    from kpi_pipeline.workspace import Product, Workspace

State = Literal["landed", "thin", "late", "absent", "rejected", "missing", "not_yet", "not_started"]
Pair = tuple[str, str]  # feed, product
MEANINGS: dict[State, str] = {
    "landed": "landed",
    "thin": "thin: fewer rows than is usual on that weekday",
    "late": "late: landed after it was due",
    "absent": "absent: looked for and not there",
    "rejected": "rejected: it came and cannot be trusted",
    "missing": "missing: due, and never loaded",
    "not_yet": "not yet due",
    "not_started": "before the product started",
}
FINE: frozenset[State] = frozenset(("landed", "not_yet", "not_started"))
WEEKS_SHOWN = 5
USUAL_WEEKS = 8
USUAL_AT_LEAST = 4
#: The expectation of landing/slices.yml that a day fails which has less than its weekday usually.
THIN = "A day is not thin beside its weekday."


@dataclass(frozen=True)
class FeedDay:
    """One feed of one product on one local day. Counts are source rows, times UTC.

    usual_low, usual_high: landed rows that are usual on that weekday, None where too little is
    known. reason: sentences, empty when all is well. advice: what to do about it.
    """

    feed: str
    product_id: str
    day: date
    state: State
    read: int = 0
    landed: int = 0
    quarantined: int = 0
    dropped: int = 0
    dropped_by: Mapping[str, int] = field(default_factory=dict)
    usual_low: int | None = None
    usual_high: int | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None
    arrived_at: datetime | None = None
    checks_passed: int = 0
    checks_warned: int = 0
    checks_stopped: int = 0
    reason: str = ""
    advice: str = ""

    @property
    def is_fine(self) -> bool:
        return self.state in FINE


COLUMNS = tuple(each.name for each in fields(FeedDay))


@dataclass(frozen=True)
class FeedCalendar:
    """The days in order of feed, product and day.

    since: the days after `last` that were due at `at` and have no slice of any of the pairs.
    """

    first: date
    last: date
    at: datetime
    week_start: int
    days: tuple[FeedDay, ...]
    since: tuple[date, date] | None = None

    def rows(self) -> list[tuple[Any, ...]]:
        """The days as tuples in the order of COLUMNS, times as ISO 8601."""
        return [tuple(_cell(getattr(day, name)) for name in COLUMNS) for day in self.days]


def calendar(
    settings: Settings,
    workspace: Workspace,
    at: datetime,
    feeds: Sequence[str] = (),
    products: Sequence[str] = (),
    first: date | None = None,
    last: date | None = None,
) -> FeedCalendar | None:
    """The calendar of these feeds and products (none given: all) from `first` to `last`.

    Without them: the five weeks up to the last day that was loaded. None when no day of them was
    ever loaded and no span is given.
    """
    from kpi_pipeline.runlog import RunLog

    log = RunLog(settings)
    known = [
        row for row in log.slices() if _is_asked(row["feed"], row["product_id"], feeds, products)
    ]
    newest = max((row["day"] for row in known), default=None)
    last = last or newest or first
    if last is None:
        return None
    week = period_of("week", last, workspace.calendar)
    first = first or min(last, week.start - timedelta(weeks=WEEKS_SHOWN - 1))
    shown = {(r["feed"], r["product_id"]) for r in known if first <= r["day"] <= last}
    pairs = [
        (feed, product)
        for feed in FEEDS
        for product in dict.fromkeys([*workspace.products, *(p for _, p in sorted(shown))])
        if _is_asked(feed, product, feeds, products)
        and ((feed, product) in shown or workspace.sources_of(feed, product))
    ]
    began = _first_loads(log.runs())
    findings: dict[tuple[str, str, date], list[Mapping[str, Any]]] = {}
    for check in log.findings(first, last):
        findings.setdefault((check["feed"], check["product_id"], check["day"]), []).append(check)
    slices: dict[Pair, dict[date, dict[str, Any]]] = {}
    for row in known:
        slices.setdefault((row["feed"], row["product_id"]), {})[row["day"]] = row
    days = [
        _day(
            settings,
            workspace,
            pair,
            day,
            slices.get(pair, {}),
            findings.get((*pair, day), ()),
            began.get(pair),
            at,
        )
        for pair in pairs
        for day in each_day(first, last)
    ]
    since = _since(workspace, pairs, newest, at) if last == newest else None
    return FeedCalendar(first, last, at, workspace.calendar.week_start, tuple(days), since)


def due_at(workspace: Workspace, feed: str, product: Product, day: date) -> datetime:
    """When the slice is given up: the feed's time on the next day, in the product's zone."""
    return datetime.combine(day + timedelta(days=1), workspace.give_up_at[feed], product.zone)


def usual(counts: Sequence[int], thresholds: Mapping[str, float]) -> tuple[int, int] | None:
    """The range of rows that is usual after these counts of the same weekday, by the thresholds
    that the checks use; None after too few, and where too little lands to be judged.

    Counts far from their median do not widen it.
    """
    if len(counts) < USUAL_AT_LEAST:
        return None
    middle = statistics.median(counts)
    if middle < thresholds.get("volume_smallest_base", math.inf):
        return None
    near = [count for count in counts if middle / 2 <= count <= middle * 2] or counts
    return (
        math.ceil(min(near) * thresholds["volume_thin_share"]),
        math.floor(max(near) * thresholds["volume_high_times"]),
    )


def _cell(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _is_asked(feed: str, product: str, feeds: Sequence[str], products: Sequence[str]) -> bool:
    return (not feeds or feed in feeds) and (not products or product in products)


def _first_loads(runs: Sequence[Mapping[str, Any]]) -> dict[Pair, datetime]:
    """When each feed of each product was first loaded. What was due before is history, not late."""
    began: dict[Pair, datetime] = {}
    for run in runs:
        if run["kind"] == "load":
            for product in run["arguments"].get("products", ()):
                began.setdefault((run["arguments"]["feed"], product), run["started_at"])
    return began


def _day(
    settings: Settings,
    workspace: Workspace,
    pair: Pair,
    day: date,
    slices: Mapping[date, Mapping[str, Any]],
    findings: Sequence[Mapping[str, Any]],
    began: datetime | None,
    at: datetime,
) -> FeedDay:
    feed, product_id = pair
    product = workspace.products.get(product_id)
    due = due_at(workspace, feed, product, day) if product is not None else None
    row = slices.get(day)
    if row is None:
        if product is None or day < product.started_on:
            return FeedDay(feed, product_id, day, "not_started")
        if due is None or at < due:
            return FeedDay(feed, product_id, day, "not_yet")
        return FeedDay(
            feed,
            product_id,
            day,
            "missing",
            reason="It is past the feed's give_up_at, and was never loaded.",
            advice=land_command([feed], [product_id], day, day),
        )
    before = [slices.get(day - timedelta(weeks=back)) for back in range(1, USUAL_WEEKS + 1)]
    counts = [r["rows_landed"] for r in before if r is not None and r["status"] == "landed"]
    bounds = usual(counts, workspace.thresholds.of(feed, product_id))
    is_audited = bool(row["checks_warned"] or row["checks_stopped"])
    state, reason = _judged(row, bounds, findings if is_audited else (), due, began)
    accepted = workspace.thresholds.why_accepted(feed, product_id, day)
    if state == "thin" and accepted is not None:
        state, reason = "landed", f"{reason} Accepted: {accepted}"
    return FeedDay(
        feed,
        product_id,
        day,
        state,
        row["rows_read"],
        row["rows_landed"],
        row["rows_quarantined"],
        row["rows_dropped"],
        _dropped_by(settings, pair, day) if row["rows_dropped"] else {},
        bounds[0] if bounds else None,
        bounds[1] if bounds else None,
        row["first_at"],
        row["last_at"],
        row["arrived_at"],
        row["checks_passed"],
        row["checks_warned"],
        row["checks_stopped"],
        reason,
        _advice(state, feed, product_id, day, row, due, at),
    )


def _judged(
    row: Mapping[str, Any],
    bounds: tuple[int, int] | None,
    findings: Sequence[Mapping[str, Any]],
    due: datetime | None,
    began: datetime | None,
) -> tuple[State, str]:
    """The state of a slice that is there, and why. findings: of its audit."""
    if row["status"] != "landed":
        return row["status"], row["reason"] or ""
    came = row["first_landed_at"] or row["arrived_at"]
    is_late = due is not None and came > due and began is not None and began <= due
    reasons = []
    if is_late and due is not None:
        local = came.astimezone(due.tzinfo)
        reasons.append(
            f"It landed at {local:%Y-%m-%d %H:%M}, and was due at {due:%Y-%m-%d %H:%M} "
            f"({due.tzinfo})."
        )
    is_thin = any(check["expectation"] == THIN for check in findings)
    if not is_thin and bounds is not None and row["rows_landed"] < bounds[0]:
        is_thin = True
        reasons.append(
            f"{row['rows_landed']:,} rows landed; {bounds[0]:,} to {bounds[1]:,} are usual on that "
            "weekday."
        )
    where = f"{row['product_id']}, {row['day']}: "
    reasons += [check["message"].removeprefix(where) for check in findings]
    return "thin" if is_thin else "late" if is_late else "landed", " ".join(reasons)


def _advice(
    state: State,
    feed: str,
    product_id: str,
    day: date,
    row: Mapping[str, Any],
    due: datetime | None,
    at: datetime,
) -> str:
    quarantined = row["rows_quarantined"]
    command = land_command([feed], [product_id], day, day)
    if state == "absent":
        if due is not None and at < due:
            return f"It may still come until {due:%Y-%m-%d %H:%M} ({due.tzinfo}); then {command}"
        return f"Once the source has it: {command}"
    if state == "rejected" and row["checks_stopped"]:
        return (
            "If the day is right as it is, accept it in checks.yml: kpi build. Else have the file "
            f"corrected, then {command}"
        )
    if state == "rejected":
        return f"Have the file or its declaration corrected, then {command}"
    if state == "thin":
        if quarantined:
            return f"See {_quarantine_command(feed, product_id, day)}"
        return f"Ask whether the export was cut short; once it is whole: {command}"
    if state == "late":
        return "Nothing, if it was built since; mails before had to do without it."
    if quarantined:
        return f"See {_quarantine_command(feed, product_id, day)}"
    return ""


def land_command(feeds: Sequence[str], products: Sequence[str], first: date, last: date) -> str:
    """The command that lands these days of these feeds and products."""
    named = [
        *(f"--feed {feed}" for feed in dict.fromkeys(feeds)),
        *(f"--product {product}" for product in dict.fromkeys(products)),
    ]
    return " ".join(["kpi land", *named, f"--from {first} --to {last}"])


def _quarantine_command(feed: str, product_id: str, day: date) -> str:
    return f"kpi quarantine explain --feed {feed} --product {product_id} --from {day} --to {day}"


def _dropped_by(settings: Settings, pair: Pair, day: date) -> Mapping[str, int]:
    piece = read_slice(folder_of(settings.landing, *pair, day))
    return {} if piece is None else piece.dropped_by


def _since(
    workspace: Workspace, pairs: Sequence[Pair], newest: date | None, at: datetime
) -> tuple[date, date] | None:
    """The days after the newest that were due for every one of the pairs."""
    if newest is None:
        return None
    day = at.astimezone(UTC).date()
    zones = [(feed, workspace.products[p]) for feed, p in pairs if p in workspace.products]
    while day > newest and any(due_at(workspace, feed, p, day) > at for feed, p in zones):
        day -= timedelta(days=1)
    return (newest + timedelta(days=1), day) if day > newest else None
