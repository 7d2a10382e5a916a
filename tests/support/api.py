"""The API as its users meet it: users of each role, their tokens, clients, and databases with figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from dbvigil.types import DatabaseMetrics, Failure, ReplicationChannel

BASE = "/core/api/monitoring/"

FIGURES: dict[str, Any] = {
    "flavor": "mariadb",
    "server_version": "10.11.14-MariaDB",
    "uptime": 3600.0,
    "collection_ms": 12.5,
    "connections": 7,
    "max_connections": 151,
    "connection_usage": 4.64,
    "threads_running": 0,
    "queries_rate": 12.25,
    "slow_queries": 3.0,
    "query_time": 0.002,
    "query_time_source": "mean",
    "buffer_pool_hit_rate": 99.5,
    "row_lock_time_avg_ms": 2.5,
    "data_size_bytes": 123_456_789,
    "read_only": False,
    "replication_role": "standalone",
}

CHANNEL = ReplicationChannel(
    name="",
    source_host="db1",
    source_port=3306,
    io_running=True,
    sql_running=False,
    last_sql_error="Error 1062",
)


@pytest.fixture
def users(db: None) -> dict[str, User]:
    """One user a role."""
    return {
        "reader": User.objects.create_user("ada"),
        "staff": User.objects.create_user("grace", is_staff=True),
        "superuser": User.objects.create_superuser("root"),
    }


@pytest.fixture
def api(users: dict[str, User]) -> Iterator[Callable[..., Client]]:
    """`api("reader")`: a client with a token of that role; its token is `client.token`. Limits start afresh."""
    from dbvigil.api import tokens

    cache.clear()

    def client(role: str = "reader", **options: Any) -> Client:
        _, token = tokens.create(users[role], datetime.now(UTC))
        made = Client(headers={"authorization": f"Bearer {token}"}, **options)
        made.token = token  # type: ignore[attr-defined]
        return made

    yield client
    cache.clear()


def seed(alias: str, *, age: float = 0.0, up: bool | None = True, **figures: Any) -> DatabaseMetrics:
    """A database whose newest sample is `age` seconds old."""
    from dbvigil.models import TargetState

    now = datetime.now(UTC) - timedelta(seconds=age)
    values = FIGURES | figures if up else figures
    metrics = DatabaseMetrics(database=alias, timestamp=now, up=up, **values)
    TargetState.objects.create(
        alias=alias, address="db1:3306", samples=1, sampled_at=now, metrics=metrics.to_dict()
    )
    return metrics


def seed_all_kinds() -> None:
    """One database of each kind that a reader can meet."""
    from dbvigil.models import TargetState

    failure = Failure(
        "innodb", "Access denied; you need PROCESS", "GRANT PROCESS ON *.* TO …", permanent=True
    )
    seed("shop")
    seed(
        "shop-replica",
        replication_role="replica",
        replication_io_running=True,
        replication_sql_running=False,
        replication_channels=(CHANNEL,),
        failures=(failure,),
    )
    seed("gone", up=False, error="connection refused; start the server")
    seed("stale", age=3600)
    TargetState.objects.create(alias="new", address="db9:3306")
