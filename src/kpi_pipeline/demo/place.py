"""Where the demonstration lives, and the environment its processes run in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
#: Hashes simulated ids only, so it is no secret; a deployment sets its own.
DEMO_KEY = "the-demonstration-hashes-simulated-ids-with-this"


@dataclass(frozen=True)
class Place:
    """Everything is under `home`, by default `out/` in the checkout."""

    home: Path

    @property
    def workspace(self) -> Path:
        return self.home / "workspace"

    @property
    def airflow(self) -> Path:
        return self.home / "airflow"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def index(self) -> Path:
        return self.home / "outbox" / "index.html"

    def environment(self) -> dict[str, str]:
        """`KPI_*` and `AIRFLOW_*` of the demonstration; what a shell has set of them is left out.

        Nothing is sent to outside hosts, DAGs are not paused, and runs start by hand, because the
        simulated company's days are in the past.
        """
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("KPI_", "AIRFLOW"))
        }
        return kept | {
            "KPI_PROJECT": str(PROJECT),
            "KPI_HOME": str(self.home),
            "KPI_WORKSPACE": str(self.workspace),
            "KPI_HASH_KEY": DEMO_KEY,
            "KPI_SCHEDULE": "by_hand",
            "AIRFLOW_HOME": str(self.airflow),
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.airflow / 'airflow.db'}",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.logs / "airflow"),
            "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "GX_ANALYTICS_ENABLED": "False",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
            "DO_NOT_TRACK": "1",
        }

    def enter(self) -> None:
        """Make this process run in that environment."""
        replace_environment(self.environment())


def replace_environment(environment: Mapping[str, str]) -> None:
    """Replace the environment of this process."""
    os.environ.clear()
    os.environ.update(environment)
