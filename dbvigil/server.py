"""One asynchronous connection to a monitored server: what it is, and rows from it within time limits."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import Any

from asyncmy import errors as driver_errors

from dbvigil.driver import faults, session
from dbvigil.driver.connection import GuardedConnection
from dbvigil.targets import Target
from dbvigil.types import ServerInfo

_GOODBYE_SECONDS = 0.5
# The server's own limit for a statement comes first: its answer leaves the connection usable.
_SERVER_SIDE_SHARE = 0.9


class Server:
    """A target's server, and at most one connection to it.

    `connect_timeout` bounds all of connecting, from the host name's look-up to the session's settings;
    `read_timeout` bounds each statement (seconds). `trusted` says whether nobody but the server can be at the
    target's address, which lets caching_sha2_password go on without verified TLS; by default this machine's
    own addresses are. Every failure is a `ServerError`.

    Of `info` and `connection_id` the last known remain when a connection is lost.
    """

    info: ServerInfo
    """What the server is; there from the first `connect` on."""

    def __init__(
        self,
        target: Target,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        trusted: bool | None = None,
    ) -> None:
        self.target = target
        self.connection = ""
        """A label of this connection alone, among all connections of all monitors; empty before the first."""
        self.connection_id = 0
        """The server's number for the connection, as in its process list."""
        self.statements = 0
        """Statements sent since the start, those of connecting included."""
        self.statements_before = 0
        """How many of them were sent before the last attempt to connect."""
        self.lost = asyncio.Event()
        """Set when the other side has ended the connection, between two statements too; by nothing done here."""
        self._connect_timeout = target.connect_timeout or connect_timeout
        self._read_timeout = target.read_timeout or read_timeout
        self._trusted = target.allow_public_key or (bool(target.is_local) if trusted is None else trusted)
        self._driver: GuardedConnection | None = None
        # The protocol has one conversation: a second statement waits for the first one's answer.
        self._turn = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known here."""
        return self._driver is not None and self._driver.connected and not self._driver._stream_broken

    async def connect(self) -> ServerInfo:
        """Open a connection, in place of one that may be there, and ask what the server is."""
        async with self._turn:
            await self._connect()
            return self.info

    async def rows(self, sql: str, args: tuple[object, ...] | list[object] = ()) -> list[dict[str, Any]]:
        """The rows of one statement, by column name as the server writes it; connects first where need be.

        Text is str, whole numbers and decimals are int or float, times are datetime, NULL is None. `args`
        fill the statement's `%s`, quoted; a literal % is then written %%.
        """
        async with self._turn:
            driver = self._driver if self._driver is not None and self.connected else await self._connect()
            if args:
                sql = sql % tuple(driver.literal(value) for value in args)
            try:
                async with asyncio.timeout(self._read_timeout):
                    return await self._fetch(driver, sql)
            except TimeoutError:
                raise faults.statement_timeout(self.target, self._read_timeout) from None
            except Exception as error:  # noqa: BLE001  # whatever it is, it becomes a ServerError
                raise faults.statement(error, self.target) from None

    async def close(self) -> None:
        """Say goodbye and end the connection, without waiting for a server that does not listen."""
        driver, self._driver = self._driver, None
        self.lost.clear()
        if driver is None:
            return
        try:
            # Without goodbye the server counts an aborted client. In mid-statement there is none.
            if driver.connected and not self._turn.locked():
                with contextlib.suppress(TimeoutError, OSError, driver_errors.MySQLError):
                    async with asyncio.timeout(_GOODBYE_SECONDS):
                        await driver.ensure_closed()
        finally:
            driver.close()

    async def _connect(self) -> GuardedConnection:
        if self._driver is not None:
            self._driver.close()
            self._driver = None
        self.lost.clear()
        self.statements_before = self.statements
        driver = GuardedConnection(self.target, trusted=self._trusted)
        try:
            async with asyncio.timeout(self._connect_timeout):
                await driver.connect()
                rows = await self._fetch(driver, session.IDENTITY)
                info = session.identity({row["Variable_name"]: row["Value"] for row in rows})
                await self._settle(driver, info)
        except BaseException as error:
            driver.close()
            if isinstance(error, TimeoutError):
                answer = faults.connect_timeout(self.target, self._connect_timeout, accepted=driver.accepted)
                raise answer from None
            if isinstance(error, Exception):
                # The driver's own error may quote what it was given, so it does not travel on with ours.
                raise faults.connecting(error, self.target, encrypted=driver.encrypted) from None
            raise
        self._driver, self.info = driver, info
        driver.when_ended(lambda: self._ended(driver))
        self.connection, self.connection_id = secrets.token_hex(8), driver.thread_id()
        return driver

    def _ended(self, driver: GuardedConnection) -> None:
        # What was closed here is marked so, or already let go.
        if driver is self._driver and driver.connected:
            self.lost.set()

    async def _settle(self, driver: GuardedConnection, info: ServerInfo) -> None:
        assignments = session.settings(info, self._read_timeout * _SERVER_SIDE_SHARE)
        try:
            await self._fetch(driver, f"SET {', '.join(assignments)}")
        except driver_errors.MySQLError as error:
            if error.args[0] not in session.REFUSALS:
                raise
            for assignment in assignments:
                await self._settle_one(driver, assignment)

    async def _settle_one(self, driver: GuardedConnection, assignment: str) -> None:
        try:
            await self._fetch(driver, f"SET {assignment}")
        except driver_errors.MySQLError as error:
            if error.args[0] not in session.REFUSALS:
                raise

    async def _fetch(self, driver: GuardedConnection, sql: str) -> list[dict[str, Any]]:
        self.statements += 1
        try:
            names, rows = await driver.fetch(sql)
        except BaseException as error:
            # After anything but the server's own refusal, the next bytes would be those of this answer.
            if not faults.is_refusal(error):
                driver.close()
            raise
        driver.shrink()
        # Every row was parsed by its columns; counting them again takes a third of this function's time.
        return [dict(zip(names, row, strict=False)) for row in rows]
