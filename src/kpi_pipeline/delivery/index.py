"""One page over all kept mails, by report and person, with links to their HTML and exact bytes."""

from __future__ import annotations

import email
import email.policy
from contextlib import closing
from dataclasses import dataclass
from email.message import EmailMessage
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kpi_pipeline.delivery.ledger import Kept, Ledger
from kpi_pipeline.delivery.transports import eml_path, write_atomically
from kpi_pipeline.settings import Settings


@dataclass(frozen=True)
class Entry:
    """One mail on the page; links are relative to the outbox."""

    kept: Kept
    to: str
    html: str
    eml: str


@dataclass(frozen=True)
class ReportEntries:
    report: str
    entries: tuple[Entry, ...]


def write_index(settings: Settings) -> Path:
    """Write `outbox/index.html`; mails that went by SMTP are put beside it as files."""
    with closing(Ledger(settings)) as ledger:
        kept = ledger.kept()
        entries = []
        for mail in kept:
            if mail.state not in ("sent", "unknown") or mail.mime_sha256 is None:
                continue
            path = eml_path(settings.outbox, mail.key)
            mime = ledger.mime(mail.mime_sha256)
            if mime is None:
                continue
            message = email.message_from_bytes(mime, policy=email.policy.default)
            if not path.exists() or path.read_bytes() != mime:
                write_atomically(path, mime)
            if not path.with_suffix(".html").exists():
                write_atomically(path.with_suffix(".html"), _html(message))
            relative = path.relative_to(settings.outbox)
            entries.append(
                Entry(mail, str(message["To"]), str(relative.with_suffix(".html")), str(relative))
            )
        waiting = [m for m in kept if m.state in ("held", "failed", "pending", "claimed")]
    reports = tuple(
        ReportEntries(report, tuple(members))
        for report, members in groupby(
            sorted(entries, key=lambda e: e.kept.key.report), key=lambda e: e.kept.key.report
        )
    )
    environment = Environment(
        loader=FileSystemLoader(settings.reports), undefined=StrictUndefined, autoescape=True
    )
    page = environment.get_template("_base/index.html").render(
        reports=reports, waiting=waiting, total=len(entries)
    )
    target = settings.outbox / "index.html"
    write_atomically(target, page.encode())
    return target


def _html(message: EmailMessage) -> bytes:
    part = message.get_body(("html",))
    return b"" if part is None else str(part.get_content()).encode()
