"""Outbox and SMTP, the latter against a real server on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from delivery_fixture import settings

from kpi_pipeline.delivery.ledger import Key
from kpi_pipeline.delivery.transports import (
    Mail,
    NotSentError,
    Outbox,
    OutcomeUnknownError,
    RefusedError,
    Smtp,
    open_transport,
    smtp_of_connection,
)
from kpi_pipeline.errors import ConfigurationError
from kpi_pipeline.settings import SmtpSettings

MIME = (
    b"From: kpi@tidewater.example\r\nTo: ben@tidewater.example\r\nSubject: s\r\n\r\n"
    b"one\r\n.a dot first\r\nlast\r\n"
)


def mail(person: str = "ben") -> Mail:
    key = Key("specialist_daily", date(2024, 6, 30), 1, person)
    return Mail(key, "KPI <kpi@tidewater.example>", f"{person}@tidewater.example", MIME, "<p>hi")


class Handler:
    """Takes every mail, unless told what to answer; remembers the envelopes."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.envelopes: list[tuple[str | None, list[str], bytes]] = []

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "rcpt" in self.answers and address.startswith("bad"):
            return self.answers["rcpt"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.original_content, bytes)
        if "cut" in self.answers:
            server.transport.abort()
            return "250 OK"
        if "silent" in self.answers:
            await asyncio.sleep(5)
        self.envelopes.append(
            (envelope.mail_from, list(envelope.rcpt_tos), envelope.original_content)
        )
        return self.answers.get("data", "250 OK")


@contextmanager
def served(handler: Handler, **options: Any) -> Iterator[SmtpSettings]:
    """A server on a free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield SmtpSettings("127.0.0.1", port, "none", timeout_seconds=5)
    finally:
        controller.stop()


def test_the_server_gets_the_exact_bytes_one_envelope_per_person() -> None:
    handler = Handler()
    with served(handler) as server:
        transport = Smtp(server)
        transport.send(mail("ben"))
        transport.send(mail("eva"))
        transport.close()
    assert handler.envelopes == [
        ("kpi@tidewater.example", ["ben@tidewater.example"], MIME),
        ("kpi@tidewater.example", ["eva@tidewater.example"], MIME),
    ]


def test_a_recipient_refused_for_good_keeps_no_other_from_their_mail() -> None:
    handler = Handler(rcpt="550 no such user")
    with served(handler) as server:
        transport = Smtp(server)
        with pytest.raises(RefusedError, match="refused the recipient: 550 no such user"):
            transport.send(mail("bad"))
        transport.send(mail("ben"))
        transport.close()
    assert [e[1] for e in handler.envelopes] == [["ben@tidewater.example"]]


@pytest.mark.parametrize(
    ("answers", "error", "said"),
    [
        ({"rcpt": "451 try later"}, NotSentError, "451 try later"),
        ({"data": "554 spam"}, RefusedError, "refused the mail: 554 spam"),
        ({"data": "452 disk full"}, NotSentError, "452 disk full"),
        ({"cut": "yes"}, OutcomeUnknownError, "no reply came"),
        ({"silent": "yes"}, OutcomeUnknownError, "no reply came"),
    ],
)
def test_the_servers_answer_decides(
    answers: dict[str, str], error: type[Exception], said: str
) -> None:
    with served(Handler(**answers)) as server:
        transport = Smtp(replace(server, timeout_seconds=1))
        with pytest.raises(error, match=said):
            transport.send(mail("bad"))


def test_after_a_cut_connection_the_next_mail_gets_a_new_one() -> None:
    handler = Handler(cut="yes")
    with served(handler) as server:
        transport = Smtp(server)
        with pytest.raises(OutcomeUnknownError):
            transport.send(mail())
        del handler.answers["cut"]
        transport.send(mail())
        transport.close()
    assert len(handler.envelopes) == 1


def test_no_server_means_not_sent() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(NotSentError, match=f"No connection to 127.0.0.1:{port}"):
        Smtp(SmtpSettings("127.0.0.1", port, "none")).send(mail())


def test_a_password_is_sent_only_over_tls_and_checked(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password == b"right", handled=False)

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    handler = Handler()
    options = {
        "tls_context": _server_context(certificate),
        "require_starttls": True,
        "auth_required": True,
        "authenticator": authenticate,
    }
    with served(handler, **options) as server:
        secure = replace(server, host="localhost", security="starttls", user="kpi")
        right = Smtp(replace(secure, password="right"))
        right.send(mail())
        right.close()
        with pytest.raises(NotSentError, match="535"):
            Smtp(replace(secure, password="wrong")).send(mail())
    assert len(handler.envelopes) == 1


def test_tls_from_the_start(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = Handler()
    with served(handler, ssl_context=_server_context(certificate)) as server:
        secure = replace(server, host="localhost", security="tls")
        with pytest.raises(NotSentError, match="certificate"):
            Smtp(secure).send(mail())
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        transport = Smtp(secure)
        transport.send(mail())
        transport.close()
    assert len(handler.envelopes) == 1


def test_starttls_is_not_given_up_when_the_server_has_none() -> None:
    handler = Handler()
    with served(handler) as server, pytest.raises(NotSentError, match="STARTTLS"):
        Smtp(replace(server, security="starttls")).send(mail())
    assert handler.envelopes == []


def test_the_outbox_holds_the_bytes_and_the_html(tmp_path: Path) -> None:
    Outbox(tmp_path).send(mail("a/b c"))
    folder = tmp_path / "specialist_daily" / "2024-06-30"
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        "a%2fb%20c-e1.eml": MIME,
        "a%2fb%20c-e1.html": b"<p>hi",
    }


def test_an_outbox_that_cannot_be_written_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(NotSentError, match="The outbox could not be written"):
        Outbox(tmp_path / "outbox").send(mail())


@pytest.mark.parametrize(
    ("port", "extra", "expected"),
    [
        (None, {}, ("tls", 465)),
        (None, {"disable_ssl": True}, ("starttls", 587)),
        (2525, {"disable_ssl": "true", "disable_tls": "True"}, ("none", 2525)),
    ],
)
def test_an_airflow_connection_gives_host_and_credentials(
    port: int | None, extra: dict[str, object], expected: tuple[str, int]
) -> None:
    connection = SimpleNamespace(
        host="smtp.example.org", port=port, login="kpi", password="secret", extra_dejson=extra
    )
    found = smtp_of_connection("kpi_smtp", lambda _: connection)
    security, number = expected
    assert found == SmtpSettings("smtp.example.org", number, security, "kpi", "secret")  # type: ignore[arg-type]


def test_a_connection_airflow_does_not_have_is_named() -> None:
    def missing(_: str) -> object:
        raise KeyError("nothing")

    with pytest.raises(ConfigurationError, match="names 'kpi_smtp'"):
        smtp_of_connection("kpi_smtp", missing)


def test_settings_choose_the_transport(tmp_path: Path) -> None:
    server = SmtpSettings("smtp.example.org", 25, "none")
    assert open_transport(settings(tmp_path)) == Outbox(tmp_path / "outbox")
    assert isinstance(open_transport(settings(tmp_path, transport="smtp", smtp=server)), Smtp)
    with pytest.raises(ConfigurationError):
        open_transport(settings(tmp_path, transport="smtp"))


def _server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-made certificate for localhost, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(made - timedelta(days=1))
        .not_valid_after(made + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths
