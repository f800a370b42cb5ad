"""One frozen object, read once from the environment. Nothing else reads `os.environ`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kpi_pipeline.errors import ConfigurationError

Transport = Literal["outbox", "smtp"]
Security = Literal["starttls", "tls", "none"]
Schedule = Literal["clock", "by_hand"]


@dataclass(frozen=True)
class SmtpSettings:
    """How to reach the SMTP server. `password` never appears in `repr`."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_seconds: float = 30.0


@dataclass(frozen=True)
class Settings:
    """Everything a deployment sets outside its workspace.

    workspace: folder with `sources.yml`, `reports.yml` and `organisation/`.
    home: folder the pipeline writes to (landing, warehouse, published, outbox, data docs).
    state_url: SQLAlchemy URL of run log and ledger.
    hash_key: key of the hash that replaces identifiers at landing; None until it is needed.
    schedule: whether DAGs start by the clock; `by_hand` is for data of the past, as in the demo.
    notices_to: who is told when a task has failed; None: the address in `mail_from`.
    memory: what landing or a build keeps in memory, such as 3GB or 1500MB; more goes to disk.
    """

    workspace: Path
    home: Path
    state_url: str
    project: Path
    mail_from: str
    transport: Transport = "outbox"
    smtp: SmtpSettings | None = None
    smtp_connection_id: str | None = None
    hash_key: str | None = field(default=None, repr=False)
    schedule: Schedule = "clock"
    notices_to: str | None = None
    memory: str = "3GB"

    @property
    def memory_mb(self) -> int:
        """`memory` in MB."""
        return int(self.memory[:-2]) * (1000 if self.memory.endswith("GB") else 1)

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        return self.home / "published"

    @property
    def current(self) -> Path:
        """Link to the published file that readers open."""
        return self.published / "current"

    @property
    def outbox(self) -> Path:
        return self.home / "outbox"

    @property
    def data_docs(self) -> Path:
        return self.home / "data_docs"

    @property
    def expectations(self) -> Path:
        return self.project / "expectations"

    @property
    def reports(self) -> Path:
        return self.project / "reports"

    @property
    def dbt_project(self) -> Path:
        return self.project / "dbt_project"

    def require_hash_key(self) -> str:
        """The key identifiers are hashed with; raises ConfigurationError when it is not set."""
        if not self.hash_key:
            raise ConfigurationError(
                "KPI_HASH_KEY is not set. Visitor and user ids are hashed with it before they are "
                "stored; set it to a long random text, keep it secret and never change it."
            )
        return self.hash_key


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read `KPI_*` variables. Raises ConfigurationError that names the variable at fault."""
    project = Path(environment.get("KPI_PROJECT") or Path(__file__).resolve().parents[2])
    home = Path(environment.get("KPI_HOME") or "out").absolute()
    for path in (home, *home.parents):
        if path.exists() and not path.is_dir():
            raise ConfigurationError(
                f"KPI_HOME is {str(home)!r}, but {path} is a file; expected a folder, which is "
                "made where there is none."
            )
    transport = environment.get("KPI_MAIL_TRANSPORT") or "outbox"
    if transport not in ("outbox", "smtp"):
        raise ConfigurationError(
            f"KPI_MAIL_TRANSPORT is {transport!r}; expected 'outbox' or 'smtp'."
        )
    schedule = environment.get("KPI_SCHEDULE") or "clock"
    if schedule not in ("clock", "by_hand"):
        raise ConfigurationError(f"KPI_SCHEDULE is {schedule!r}; expected 'clock' or 'by_hand'.")
    memory = environment.get("KPI_MEMORY") or "3GB"
    if re.fullmatch(r"[1-9]\d*(MB|GB)", memory) is None:
        raise ConfigurationError(f"KPI_MEMORY is {memory!r}; expected for example 1500MB or 3GB.")
    connection_id = environment.get("KPI_SMTP_CONNECTION_ID") or None
    smtp = _smtp(environment) if transport == "smtp" and connection_id is None else None
    return Settings(
        workspace=Path(environment.get("KPI_WORKSPACE") or "workspace").absolute(),
        home=home,
        state_url=environment.get("KPI_STATE_URL") or f"sqlite:///{home / 'state.db'}",
        project=project,
        mail_from=environment.get("KPI_MAIL_FROM") or "KPI reports <kpi-reports@localhost>",
        transport="smtp" if transport == "smtp" else "outbox",
        smtp=smtp,
        smtp_connection_id=connection_id,
        hash_key=environment.get("KPI_HASH_KEY") or None,
        schedule="by_hand" if schedule == "by_hand" else "clock",
        notices_to=environment.get("KPI_NOTICES_TO") or None,
        memory=memory,
    )


def _smtp(environment: Mapping[str, str]) -> SmtpSettings:
    host = environment.get("KPI_SMTP_HOST")
    if not host:
        raise ConfigurationError(
            "KPI_MAIL_TRANSPORT is 'smtp' but KPI_SMTP_HOST is not set; set it, or name an "
            "Airflow connection in KPI_SMTP_CONNECTION_ID."
        )
    security = environment.get("KPI_SMTP_SECURITY") or "starttls"
    if security not in ("starttls", "tls", "none"):
        raise ConfigurationError(
            f"KPI_SMTP_SECURITY is {security!r}; expected 'starttls', 'tls' or 'none'."
        )
    default_port = {"starttls": "587", "tls": "465", "none": "25"}[security]
    port = environment.get("KPI_SMTP_PORT") or default_port
    if not port.isdigit():
        raise ConfigurationError(f"KPI_SMTP_PORT is {port!r}; expected a number, for example 587.")
    return SmtpSettings(
        host=host,
        port=int(port),
        security=security,  # type: ignore[arg-type]  # narrowed by the check above
        user=environment.get("KPI_SMTP_USER") or None,
        password=environment.get("KPI_SMTP_PASSWORD") or None,
    )
