"""A receiver of webhooks that remembers when it was told of which server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.support.waiting import until


class Receiver:
    """Takes POSTs of dbvigil and of Alertmanager, each sender on a path of its own.

    `told` has the monotonic moment when a sender first said that a server is down, by path and server; `over` has who said that
    which is back.
    """

    def __init__(self) -> None:
        self.told: dict[tuple[str, str], float] = {}
        self.over: set[tuple[str, str]] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                now = time.monotonic()
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.end_headers()
                receiver._take(self.path, body, now)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def forget(self) -> None:
        self.told.clear()
        self.over.clear()

    def wait_until_told(self, paths: Sequence[str], server: str, seconds: float) -> None:
        keys = {(path, server) for path in paths}
        until(lambda: keys <= self.told.keys(), seconds, f"{paths}: that {server} is down")

    def wait_until_over(self, paths: Sequence[str], server: str, seconds: float) -> None:
        keys = {(path, server) for path in paths}
        until(lambda: keys <= self.over, seconds, f"{paths}: that {server} is back")

    def _take(self, path: str, body: dict[str, Any], now: float) -> None:
        if "groupLabels" in body:
            server, fires = body["groupLabels"]["server"], body["status"] == "firing"
        elif body["data"].get("metric") == "up":
            server, fires = body["data"]["database"], body["type"] == "alert.fired"
        else:
            return
        if fires:
            self.told.setdefault((path, server), now)
        else:
            self.over.add((path, server))
