"""Loads one local day of the feed *user growth* for every product that has it.

The feed: sign-ups, activity and content.

Starts when the day is over somewhere on earth; the run's partition key is the local day. For each
product it waits, without holding a worker, until the product's own day is over and its source has
arrived or is given up on (`give_up_at` in `sources.yml`). It always ends by saying, per product,
*landed*, *absent* or *rejected*; absent is not 0. Then it tells `compute_kpis`.

Params: `day`, the local day, when there is no partition key; `at`, the moment to work as of: with
it the run does not wait.

When it fails:

- *wait* failed: the workspace or `KPI_*` is wrong, or `at` lies before the source's arrival. The
  log says which; `kpi doctor` checks both. Mend it and clear the task.
- *land* failed: the source could not be read as `sources.yml` declares it. The log names file, row
  and column. Mend the declaration or the file and clear the task.
- A product is *absent* though its file is there now: run the day again. Replacing a slice is safe.

Run a day again: clear the run, or `airflow dags clear load_user_growth --partition-key 2024-06-30`.
Backfill: `airflow backfill create --dag-id load_user_growth --from-date … --to-date …`,
both included; for long spans `rebuild_days` is faster. A backfill never mails: see `mail_from` and
`max_age_days` in `reports.yml`.
"""

from datetime import timedelta

from airflow.sdk import dag

from kpi_pipeline.assets import START, daily, task_defaults
from kpi_pipeline.orchestration.params import AT, DAY
from kpi_pipeline.orchestration.tasks import load_day


@dag(
    schedule=daily(),
    start_date=START,
    catchup=False,
    default_args=task_defaults(),
    dagrun_timeout=timedelta(days=3),
    max_active_runs=4,
    params={"day": DAY, "at": AT},
    tags=["load"],
    doc_md=__doc__,
)
def load_user_growth() -> None:
    load_day("user_growth")


load_user_growth()
