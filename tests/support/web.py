"""The service's web server as `make run` starts it, on a free port, with a user and token of each role."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from service.run import web_command
from tests.support.service import Service

_USERS = """
from datetime import UTC, datetime
from django.contrib.auth.models import User
from dbvigil.api import tokens
for name, options in {"reader": {}, "staff": {"is_staff": True}, "superuser": {"is_staff": True, "is_superuser": True}}.items():
    user, _ = User.objects.get_or_create(username=name, defaults=options)
    print(name, tokens.create(user, datetime.now(UTC))[1])
"""


# Below those that systems give to whoever asks for any, so that nobody gets one by chance before its server takes it.
_PORTS = range(16_000, 32_000)
# Each process of a run begins elsewhere.
_numbers = itertools.count(100 * os.getpid())


def free_port() -> int:
    while True:
        port = _PORTS[next(_numbers) % len(_PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Web:
    """One web server of `service`; `tokens` by role."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.tokens = dict(line.split() for line in service.python(_USERS).splitlines() if line.strip())
        port = free_port()
        self.host = f"http://127.0.0.1:{port}"
        self.url = f"{self.host}/core/api/monitoring/"
        service.popen(*web_command(port))
        service.wait_for(self._answers, 20, "the web server does not answer")

    def _answers(self) -> bool:
        try:
            return self.get("health/")[0] == 200
        except OSError:
            return False

    def new_token(self, role: str) -> str:
        """Another token of that role's user, with a share of requests of its own."""
        return self.service.manage("dbvigil_token", "create", role).stdout.strip()

    def get(self, path: str, role: str | None = "reader") -> tuple[int, Any]:
        return self.send("GET", path, None, role)

    def post(self, path: str, body: object, role: str | None = "superuser") -> tuple[int, Any]:
        return self.send("POST", path, body, role)

    def send(self, method: str, path: str, body: object, role: str | None) -> tuple[int, Any]:
        """Status and body, decoded where it is JSON."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, _decoded(answer)
        except urllib.error.HTTPError as error:
            return error.code, _decoded(error)


def _decoded(answer: Any) -> Any:
    text = answer.read().decode()
    return json.loads(text) if "json" in answer.headers["Content-Type"] else text


@pytest.fixture
def web(service: Service) -> Callable[[], Web]:
    """`web()` starts a web server with the settings that `service` has by then."""
    return lambda: Web(service)
