"""Every night: checks the installation, builds what a lost event left unbuilt, and tidies up.

*check_health* is `kpi doctor`: environment, workspace, key, state database, published file, disk
and transport. The build is that of `compute_kpis` and is done in a second when nothing is new.
*tidy* removes leftovers of interrupted writes and logs older than thirty days; landing, ledger,
mails and run log are never touched.

Params: `at`, the moment to work as of.

When it fails:

- *check_health*: its log has a line for each check, with what to do. The rest runs all the same.
- later tasks: as in `compute_kpis`.
"""

from datetime import timedelta

from airflow.sdk import dag

from kpi_pipeline.assets import START, nightly, task_defaults
from kpi_pipeline.orchestration.params import AT
from kpi_pipeline.orchestration.tasks import check_health, compute, tidy


@dag(
    schedule=nightly(),
    start_date=START,
    catchup=False,
    default_args=task_defaults(retries=1),
    dagrun_timeout=timedelta(hours=6),
    max_active_runs=1,
    params={"at": AT},
    tags=["upkeep"],
    doc_md=__doc__,
)
def maintenance() -> None:
    check_health()
    compute()
    tidy()


maintenance()
