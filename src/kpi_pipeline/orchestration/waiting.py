"""Waits, deferred, until a slice's source is there or given up on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from kpi_pipeline.orchestration.params import day_of, given, moment_of

CHECK_EVERY = timedelta(minutes=5)


class WaitForSlice(BaseOperator):
    """Ends with `arrived` or `given_up`, and holds no worker slot while it waits.

    Until the product's local day is over it sleeps; then it looks every five minutes. With param
    `at` it does not wait: what has not arrived by then, and is not given up on, fails the task.
    """

    template_fields: Sequence[str] = ("product_id",)

    def __init__(self, *, feed: str, product_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.feed = feed
        self.product_id = product_id

    def execute(self, context: Any, event: Any = None) -> Any:
        """`event` is the moment the trigger woke this task at, None the first time."""
        from kpi_pipeline import run
        from kpi_pipeline.orchestration.environment import settings

        day = day_of(context)
        at = moment_of(context) if event is None else event
        outcome = run.arrival(settings(), self.feed, self.product_id, day, at)
        self.log.info("%s of %s on %s: %s", self.feed, self.product_id, day, outcome)
        if outcome != "not_yet":
            return outcome
        if given(context, "at"):
            raise AirflowFailException(
                f"{self.feed} of {self.product_id} for {day} has not arrived at "
                f"{at:%Y-%m-%d %H:%M} UTC and is not given up on yet; leave `at` empty "
                f"to wait, or give a later one."
            )
        over = run.day_ends(settings(), self.product_id, day)
        self.defer(
            trigger=DateTimeTrigger(moment=max(over, at + CHECK_EVERY)),
            method_name="execute",
        )
