"""The demo: a private MariaDB source and its replica with a small shop's traffic, so that there is something to look at."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pymysql

from dbvigil.sandbox import (
    MONITORING_GRANTS,
    PrivateServer,
    SandboxError,
    attach_replica,
    replication_options,
    wait_until_caught_up,
)
from dbvigil.sandbox.server import random_password
from service.demo.traffic import Traffic, ensure_schema

logger = logging.getLogger("dbvigil.demo")

_RELEASE = "mariadb-10.11"
_SHOP_USER = "shop"
_MONITOR_USER = "dbvigil"
# Whoever kills a server of the demo wants to see the monitor notice: two samples at the default interval.
_ABSENCE = 60.0

_OLD_REPLICAS = "SELECT user AS name FROM mysql.user WHERE user LIKE 'replica\\_%'"
_RESUME = "START ALL SLAVES"
_FORGET_REPLICA = "DROP USER %s@'%%'"


class DemoShop:
    """Source, replica and traffic under `folder`, kept from one run to the next; a context manager. `urls` are the monitor's targets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._passwords = {_SHOP_USER: random_password(), _MONITOR_USER: random_password()}
        self._traffic: Traffic | None = None
        self._start_at: dict[PrivateServer, float] = {}
        self.source, self.replica = self._servers()

    def __enter__(self) -> Self:
        try:
            self._start()
        except SandboxError as error:
            # A run that was killed can leave the replica ahead of its source. It is a demo: begin anew.
            logger.warning("the demo's data cannot be used any more and is made anew: %s", error)
            self._stop()
            shutil.rmtree(self._folder, ignore_errors=True)
            self.source, self.replica = self._servers()
            self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def urls(self) -> Mapping[str, str]:
        """Target URLs by alias, for the monitoring account."""
        password = self._passwords[_MONITOR_USER]
        return {
            "shop": self.source.url(_MONITOR_USER, password),
            "shop-replica": self.replica.url(_MONITOR_USER, password),
        }

    def tend(self, now: float) -> None:
        """Starts a server again that somebody ended, a minute later; `now` is monotonic. The traffic comes back by itself."""
        for alias, server in (("shop", self.source), ("shop-replica", self.replica)):
            if server.running:
                self._start_at.pop(server, None)
            elif server not in self._start_at:
                self._start_at[server] = now + _ABSENCE
                logger.warning("the demo's server %s ended; it is started again in %g s", alias, _ABSENCE)
            elif now >= self._start_at[server]:
                del self._start_at[server]
                try:
                    server.start()
                    if server is self.replica:
                        server.execute(_RESUME)
                except (SandboxError, pymysql.err.MySQLError) as error:
                    logger.warning("the demo's server %s cannot be started: %s", alias, error)

    def _servers(self) -> tuple[PrivateServer, PrivateServer]:
        common = {
            **replication_options("mariadb"),
            "long-query-time": "0.1",
            "slow-query-log": "ON",
            # So that waits for metadata locks are shown with who is in the way.
            "performance-schema-instrument": "wait/lock/metadata/sql/mdl=ON",
        }
        source = PrivateServer(_RELEASE, self._folder / "source", options={**common, "expire-logs-days": 1})
        # It is attached anew at every start, because the source's port is.
        replica = PrivateServer(
            _RELEASE,
            self._folder / "replica",
            options={**common, "read-only": "ON", "skip-slave-start": None},
        )
        return source, replica

    def _start(self) -> None:
        self.source.start()
        self.replica.start()
        ensure_schema(self.source)
        self._forget_earlier_replicas()
        attach_replica(self.source, self.replica)
        wait_until_caught_up(self.replica, self.source, 20)
        for server in (self.source, self.replica):
            # To look at the shop's tables and plans is optional, and shows what advice can be.
            grants = [*MONITORING_GRANTS["mariadb"], "SELECT ON shop.*"]
            server.create_user(_MONITOR_USER, self._passwords[_MONITOR_USER], grants)
            server.create_user(_SHOP_USER, self._passwords[_SHOP_USER], ["ALL ON shop.*"])
        self._traffic = Traffic(
            self.source, self.replica, _SHOP_USER, self._passwords[_SHOP_USER], time.time_ns()
        )
        self._traffic.start()

    def _forget_earlier_replicas(self) -> None:
        """Removes the accounts of earlier runs' replicas: an account is named by its replica's port."""
        with self.source.connect() as connection, connection.cursor() as cursor:
            # Each server here has its own accounts, so the replica is not told.
            cursor.execute("SET SESSION sql_log_bin = 0")
            cursor.execute(_OLD_REPLICAS)
            for row in cursor.fetchall():
                cursor.execute(_FORGET_REPLICA, (row["name"],))

    def _stop(self) -> None:
        if self._traffic is not None:
            self._traffic.stop()
            self._traffic = None
        for server in (self.replica, self.source):
            server.stop()
