"""asyncmy's connection with a handshake of our own, and bounded answers.

asyncmy 0.2.18 hands the password in clear text to any server that asks for it. So its part from the greeting
to the server's OK is replaced as a whole rather than patched: a way in that a later release adds is not taken.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from asyncmy import connection as driver
from asyncmy.charset import charset_by_name
from asyncmy.constants import CLIENT, COMMAND

from dbvigil.driver import results, tls
from dbvigil.driver.authentication import Exchange, Line
from dbvigil.errors import InsecureConnection, ServerUnreachable
from dbvigil.targets import Target

LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes of one statement's answer; a monitor's are a thousandth of it."""

# asyncmy's own is 256 KiB a connection, and it grows by itself where an answer needs more.
_BUFFER_SIZE = 32 * 1024
_LARGEST_PACKET = 2**24 - 1
_MOST_PACKETS_OF_AUTHENTICATION = 8
_CHARSET = "utf8mb4"
_FOREVER = 86_400


class AnswerTooLargeError(Exception):
    """The server sends more than LARGEST_ANSWER for one statement."""


# asyncmy's type stubs leave out what is overridden here.
_Connection: Any = driver.Connection


class GuardedConnection(_Connection):  # type: ignore[misc]
    """One connection; `connect`, `query` and the rest are asyncmy's.

    `trusted` is what `authentication.Line` says.
    """

    _transport: Any

    def __init__(self, target: Target, *, trusted: bool) -> None:
        super().__init__(
            host=target.host,
            port=target.port,
            unix_socket=target.socket,
            user=target.user,
            password=target.password.encode(),
            # Whoever connects sets the limit over all of it.
            connect_timeout=_FOREVER,
            charset=_CHARSET,
            program_name="dbvigil",
            autocommit=None,
            local_infile=False,
        )
        # A statement is one statement, whatever finds its way into it.
        self._client_flag &= ~CLIENT.MULTI_STATEMENTS
        self._tls_options = target.tls
        self._tls_context = tls.context(target.tls)
        self._trusted = trusted
        self.encrypted = False
        self.received = 0

    @property
    def accepted(self) -> bool:
        """Whether the server's side took the connection at all."""
        return self._proto is not None

    def close(self) -> None:
        """Drop the connection at once, whatever is under way on it."""
        if self._transport is not None:
            self._transport.abort()
        super().close()

    def when_ended(self, call: Callable[[], None]) -> None:
        """Calls `call` once when the connection has ended, whoever ended it.

        The event loop reads the socket of an idle connection anyway, so it costs nothing to wait.
        """
        self._proto._closed_waiter.add_done_callback(lambda _: call())

    def shrink(self) -> None:
        """Give back the memory that a large answer left behind."""
        state = self._proto
        if state is not None and state.length == state.pos and len(state.buffer) > 2 * _BUFFER_SIZE:
            state.pos = state.length = 0
            state.buffer = bytearray(_BUFFER_SIZE)

    async def fetch(self, statement: str) -> tuple[tuple[str, ...], list[results.Row]]:
        """The column names and rows of one statement; none of both where it has no result."""
        self.received = 0
        await self._execute_command(COMMAND.COM_QUERY, statement.encode("utf-8", "surrogateescape"))
        return await results.read(self)

    async def _fill_buffer(self, need: int) -> None:
        state = self._proto
        held = 0 if state is None else state.length - state.pos
        await super()._fill_buffer(need)
        if state is not None:
            self.received += state.length - state.pos - held
        if self.received > LARGEST_ANSWER:
            raise AnswerTooLargeError

    async def _request_authentication(self) -> None:
        """From the server's greeting, which has been read, to its OK."""
        if self.protocol_version != 10 or not self.server_capabilities & CLIENT.PROTOCOL_41:
            raise ServerUnreachable(
                "it does not speak the protocol of MySQL 4.1 and later", "check host and port of the target"
            )
        flags = self._client_flag
        if self.server_capabilities & CLIENT.DEPRECATE_EOF:
            flags |= CLIENT.DEPRECATE_EOF
            self._deprecate_eof = True
        if self._wants_tls():
            flags |= CLIENT.SSL
            await self._start_tls(flags)
        line = Line(
            proven=self.encrypted and self._tls_options.verifies,
            encrypted=self.encrypted,
            socket=self._unix_socket is not None,
            trusted=self._trusted,
        )
        exchange = Exchange(self._password, self.salt, line)
        answer = exchange.first(self._auth_plugin_name)
        self.write_packet(self._handshake_response(flags, answer, exchange.plugin))
        await self._finish(exchange)
        self.shrink()

    def _wants_tls(self) -> bool:
        mode = self._tls_options.mode
        if self._tls_context is None:
            return False
        if mode == "preferred":
            return self._unix_socket is None and bool(self.server_capabilities & CLIENT.SSL)
        if not self.server_capabilities & CLIENT.SSL:
            raise InsecureConnection(
                f"the server offers no TLS, which ssl-mode={mode} asks for",
                "give the server a certificate (ssl_cert, ssl_key), or set ssl-mode=preferred to go without",
            )
        return True

    async def _start_tls(self, flags: int) -> None:
        self.write_packet(self._response_head(flags))
        state = self._proto
        if state.length != state.pos:
            # Words that came before the encryption must not be taken for words of the encrypted server.
            raise InsecureConnection(
                "the server speaks before TLS is set up", "somebody may be on the line: check the network"
            )
        self._transport = await self._loop.start_tls(
            self._transport, state, self._tls_context, server_hostname=self._host
        )
        self.encrypted = True
        # asyncio keeps 256 KiB a connection for what is still encrypted; one of this size is made at its next read.
        protocol = getattr(self._transport, "_ssl_protocol", None)
        if protocol is not None:
            protocol.max_size, protocol._ssl_buffer = _BUFFER_SIZE, bytearray()

    def _response_head(self, flags: int) -> bytes:
        return struct.pack("<IIB23x", flags, _LARGEST_PACKET, charset_by_name(_CHARSET).id)

    def _handshake_response(self, flags: int, answer: bytes, plugin: str) -> bytes:
        offered = self.server_capabilities
        data: bytes = self._response_head(flags) + self._user.encode() + b"\0"
        # Answers here are scrambles of at most 32 bytes: their length is one byte in either encoding.
        data += bytes([len(answer)]) + answer
        if offered & CLIENT.PLUGIN_AUTH:
            data += plugin.encode() + b"\0"
        if offered & CLIENT.CONNECT_ATTRS:
            texts = [text.encode() for pair in self._connect_attrs.items() for text in pair]
            attributes = b"".join(bytes([len(text)]) + text for text in texts)
            data += bytes([len(attributes)]) + attributes
        return data

    async def _finish(self, exchange: Exchange) -> None:
        for _ in range(_MOST_PACKETS_OF_AUTHENTICATION):
            packet = await self.read_packet()
            payload: bytes = packet.get_all_data()
            if packet.is_ok_packet():
                return
            kind, rest = payload[:1], payload[1:]
            answer: bytes | None
            if kind == b"\xfe":
                # Without a name it is the request of servers before 5.5 for their oldest method.
                name, _, data = rest.partition(b"\0") if rest else (b"mysql_old_password", b"", b"")
                answer = exchange.switch(name.decode("ascii", "replace"), data)
            elif kind == b"\x01":
                answer = exchange.more(rest)
            else:
                raise ServerUnreachable(
                    "it does not keep to MySQL's protocol while authenticating",
                    "check host and port of the target",
                )
            if answer is not None:
                self.write_packet(answer)
        raise ServerUnreachable(
            "the server's authentication comes to no end", "check host and port of the target"
        )
