"""The notice that the owner of a DAG gets when a task has failed for good."""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from html import escape
from typing import Any

from airflow.sdk import BaseNotifier

REASON_LIMIT = 2000


class FailureNotice(BaseNotifier):
    """Mails what failed, why, and the DAG's manual, through the project's own mailer."""

    def notify(self, context: Any) -> None:
        from kpi_pipeline.delivery.ledger import Key
        from kpi_pipeline.delivery.transports import Mail, open_transport
        from kpi_pipeline.orchestration.environment import settings

        ti, now = context["ti"], settings()
        reason = str(context.get("exception") or "no reason was given")[:REASON_LIMIT]
        subject = (
            f"Failed: {ti.dag_id}, {ti.task_id}, {context['dag_run'].partition_key or ti.run_id}"
        )
        text = f"{subject}\n\n{reason}\n\nRun: {ti.run_id}\n\n{context['dag'].doc_md or ''}"
        recipient = now.notices_to or parseaddr(now.mail_from)[1]
        message = EmailMessage(policy=SMTP)
        message["From"] = now.mail_from
        message["To"] = Address(addr_spec=recipient)
        message["Subject"] = subject
        message.set_content(text)
        key = Key("failure_notice", ti.start_date.date(), 1, f"{ti.dag_id}-{ti.task_id}")
        transport = open_transport(now)
        try:
            html = f"<!doctype html><meta charset=utf-8><pre>{escape(text)}</pre>"
            transport.send(Mail(key, now.mail_from, recipient, message.as_bytes(), html))
        finally:
            transport.close()
