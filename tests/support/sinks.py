"""Where messages arrive in tests: a real HTTP server and a real SMTP server, each of which can be told to misbehave.

with HttpSink() as sink:
    sink.answers(503, {"Retry-After": "7"})
    ...send to sink.url...
assert sink.received[0].headers["webhook-id"] == "msg_1"
"""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.support import ports
from tests.support.waiting import PATIENCE

SECRET_PATH = "/hooks/T0SECRET/x7Qd-very-secret-path"


@dataclass(frozen=True, slots=True)
class Received:
    """One request, as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    json: Any


class HttpSink:
    """Answers every POST as it was told last, and keeps what it got."""

    def __init__(self, certificate: ssl.SSLContext | None = None) -> None:
        self._server = HTTPServer(host="127.0.0.1", threaded=True, ssl_context=certificate)
        self._scheme = "https" if certificate else "http"
        self._answer: Callable[[], Response] = lambda: Response("ok", 200)
        self.received: list[Received] = []

    def __enter__(self) -> Self:
        self._server.start()
        for path in (SECRET_PATH, "/elsewhere"):
            self._server.expect_request(path).respond_with_handler(self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.clear()
        self._server.stop()

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}{SECRET_PATH}"

    def answers(self, status: int, headers: Mapping[str, str] | None = None, body: str = "ok") -> None:
        self._answer = lambda: Response(body, status, dict(headers or {}))

    def answers_in_turn(self, *bodies: tuple[int, str]) -> None:
        left = list(bodies)

        def turn() -> Response:
            status, body = left.pop(0) if len(left) > 1 else left[0]
            return Response(body, status)

        self._answer = turn

    def _handle(self, request: Request) -> Response:
        body = request.get_data()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(request.path, headers, body, request.get_json(silent=True)))
        return self._answer()


class RawSink:
    """A TCP server beneath HTTP: hangs, resets, or sends its answer as slowly as it likes."""

    def __init__(self, behaviour: str) -> None:
        self._behaviour = behaviour
        self._ended = threading.Event()
        self.connections = 0

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{SECRET_PATH}"

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client:
            try:
                self._behave(client)
            except OSError:
                # The other side has had enough of it, which is what is tested.
                return

    def _behave(self, client: socket.socket) -> None:
        match self._behaviour:
            case "hang":
                self._ended.wait(30)
            case "reset":
                client.recv(64)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case "garbage":
                client.recv(65536)
                client.sendall(b"not HTTP " + SECRET_PATH.encode() + b"\r\n\r\n")
            case "slow head":
                self._drip(client, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000)
            case "slow body":
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                self._drip(client, b"o" * 100_000)
            case "smtp drip":
                # Each byte is one more than a limit for each `recv` would wait for.
                self._drip(client, b"220-" + b"x" * 10_000)
            case "smtp lines":
                while not self._ended.wait(0.05):
                    client.sendall(b"220-one more line\r\n")
            case "smtp drip at the end":
                self._take_mail(client)
                self._drip(client, b"250-" + b"x" * 10_000)
            case "endless body":
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while not self._ended.is_set():
                    client.sendall(b"1000\r\n" + b"y" * 4096 + b"\r\n")

    def _take_mail(self, client: socket.socket) -> None:
        """Speaks SMTP until the end of a message, and leaves that unanswered."""
        client.sendall(b"220 slow.example\r\n")
        with client.makefile("rb") as lines:
            for line in lines:
                if line.upper().startswith(b"DATA"):
                    client.sendall(b"354 go on\r\n")
                    while lines.readline() != b".\r\n":
                        pass
                    return
                client.sendall(b"250 fine\r\n")

    def _drip(self, client: socket.socket, data: bytes) -> None:
        for place in range(len(data)):
            if self._ended.wait(0.05):
                return
            client.sendall(data[place : place + 1])


@dataclass
class SmtpSink:
    """A mail server: `refuses` and `defers` name recipients (550 and 451 for them), `sender_code` and `data_code` answer every
    sender and every message, and `drops` connections end in the middle of a message.
    """

    refuses: set[str] = field(default_factory=set)
    defers: set[str] = field(default_factory=set)
    sender_code: int = 250
    data_code: int = 250
    drops: int = 0
    received: list[tuple[str, EmailMessage]] = field(default_factory=list)
    ssl_context: ssl.SSLContext | None = None
    starttls_context: ssl.SSLContext | None = None

    def __enter__(self) -> Self:
        self._held = ports.hold()
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self._held.getsockname()[1],
            ssl_context=self.ssl_context,
            tls_context=self.starttls_context,
            ready_timeout=PATIENCE,
        )
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()
        self._held.close()

    @property
    def port(self) -> int:
        return int(self._controller.port)

    def messages(self, recipient: str) -> list[EmailMessage]:
        return [message for address, message in self.received if address == recipient]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd finds it by this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.sender_code != 250:
            return f"{self.sender_code} <{address}> is not welcome"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return f"550 5.1.1 <{address}>: no such user here"
        if address in self.defers:
            return f"451 4.7.1 <{address}>: greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.drops > 0:
            self.drops -= 1
            assert server.transport is not None
            server.transport.abort()  # type: ignore[attr-defined]
            return "421 going down"
        if self.data_code != 250:
            return f"{self.data_code} said with reason"
        assert isinstance(envelope.content, bytes)
        for address in envelope.rcpt_tos:
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            self.received.append((address, message))
        return "250 taken"


def certificate_of(host: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context for `host`, and the file with the certificate, which vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    return context, certificate
