"""A condition that alerts, made and ended at will on a shared server: more connections than its levels allow.

service.extra |= crowd.levels()
with crowd.on(mariadb): ...         # `connection_usage` is critical
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from dbvigil.sandbox import PrivateServer

METRIC = "connection_usage"
_CONNECTIONS = 30
_RECOVERS = ("reset_connections", "end_long_statements", "relieve_memory")


def levels(hold: float = 1) -> Mapping[str, str]:
    """The settings under which it alerts once it has lasted `hold` seconds, and is over a second after its end.

    Both levels are one, so that connections which come and go one by one while a sample is taken make no other severity.
    """
    rules = {METRIC: {"hold": hold, "critical_hold": hold, "keep": 1}}
    return {
        "DB_ALERT_RULES": json.dumps(rules),
        # Dry runs would be events of the alert; these tests are about others.
        "DB_RECOVERY_ACTIONS": json.dumps(dict.fromkeys(_RECOVERS, "off")),
        "DB_ALERT_CONNECTION_WARNING": "12",
        "DB_ALERT_CONNECTION_CRITICAL": "12",
    }


@contextmanager
def on(server: PrivateServer) -> Iterator[None]:
    """Holds a fifth of the connections that a server takes by default."""
    with ExitStack() as held:
        for _ in range(_CONNECTIONS):
            held.enter_context(server.connect())
        yield
