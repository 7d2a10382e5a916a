"""The machine under the server: this one by psutil, another by its node_exporter, else nothing."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from dbvigil.collectors import local_host, node_exporter
from dbvigil.server import Server
from dbvigil.types import ServerInfo

DATADIR = "SELECT @@GLOBAL.datadir AS datadir"

# The data folder is fixed while a server runs: asked once a connection.
_datadirs: WeakKeyDictionary[Server, tuple[str, str]] = WeakKeyDictionary()

# A file system that hangs must stop neither the loop that watches every other server, nor the loop's own threads.
_reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dbvigil-host")


class Host:
    name: ClassVar = "host"
    help: ClassVar = "CPU, memory, disk, network and load of the machine that the server runs on."
    every: ClassVar = 0.0
    limit: ClassVar = 3.0
    grants: ClassVar[Mapping[str, str]] = {}

    def supports(self, info: ServerInfo) -> bool:
        return True

    async def collect(self, server: Server) -> Mapping[str, Any]:
        """`{"source", "at", "boot", "cpu_busy", "cpu_total", "memory_used", "memory_total", "disk_used", "disk_total", "received", "sent",
        "load1"}`: seconds, bytes; counters since the host started; `at` is the moment on the monitor's clock.

        A node_exporter that was configured wins. `{"source": "none"}` where the host cannot be seen.
        """
        if server.target.node_exporter:
            return await node_exporter.read(server.target.node_exporter, await _datadir(server))
        if not runs_here(server):
            return {"source": "none"}
        datadir = await _datadir(server)
        return await asyncio.get_running_loop().run_in_executor(_reader, local_host.read, datadir)


def runs_here(server: Server) -> bool:
    """Whether the server's process runs on this machine: the address is local, and the server calls its host by this one's name.

    A local address alone is not enough: a tunnel, or a published port of a container, looks the same.
    """
    return bool(server.target.is_local) and server.info.hostname in (
        socket.gethostname(),
        os.uname().nodename,
    )


async def _datadir(server: Server) -> str:
    connection, datadir = _datadirs.get(server, ("", ""))
    if connection != server.connection:
        (row,) = await server.rows(DATADIR)
        datadir = str(row["datadir"])
        _datadirs[server] = (server.connection, datadir)
    return datadir
