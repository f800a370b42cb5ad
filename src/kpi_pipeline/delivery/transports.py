"""Ways a mail leaves: files in the outbox, or SMTP. One envelope per person.

A transport returns when the mail was taken, and raises otherwise. What matters is whether it can
have arrived: `RefusedError` no, for good; `NotSentError` no, try again; `OutcomeUnknownError`
perhaps, so never send it again by itself (RFC 1047).
"""

from __future__ import annotations

import os
import re
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Protocol

from kpi_pipeline.delivery.ledger import Key
from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.settings import Security, Settings, SmtpSettings


class RefusedError(Exception):
    """The mail was refused for good: sending it again cannot help."""


class NotSentError(Exception):
    """The mail was not taken this time; a later try may succeed."""


class OutcomeUnknownError(Exception):
    """The mail was handed over and no reply came."""


@dataclass(frozen=True)
class Mail:
    """One envelope. `mime`: the exact bytes, CRLF line ends; `html`: the part a browser shows."""

    key: Key
    sender: str
    recipient: str
    mime: bytes
    html: str


class Transport(Protocol):
    def send(self, mail: Mail) -> None:
        """Returns when the mail was taken; raises one of the three errors above."""

    def close(self) -> None: ...


def open_transport(settings: Settings) -> Transport:
    """The transport the settings name; raises ConfigurationError."""
    if settings.transport == "outbox":
        return Outbox(settings.outbox)
    if settings.smtp_connection_id:
        return Smtp(smtp_of_connection(settings.smtp_connection_id))
    if settings.smtp is None:
        raise ConfigurationError("KPI_MAIL_TRANSPORT is 'smtp' but no SMTP server is set.")
    return Smtp(settings.smtp)


@dataclass(frozen=True)
class Outbox:
    """Writes `<report>/<period>/<person>-e<edition>.eml`, and the HTML beside it."""

    folder: Path

    def send(self, mail: Mail) -> None:
        path = eml_path(self.folder, mail.key)
        try:
            write_atomically(path.with_suffix(".html"), mail.html.encode())
            write_atomically(path, mail.mime)
        except OSError as error:
            raise NotSentError(f"The outbox could not be written: {error}.") from error

    def close(self) -> None:
        return None


def eml_path(folder: Path, key: Key) -> Path:
    """Where the outbox keeps a mail; unusual letters of a person_id are written as their codes."""
    person = re.sub(r"[^A-Za-z0-9_-]", lambda m: f"%{ord(m.group()):x}", key.person_id)
    return folder / key.report / str(key.period_start) / f"{person}-e{key.edition}.eml"


def write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)


class Smtp:
    """One connection for a run of mails, opened when first needed and anew after any trouble."""

    def __init__(self, server: SmtpSettings) -> None:
        self._server = server
        self._open: smtplib.SMTP | None = None

    def send(self, mail: Mail) -> None:
        try:
            self._send(mail)
        except (NotSentError, OutcomeUnknownError):
            self._drop()
            raise

    def close(self) -> None:
        if self._open is not None:
            try:
                self._open.quit()
            except (smtplib.SMTPException, OSError):
                self._open.close()
            self._open = None

    def _send(self, mail: Mail) -> None:
        fresh = self._open is None
        try:
            smtp = self._connection()
            # `rset` also finds out whether a kept connection is still alive.
            if not fresh and smtp.rset()[0] != 250:
                self._drop()
                smtp = self._connection()
        except smtplib.SMTPServerDisconnected:
            self._drop()
            smtp = self._connection()
        try:
            sender = parseaddr(mail.sender)[1]
            self._expect(smtp.mail(sender), "the sender")
            self._expect(smtp.rcpt(mail.recipient), "the recipient")
            smtp.putcmd("DATA")
            self._expect(smtp.getreply(), "the mail", wanted=354)
        except (smtplib.SMTPException, OSError) as error:
            raise NotSentError(
                f"The connection broke before the mail was handed over: {error}."
            ) from (error)
        try:
            smtp.send(_stuffed(mail.mime))
            reply = smtp.getreply()
        except (smtplib.SMTPException, OSError) as error:
            raise OutcomeUnknownError(
                f"The mail was handed over and no reply came: {error}."
            ) from error
        self._expect(reply, "the mail")

    def _expect(self, reply: tuple[int, bytes], what: str, wanted: int | None = None) -> None:
        code, text = reply
        if code == wanted or (wanted is None and 200 <= code < 300):
            return
        said = text.decode("utf-8", "replace").replace("\n", " ")
        sentence = f"The server refused {what}: {code} {said}"
        if 500 <= code < 600:
            if self._open is not None:
                try:
                    self._open.rset()
                except (smtplib.SMTPException, OSError):
                    self._drop()
            raise RefusedError(sentence)
        raise NotSentError(sentence)

    def _connection(self) -> smtplib.SMTP:
        if self._open is not None:
            return self._open
        server = self._server
        smtp: smtplib.SMTP | None = None
        try:
            if server.security == "tls":
                smtp = smtplib.SMTP_SSL(
                    server.host,
                    server.port,
                    timeout=server.timeout_seconds,
                    context=ssl.create_default_context(),
                )
            else:
                smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout_seconds)
            if server.security == "starttls":
                smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo_or_helo_if_needed()
            if server.user:
                smtp.login(server.user, server.password or "")
        except (smtplib.SMTPException, OSError) as error:
            if smtp is not None:
                smtp.close()
            raise NotSentError(f"No connection to {server.host}:{server.port}: {error}.") from error
        self._open = smtp
        return smtp

    def _drop(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def smtp_of_connection(
    connection_id: str, read: Callable[[str], object] | None = None
) -> SmtpSettings:
    """Host and credentials of an Airflow connection; only these are taken from Airflow.

    Extras mean what Airflow's SMTP provider means by them: TLS from the start unless
    `disable_ssl`, then STARTTLS unless `disable_tls`. `read` stands in for Airflow in tests.
    """
    if read is None:
        from airflow.sdk import BaseHook

        read = BaseHook.get_connection
    try:
        connection = read(connection_id)
    except Exception as error:  # Airflow raises several kinds, by version and backend
        raise ConfigurationError(
            f"KPI_SMTP_CONNECTION_ID names {connection_id!r}, which Airflow does not have: {error}"
        ) from error
    host = getattr(connection, "host", None)
    if not host:
        raise ConfigurationError(f"The Airflow connection {connection_id!r} has no host.")
    extra = getattr(connection, "extra_dejson", None) or {}
    security: Security = "tls"
    if _is_true(extra.get("disable_ssl")):
        security = "none" if _is_true(extra.get("disable_tls")) else "starttls"
    default_port = {"starttls": 587, "tls": 465, "none": 25}[security]
    return SmtpSettings(
        host=host,
        port=int(getattr(connection, "port", None) or default_port),
        security=security,
        user=getattr(connection, "login", None) or None,
        password=getattr(connection, "password", None) or None,
        timeout_seconds=float(extra.get("timeout") or 30),
    )


def _is_true(value: object) -> bool:
    return str(value).lower() in ("true", "1", "yes")


def _stuffed(mime: bytes) -> bytes:
    """The bytes as DATA wants them: a leading dot doubled, and the line with one dot at the end."""
    body = re.sub(rb"(?m)^\.", b"..", mime)
    return body + (b"" if body.endswith(b"\r\n") else b"\r\n") + b".\r\n"
