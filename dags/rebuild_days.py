"""Loads a span of days again, all feeds and products in one pass each, and builds what changed.

For history before go-live, for a source that was corrected over weeks, and after a change to the
workspace. Slices that come out as they were are not built again. A span of two years takes minutes,
not two years of daily runs. It never mails.

Params: `first` and `last`, local days, both included, required; `at`, the moment to work as of;
`full`, build every day again, also those outside the span.

When it fails:

- *load_days* failed: the log names file, row and column. Mend it and clear the task; feeds that
  were loaded stay loaded.
- later tasks: as in `compute_kpis`.
"""

from datetime import timedelta

from airflow.sdk import dag

from kpi_pipeline.assets import FEED_ASSETS, START, task_defaults
from kpi_pipeline.orchestration.params import AT, FIRST, FULL, LAST
from kpi_pipeline.orchestration.tasks import compute, load_days


@dag(
    schedule=None,
    start_date=START,
    catchup=False,
    default_args=task_defaults(time_out=timedelta(hours=2)),
    dagrun_timeout=timedelta(hours=12),
    max_active_runs=1,
    params={"first": FIRST, "last": LAST, "at": AT, "full": FULL},
    tags=["compute", "by-hand"],
    doc_md=__doc__,
)
def rebuild_days() -> None:
    load_days.expand(feed=list(FEED_ASSETS)) >> compute()


rebuild_days()
