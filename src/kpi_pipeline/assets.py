"""What one DAG tells another: the assets, when they are made, and who is called when it fails.

Imported by DAG files only, so Airflow is imported at the top. DAG files never import each other.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from airflow.sdk import (
    Asset,
    CronPartitionTimetable,
    CronTriggerTimetable,
    PartitionedAssetTimetable,
    PartitionedAtRuntime,
)

from kpi_pipeline.orchestration.environment import settings
from kpi_pipeline.orchestration.notices import FailureNotice

KEY_FORMAT: Final = "%Y-%m-%d"

PAGE_VIEWS: Final = Asset("kpi_page_views", uri="x-kpi://landing/page_views")
TRAFFIC: Final = Asset("kpi_traffic", uri="x-kpi://landing/traffic")
EXPOSURE: Final = Asset("kpi_exposure", uri="x-kpi://landing/exposure")
USER_GROWTH: Final = Asset("kpi_user_growth", uri="x-kpi://landing/user_growth")

#: A slice was landed again with other content, or a product's day was whole before the others'.
#: Its keys are `<day>+<what>`, never the bare day: an event under the day's own key would use up
#: those of the four feeds that are still being collected for it.
CHANGED: Final = Asset("kpi_slices_changed", uri="x-kpi://landing/changed")

PUBLISHED: Final = Asset("kpi_published", uri="x-kpi://published/current")

FEED_ASSETS: Final[dict[str, Asset]] = {
    "page_views": PAGE_VIEWS,
    "traffic": TRAFFIC,
    "exposure": EXPOSURE,
    "user_growth": USER_GROWTH,
}

#: The pool of every task that writes the warehouse: one slot, because DuckDB has one writer.
WAREHOUSE_POOL: Final = "kpi_warehouse"

#: Before any data, because a backfill cannot reach further back.
START: Final = datetime(2000, 1, 1, tzinfo=UTC)
OWNER: Final = "data-operations"
TAGS: Final = frozenset({"load", "compute", "send", "upkeep", "by-hand"})


def daily() -> CronPartitionTimetable | PartitionedAtRuntime:
    """One run for each local day, keyed by its date, from the moment the day is over anywhere.

    UTC+14 is where a day ends first. Each product's own midnight is waited for inside the run, so
    products in all time zones share one key. With `KPI_SCHEDULE=by_hand` runs are started by hand,
    with the day as their key.
    """
    if settings().schedule == "by_hand":
        return PartitionedAtRuntime()
    return CronPartitionTimetable(
        "0 0 * * *", timezone="Etc/GMT-14", run_offset=-1, key_format=KEY_FORMAT
    )


def when_a_day_is_loaded_or_changed() -> PartitionedAssetTimetable:
    """One run for each day whose four feeds have all ended, and one for each change after that."""
    all_four = PAGE_VIEWS & TRAFFIC & EXPOSURE & USER_GROWTH
    return PartitionedAssetTimetable(assets=all_four | CHANGED)


def every_quarter_hour() -> CronTriggerTimetable | None:
    """Send times are the readers' own, so a send DAG asks every quarter of an hour."""
    if settings().schedule == "by_hand":
        return None
    return CronTriggerTimetable("*/15 * * * *", timezone="UTC")


def nightly() -> CronTriggerTimetable | None:
    """Once a night, when little else runs."""
    if settings().schedule == "by_hand":
        return None
    return CronTriggerTimetable("40 3 * * *", timezone="UTC")


def task_defaults(
    *, retries: int = 2, time_out: timedelta = timedelta(minutes=30)
) -> dict[str, Any]:
    """`default_args` of every DAG: an owner, retries, a time-out and a notice to the owner."""
    return {
        "owner": OWNER,
        "retries": retries,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=20),
        "execution_timeout": time_out,
        "on_failure_callback": FailureNotice(),
    }
