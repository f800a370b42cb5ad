"""The typed params of DAGs, and how a task reads them.

They are read from the run's conf, not from `params`: under `dag.test()` the params of one run leak
into later runs of the same process.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

DAY = Param(
    None,
    type=["null", "string"],
    format="date",
    title="Day",
    description="Local day to work on, YYYY-MM-DD. Empty: the run's partition key.",
)
AT = Param(
    None,
    type=["null", "string"],
    format="date-time",
    title="At",
    description="Moment to work as of, with its offset. Empty: when the task started.",
)
FIRST = Param(
    None, type=["null", "string"], format="date", title="First day", description="YYYY-MM-DD."
)
LAST = Param(
    None,
    type=["null", "string"],
    format="date",
    title="Last day",
    description="YYYY-MM-DD, included.",
)
FULL = Param(
    False,
    type="boolean",
    title="Build everything",
    description="Build all days again instead of the new and changed ones.",
)


def given(context: Mapping[str, Any], name: str) -> Any:
    """What this run was started with under `name`, or None."""
    return (context["dag_run"].conf or {}).get(name)


def day_of(context: Mapping[str, Any]) -> date:
    """Param `day`, or else the partition key. Fails at once when both are missing."""
    text = given(context, "day") or (context["dag_run"].partition_key or "")[:10]
    if not text:
        raise AirflowFailException(
            "This run has neither a partition key nor the param `day`. Start it with one of them, "
            'for example --conf \'{"day": "2024-06-30"}\'.'
        )
    return _day(text, "day")


def days_of(context: Mapping[str, Any]) -> tuple[date, date]:
    """Params `first` and `last`. Fails at once when one is missing or they are in wrong order."""
    first, last = given(context, "first"), given(context, "last")
    if not first or not last:
        raise AirflowFailException(
            "This run needs the params `first` and `last`, for example "
            '--conf \'{"first": "2024-06-01", "last": "2024-06-30"}\'.'
        )
    span = _day(first, "first"), _day(last, "last")
    if span[1] < span[0]:
        raise AirflowFailException(f"`last` ({last}) is before `first` ({first}).")
    return span


def moment_of(context: Mapping[str, Any]) -> datetime:
    """The run's moment: param `at`, or else when this try of the task started."""
    text = given(context, "at")
    if not text:
        started: datetime = context["ti"].start_date
        return started.astimezone(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise AirflowFailException(
            f"Param `at` is {text!r}; expected a moment such as 2024-07-01T12:00:00+00:00."
        ) from error
    if moment.tzinfo is None:
        raise AirflowFailException(f"Param `at` is {text!r}, without an offset; add one, or Z.")
    return moment.astimezone(UTC)


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise AirflowFailException(
            f"Param `{name}` is {text!r}; expected a day as YYYY-MM-DD."
        ) from error
