"""Reads `reports.yml`: when each report goes out and what happens when data are missing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from kpi_pipeline.periods import Grain
from kpi_pipeline.workspace.model import Policy, Rank
from kpi_pipeline.workspace.problems import Problems
from kpi_pipeline.workspace.yaml_file import Mapping, Node, read

FILE = "reports.yml"
REPORTS: dict[str, tuple[Rank, Grain]] = {
    "specialist_daily": ("specialist", "day"),
    "manager_weekly": ("manager", "week"),
    "director_monthly": ("director", "month"),
    "director_quarterly": ("director", "quarter"),
}
_KEYS = (
    "send_at",
    "deadline",
    "deadline_days",
    "on_missing",
    "max_age_days",
    "second_edition",
    "second_edition_days",
)


def read_policies(root: Path, problems: Problems) -> tuple[dict[str, Policy], date | None]:
    """The policy of each report that is sent, and `mail_from`."""
    node = read(root / FILE, problems)
    if node is None:
        return {}, None
    top = Mapping(FILE, "", node, ("mail_from", "reports"), problems)
    mail_from = top.date("mail_from")
    reports = top.items.get("reports")
    if reports is None:
        top.add("reports", "is missing; expected the reports to send.")
        return {}, mail_from
    listed = Mapping(FILE, "reports", reports, tuple(REPORTS), problems)
    policies: dict[str, Policy] = {}
    for name, entry in listed.items.items():
        policy = _policy(name, entry, problems)
        if policy is not None:
            policies[name] = policy
    return policies, mail_from


def _policy(name: str, node: Node, problems: Problems) -> Policy | None:
    entry = Mapping(FILE, f"reports.{name}", node, _KEYS, problems)
    rank, grain = REPORTS[name]
    send_at, deadline = entry.time("send_at"), entry.time("deadline")
    days = entry.whole("deadline_days", 0)
    on_missing = entry.choice("on_missing", ("withhold", "skip"), "withhold")
    if send_at is None or deadline is None:
        return None
    if days == 0 and deadline < send_at:
        entry.add(
            "deadline",
            f"{deadline:%H:%M} is before send_at {send_at:%H:%M}; expected a later time, or "
            "deadline_days of 1 or more.",
        )
    return Policy(
        report=name,
        grain=grain,
        rank=rank,
        send_at=send_at,
        deadline=deadline,
        deadline_days=days,
        on_missing="skip" if on_missing == "skip" else "withhold",
        max_age_days=entry.whole("max_age_days", 3),
        second_edition=entry.boolean("second_edition", True),
        second_edition_days=entry.whole("second_edition_days", 5),
    )
