"""From a rendered mail to the bytes that are sent: the same bytes for the same input."""

from __future__ import annotations

import hashlib
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from kpi_pipeline.reporting.render import RenderedMail


def build_mime(
    mail: RenderedMail,
    *,
    sender: str,
    recipient: str,
    recipient_name: str,
    message_id: str,
    about: str,
    language: str,
    at: datetime,
    in_reply_to: str | None = None,
) -> bytes:
    """multipart/alternative of text and HTML, 7-bit clean, with CRLF line ends.

    about: report, period and edition, for whoever looks for a mail by its headers.
    """
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    sender_name, sender_address = parseaddr(sender)
    message["From"] = _address(sender_name, sender_address)
    message["To"] = _address(recipient_name, recipient)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id
    if in_reply_to is not None:
        message["In-Reply-To"] = in_reply_to
        message["References"] = in_reply_to
    message["X-Report"] = about
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = language  # after the content, which clears such headers
    message.set_boundary(f"=_kpi_{hashlib.sha256(message_id.encode()).hexdigest()[:32]}")
    return message.as_bytes()


def _address(name: str, address: str) -> Address:
    user, _, domain = address.rpartition("@")
    return Address(name, user, domain)
