"""Recovery on real servers: its account with the grants that the docs give, and attempts by hand in the test's own database."""

from __future__ import annotations

from typing import Any

from dbvigil.sandbox import RECOVERY_GRANTS, PrivateServer
from dbvigil.sandbox.server import random_password
from tests.support.servers import monitoring_url

USER = "mender"
PASSWORD = random_password()


def add_account(server: PrivateServer, *without: str) -> str:
    """Gives a server the account that recovery uses, as the setting has it; `without` leaves grants out."""
    grants = [grant for grant in RECOVERY_GRANTS[server.flavor] if grant not in without]
    server.create_user(USER, PASSWORD, grants)
    return f"mysql://{USER}:{PASSWORD}@"


def configure(
    settings: Any, server: PrivateServer, actions: Any = None, alias: str = "shop", *without: str
) -> None:
    """Monitors `server` with both accounts."""
    settings.DB_MONITORING_TARGETS = {alias: monitoring_url(server)}
    settings.DB_RECOVERY_ACCOUNTS = {alias: add_account(server, *without)}
    settings.DB_RECOVERY_ACTIONS = actions or {}
