"""What `make up` says of itself, and where it makes Airflow's servers listen."""

from __future__ import annotations

from pathlib import Path

from kpi_pipeline.demo import ui
from kpi_pipeline.demo.place import Place


def test_only_what_is_bound_to_this_machine_is_said_to_be(tmp_path: Path) -> None:
    place = Place(tmp_path)
    environment = ui.environment(place, [1, 2, 3, 4])
    hosts = {name: value for name, value in environment.items() if name.endswith("_HOST")}
    assert hosts["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert hosts["AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST"] == "127.0.0.1"
    text = " ".join(ui.said("http://127.0.0.1:1", place).split())
    assert "UI and API answer only this machine" in text
    assert "log servers cannot be bound to loopback" in text
    assert '{"at": "2024-07-01T18:00:00+00:00"}' in text
