"""A network between two servers that can be cut: whatever is sent is swallowed, and neither side is told."""

from __future__ import annotations

import asyncio
import contextlib
import threading


class Partition:
    """A TCP relay to `host`:`port` on `address`, in a thread of its own; `close()` at the end.

    While it is cut, bytes are taken and kept back, and new connections are taken and not led on: as by a firewall that drops. `mend` ends
    every connection of that time, whose bytes are lost.
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        listening = asyncio.start_server(self._relay, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._server.sockets[0].getsockname()
        return host, port

    def cut(self) -> None:
        self._cut = True

    def mend(self) -> None:
        """Ends what was cut and lets new connections through."""
        # First: one that connects anew at once is to be let through.
        self._cut = False
        asyncio.run_coroutine_threadsafe(self._end_all(), self._loop).result()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _shut(self) -> None:
        self._server.close()
        await self._end_all()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)

    async def _end_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self._cut:
            return
        try:
            back, forth = await asyncio.open_connection(*self._to)
        except OSError:
            writer.close()
            return
        self._writers.add(forth)
        await asyncio.gather(self._pass(reader, forth), self._pass(back, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if not self._cut:
                    writer.write(data)
                    await writer.drain()
        if not self._cut:
            writer.close()
