"""One private server: start it, use it, break it, remove it."""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import quote, urlencode

import pymysql
import pymysql.cursors
from pymysql.err import OperationalError

from dbvigil.sandbox import options as server_options
from dbvigil.sandbox import process
from dbvigil.sandbox.binaries import ServerBinary, find
from dbvigil.sandbox.errors import SandboxError, ServerNotStarted
from dbvigil.sandbox.home import Home
from dbvigil.sandbox.options import Options
from dbvigil.sandbox.tls import Certificates

Connection: TypeAlias = "pymysql.Connection[pymysql.cursors.DictCursor]"

_PORT_TAKEN = "server running on port"


class PrivateServer:
    """A MySQL or MariaDB server of one's own, on 127.0.0.1 and a free port, with its data under `home`.

    `server` is a release name such as "mariadb-10.11", or a ServerBinary. Its data folder is made at the
    first start and kept by `stop`, so a server made again with the same `home` finds its data. `options` are
    server options that win over the defaults of `dbvigil.sandbox.options`; None is an option without a value.
    `data` is a data folder on the same disk that is moved there at the first start in a fresh one's place; its
    accounts are its own, so whoever gives one gives "skip-grant-tables" too, or has root let in through the socket.
    With `tls` the server shows that certificate; without it, MySQL and MariaDB from 11.4 show their own.

    The process dies with the Python process that started it. Methods raise SandboxError.
    """

    def __init__(
        self,
        server: ServerBinary | str,
        home: Path,
        *,
        performance_schema: bool = True,
        options: Options | None = None,
        tls: Certificates | None = None,
        port: int | None = None,
        data: Path | None = None,
    ) -> None:
        self.binary = find(server) if isinstance(server, str) else server
        self._home = Home(home, self.binary, data)
        self.tls = tls
        self.host = "127.0.0.1"
        self.port = port or _free_port()
        self._port_is_fixed = port is not None
        self._performance_schema = performance_schema
        self._options: Options = dict(options or {})
        self._process: process.Process | None = None
        self._owner = os.getpid()

    def __enter__(self) -> Self:
        if not self.running:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    def __repr__(self) -> str:
        state = "running" if self.running else "not running"
        return f"<PrivateServer {self.binary.name} port {self.port} {state}>"

    # -- what it is

    @property
    def flavor(self) -> str:
        """Either "mysql" or "mariadb"."""
        return self.binary.flavor

    @property
    def version(self) -> tuple[int, int, int]:
        return self.binary.version

    @property
    def home(self) -> Path:
        return self._home.folder

    @property
    def datadir(self) -> Path:
        return self._home.datadir

    @property
    def error_log(self) -> Path:
        return self._home.error_log

    @property
    def socket(self) -> Path:
        return self._home.socket

    @property
    def running(self) -> bool:
        """Whether the process exists; a paused server is running."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._alive().pid

    def cpu_seconds(self) -> float:
        """CPU time that the server process has used since its start, user and system."""
        return process.cpu_seconds(self.pid)

    def processor_time(self) -> process.ProcessorTime:
        """The same, fine enough for a single statement."""
        return process.ProcessorTime(self.pid)

    def url(self, user: str, password: str, **query: str) -> str:
        """A monitoring URL; underscores in the names of `query` become hyphens, as in `ssl_ca`."""
        parameters = urlencode({name.replace("_", "-"): value for name, value in query.items()})
        account = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"mysql://{account}@{self.host}:{self.port}/{'?' + parameters if parameters else ''}"

    # -- its life

    def start(self, timeout: float = 60.0) -> Self:
        """Start and wait until it answers; raises ServerNotStarted with the last lines of its log."""
        if self.running:
            raise SandboxError(f"{self!r} is already running")
        self._home.prepare()
        deadline = time.monotonic() + timeout
        try:
            self._start_once(deadline)
        except ServerNotStarted as error:
            # Between the choice of a free port and its use, somebody else may have taken it.
            if self._port_is_fixed or _PORT_TAKEN not in str(error):
                raise
            self.port = _free_port()
            self._start_once(deadline)
        # From now on clients know the port, so a restart must not move it.
        self._port_is_fixed = True
        return self

    def stop(self, timeout: float = 60.0) -> None:
        """Shut down cleanly; a server that takes longer than `timeout` is killed, and that is an error."""
        if not self.running:
            return
        server = self._alive()
        server.terminate()
        server.send_signal(signal.SIGCONT)
        try:
            server.wait(timeout)
            _started.discard(self)
        except subprocess.TimeoutExpired:
            self.kill()
            raise SandboxError(f"{self!r} did not shut down within {timeout:g} s and was killed") from None

    def kill(self) -> None:
        """End the process at once, as a crash would; works on a paused server too."""
        if self.running:
            server = self._alive()
            server.kill()
            server.wait()
        _started.discard(self)

    def pause(self) -> None:
        """Stop the whole process in its tracks: connections stay open and nothing answers."""
        self._alive().send_signal(signal.SIGSTOP)
        self._wait_for_state(paused=True)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._alive().send_signal(signal.SIGCONT)
        self._wait_for_state(paused=False)

    def restart(self, timeout: float = 60.0) -> Self:
        """Shut down cleanly and start again on the same port with the same data."""
        self.stop(timeout)
        return self.start(timeout)

    def destroy(self) -> None:
        """End the server and remove its home, whatever state it is in."""
        self.kill()
        self._home.remove()

    # -- its administration

    def connect(self, **arguments: Any) -> Connection:
        """An administrator's connection through the socket, autocommit on; `arguments` are PyMySQL's."""
        settings: dict[str, Any] = {
            "unix_socket": str(self.socket),
            "user": "root",
            "autocommit": True,
            "charset": "utf8mb4",
            "cursorclass": pymysql.cursors.DictCursor,
            "connect_timeout": 10,
            # A socket in the file system crosses no network. Asked for TLS, PyMySQL first reads every authority that the machine trusts.
            "ssl_disabled": True,
        }
        return pymysql.connect(**(settings | arguments))

    def execute(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """Run one statement as the administrator; rows by column name, none where there is no result."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return list(cursor.fetchall())

    def create_user(
        self,
        name: str,
        password: str,
        grants: Sequence[str] = (),
        *,
        plugin: str | None = None,
        require: str | None = None,
    ) -> None:
        """Make an account that may connect from anywhere, or change the one of that name.

        `grants` are the texts between GRANT and TO; `plugin` an authentication plugin; `require` what follows
        REQUIRE, such as "SSL". Kept out of the binary log: each server of a topology has its own accounts.
        """
        if plugin is None:
            identified = "BY %s"
        elif self.flavor == "mysql":
            identified = f"WITH {plugin} BY %s"
        else:
            identified = f"VIA {plugin} USING PASSWORD(%s)"
        requirement = f" REQUIRE {require}" if require else ""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION sql_log_bin = 0")
            cursor.execute("DROP USER IF EXISTS %s@'%%'", (name,))
            cursor.execute(f"CREATE USER %s@'%%' IDENTIFIED {identified}{requirement}", (name, password))
            for grant in grants:
                cursor.execute(f"GRANT {grant} TO %s@'%%'", (name,))

    # -- how it is done

    def _alive(self) -> process.Process:
        if self._process is None or self._process.poll() is not None:
            raise SandboxError(f"{self!r}: there is no process")
        return self._process

    def _command(self) -> list[str]:
        own: Options = {
            "port": self.port,
            "socket": str(self.socket),
            "pid-file": str(self._home.pid_file),
            "log-error": str(self.error_log),
            "tmpdir": str(self._home.temporary),
            "secure-file-priv": str(self.home),
            # A port is unique on this machine for as long as its server lives; so is an identity made of it.
            "server-id": self.port,
            "performance-schema": "ON" if self._performance_schema else "OFF",
        }
        tls = self.tls.server_options if self.tls else {}
        chosen = server_options.merged(server_options.defaults(self.flavor), own, tls, self._options)
        return server_options.command(self.binary, self.datadir, chosen)

    def _start_once(self, deadline: float) -> None:
        log_start = self._home.log_size()
        self._process = process.start(self._command(), self.error_log, os.environ)
        _started.add(self)
        self._wait_until_ready(deadline, log_start)

    def _wait_until_ready(self, deadline: float, log_start: int) -> None:
        for _ in _polls(deadline):
            if not self.running:
                tail = self._home.log_tail(log_start)
                raise ServerNotStarted(f"{self.binary.name} ended while starting: {tail}")
            with contextlib.suppress(OperationalError), self.connect(connect_timeout=2):
                return
        self.kill()
        raise ServerNotStarted(f"{self.binary.name} did not answer in time: {self._home.log_tail(log_start)}")

    def _wait_for_state(self, *, paused: bool) -> None:
        for _ in _polls(time.monotonic() + 10):
            if process.is_paused(self.pid) is paused:
                return
        raise SandboxError(f"{self!r} did not {'pause' if paused else 'resume'}")


def random_password() -> str:
    """A password for an account of a private server."""
    return secrets.token_urlsafe(18)


def _polls(deadline: float, pause: float = 0.02) -> Iterator[None]:
    while time.monotonic() < deadline:
        yield
        time.sleep(pause)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


_started: set[PrivateServer] = set()


@atexit.register
def _stop_all() -> None:
    """Shut every server down together, so that the wait is that of the slowest and not of all."""
    ours = [server for server in _started if server.running and server._owner == os.getpid()]
    for server in ours:
        server._alive().terminate()
        server._alive().send_signal(signal.SIGCONT)
    for server in ours:
        with contextlib.suppress(SandboxError):
            server.stop(timeout=20)
