"""`make demo`: the simulated company's history, and one day through all DAGs to the mails."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kpi_pipeline.demo.company import FIRST_DAY, LAST_DAY, is_written
from kpi_pipeline.demo.console import Watch, send_output_to
from kpi_pipeline.demo.place import PROJECT, Place
from kpi_pipeline.errors import PipelineError
from kpi_pipeline.settings import Settings, from_environment

LOADS = ("load_page_views", "load_traffic", "load_exposure", "load_user_growth")
SENDS = (
    "send_specialist_daily",
    "send_manager_weekly",
    "send_director_monthly",
    "send_director_quarterly",
)
#: The last day of June 2024 ends a week, a month and a quarter.
DAY = LAST_DAY
HISTORY_ENDS = DAY - timedelta(days=1)
#: The day after, later than every reader's send time.
AT = datetime(2024, 7, 1, 18, tzinfo=UTC)
HISTORY_AT = datetime(2024, 6, 30, 18, tzinfo=UTC)


def main() -> None:
    arguments = _arguments()
    place = Place(arguments.home.absolute())
    if arguments.once and place.index.exists():
        return
    log = place.logs / "demo.log"
    watch = Watch(total=3 + len(LOADS) + 1 + len(SENDS))
    send_output_to(log)
    place.enter()
    try:
        _run(place, watch)
    except PipelineError as error:
        watch.say(f"\nThe demonstration stopped. {error}\nThe whole log: {log}")
        sys.exit(1)
    except KeyboardInterrupt:
        watch.say("\nStopped. `make demo` goes on from here.")
        sys.exit(130)
    except Exception as error:  # a defect: one sentence here, the traceback in the log
        import traceback

        traceback.print_exc()
        watch.say(f"\nThis is a defect: {type(error).__name__}: {error}\nThe whole log: {log}")
        sys.exit(70)


def _run(place: Place, watch: Watch) -> None:
    company = _begin_company(place)
    with watch.step("prepare Airflow") as told:
        from kpi_pipeline.demo import day

        dags = day.prepare(PROJECT / "dags")
        told.append(f"{len(dags)} DAGs on SQLite in {_short(place.airflow)}")
    with watch.step("simulated company") as told:
        _finish_company(company, watch)
        told.append(f"{FIRST_DAY} to {LAST_DAY} in {_short(place.workspace)}")
    settings = from_environment(place.environment())
    with watch.step("rebuild_days") as told:
        if _has_history(settings):
            told.append(f"{FIRST_DAY} to {HISTORY_ENDS} was loaded before")
        else:
            span = {"first": str(FIRST_DAY), "last": str(HISTORY_ENDS)}
            day.run_dag(dags["rebuild_days"], span | {"at": HISTORY_AT.isoformat()}, watch)
            told.append(f"{FIRST_DAY} to {HISTORY_ENDS}, loaded, built and published")
    moment = {"day": str(DAY), "at": AT.isoformat()}
    for dag_id in (*LOADS, "compute_kpis", *SENDS):
        with watch.step(dag_id) as told:
            said = day.run_dag(dags[dag_id], moment, watch)
            told.extend(said[-1:] if dag_id in SENDS else said)
    _tell(place, settings, watch)


def _begin_company(place: Place) -> subprocess.Popen[bytes] | None:
    """Write the company in a process of its own, while Airflow is prepared in this one."""
    if is_written(place.workspace):
        return None
    return subprocess.Popen(  # noqa: S603  # our own command
        [sys.executable, "-m", "kpi_pipeline.cli", "demo-data", str(place.workspace)],
        stdin=subprocess.DEVNULL,
    )


def _finish_company(company: subprocess.Popen[bytes] | None, watch: Watch) -> None:
    if company is not None:
        watch.now("writing 18 months of four feeds")
        if company.wait() != 0:
            raise PipelineError("The simulated company could not be written.")


def _has_history(settings: Settings) -> bool:
    """Whether every product's days before the day of the demonstration are published."""
    from kpi_pipeline import run
    from kpi_pipeline.runlog import RunLog

    if not run.is_published(settings):
        return False
    space = run.workspace_of(settings)
    wanted = sum(len(space.feeds_of(product)) for product in space.products)
    days = (HISTORY_ENDS - FIRST_DAY).days + 1
    return len(RunLog(settings).slices(first=FIRST_DAY, last=HISTORY_ENDS)) >= wanted * days


def _tell(place: Place, settings: Settings, watch: Watch) -> None:
    mails = len(list(settings.outbox.rglob("*.eml")))
    seconds = time.monotonic() - watch.began
    watch.say(
        f"""
{mails} mails are in {_short(settings.outbox)}, each as .eml and as HTML ({seconds:.0f} s).
Open them all from: {place.index}

More:  make up                    Airflow's own UI over this
       out/logs/demo.log          what Airflow and dbt said
       {_short(settings.data_docs)}/index.html   what was checked, as Great Expectations shows it"""
    )


def _short(path: Path) -> str:
    """The path as seen from the checkout, when it is inside it."""
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m kpi_pipeline.demo", description=__doc__)
    parser.add_argument("--home", type=Path, default=PROJECT / "out", help="where to write")
    parser.add_argument("--once", action="store_true", help="do nothing when it has run before")
    return parser.parse_args()


if __name__ == "__main__":
    main()
