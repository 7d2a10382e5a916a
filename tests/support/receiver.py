"""A receiver of webhooks that notes every message in the order in which it got them, and may act at a step of one.

def test_it(receiver): ...      # receiver.url, receiver.messages
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Receiver:
    """An HTTP receiver that notes every message in the order it answered, and may do something at a step of one.

    `beats` counts the heartbeats that came to /beat.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.requests = 0
        self.beats = 0
        self.before_answer: Callable[[int], None] | None = None
        self.after_answer: Callable[[int], None] | None = None
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                if self.path == "/beat":
                    with receiver._lock:
                        receiver.beats += 1
                    self.send_response(204)
                    self.end_headers()
                    return
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with receiver._lock:
                    receiver.requests += 1
                    number = receiver.requests
                    # What has come in whole counts as received, whatever becomes of the answer.
                    receiver.messages.append((self.headers["webhook-id"], body))
                if receiver.before_answer is not None:
                    receiver.before_answer(number)
                try:
                    self.send_response(204)
                    self.send_header("content-length", "0")
                    self.end_headers()
                    self.wfile.flush()
                except OSError:
                    # The sender was killed while it waited.
                    return
                if receiver.after_answer is not None:
                    receiver.after_answer(number)

            def handle(self) -> None:
                # The sender was killed with the connection open.
                with contextlib.suppress(ConnectionResetError):
                    super().handle()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def told(self, kind: str) -> Counter[str]:
        """How many messages of a type told of each metric."""
        with self._lock:
            messages = list(self.messages)
        return Counter(
            alert["metric"] for _, body in messages if body["type"] == kind for alert in self.alerts(body)
        )

    @staticmethod
    def alerts(body: dict[str, Any]) -> list[dict[str, Any]]:
        """The alerts of one message, bundled or not."""
        found: list[dict[str, Any]] = body["data"].get("alerts", [body["data"]])
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()
