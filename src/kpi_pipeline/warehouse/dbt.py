"""One dbt call in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kpi_pipeline.errors import BuildError
from kpi_pipeline.settings import Settings
from kpi_pipeline.warehouse.changes import hash_of_project

Progress = Callable[[str], None]

#: The project as dbt read it last, which the next build of this process need not do again.
_READ: dict[tuple[str, str, str], Any] = {}


def run_dbt(settings: Settings, arguments: list[str], progress: Progress) -> int:
    """Run dbt on the warehouse; returns the number of models built.

    Raises BuildError that names the failing nodes and what dbt said of them.
    """
    from dbt.cli.main import dbtRunner

    home = settings.home / "dbt"
    log = home / "logs" / "dbt.log"
    log.parent.mkdir(parents=True, exist_ok=True)

    def say(event: Any) -> None:
        if event.info.level != "debug":
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{event.info.ts.ToJsonString()} {event.info.level}: {event.info.msg}\n")
        data = event.data
        if event.info.name == "LogModelResult":
            said, place = data.description, f"{data.index}/{data.total}"
        elif event.info.name == "LogTestResult":
            said, place = f"test {data.name}", f"{data.index}/{data.num_models}"
        else:
            return
        progress(f"dbt {place} {said} {data.status.lower()} in {data.execution_time:.1f} s")

    # dbt's own log writes every step of every model, and its JSON what nobody reads: together a
    # third of a small build
    common = [
        "--project-dir", str(settings.dbt_project),
        "--profiles-dir", str(settings.dbt_project),
        "--target-path", str(home / "target"),
        "--log-path", str(home / "logs"),
        "--log-level", "none",
        "--log-level-file", "none",
        "--no-write-json",
    ]  # fmt: skip
    reading = (
        str(settings.dbt_project),
        str(settings.warehouse),
        hash_of_project(settings.dbt_project),
    )
    with _environment("KPI_WAREHOUSE", str(settings.warehouse)):
        try:
            if reading not in _READ:
                outcome = dbtRunner(callbacks=[say]).invoke(["parse", *common])
                if not outcome.success:
                    raise BuildError(_sentence([], outcome.exception, home))
                _READ.clear()
                _READ[reading] = outcome.result
            runner = dbtRunner(manifest=_READ[reading], callbacks=[say])
            outcome = runner.invoke([*arguments, *common])
        finally:
            _let_go()
    results: list[Any] = list(getattr(outcome.result, "results", []) or [])
    failed = [r for r in results if r.status in ("error", "fail", "runtime error")]
    if failed or not outcome.success:
        raise BuildError(_sentence(failed, outcome.exception, home))
    return sum(1 for r in results if r.node.resource_type == "model")


def _sentence(failed: list[Any], exception: BaseException | None, home: Path) -> str:
    if not failed:
        return f"dbt could not start: {exception}. Its log: {home / 'logs' / 'dbt.log'}."
    lines = [f"dbt stopped; what was published before stays. Its log: {home / 'logs' / 'dbt.log'}."]
    for result in failed:
        said = str(result.message or "").strip()
        # dbt lists every candidate function after the sentence that matters
        said = " ".join(said.split("Candidate functions")[0].split())[:600]
        lines.append(f"  {result.node.resource_type} {result.node.name}: {said}")
    return "\n".join(lines)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """dbt profiles read the environment only, so the path is put there for the call."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def _let_go() -> None:
    """dbt keeps the file open after the call; nobody else could open it."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()
