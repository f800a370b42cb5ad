"""The tasks that DAG files wire together. Each is safe to clear: it replaces what it wrote.

A task with an asset among its outlets always tells the asset's listeners when it succeeds, so those
that may have nothing to tell are tasks of their own, which end as skipped.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from airflow.sdk import TriggerRule, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

from kpi_pipeline.assets import CHANGED, FEED_ASSETS, PUBLISHED, WAREHOUSE_POOL
from kpi_pipeline.orchestration.params import day_of, days_of, given, moment_of
from kpi_pipeline.orchestration.waiting import WaitForSlice

PROGRESS = logging.getLogger("kpi_pipeline.progress")


def _say(message: str) -> None:
    """Progress goes to the task's log, and to who listens to this logger."""
    PROGRESS.info("%s", message)


@task
def products(feed: str) -> list[str]:
    """The products that have the feed."""
    from kpi_pipeline import run
    from kpi_pipeline.orchestration.environment import settings

    return run.products_of(settings(), feed)


@task_group(prefix_group_id=False)
def one_product(feed: str, product_id: str) -> Any:
    """Wait for one product's slice and land it."""
    wait = WaitForSlice(
        task_id="wait", feed=feed, product_id=product_id, execution_timeout=timedelta(days=3)
    )
    landed = land(feed, product_id)
    wait >> landed
    tell_when_whole_early(landed)
    return landed


@task
def land(feed: str, product_id: str) -> dict[str, Any]:
    """Land one product's day; returns its status, and whether it had other content before."""
    from kpi_pipeline import run
    from kpi_pipeline.orchestration.environment import settings

    context = get_current_context()
    loaded = run.load(settings(), feed, [product_id], [day_of(context)], moment_of(context), _say)
    piece = loaded.slices[0]
    return {
        "product_id": product_id,
        "status": piece.status,
        "reason": piece.reason,
        "changed": bool(loaded.changed),
    }


@task(outlets=[CHANGED])
def tell_when_whole_early(piece: dict[str, Any], *, outlet_events: Any = None) -> None:
    """Tell the build when a product's day is whole and other products' are not over yet.

    So a reader in Tokyo does not wait for a product in Los Angeles.
    """
    from kpi_pipeline import run
    from kpi_pipeline.orchestration.environment import settings

    context = get_current_context()
    day, product_id = day_of(context), piece["product_id"]
    if not run.is_whole_early(settings(), product_id, day, moment_of(context)):
        raise AirflowSkipException("The day's four feeds, when they end, tell the build.")
    outlet_events[CHANGED].add_partitions(f"{day}+{product_id}")


@task(trigger_rule=TriggerRule.NONE_FAILED)
def end_day(
    feed: str, pieces: Iterable[dict[str, Any]] | None, *, outlet_events: Any = None
) -> list[str]:
    """Say how the day ended for each product, and tell the build; returns the changed products."""
    day = day_of(get_current_context())
    ended = list(pieces or ())
    for piece in ended:
        _say(f"{piece['product_id']}: {piece['status']} {piece['reason'] or ''}".rstrip())
    outlet_events[FEED_ASSETS[feed]].add_partitions(day.isoformat())
    return [piece["product_id"] for piece in ended if piece["changed"]]


@task(outlets=[CHANGED])
def tell_what_changed(feed: str, changed: list[str], *, outlet_events: Any = None) -> None:
    """Tell the build that slices it may have built already have other content.

    One feed run again does not make the day's four complete again, so this has its own asset.
    """
    if not changed:
        raise AirflowSkipException("No slice that was there before has other content now.")
    outlet_events[CHANGED].add_partitions(f"{day_of(get_current_context())}+{feed}")


def load_day(feed: str) -> None:
    """The tasks of a load DAG: every product of the feed, then the end of its day."""
    pieces = one_product.partial(feed=feed).expand(product_id=products(feed))
    changed = end_day.override(outlets=[FEED_ASSETS[feed]])(feed, pieces)
    tell_what_changed(feed, changed)


@task
def load_days(feed: str) -> str:
    """Land one feed of all its products for the days of params `first` to `last`, in one pass."""
    from kpi_pipeline import run
    from kpi_pipeline.orchestration.environment import settings
    from kpi_pipeline.periods import each_day

    context = get_current_context()
    days = tuple(each_day(*days_of(context)))
    return run.counted(run.load(settings(), feed, None, days, moment_of(context), _say))


@task(pool=WAREHOUSE_POOL)
def audit_in() -> str:
    """Check every slice whose content was not checked yet; a failing `stop` rejects the slice."""
    from kpi_pipeline import run
    from kpi_pipeline.orchestration.environment import settings

    return run.checked(run.audit_in(settings(), moment_of(get_current_context()), _say))


@task(pool=WAREHOUSE_POOL, execution_timeout=timedelta(hours=2))
def build() -> int:
    """Compute all KPIs that new or changed slices touch, in one dbt call; returns the models."""
    from kpi_pipeline import run
    from kpi_pipeline.orchestration.environment import settings

    context = get_current_context()
    result = run.build(settings(), moment_of(context), _say, full=bool(given(context, "full")))
    return result.models


@task(pool=WAREHOUSE_POOL, outlets=[PUBLISHED])
def audit_and_publish(models: int) -> str:
    """Check what was built and let readers see it, at once or not at all."""
    from kpi_pipeline import run
    from kpi_pipeline.orchestration.environment import settings

    if not models and run.is_published(settings()):
        raise AirflowSkipException("Nothing was built since the last publication.")
    publication = run.audit_and_publish(settings(), moment_of(get_current_context()), _say)
    return publication.path.name


@task_group(prefix_group_id=False)
def compute() -> None:
    """Audit what came in, build, audit what goes out and publish, in this order."""
    models = build()
    audit_in() >> models
    audit_and_publish(models)


@task
def send(report: str) -> str:
    """Send what is due of a report; ends as skipped when nothing is."""
    from kpi_pipeline import run
    from kpi_pipeline.orchestration.environment import settings

    outcomes = run.outcomes_of(run.send(settings(), report, moment_of(get_current_context()), _say))
    if not outcomes["sent"]:
        raise AirflowSkipException(f"Nothing was sent: {run.said(outcomes)}.")
    return run.said(outcomes)


@task
def check_health() -> list[str]:
    """What `kpi doctor` says; fails when something is to be mended."""
    from kpi_pipeline import doctor
    from kpi_pipeline.orchestration.environment import settings

    findings = doctor.examine(settings())
    for finding in findings:
        _say(str(finding))
    doctor.require_health(findings)
    return [str(finding) for finding in findings]


@task
def tidy() -> str:
    """Remove leftovers of interrupted writes and logs older than thirty days."""
    from kpi_pipeline import upkeep
    from kpi_pipeline.orchestration.environment import settings

    return upkeep.tidy(settings(), moment_of(get_current_context()))
