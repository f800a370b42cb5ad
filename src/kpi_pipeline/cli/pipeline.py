"""Commands that run steps of the pipeline: load, compute, publish, mail."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from kpi_pipeline import run as steps
from kpi_pipeline.cli.options import At, First, Last, SomeFeeds, SomeProducts
from kpi_pipeline.cli.session import (
    Watched,
    moment,
    refuse_backward,
    refuse_unknown_pairs,
    settings,
)
from kpi_pipeline.errors import PipelineError
from kpi_pipeline.feeds.contracts import FEEDS
from kpi_pipeline.periods import each_day

Full = Annotated[bool, typer.Option("--full", help="Build every day again.")]


def run(
    first: First,
    last: Last,
    at: At = None,
    no_send: Annotated[bool, typer.Option("--no-send", help="Mail nothing.")] = False,
) -> None:
    """Load all feeds for a span of days, compute, publish, and mail what is due.

    Ends with 1 when a day was rejected; all others are published and mailed then.
    """
    with Watched() as watched:
        done = steps.everything(settings(), first, last, moment(at), not no_send, watched.say)
    print(f"computed: {done.computed}")
    if not no_send:
        print(f"mails: {steps.said(steps.outcomes_of(done.deliveries))}")
    if done.rejected:
        raise PipelineError("\n".join(done.rejected))


def land(
    first: First,
    last: Last,
    feed: SomeFeeds = None,
    product: SomeProducts = None,
    at: At = None,
) -> None:
    """Land feeds for a span of days. A day that is there already is replaced.

    Ends with 1 when a day was rejected; all others have landed then.
    """
    refuse_backward(first, last)
    refuse_unknown_pairs(feed, product)
    days = tuple(each_day(first, last))
    rejected: list[str] = []
    with Watched() as watched:
        for name in feed or FEEDS:
            products = (
                [p for p in steps.products_of(settings(), name) if p in product]
                if product
                else None
            )
            loaded = steps.load(settings(), name, products, days, moment(at), watched.say)
            print(f"{name}: {steps.counted(loaded)}")
            rejected += steps.rejected_of(loaded)
    for sentence in steps.warnings_of(settings()):
        print(f"Before the next build: {sentence}", file=sys.stderr)
    if rejected:
        raise PipelineError("\n".join(rejected))


def build(at: At = None, full: Full = False) -> None:
    """Audit what was landed, and compute the KPIs that new or changed slices touch.

    Ends with 1 when a check marked `stop` refused a day; the KPIs are computed without it then.
    """
    with Watched() as watched:
        audit = steps.audit_in(settings(), moment(at), watched.say)
        built = steps.build(settings(), moment(at), watched.say, full=full)
    print(f"audit: {steps.checked(audit)}")
    print(f"build: {built.slices} slices, {built.models} models, {built.seconds:.1f} s")
    if audit.stopped:
        raise PipelineError("\n".join(steps.refused_of(audit)))


def publish(at: At = None) -> None:
    """Audit what was built, and let readers see it."""
    with Watched() as watched:
        publication = steps.audit_and_publish(settings(), moment(at), watched.say)
    print(f"published {publication.path}: {steps.checked(publication.checks)}")


def send(
    at: At = None,
    report: Annotated[
        list[str] | None,
        typer.Option("--report", help=f"One of {', '.join(steps.REPORTS)}. Default: all."),
    ] = None,
) -> None:
    """Mail every report that is due. No mail goes twice; what is held or skipped is said."""
    with Watched() as watched:
        for name, deliveries in steps.send_each(settings(), report, moment(at), watched.say):
            print(f"{name}: {steps.said(steps.outcomes_of(deliveries))}")
            for line in steps.told(deliveries):
                print(f"  {line}")
