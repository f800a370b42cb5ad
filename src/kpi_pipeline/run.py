"""The steps of the pipeline as the CLI, the DAGs and the tests call them.

Each opens a run in the run log and closes it with a named outcome, also when it fails. Parts are
imported where they are used, because dbt and Great Expectations take seconds to import.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kpi_pipeline.errors import ConfigurationError, DeliveryError, PipelineError, UntrustedDataError
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.lacking import told_when_lacking
from kpi_pipeline.periods import day_bounds, each_day
from kpi_pipeline.settings import Settings

if TYPE_CHECKING:
    from kpi_pipeline.audit import AuditOutcome
    from kpi_pipeline.delivery.send import Delivery
    from kpi_pipeline.runlog import Row, RunLog
    from kpi_pipeline.slices import Slice
    from kpi_pipeline.warehouse import BuildResult, Publication
    from kpi_pipeline.workspace import Workspace

Progress = Callable[[str], None]
Arrival = Literal["arrived", "not_yet", "given_up"]

REPORTS = ("specialist_daily", "manager_weekly", "director_monthly", "director_quarterly")


def quiet(_message: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Loaded:
    """The slices a load left, and the keys `(product_id, day)` that had other content before.

    `new` counts slices that were not there before, `changed` those that were there with another
    hash.
    """

    feed: str
    slices: tuple[Slice, ...]
    new: int
    changed: tuple[tuple[str, date], ...]

    def by_status(self) -> Counter[str]:
        return Counter(piece.status for piece in self.slices)


@dataclass(frozen=True)
class Computed:
    """What `compute` did; `build` and `publication` are None where nothing was to be done."""

    audit: AuditOutcome
    build: BuildResult
    publication: Publication | None

    @property
    def nothing_new(self) -> bool:
        return self.publication is None

    def __str__(self) -> str:
        if self.publication is None:
            return "nothing new since the last build; what is published stays"
        return (
            f"{self.build.slices} slices into {self.build.models} models "
            f"in {self.build.seconds:.1f} s, published {self.publication.path.name}"
        )


@dataclass(frozen=True)
class Everything:
    """What `everything` did, step by step. rejected: a sentence for each day that is not used."""

    loaded: tuple[Loaded, ...]
    computed: Computed
    deliveries: tuple[Delivery, ...]
    rejected: tuple[str, ...] = ()


@dataclass
class _Run:
    """A run in progress; the step sets how it ended."""

    run_id: str
    outcome: str = "done"
    message: str = ""
    notes: list[str] = field(default_factory=list)


@contextmanager
def _logged(
    settings: Settings,
    kind: str,
    arguments: dict[str, object],
    at: datetime,
) -> Iterator[_Run]:
    """A run in the run log: started, and ended with its outcome whatever happens inside."""
    from kpi_pipeline.runlog import RunLog

    log = RunLog(settings)
    run = _Run(log.start_run(kind, arguments, at))
    try:
        with told_when_lacking():
            yield run
    except UntrustedDataError as error:
        log.end_run(run.run_id, "stopped", at, str(error))
        raise
    except PipelineError as error:
        log.end_run(run.run_id, "failed", at, str(error))
        raise
    except BaseException as error:
        log.end_run(run.run_id, "failed", at, f"{type(error).__name__}: {error}")
        raise
    log.end_run(run.run_id, run.outcome, at, run.message)


def workspace_of(settings: Settings) -> Workspace:
    """The workspace; raises ConfigurationError that lists what is wrong with it.

    Read again only when one of its files changed: the tasks of a day ask for it dozens of times.
    """
    folder, defaults = settings.workspace, settings.expectations
    files = [*folder.glob("*.yml"), *folder.glob("organisation/*"), *defaults.glob("*.yml")]
    stamps = tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in sorted(files))
    return _workspace_at(folder, defaults, stamps)


@lru_cache(maxsize=2)
def _workspace_at(
    folder: Path,
    defaults: Path,
    stamps: tuple[tuple[str, int, int], ...],  # noqa: ARG001  # part of the cache's key
) -> Workspace:
    from kpi_pipeline import workspace

    return workspace.load(folder, defaults)


def products_of(settings: Settings, feed: str) -> list[str]:
    """The products that have that feed, in the workspace's order."""
    known(feed)
    space = workspace_of(settings)
    return [product for product in space.products if feed in space.feeds_of(product)]


def known(feed: str) -> str:
    """`feed` itself; raises ConfigurationError that names the feeds there are."""
    if feed not in FEEDS:
        raise ConfigurationError(f"There is no feed {feed!r}; expected one of {', '.join(FEEDS)}.")
    return feed


def arrival(settings: Settings, feed: str, product_id: str, day: date, at: datetime) -> Arrival:
    """Whether that slice's source is there, not there yet, or given up on.

    Before the product's local day is over nothing has arrived, whatever files are there already.
    """
    return _arrival(settings, workspace_of(settings), feed, product_id, day, at)


def _arrival(
    settings: Settings, space: Workspace, feed: str, product_id: str, day: date, at: datetime
) -> Arrival:
    from kpi_pipeline import landing

    if at < day_bounds(day, space.products[product_id].zone)[1]:
        return "not_yet"
    return landing.arrival(settings, space, feed, product_id, day, at)


def day_ends(settings: Settings, product_id: str, day: date) -> datetime:
    """The instant (UTC) at which the product's local day is over."""
    return day_bounds(day, workspace_of(settings).products[product_id].zone)[1]


def is_whole_early(settings: Settings, product_id: str, day: date, at: datetime) -> bool:
    """Whether every feed of that product has ended for `day` while another product's has not.

    Its readers need not wait for products whose day ends hours later.
    """
    from kpi_pipeline.runlog import RunLog

    space = workspace_of(settings)
    ended = {
        (row["feed"], row["product_id"]) for row in RunLog(settings).slices(None, None, day, day)
    }
    wanted = {(feed, product) for product in space.products for feed in space.feeds_of(product)}
    if any(product == product_id for _, product in wanted - ended):
        return False
    return any(
        _arrival(settings, space, feed, product, day, at) == "not_yet"
        for feed, product in sorted(wanted - ended)
    )


def load(
    settings: Settings,
    feed: str,
    product_ids: Sequence[str] | None,
    days: Sequence[date],
    at: datetime,
    progress: Progress = quiet,
) -> Loaded:
    """Land `feed` for these products (None: all that have it) and days, in one pass.

    What has not arrived becomes absent. A source that restates its last days is read again for
    those that were landed before. Raises ConfigurationError for an unknown feed or product,
    and for a day that is not over yet: half a day must not pass for a whole one.
    """
    from kpi_pipeline import landing
    from kpi_pipeline.runlog import RunLog

    known(feed)
    space = workspace_of(settings)
    having = [product for product in space.products if feed in space.feeds_of(product)]
    wanted = having if product_ids is None else list(product_ids)
    for product in wanted:
        if product not in having:
            raise ConfigurationError(
                f"sources.yml gives product {product!r} no source for {feed}; "
                f"products that have it: {', '.join(having) or 'none'}."
            )
        over = day_bounds(max(days), space.products[product].zone)[1]
        if at < over:
            raise ConfigurationError(
                f"{max(days)} is not over for product {product!r} at {at:%Y-%m-%d %H:%M} UTC; it "
                f"ends at {over:%Y-%m-%d %H:%M} UTC. Load up to an earlier day, or later."
            )
    arguments: dict[str, object] = {
        "feed": feed,
        "products": wanted,
        "first": min(days),
        "last": max(days),
    }
    landing.refuse_moved_identity(settings, space)
    with _logged(settings, "load", arguments, at) as run:
        landing.land_organisation(settings, space, at, run.run_id)
        log = RunLog(settings)
        spans = {product: _with_restated(log, space, feed, product, days) for product in wanted}
        first, last = min(map(min, spans.values()), default=min(days)), max(days)
        before = _known(log, feed, first, last)
        slices = tuple(
            piece
            for span in sorted(set(spans.values()))
            for piece in landing.land(
                settings,
                space,
                feed,
                [product for product in wanted if spans[product] == span],
                span,
                at,
                run.run_id,
                progress,
            )
        )
        after = _known(log, feed, first, last)
        changed = tuple(
            key
            for key, row in after.items()
            if key in before and before[key]["hash"] != row["hash"]
        )
        new = len(after.keys() - before.keys())
        loaded = Loaded(feed, slices, new, changed)
        run.outcome = "done" if new or changed else "nothing_new"
        run.message = counted(loaded)
    progress(f"{feed}: {run.message}")
    return loaded


def _with_restated(
    log: RunLog, space: Workspace, feed: str, product: str, days: Sequence[date]
) -> tuple[date, ...]:
    """The days, and those before them that a source of the product may have restated and that were
    asked for earlier."""
    back = max((s.restates_days for s in space.sources_of(feed, product)), default=0)
    earlier = log.slices(feed, product, min(days) - timedelta(days=back), max(days)) if back else []
    return tuple(sorted({*days, *(row["day"] for row in earlier)}))


def _known(log: RunLog, feed: str, first: date, last: date) -> dict[tuple[str, date], Row]:
    return {(row["product_id"], row["day"]): row for row in log.slices(feed, None, first, last)}


def counted(loaded: Loaded) -> str:
    """For example `3 landed, 1 absent; 2 new, 0 changed`."""
    statuses = ", ".join(f"{n} {status}" for status, n in sorted(loaded.by_status().items()))
    return f"{statuses or 'no slices'}; {loaded.new} new, {len(loaded.changed)} changed"


def rejected_of(loaded: Loaded) -> list[str]:
    """A sentence for each slice of a load that was rejected; the days of one reason share it."""
    return _rejected(
        (loaded.feed, piece.product_id, piece.day, piece.reason or "")
        for piece in loaded.slices
        if piece.status == "rejected"
    )


def refused_of(outcome: AuditOutcome) -> list[str]:
    """A sentence for each slice that a check marked `stop` refused; the days of one reason share
    it."""
    return _rejected(
        (
            found.feed,
            found.product_id,
            found.day,
            found.message.removeprefix(f"{found.product_id}, {found.day}: "),
        )
        for found in outcome.findings
        if found.outcome == "stopped" and found.feed and found.product_id and found.day
    )


def warnings_of(settings: Settings) -> list[str]:
    """What keeps `build` from using days that land: KPIs the workspace names that are none."""
    from kpi_pipeline.catalogue import kpis, wrong_kpis

    return wrong_kpis(workspace_of(settings).tables, kpis(settings.dbt_project))


def _rejected(slices: Iterable[tuple[str, str, date, str]]) -> list[str]:
    """Sentences about slices: feed, product, day, reason."""
    days: dict[tuple[str, str, str], list[date]] = {}
    for feed, product, day, reason in slices:
        days.setdefault((feed, product, reason), []).append(day)
    return [
        f"{feed} of {product} on {_spoken(found)} is rejected: {reason}"
        for (feed, product, reason), found in days.items()
    ]


def _spoken(days: Sequence[date]) -> str:
    shown = ", ".join(str(day) for day in days[:3])
    return shown + (f" and {len(days) - 3} more days" if len(days) > 3 else "")


def audit_in(settings: Settings, at: datetime, progress: Progress = quiet) -> AuditOutcome:
    """Audit every landed slice whose content was not audited yet."""
    from kpi_pipeline import audit

    with _logged(settings, "audit_in", {}, at) as run:
        outcome = audit.audit_in(settings, at, run.run_id, progress)
        run.message = checked(outcome)
        run.outcome = "warned" if outcome.warned or outcome.stopped else "done"
    return outcome


def checked(outcome: AuditOutcome) -> str:
    """For example `12 checks passed, 1 warned, 0 stopped`."""
    return f"{outcome.passed} checks passed, {outcome.warned} warned, {outcome.stopped} stopped"


def build(
    settings: Settings, at: datetime, progress: Progress = quiet, *, full: bool = False
) -> BuildResult:
    """Build all slices that are new or changed since the last build; everything when `full`."""
    from kpi_pipeline import warehouse

    with _logged(settings, "build", {"full": full}, at) as run:
        result = warehouse.build(
            settings, workspace_of(settings), at, run.run_id, progress, full=full
        )
        run.outcome = "done" if result.models else "nothing_new"
        run.message = (
            f"{result.slices} slices, {len(result.days)} days, {result.models} models, "
            f"{result.seconds:.1f} s"
        )
    progress(run.message if result.models else "nothing to build")
    return result


def audit_and_publish(settings: Settings, at: datetime, progress: Progress = quiet) -> Publication:
    """Audit what was built and make it what readers see; raises UntrustedDataError otherwise."""
    from kpi_pipeline import warehouse

    with _logged(settings, "publish", {}, at) as run:
        publication = warehouse.publish(settings, at, run.run_id)
        run.message = f"{publication.path.name}: {checked(publication.checks)}"
    progress(f"published {run.message}")
    return publication


def is_published(settings: Settings) -> bool:
    """Whether readers see the last build."""
    from kpi_pipeline import warehouse

    return warehouse.is_published(settings)


def compute(
    settings: Settings, at: datetime, progress: Progress = quiet, *, full: bool = False
) -> Computed:
    """Audit, build, publish. With nothing new it leaves what is published as it is."""
    audit = audit_in(settings, at, progress)
    built = build(settings, at, progress, full=full)
    if not built.models and is_published(settings):
        return Computed(audit, built, None)
    return Computed(audit, built, audit_and_publish(settings, at, progress))


def send(
    settings: Settings, report: str, at: datetime, progress: Progress = quiet
) -> tuple[Delivery, ...]:
    """Send what is due of that report at `at`.

    Raises DeliveryError when a mail failed or its outcome is unknown; the others were sent.
    """
    from kpi_pipeline.delivery import send as delivery

    if report not in REPORTS:
        raise ConfigurationError(
            f"There is no report {report!r}; expected one of {', '.join(REPORTS)}."
        )
    with _logged(settings, "send", {"report": report}, at) as run:
        deliveries = tuple(
            delivery.send_due(settings, workspace_of(settings), report, at, run.run_id, progress)
        )
        delivery.write_index(settings)
        outcomes = outcomes_of(deliveries)
        run.message = said(outcomes)
        run.outcome = "done" if outcomes["sent"] else "nothing_due"
        if outcomes["failed"] or outcomes["unknown"]:
            raise DeliveryError(
                f"{report}: {run.message}. The ledger says which; failed ones are tried again by "
                f"the next send, unknown ones are never resent by themselves."
            )
    progress(f"{report}: {run.message}")
    return deliveries


def outcomes_of(deliveries: Sequence[Delivery]) -> Counter[str]:
    """How many deliveries ended how."""
    return Counter(str(delivery.outcome) for delivery in deliveries)


def said(outcomes: Counter[str]) -> str:
    """For example `3 sent, 1 held`; `nothing due` when there is none."""
    return ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcomes.items())) or "nothing due"


def told(deliveries: Sequence[Delivery]) -> Iterator[str]:
    """A line for each mail: whose, for which period, how it ended and why. What was skipped for the
    same reason shares a line."""
    skipped: Counter[str] = Counter()
    for one in deliveries:
        if one.outcome == "skipped":
            skipped[one.reason] += 1
        else:
            edition = f", edition {one.edition}" if one.edition > 1 else ""
            yield f"{one.person_id}, {one.period_start}{edition}: {one.outcome}, {one.reason}"
    for reason, count in sorted(skipped.items()):
        yield f"{count} skipped: {reason}"


def send_each(
    settings: Settings, reports: Sequence[str] | None, at: datetime, progress: Progress = quiet
) -> Iterator[tuple[str, tuple[Delivery, ...]]]:
    """Send what is due of these reports (None: all that `reports.yml` has), one after the other.

    A report of which a mail failed does not keep the next from being sent: DeliveryError is raised
    when all were.
    """
    failures = []
    if reports is None:
        policies = workspace_of(settings).policies
        reports = [name for name in REPORTS if name in policies]
    for report in reports:
        try:
            yield report, send(settings, report, at, progress)
        except DeliveryError as error:
            failures.append(str(error))
    if failures:
        raise DeliveryError("\n".join(failures))


def everything(
    settings: Settings,
    first: date,
    last: date,
    at: datetime,
    send_reports: bool = True,
    progress: Progress = quiet,
) -> Everything:
    """Load all feeds for `first` to `last` (both included), compute, and send what is due.

    What stops it is told after the days that were rejected before.
    """
    if last < first:
        raise ConfigurationError(f"--to {last} is before --from {first}; give the later day last.")
    from kpi_pipeline.audit import load_early

    load_early()
    days = tuple(each_day(first, last))
    loaded = tuple(load(settings, feed, None, days, at, progress) for feed in FEEDS)
    rejected = [sentence for one in loaded for sentence in rejected_of(one)]
    deliveries: list[Delivery] = []
    try:
        computed = compute(settings, at, progress)
        rejected += refused_of(computed.audit)
        if send_reports:
            for _, sent in send_each(settings, None, at, progress):
                deliveries.extend(sent)
    except PipelineError as error:
        if not rejected:
            raise
        raise type(error)("\n".join([*rejected, str(error)])) from error
    return Everything(loaded, computed, tuple(deliveries), tuple(rejected))
