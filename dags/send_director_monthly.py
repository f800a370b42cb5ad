"""Mails the directors' monthly report to every reader for whom it is due.

Asks every quarter of an hour, because send times are the readers' own. A report is due when its
month is over, the data of *its reader's* products are there and checked, and the send time of
`reports.yml` has come in the reader's zone. It is held until the deadline; then it is sent with the
affected KPIs withheld and named, or skipped, as the policy says. Ends as *skipped* when nothing is
due. No mail goes twice: the ledger has one row per report, period, edition and reader.

Params: `day`, shown only; `at`, the moment to ask for.

When it fails:

- *failed* mails: the server refused them or could not be reached. The log names server and reply.
  They are tried again by the next run.
- *unknown* mails: the reply of the server was lost after the mail was handed over. They are never
  resent by themselves: look for the Message-ID in the server's log, then decide.
- No mail at all: `kpi send --at …` says for every reader whether it was sent, held or skipped, and
  why. If `compute_kpis` failed, mend that first; this DAG sends by itself once data are published.
"""

from datetime import timedelta

from airflow.sdk import dag

from kpi_pipeline.assets import START, every_quarter_hour, task_defaults
from kpi_pipeline.orchestration.params import AT, DAY
from kpi_pipeline.orchestration.tasks import send


@dag(
    schedule=every_quarter_hour(),
    start_date=START,
    catchup=False,
    default_args=task_defaults(retries=1, time_out=timedelta(minutes=20)),
    dagrun_timeout=timedelta(hours=1),
    max_active_runs=1,
    params={"day": DAY, "at": AT},
    tags=["send"],
    doc_md=__doc__,
)
def send_director_monthly() -> None:
    send("director_monthly")


send_director_monthly()
