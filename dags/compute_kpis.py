"""Checks what was loaded, computes all KPIs it touches, checks them again, and publishes.

Starts when the four feeds of a local day have all ended, and again when a slice changed later or
when one product's day is whole hours before the others'. It builds *all* slices that are new or
changed since the last build, whichever day started it, so a lost event is healed by the next run.
Nothing new is done in a second. One run at a time; its tasks share the one slot of the pool
`kpi_warehouse`, because DuckDB has one writer.

Params: `day`, shown only; `at`, the moment to work as of; `full`, build every day again.

When it fails:

- *audit_in* failed: an expectation file is wrong, or the run log cannot be reached. A failing
  *check* does not fail the task: it rejects the slice and names it in run log and Data Docs.
- *build* failed: dbt's message names the model. What is published stays. Mend the model, clear the
  task. A build that stops because too many days would be rebuilt names the command to run.
- *audit_and_publish* failed: a check marked `stop` failed on what was built; readers still see the
  previous publication. The log and the Data Docs name the check. Mend the cause, clear *build*.

If this DAG was paused while loads ran, their events are lost; unpause it and start it by hand once.
"""

from datetime import timedelta

from airflow.sdk import dag

from kpi_pipeline.assets import START, task_defaults, when_a_day_is_loaded_or_changed
from kpi_pipeline.orchestration.params import AT, DAY, FULL
from kpi_pipeline.orchestration.tasks import compute


@dag(
    schedule=when_a_day_is_loaded_or_changed(),
    start_date=START,
    catchup=False,
    default_args=task_defaults(),
    dagrun_timeout=timedelta(hours=6),
    max_active_runs=1,
    params={"day": DAY, "at": AT, "full": FULL},
    tags=["compute"],
    doc_md=__doc__,
)
def compute_kpis() -> None:
    compute()


compute_kpis()
