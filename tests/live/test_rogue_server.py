"""Whatever a hostile server says: the password stays here, no file is sent, and it ends within the time limit."""

from __future__ import annotations

import ssl
import struct
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncmy
import pytest
from asyncmy.constants import CLIENT
from asyncmy.errors import MySQLError

from dbvigil.driver.connection import LARGEST_ANSWER, GuardedConnection
from dbvigil.errors import (
    AccessDenied,
    ConnectionLost,
    InsecureConnection,
    ServerError,
    ServerTimeout,
    ServerUnreachable,
    StatementFailed,
)
from dbvigil.sandbox import Certificates
from dbvigil.server import Server
from dbvigil.targets import Target, TlsMode, TlsOptions
from tests.support import rogue
from tests.support.rogue import COLUMN_NUMBER, COLUMN_TEXT, Line, Rogue, Script
from tests.support.waiting import BOUNDED, PATIENCE

PASSWORD = "kZ7w-Sécret"

WANT_THE_PASSWORD: dict[str, Script] = {
    "clear text in the greeting": rogue.ask("mysql_clear_password", by_switch=False),
    "clear text by switch": rogue.ask("mysql_clear_password"),
    "clear text at the second switch": rogue.ask_twice("mysql_native_password", "mysql_clear_password"),
    "dialog in the greeting": rogue.ask("dialog", by_switch=False),
    "dialog by switch": rogue.ask("dialog", data=b"\x04Password: "),
    "old password in the greeting": rogue.ask("mysql_old_password", by_switch=False),
    "old password by switch": rogue.ask("mysql_old_password"),
    "sha256 in the greeting": rogue.full_authentication(plugin="sha256_password", by_switch=False),
    "sha256 by switch": rogue.full_authentication(plugin="sha256_password", by_switch=True),
    "caching sha2 in the greeting": rogue.full_authentication(by_switch=False),
    "caching sha2 by switch": rogue.full_authentication(by_switch=True),
    "unknown plugin in the greeting": rogue.ask("authentication_kerberos_client", by_switch=False),
    "unknown plugin by switch": rogue.ask("authentication_kerberos_client"),
    "plugin without a name": rogue.ask(""),
}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.create(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["plain", "tls"])
def certificate(request: pytest.FixtureRequest, certificates: Certificates) -> ssl.SSLContext | None:
    """None, or what a server shows that offers TLS."""
    return shown(certificates) if request.param == "tls" else None


def shown(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert, certificates.key)
    return context


def target(port: int, mode: TlsMode = "preferred", ca: Path | None = None, **options: Any) -> Target:
    tls = TlsOptions(mode, None if ca is None else str(ca))
    return Target("rogue", "127.0.0.1", port, "monitor", PASSWORD, tls=tls, **options)


def server(where: Target, **options: Any) -> Server:
    """As for a server elsewhere: that it listens on this machine does not make it trusted."""
    return Server(where, connect_timeout=BOUNDED, read_timeout=BOUNDED, **{"trusted": False, **options})


async def failure(subject: Server, statement: str = "SELECT 1 AS one") -> ServerError:
    """How connecting or the statement fails, after looking through all that a log could show of it."""
    with pytest.raises(ServerError) as caught:
        await subject.rows(statement)
    assert not subject.connected or isinstance(caught.value, StatementFailed)
    shown_in_logs = "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in shown_in_logs and PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)
    await subject.close()
    return caught.value


# -- the rogue itself: it must be able to hear a password, or the tests below would prove nothing


@pytest.mark.parametrize(
    "wish",
    [
        "clear text by switch",
        "dialog by switch",
        "sha256 by switch",
        "caching sha2 in the greeting",
        "caching sha2 by switch",
    ],
)
async def test_the_driver_alone_gives_the_password_away(wish: str) -> None:
    async with Rogue(WANT_THE_PASSWORD[wish]) as enemy:
        connection = asyncmy.Connection(
            host="127.0.0.1", port=enemy.port, user="monitor", password=PASSWORD.encode(), autocommit=None
        )
        await connection.connect()
        connection.close()
    assert enemy.heard(PASSWORD)


# -- the password


@pytest.mark.parametrize("wish", WANT_THE_PASSWORD)
@pytest.mark.parametrize("mode", ["disabled", "preferred", "required", "verify-ca"])
async def test_no_password_to_a_stranger(
    wish: str, mode: TlsMode, certificate: ssl.SSLContext | None, certificates: Certificates
) -> None:
    ca = certificates.ca if mode == "verify-ca" else None
    async with Rogue(WANT_THE_PASSWORD[wish], certificate) as enemy:
        error = await failure(server(target(enemy.port, mode, ca)))
    assert isinstance(error, InsecureConnection | ServerUnreachable)
    assert enemy.connections == 1
    assert not enemy.heard(PASSWORD)


@pytest.mark.parametrize("wish", WANT_THE_PASSWORD)
async def test_no_password_from_the_connection_itself(wish: str) -> None:
    async with Rogue(WANT_THE_PASSWORD[wish]) as enemy:
        connection = GuardedConnection(target(enemy.port), trusted=False)
        with pytest.raises((ServerError, MySQLError)):
            await connection.connect()
            await connection.fetch("SELECT 1")
        connection.close()
    assert not enemy.heard(PASSWORD)


@pytest.mark.parametrize("mode", ["verify-ca", "verify-identity"])
@pytest.mark.parametrize("wish", ["clear text by switch", "caching sha2 by switch"])
async def test_a_stranger_with_a_certificate_of_its_own(
    wish: str, mode: TlsMode, certificates: Certificates
) -> None:
    async with Rogue(WANT_THE_PASSWORD[wish], shown(certificates)) as enemy:
        error = await failure(server(target(enemy.port, mode, certificates.other_ca)))
    assert "authority that is not trusted" in error.cause and "ssl-ca" in error.remedy
    assert isinstance(error, InsecureConnection)
    assert not enemy.encrypted and not enemy.heard(PASSWORD)


async def test_a_certificate_that_has_expired(tmp_path: Path) -> None:
    old = Certificates.create(tmp_path / "old", now=datetime(2010, 1, 1, tzinfo=UTC))
    async with Rogue(WANT_THE_PASSWORD["clear text by switch"], shown(old)) as enemy:
        error = await failure(server(target(enemy.port, "verify-identity", old.ca)))
    assert isinstance(error, InsecureConnection) and "certificate has expired; renew it" in str(error)


@pytest.mark.parametrize("mode", ["required", "verify-ca", "verify-identity"])
async def test_tls_that_is_not_offered(mode: TlsMode, certificates: Certificates) -> None:
    ca = None if mode == "required" else certificates.ca
    async with Rogue(WANT_THE_PASSWORD["clear text by switch"]) as enemy:
        error = await failure(server(target(enemy.port, mode, ca)))
    assert isinstance(error, InsecureConnection) and "offers no TLS" in error.cause
    assert enemy.received == b""


async def test_words_slipped_in_before_tls(certificates: Certificates) -> None:
    async def script(line: Line) -> None:
        capabilities = rogue.CAPABILITIES | CLIENT.SSL
        packets = b""
        for sequence, payload in enumerate((rogue.greeting("mysql_native_password", capabilities), b"\xfe")):
            packets += struct.pack("<I", len(payload))[:3] + bytes([sequence * 2]) + payload
        await line.raw(packets)
        await line.silence()

    async with Rogue(script, shown(certificates)) as enemy:
        error = await failure(server(target(enemy.port, "required")))
    assert isinstance(error, InsecureConnection) and "before TLS" in error.cause


@pytest.mark.parametrize("wish", ["clear text by switch", "sha256 by switch", "caching sha2 by switch"])
async def test_a_server_that_proved_itself_gets_the_password(wish: str, certificates: Certificates) -> None:
    """Otherwise the tests above could pass because nobody ever gets in."""
    async with Rogue(WANT_THE_PASSWORD[wish], shown(certificates)) as friend:
        connection = GuardedConnection(target(friend.port, "verify-identity", certificates.ca), trusted=False)
        await connection.connect()
        connection.close()
    assert friend.encrypted and friend.heard(PASSWORD)


@pytest.mark.parametrize("wish", ["sha256 by switch", "caching sha2 by switch"])
@pytest.mark.parametrize("options", [{"trusted": None}, {"trusted": True}])
async def test_this_machine_is_trusted_with_an_encrypted_password(
    wish: str, options: dict[str, Any], certificate: ssl.SSLContext | None
) -> None:
    async with Rogue(WANT_THE_PASSWORD[wish], certificate) as friend:
        # It closes after its OK: what matters is how far the client went.
        await failure(server(target(friend.port), **options))
    assert friend.heard(PASSWORD)
    assert certificate is not None or PASSWORD.encode() not in friend.received


async def test_get_server_public_key_accepts_any_key() -> None:
    where = WANT_THE_PASSWORD["caching sha2 by switch"]
    async with Rogue(where) as enemy:
        await failure(server(target(enemy.port, allow_public_key=True)))
    assert enemy.heard(PASSWORD) and PASSWORD.encode() not in enemy.received


async def test_trust_does_not_extend_to_clear_text() -> None:
    async with Rogue(WANT_THE_PASSWORD["clear text by switch"]) as enemy:
        await failure(server(target(enemy.port, allow_public_key=True), trusted=True))
    assert not enemy.heard(PASSWORD)


async def test_a_key_that_is_none() -> None:
    async def script(line: Line) -> None:
        await line.greet("caching_sha2_password")
        for answer in (b"\x01\x04", b"\x01no key"):
            await line.send(answer)
            await line.receive()

    async with Rogue(script) as enemy:
        error = await failure(server(target(enemy.port), trusted=True))
    assert isinstance(error, InsecureConnection) and "RSA key" in error.cause


# -- other mischief


async def test_no_file_is_sent(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the content of a file")
    async with Rogue(rogue.after_login(b"\xfb" + bytes(secret))) as enemy:
        error = await failure(server(target(enemy.port)))
    assert isinstance(error, InsecureConnection) and "asks for a file" in error.cause
    assert b"the content" not in enemy.received


GREETING = rogue.greeting("mysql_native_password", rogue.CAPABILITIES)


@pytest.mark.parametrize(
    "script",
    [
        rogue.say(b"", hang=True),
        rogue.say(b"\x4a", hang=True),
        rogue.say(struct.pack("<I", len(GREETING)) + GREETING[:30], hang=True),
        rogue.say(struct.pack("<I", len(GREETING)) + GREETING, hang=True),
        rogue.say(b"\xff\xff\xff\x00" + bytes(1000), hang=True),
    ],
    ids=["after accepting", "in a head", "in a packet", "after the greeting", "in a huge packet"],
)
async def test_silence_ends_at_the_limit(script: Script) -> None:
    async with Rogue(script) as enemy:
        subject = Server(target(enemy.port), connect_timeout=0.3, read_timeout=5)
        started = time.monotonic()
        error = await failure(subject)
        assert time.monotonic() - started < BOUNDED
    assert isinstance(error, ServerTimeout)
    assert "accepted the connection and did not answer within 0.3 s" in error.cause


@pytest.mark.parametrize(
    "packets",
    [[], [b"\x02"], [b"\x01", rogue.column("a", COLUMN_TEXT)]],
    ids=["no answer", "no columns", "no rows"],
)
async def test_silence_during_a_statement_ends_at_the_limit(packets: list[bytes]) -> None:
    async def script(line: Line) -> None:
        await rogue.after_login(*packets)(line)
        await line.silence()

    async with Rogue(script) as enemy:
        subject = Server(target(enemy.port), connect_timeout=BOUNDED, read_timeout=0.3)
        await subject.connect()
        started = time.monotonic()
        error = await failure(subject)
        assert time.monotonic() - started < BOUNDED
    assert isinstance(error, ServerTimeout) and "a statement within 0.3 s" in error.cause


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        bytes(64),
        b"\x05\x00\x00\x00\x0a8.0\x00",
        b"\x01\x00\x00\x00\xff",
        b"\x03\x00\x00\x00\xff\x10\x04",
        struct.pack("<I", len(GREETING)) + b"\x09" + GREETING[1:],
        struct.pack("<I", 40) + GREETING[:40],
        b"\x00\x00\x00\x00",
    ],
)
async def test_garbage_instead_of_a_greeting(data: bytes) -> None:
    async with Rogue(rogue.say(data, hang=False)) as enemy:
        error = await failure(server(target(enemy.port)))
    assert isinstance(error, ServerUnreachable | ServerError)
    assert not isinstance(error, AccessDenied | StatementFailed | ConnectionLost)


async def test_authentication_without_end() -> None:
    async with Rogue(rogue.ask_twice(*["mysql_native_password"] * 50)) as enemy:
        error = await failure(server(target(enemy.port)))
    assert isinstance(error, ServerUnreachable) and "no end" in error.cause


def value(text: bytes) -> bytes:
    return bytes([len(text)]) + text


TABLE = [b"\x01", rogue.column("a", COLUMN_TEXT)]
NUMBERS = [b"\x01", rogue.column("a", COLUMN_NUMBER)]


@pytest.mark.parametrize(
    "packets",
    [
        [b""],
        [b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"],
        [b"\xfc\xff\xff"],
        [b"\x01", b""],
        [b"\x01", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff"],
        [b"\x01", b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"],
        [b"\x01", b"\xfd\xff\xff\xff"],
        [b"\x01", rogue.column("a", COLUMN_TEXT)[:-8]],
        [*TABLE, b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(20)],
        [*TABLE, b"\xfd\xff\xff\xff" + bytes(20)],
        [*TABLE, b"\x09a"],
        [*TABLE, b"\x01ab"],
        [b"\x02", *[rogue.column("a", COLUMN_TEXT)] * 2, value(b"x") + b"\xfe" + b"\xff" * 7 + b"\x7f"],
        [b"\x02", *[rogue.column("a", COLUMN_TEXT)] * 2, value(b"x") + b"\xfe" + b"\xff" * 8],
        [*NUMBERS, value(b"twelve")],
        [*NUMBERS, value(b"")],
    ],
)
async def test_broken_answers_are_errors_and_end_the_connection(packets: list[bytes]) -> None:
    async with Rogue(rogue.after_login(*packets, bytes(50))) as enemy:
        subject = server(target(enemy.port))
        await subject.connect()
        await failure(subject)
        assert not subject.connected


async def test_an_answer_without_end_is_cut_off() -> None:
    async def script(line: Line) -> None:
        await rogue.after_login(*TABLE)(line)
        row = b"\xfc\xf0\xff" + bytes(0xFFF0)
        for _ in range(LARGEST_ANSWER // len(row) + 100):
            await line.send(row)

    async with Rogue(script) as enemy:
        subject = Server(target(enemy.port), connect_timeout=BOUNDED, read_timeout=PATIENCE)
        with pytest.raises(StatementFailed, match="64 MiB"):
            await subject.rows("SELECT 1")
        assert not subject.connected


async def test_text_that_is_not_utf8_is_read_as_far_as_it_is() -> None:
    rows = [value(b"before"), value(b"gr\xfc\xdfe"), value(b"nach"), value(b"\xff\xfe"), b"\xfb"]
    end = b"\xfe\x00\x00\x02\x00\x00\x00"
    async with Rogue(rogue.after_login(*TABLE, *rows, end)) as odd:
        subject = server(target(odd.port))
        texts = [row["a"] for row in await subject.rows("SELECT 1")]
        assert texts == ["before", "gr\ufffd\ufffde", "nach", "\ufffd\ufffd", None]
        assert subject.connected
        await subject.close()
