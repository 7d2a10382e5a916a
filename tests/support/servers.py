"""Fixtures: real servers, shared by a whole run or thrown away after one test.

    def test_reads(any_server): ...                  # once for each release
    def test_mariadb(mariadb): ...                   # the shared MariaDB of Debian stable
    def test_crash(private_server, release): ...     # server = private_server(release, options={...})

A shared server is for reading, and for schemas and accounts of one's own; a test that stops, pauses or
reconfigures a server makes a private one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbvigil.sandbox import MONITORING_GRANTS, RELEASES, PrivateServer, ServerBinary, ServerUnavailable, find
from dbvigil.sandbox.server import random_password
from tests.support import ports

MONITORING_USER = "dbvigil"
MONITORING_PASSWORD = random_password()


def available(name: str) -> ServerBinary:
    """A release's programs. Where it cannot be had the test is skipped on a laptop and fails in CI."""
    try:
        return find(name)
    except ServerUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


def add_monitoring_user(server: PrivateServer) -> None:
    """Give a server the monitoring account with the least grants."""
    server.create_user(MONITORING_USER, MONITORING_PASSWORD, MONITORING_GRANTS[server.flavor])


def monitoring_url(server: PrivateServer, **query: str) -> str:
    """The URL of a server for its monitoring account."""
    return server.url(MONITORING_USER, MONITORING_PASSWORD, **query)


class SharedServers:
    """One started server a release, with the monitoring account, made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: dict[str, PrivateServer] = {}

    def get(self, name: str) -> PrivateServer:
        if name not in self._servers:
            server = PrivateServer(available(name), self._folder / name).start()
            self._servers[name] = server
            add_monitoring_user(server)
        return self._servers[name]

    def destroy(self) -> None:
        for server in self._servers.values():
            server.destroy()


class PrivateServers:
    """Makes servers for one test and removes them after it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[PrivateServer] = []
        self._held = ExitStack()

    def __call__(self, name: str, *, within: tuple[str, ...] = (), **arguments: Any) -> PrivateServer:
        """A started server with the monitoring account; `within` is a command that runs it, `arguments` are those of PrivateServer."""
        binary = available(name)
        binary = replace(binary, prefix=(*within, *binary.prefix))
        if "port" not in arguments:
            # While it is down for a moment, another test's server must not be given its port.
            arguments["port"] = self._held.enter_context(ports.hold()).getsockname()[1]
        server = PrivateServer(binary, self._folder / f"server-{len(self._servers)}", **arguments)
        self._servers.append(server)
        add_monitoring_user(server.start())
        return server

    def destroy(self) -> None:
        with self._held:
            for server in self._servers:
                server.destroy()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServers]:
    """The shared servers, by release name."""
    shared = SharedServers(tmp_path_factory.mktemp("servers"))
    yield shared
    shared.destroy()


@pytest.fixture(scope="session")
def mariadb(servers: SharedServers) -> PrivateServer:
    """The shared MariaDB 10.11."""
    return servers.get("mariadb-10.11")


@pytest.fixture(scope="session")
def mysql(servers: SharedServers) -> PrivateServer:
    """The shared MySQL 9.7."""
    return servers.get("mysql-9.7")


@pytest.fixture(scope="session", params=list(RELEASES))
def release(request: pytest.FixtureRequest) -> str:
    """Each release's name in turn; one that cannot be had is skipped here."""
    name: str = request.param
    available(name)
    return name


@pytest.fixture(scope="session")
def any_server(servers: SharedServers, release: str) -> PrivateServer:
    """Each shared server in turn."""
    return servers.get(release)


@pytest.fixture
def private_server(tmp_path: Path) -> Iterator[PrivateServers]:
    """Makes throwaway servers: `private_server("mysql-9.7", options={"max-connections": 5})`."""
    private = PrivateServers(tmp_path)
    yield private
    private.destroy()
