"""A network between two servers that can be cut: whatever is sent is lost, and neither side is told."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import ipaddress
import itertools
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_SET_APART = ipaddress.ip_network("198.18.0.0/15")
"""Addresses for tests of networks (RFC 2544): enough for the four of each pair of 32,768."""
_numbers = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)


class Unable(Exception):
    """This machine lets nobody make a network namespace; says what it answered."""


class Partition:
    """A way to `host`:`port` by `address`, through a pair of virtual network cards; `close()` at the end. Needs root on Linux.

    The far card is in a network namespace of its own, with a socket that listens there and leads on to `host`. `cut` pulls the cable:
    packets are lost in both directions and new connections wait in vain, until `mend`, when TCP sends again what was lost.
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        number = os.getpid() % 4096 * 8 + next(_numbers) % 8
        self._space = f"dbvigil{number}"
        self._card = f"dbv{number}"
        self._near, self._far = (str(_SET_APART[4 * number + place]) for place in (1, 2))
        self._tasks: set[asyncio.Task[None]] = set()
        self._lay()
        try:
            with _inside(self._space):
                listening = socket.create_server((self._far, 0))
        except BaseException:
            self._take_away()
            raise
        self._port = listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        starting = asyncio.start_server(self._relay, sock=listening)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()

    @property
    def address(self) -> tuple[str, int]:
        return self._far, self._port

    def cut(self) -> None:
        _ip("-n", self._space, "link", "set", "far", "down")

    def mend(self) -> None:
        _ip("-n", self._space, "link", "set", "far", "up")

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._take_away()

    def _lay(self) -> None:
        try:
            _ip("netns", "add", self._space)
        except subprocess.CalledProcessError as error:
            raise Unable(error.stderr.strip()) from error
        try:
            _ip("link", "add", self._card, "type", "veth", "peer", "name", "far", "netns", self._space)
            _ip("address", "add", f"{self._near}/30", "dev", self._card)
            _ip("-n", self._space, "address", "add", f"{self._far}/30", "dev", "far")
            _ip("link", "set", self._card, "up")
            self.mend()
        except subprocess.CalledProcessError as error:
            self._take_away()
            raise Unable(error.stderr.strip()) from error

    def _take_away(self) -> None:
        # A space lives on while a socket of it does, and cards live with their space, unless one is taken away.
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("link", "delete", self._card)
        _ip("netns", "delete", self._space)

    async def _shut(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            back, forth = await asyncio.open_connection(*self._to)
            try:
                await asyncio.gather(_pass(reader, forth), _pass(back, writer))
            finally:
                forth.transport.abort()
        except (OSError, asyncio.CancelledError):
            pass  # Both ends are told by the end of their connections.
        finally:
            writer.transport.abort()
            self._tasks.discard(task)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextlib.contextmanager
def _inside(space: str) -> Iterator[None]:
    """This thread in the network namespace: what it opens meanwhile belongs there for good."""
    with open("/proc/thread-self/ns/net") as own, (Path("/run/netns") / space).open() as other:
        _enter(other.fileno())
        try:
            yield
        finally:
            _enter(own.fileno())


def _enter(space: int) -> None:
    # os.setns is Python 3.12's.
    if _libc.setns(space, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
