"""Airflow with all its processes: a day's four loads start the build once, and the mails follow."""

from __future__ import annotations

import gzip
import json
import os
import time
import urllib.request
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from kpi_pipeline import simulate
from kpi_pipeline.demo.place import Place
from kpi_pipeline.demo.ui import Running, prepare, running

DAY = "2024-06-30"
AT = "2024-07-01T18:00:00+00:00"
LOADS = ("load_page_views", "load_traffic", "load_exposure", "load_user_growth")
WITHIN_SECONDS = 300

pytestmark = pytest.mark.standalone


class Api:
    """Airflow's REST API as its one user."""

    def __init__(self, started: Running) -> None:
        self._url = started.url
        self._token = self._ask("/auth/token")["access_token"]

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if path != "/auth/token":
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, headers)
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.loads(reply.read())

    def trigger(self, dag_id: str, key: str | None, conf: dict[str, Any]) -> None:
        body = {"logical_date": None, "conf": conf}
        if key is not None:
            body["partition_key"] = key
        self._ask(f"/api/v2/dags/{dag_id}/dagRuns", body)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return list(self._ask(f"/api/v2/dags/{dag_id}/dagRuns?order_by=id")["dag_runs"])

    def is_loaded(self) -> bool:
        dags = self._ask("/api/v2/dags")["dags"]
        return {*LOADS, "compute_kpis"} <= {dag["dag_id"] for dag in dags}


def wait(what: str, until: Callable[[], bool]) -> None:
    limit = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < limit:
        if until():
            return
        time.sleep(0.5)
    pytest.fail(f"{what} did not happen within {WITHIN_SECONDS} s")


def ended(api: Api, dag_id: str, count: int = 1) -> Callable[[], bool]:
    def are_over() -> bool:
        states = [run["state"] for run in api.runs(dag_id)]
        assert "failed" not in states, f"{dag_id} failed"
        return states.count("success") >= count

    return are_over


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    simulate.generate(made.workspace, date(2024, 6, 29), date(2024, 6, 30))
    made.logs.mkdir()
    prepare(made)
    return made


def processes_of(place: Place) -> list[str]:
    """Command lines of processes whose environment names this place."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            if folder.name != str(os.getpid()) and str(place.airflow).encode() in environment:
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_a_days_four_loads_start_one_build_and_the_mails_follow(place: Place) -> None:
    with running(place) as started:
        api = Api(started)
        wait("loading the DAGs", api.is_loaded)
        for dag_id in LOADS[:3]:
            api.trigger(dag_id, DAY, {"at": AT})
        for dag_id in LOADS[:3]:
            wait(f"{dag_id}'s end", ended(api, dag_id))
        assert api.runs("compute_kpis") == [], "three of four feeds must not start the build"

        api.trigger(LOADS[3], DAY, {"at": AT})
        wait("the build after the fourth feed", ended(api, "compute_kpis"))
        assert [run["partition_key"] for run in api.runs("compute_kpis")] == [DAY]

        api.trigger("send_specialist_daily", None, {"at": AT})
        wait("the send", ended(api, "send_specialist_daily"))
        mails = list((place.home / "outbox" / "specialist_daily" / DAY).glob("*.eml"))
        assert len(mails) == 9

        views = place.workspace / "data" / "costa" / "page_views" / f"{DAY}.csv.gz"
        lines = gzip.decompress(views.read_bytes()).splitlines(keepends=True)
        views.write_bytes(gzip.compress(b"".join(lines[:-1])))
        api.trigger("load_page_views", DAY, {"at": AT})
        wait("the build of a changed slice", ended(api, "compute_kpis", 2))
        assert [run["partition_key"] for run in api.runs("compute_kpis")] == [
            DAY,
            f"{DAY}+page_views",
        ]
    assert processes_of(place) == []
