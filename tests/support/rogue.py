"""A server that speaks MySQL's protocol and means harm.

    async with Rogue(ask("mysql_clear_password")) as rogue:
        ...connect to 127.0.0.1, rogue.port...
    assert not rogue.heard(password)

A script is a coroutine function that gets the `Line` to one client and does what it likes with it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from asyncmy.constants import CLIENT
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

NONCE = bytes(range(1, 21))
OK = b"\x00\x00\x00\x02\x00\x00\x00"
COLUMN_TEXT, COLUMN_NUMBER = 0xFD, 0x08

CAPABILITIES = (
    CLIENT.CAPABILITIES
    | CLIENT.PLUGIN_AUTH
    | CLIENT.CONNECT_WITH_DB
    | CLIENT.LOCAL_FILES
    | CLIENT.DEPRECATE_EOF
)


class Line:
    """The wire to one client: packets out, and in; `rogue.received` has every byte, after decryption.

    It starts as a bare socket, from which nothing is read ahead: what follows may be a TLS handshake.
    """

    def __init__(self, client: socket.socket, rogue: Rogue) -> None:
        self.rogue = rogue
        self.sequence = 0
        self._loop = asyncio.get_running_loop()
        self._socket = client
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, payload: bytes) -> None:
        await self.raw(struct.pack("<I", len(payload))[:3] + bytes([self.sequence]) + payload)
        self.sequence = (self.sequence + 1) % 256

    async def raw(self, data: bytes) -> None:
        if self._writer is None:
            await self._loop.sock_sendall(self._socket, data)
        else:
            self._writer.write(data)
            await self._writer.drain()

    async def receive(self) -> bytes:
        """One packet's payload; raises ConnectionError when the client has gone."""
        head = await self._exactly(4)
        self.sequence = head[3] + 1
        payload = await self._exactly(int.from_bytes(head[:3], "little"))
        self.rogue.payloads.append(payload)
        return payload

    async def _exactly(self, size: int) -> bytes:
        start = len(self.rogue.received)
        while (missing := start + size - len(self.rogue.received)) > 0:
            if not await self._some(missing):
                raise ConnectionResetError
        return self.rogue.received[start:]

    async def _some(self, most: int) -> bytes:
        if self._reader is None:
            data = await self._loop.sock_recv(self._socket, most)
        else:
            data = await self._reader.read(most)
        self.rogue.received += data
        return data

    async def _encrypt(self, certificate: ssl.SSLContext) -> None:
        self._reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(self._reader)
        transport, _ = await self._loop.connect_accepted_socket(
            lambda: protocol, self._socket, ssl=certificate
        )
        self._writer = asyncio.StreamWriter(transport, protocol, self._reader, self._loop)
        self.rogue.encrypted = True

    def close(self) -> None:
        if self._writer is None:
            self._socket.close()
        else:
            self._writer.close()

    async def greet(self, plugin: str, *, version: str = "8.4.0") -> bytes:
        """Greet, go over to TLS where there is a certificate and the client wants it; its first answer."""
        capabilities = CAPABILITIES | (CLIENT.SSL if self.rogue.certificate else 0)
        await self.send(greeting(plugin, capabilities, version))
        answer = await self.receive()
        if int.from_bytes(answer[:4], "little") & CLIENT.SSL and self.rogue.certificate:
            await self._encrypt(self.rogue.certificate)
            answer = await self.receive()
        return answer

    async def welcome(self) -> None:
        """Let the client in, and answer its statements as an unlike MySQL 8.4 would, until further notice."""
        await self.greet("mysql_native_password")
        await self.send(OK)
        self.sequence = 0
        for _ in ("identity", "settings"):
            statement = await self.receive()
            if statement.startswith(b"\x03SHOW VARIABLES"):
                await self.table(
                    [("Variable_name", COLUMN_TEXT), ("Value", COLUMN_TEXT)], [b"\x07version\x058.4.0"]
                )
            else:
                await self.send(OK)

    async def table(self, columns: list[tuple[str, int]], rows: list[bytes]) -> None:
        """A result with such columns; `rows` are payloads."""
        await self.send(bytes([len(columns)]))
        for name, kind in columns:
            await self.send(column(name, kind))
        for row in rows:
            await self.send(row)
        await self.send(b"\xfe\x00\x00\x02\x00\x00\x00")

    async def silence(self) -> None:
        """Read on without a word until the client goes."""
        while await self._some(4096):
            pass


Script = Callable[[Line], Awaitable[None]]


class Rogue:
    """Listens on 127.0.0.1 while it is entered, and plays `script` to each client.

    With a `certificate` it offers TLS with it.
    """

    def __init__(self, script: Script, certificate: ssl.SSLContext | None = None) -> None:
        self.certificate = certificate
        self.received = b""
        self.payloads: list[bytes] = []
        self.connections = 0
        self.encrypted = False
        self.port = 0
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._tasks.add(asyncio.create_task(self._accept()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            self.connections += 1
            self._tasks.add(asyncio.create_task(self._play(Line(client, self))))

    async def _play(self, line: Line) -> None:
        try:
            with contextlib.suppress(OSError):
                await self._script(line)
                # What the client says last is still to be heard.
                async with asyncio.timeout(0.1):
                    await line.silence()
        finally:
            line.close()

    def heard(self, password: str) -> bool:
        """Whether the password arrived: as it is, encoded, hashed without the nonce, or in the rogue's own RSA."""
        secret = password.encode()
        forms = [
            secret,
            password.encode("utf-16-le"),
            base64.b64encode(secret),
            secret.hex().encode(),
            hashlib.sha1(secret).digest(),
            hashlib.sha1(hashlib.sha1(secret).digest()).digest(),
            hashlib.sha256(secret).digest(),
            bytes(byte ^ NONCE[place % len(NONCE)] for place, byte in enumerate(secret)),
        ]
        return any(form in self.received for form in forms) or any(
            secret in _unwrapped(payload) for payload in self.payloads
        )


def greeting(plugin: str, capabilities: int, version: str = "8.4.0") -> bytes:
    """The payload of a server's first packet."""
    low, high = capabilities & 0xFFFF, capabilities >> 16
    return (
        b"\x0a" + version.encode() + b"\0" + struct.pack("<I", 7) + NONCE[:8] + b"\0"
        + struct.pack("<HBHHB", low, 45, 2, high, 21) + bytes(10) + NONCE[8:] + b"\0" + plugin.encode() + b"\0"
    )  # fmt: skip


def column(name: str, kind: int) -> bytes:
    """The payload of a column's definition, in UTF-8."""
    texts = ["def", "", "t", "t", name, name]
    return b"".join(bytes([len(text)]) + text.encode() for text in texts) + struct.pack(
        "<BHIBHB2x", 12, 45, 1024, kind, 0, 0
    )


def refuse(code: int, message: str) -> bytes:
    """The payload of an error."""
    return b"\xff" + struct.pack("<H", code) + b"#HY000" + message.encode()


_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_KEY = _KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def _unwrapped(payload: bytes) -> bytes:
    """What the client encrypted with the rogue's key, if it did."""
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
    try:
        mixed = _KEY.decrypt(payload, oaep)
    except ValueError:
        return b""
    return bytes(byte ^ NONCE[place % len(NONCE)] for place, byte in enumerate(mixed))


# -- what rogues do


def ask(plugin: str, *, data: bytes = NONCE + b"\0", by_switch: bool = True) -> Script:
    """Ask for a plugin: in the greeting, or by a switch after an honest greeting; then agree to everything."""

    async def script(line: Line) -> None:
        await line.greet("mysql_native_password" if by_switch else plugin)
        if by_switch:
            await line.send(b"\xfe" + plugin.encode() + b"\0" + data)
            await line.receive()
        await line.send(OK)

    return script


def ask_twice(*plugins: str) -> Script:
    """Ask for one plugin after the other."""

    async def script(line: Line) -> None:
        await line.greet("caching_sha2_password")
        for plugin in plugins:
            await line.send(b"\xfe" + plugin.encode() + b"\0" + NONCE + b"\0")
            await line.receive()
        await line.send(OK)

    return script


def full_authentication(*, by_switch: bool, plugin: str = "caching_sha2_password") -> Script:
    """Say that the fast way did not do, and offer the rogue's own RSA key."""

    async def script(line: Line) -> None:
        await line.greet("mysql_native_password" if by_switch else plugin)
        if by_switch:
            await line.send(b"\xfe" + plugin.encode() + b"\0" + NONCE + b"\0")
            request = await line.receive()
        if plugin == "caching_sha2_password":
            await line.send(b"\x01\x04")
            request = await line.receive()
        if request in (b"\x01", b"\x02"):
            await line.send(b"\x01" + PUBLIC_KEY)
            await line.receive()
        await line.send(OK)

    return script


def after_login(*packets: bytes) -> Script:
    """Let the client in, and answer the first statement that is its own with these packets."""

    async def script(line: Line) -> None:
        await line.welcome()
        await line.receive()
        for packet in packets:
            await line.send(packet)

    return script


def say(data: bytes, *, hang: bool) -> Script:
    """Say something at once, then wait or hang up."""

    async def script(line: Line) -> None:
        await line.raw(data)
        if hang:
            await line.silence()
        else:
            line.close()

    return script
