"""What a reader's mail would say, sent or not. Nothing is recorded and nothing leaves."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from kpi_pipeline.errors import ConfigurationError, PipelineError
from kpi_pipeline.periods import period_of
from kpi_pipeline.reporting.compose import compose
from kpi_pipeline.reporting.render import RenderedMail, render
from kpi_pipeline.settings import Settings

if TYPE_CHECKING:
    from kpi_pipeline.workspace import Workspace


def preview(
    settings: Settings, workspace: Workspace, email: str, report: str, period_start: date
) -> RenderedMail:
    """The mail about the period that holds `period_start`, as that reader would get it the day
    after. Raises PipelineError when the person, the report or the period is not there."""
    from kpi_pipeline.warehouse import open_published

    policy = workspace.policies.get(report)
    if policy is None:
        known = ", ".join(sorted(workspace.policies))
        raise ConfigurationError(f"reports.yml has no report {report!r}; it has {known}.")
    people = [p for p in workspace.people if p.email.lower() == email.lower()]
    if not people:
        raise PipelineError(f"organisation/people.csv has no person with the email {email!r}.")
    period = period_of(policy.grain, period_start, workspace.calendar)
    person = next(
        (
            p
            for p in people
            if p.valid_from <= period.last_day
            and (p.valid_to is None or period.last_day < p.valid_to)
        ),
        people[-1],
    )
    if person.rank != policy.rank:
        raise PipelineError(
            f"{email} is a {person.rank}; the report {report} is for a {policy.rank}."
        )
    with open_published(settings) as published:
        known_feeds = published.execute(
            "select count(*) from rpt_reader_feeds "
            "where report = ? and person_id = ? and period_start = ?",
            [report, person.person_id, period.start],
        ).fetchone()
        if known_feeds is None or known_feeds[0] == 0:
            last = published.execute(
                "select max(period_start) from rpt_reader_feeds where report = ? and person_id = ?",
                [report, person.person_id],
            ).fetchone()
            newest = f"the newest is {last[0]}" if last and last[0] else "there is none yet"
            raise PipelineError(
                f"Nothing is published of {report} for {email} and the {policy.grain} that starts "
                f"on {period.start}; {newest}."
            )
        context = compose(
            published,
            report,
            period,
            person.person_id,
            calendar=workspace.calendar,
            sent_on=period.last_day + timedelta(days=1),
            locale=person.locale,
        )
    return render(settings.reports, context)
