"""`make up`: Airflow with all its processes, over the demonstration, until Ctrl-C.

UI and API answer only at 127.0.0.1. Airflow's two log servers listen on all interfaces: it has no
setting for their address, and gives logs only to who holds a token signed with its secret.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from kpi_pipeline.demo.place import PROJECT, Place
from kpi_pipeline.errors import PipelineError

HOST = "127.0.0.1"
STARTS_WITHIN_SECONDS = 120
ENDS_WITHIN_SECONDS = 20


@dataclass(frozen=True)
class Running:
    """A started Airflow: where it answers, and the process whose group holds all of it."""

    url: str
    process: subprocess.Popen[bytes]

    def is_alive(self) -> bool:
        return self.process.poll() is None


@contextmanager
def running(place: Place, port: int | None = None) -> Iterator[Running]:
    """Airflow over `place`, on ports of its own, ended with everything it started.

    Raises PipelineError, naming the log, when it does not answer within two minutes.
    """
    ports = _free_ports(4)
    if port is not None:
        ports[0] = port
    place.airflow.mkdir(parents=True, exist_ok=True)
    log = place.logs / "standalone.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603  # our own command
            [str(Path(sys.executable).with_name("airflow")), "standalone"],
            env=environment(place, ports),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = Running(f"http://{HOST}:{ports[0]}", process)
    try:
        _wait_until_healthy(started, log)
        yield started
    finally:
        end_group(process)


def environment(place: Place, ports: list[int]) -> dict[str, str]:
    """The demonstration's environment, and Airflow's servers: at loopback, but for its log servers,
    of which only the port can be set."""
    api, worker_logs, trigger_logs, health = (str(port) for port in ports)
    folder = str(Path(sys.executable).parent)
    inherited = place.environment()
    return inherited | {
        "PATH": f"{folder}{os.pathsep}{inherited.get('PATH', '')}",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{api}/execution/",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": api,
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{api}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": worker_logs,
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": trigger_logs,
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST": HOST,
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": health,
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
    }


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything in its group: asked first, made to after a while."""
    for how, patience in ((signal.SIGTERM, ENDS_WITHIN_SECONDS), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            process.poll()
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)


def _wait_until_healthy(started: Running, log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < until:
        if not started.is_alive():
            raise PipelineError(f"Airflow ended while it was starting; {log} says why.")
        with contextlib.suppress(urllib.error.URLError, OSError):
            address = f"{started.url}/api/v2/monitor/health"
            with urllib.request.urlopen(address, timeout=5) as reply:  # noqa: S310  # our own
                text = reply.read().decode()
                if text.count('"healthy"') >= 3:
                    return
        time.sleep(0.5)
    raise PipelineError(f"Airflow did not answer within two minutes; {log} may say why.")


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on at this moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]


def prepare(place: Place) -> None:
    """Airflow's database and the pool, by a process of its own."""
    code = "from kpi_pipeline.demo import day; day.migrate()"
    with (place.logs / "prepare.log").open("wb") as stream:
        done = subprocess.run(  # noqa: S603  # our own command
            [sys.executable, "-c", code],
            env=place.environment(),
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise PipelineError(f"Airflow's database could not be made; {stream.name} says why.")


def said(url: str, place: Place) -> str:
    """What the terminal shows while Airflow runs."""
    return f"""
Airflow is at {url} — no login. UI and API answer only this machine; Airflow's
own log servers cannot be bound to loopback, so they listen on all its addresses.
Run a day by hand: a load DAG, "Trigger", partition key 2024-06-30; when all four loads of a key
have ended, compute_kpis starts by itself. Then trigger a send DAG with
    {{"at": "2024-07-01T18:00:00+00:00"}}
Its mails: {place.index}
Ctrl-C ends it, with everything it started.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m kpi_pipeline.demo.ui", description=__doc__)
    parser.add_argument("--home", type=Path, default=PROJECT / "out", help="the demonstration")
    parser.add_argument("--port", type=int, default=None, help="default: a free one")
    arguments = parser.parse_args()
    place = Place(arguments.home.absolute())
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(asked, _stop)
    try:
        print("Starting Airflow …", flush=True)
        prepare(place)
        with running(place, arguments.port) as started:
            print(said(started.url, place), flush=True)
            while started.is_alive():
                time.sleep(0.5)
        print("Airflow ended by itself; out/logs/standalone.log says why.", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nEnded.")
    except PipelineError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
