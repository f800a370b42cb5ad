"""A workspace and settings for delivery tests, over a published file written by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from pathlib import Path

from published_fixture import Published

from kpi_pipeline.periods import Calendar
from kpi_pipeline.settings import Settings
from kpi_pipeline.workspace import Person, Policy, Workspace

PROJECT = Path(__file__).resolve().parents[1]

POLICIES = {
    "specialist_daily": Policy("specialist_daily", "day", "specialist", time(7), time(11)),
    "manager_weekly": Policy("manager_weekly", "week", "manager", time(7), time(11)),
    "director_monthly": Policy("director_monthly", "month", "director", time(7), time(11), 1),
    "director_quarterly": Policy("director_quarterly", "quarter", "director", time(7), time(11), 1),
}


def person(person_id: str, rank: str = "specialist", **values: object) -> Person:
    name = person_id.removeprefix("p-").removeprefix("m-").removeprefix("d-").title()
    plain = Person(
        person_id=person_id,
        name=name,
        rank=rank,  # type: ignore[arg-type]
        team=None,
        manager=None,
        email=f"{name.lower()}@tidewater.example",
        locale="en",
        time_zone="Europe/Berlin",
        valid_from=date(2023, 1, 1),
        valid_to=None,
    )
    return replace(plain, **values)  # type: ignore[arg-type]


def workspace(*people: Person, mail_from: date = date(2024, 6, 1), **policies: Policy) -> Workspace:
    return Workspace(
        root=PROJECT,
        sources=(),
        give_up_at={},
        policies={**POLICIES, **policies},
        mail_from=mail_from,
        tables={},
        calendar=Calendar(),
        products={},
        people=people,
    )


def settings(home: Path, **values: object) -> Settings:
    plain = Settings(
        workspace=home / "workspace",
        home=home,
        state_url=f"sqlite:///{home / 'state.db'}",
        project=PROJECT,
        mail_from="KPI reports <kpi@tidewater.example>",
    )
    return replace(plain, **values)  # type: ignore[arg-type]


def publish(settings: Settings, published: Published, run: str = "1") -> None:
    """Write the file and point `current` at it, as the warehouse does."""
    path = published.write(settings.published / f"kpi-{run}.duckdb")
    settings.current.unlink(missing_ok=True)
    settings.current.symlink_to(path.name)
