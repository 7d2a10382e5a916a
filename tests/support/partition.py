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


class Space:
    """A network namespace of its own and a cable to it: here is `near`, there `far`. Needs root on Linux; raises `Unable` without."""

    def __init__(self) -> None:
        number = os.getpid() % 4096 * 8 + next(_numbers) % 8
        self.name = f"dbvigil{number}"
        self._card = f"dbv{number}"
        self.near, self.far = (str(_SET_APART[4 * number + place]) for place in (1, 2))
        try:
            _ip("netns", "add", self.name)
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            raise Unable(str(getattr(error, "stderr", error)).strip()) from error
        try:
            _ip("link", "add", self._card, "type", "veth", "peer", "name", "far", "netns", self.name)
            _ip("address", "add", f"{self.near}/30", "dev", self._card)
            _ip("-n", self.name, "address", "add", f"{self.far}/30", "dev", "far")
            _ip("-n", self.name, "link", "set", "lo", "up")
            _ip("link", "set", self._card, "up")
            _ip("-n", self.name, "link", "set", "far", "up")
        except subprocess.CalledProcessError as error:
            self.close()
            raise Unable(error.stderr.strip()) from error

    @property
    def prefix(self) -> tuple[str, ...]:
        """What goes in front of a command that is to run there."""
        return ("ip", "netns", "exec", self.name)

    def cut(self) -> None:
        """From now on each side sends to a card that nobody has: packets are lost, addresses stay."""
        nobody = ("lladdr", "02:00:00:00:00:01", "nud", "permanent")
        _ip("neigh", "replace", self.far, *nobody, "dev", self._card)
        _ip("-n", self.name, "neigh", "replace", self.near, *nobody, "dev", "far")

    def mend(self) -> None:
        _ip("neigh", "del", self.far, "dev", self._card)
        _ip("-n", self.name, "neigh", "del", self.near, "dev", "far")

    def close(self) -> None:
        # A space lives on while a socket of it does, and cards live with their space, unless one is taken away.
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("link", "delete", self._card)
        _ip("netns", "delete", self.name)


class Partition:
    """A way to `host`:`port` by `address`, through a pair of virtual network cards; `close()` at the end. Needs root on Linux.

    The far card is in a network namespace of its own, with a socket that listens there and leads on to `host`. `cut` loses what is sent
    in both directions, and new connections wait in vain, until `mend`, when TCP sends again what was lost.
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._tasks: set[asyncio.Task[None]] = set()
        self._space = Space()
        try:
            with _inside(self._space.name):
                listening = socket.create_server((self._space.far, 0))
        except BaseException:
            self._space.close()
            raise
        self._port = listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        starting = asyncio.start_server(self._relay, sock=listening)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()

    @property
    def address(self) -> tuple[str, int]:
        return self._space.far, self._port

    def cut(self) -> None:
        self._space.cut()

    def mend(self) -> None:
        self._space.mend()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._space.close()

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
