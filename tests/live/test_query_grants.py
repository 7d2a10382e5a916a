"""What slow queries need of the monitoring account: with the documented grants each part works, without one it says which is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from dbvigil.errors import MissingPrivilege
from dbvigil.queries.digests import read_digests, read_texts
from dbvigil.queries.explain import explain
from dbvigil.queries.schema_reader import read_schema
from dbvigil.queries.slowlog import read_table
from dbvigil.sandbox import MONITORING_GRANTS, SLOW_LOG_GRANTS, PrivateServer, schema_grants
from dbvigil.server import Server
from dbvigil.targets import parse_url

USER, PASSWORD, SCHEMA = "query-grants", "query-grants-1", "granted_shop"
BY_NAME = "SELECT id FROM customer WHERE name = 'a'"
BY_VIEW = "SELECT id FROM known WHERE name = 'a'"


@pytest.fixture
def shop(any_server: PrivateServer) -> Iterator[PrivateServer]:
    any_server.execute(f"CREATE DATABASE {SCHEMA}")
    any_server.execute(f"CREATE TABLE {SCHEMA}.customer (id INT PRIMARY KEY, name VARCHAR(20))")
    any_server.execute(f"CREATE VIEW {SCHEMA}.known AS SELECT id, name FROM {SCHEMA}.customer WHERE id > 0")
    any_server.create_user(USER, PASSWORD, MONITORING_GRANTS[any_server.flavor])
    yield any_server
    any_server.execute(f"DROP DATABASE {SCHEMA}")
    any_server.execute(f"DROP USER '{USER}'@'%'")


@pytest.fixture
async def account(shop: PrivateServer) -> AsyncIterator[Server]:
    server = Server(parse_url("t", shop.url(USER, PASSWORD)))
    await server.connect()
    yield server
    await server.close()


def grant(server: PrivateServer, *grants: str) -> None:
    for one in grants:
        server.execute(f"GRANT {one} TO '{USER}'@'%'")


async def test_digests_need_no_more_than_monitoring(account: Server) -> None:
    await account.rows("SELECT 1 AS granted")
    reading = await read_digests(account, datetime.now(UTC))
    texts = await read_texts(account, list(reading.digests)[:3])
    assert reading.digests
    assert texts


async def test_the_log_as_a_table(shop: PrivateServer, account: Server) -> None:
    with pytest.raises(MissingPrivilege, match=r"SELECT.*slow_log"):
        await read_table(account)
    grant(shop, *SLOW_LOG_GRANTS)
    await account.close()
    events, _position = await read_table(account)
    assert isinstance(events, list)


async def test_tables_and_plans(shop: PrivateServer, account: Server) -> None:
    unseen = await read_schema(account, {("", "customer")}, default=SCHEMA)
    assert not unseen.tables
    assert any(f"GRANT SELECT ON `{SCHEMA}`.*" in gap for gap in unseen.gaps)
    with pytest.raises(MissingPrivilege):
        await explain(account, BY_NAME, schema=SCHEMA)
    grant(shop, *schema_grants(SCHEMA))
    seen = await read_schema(account, {("", "customer")}, default=SCHEMA)
    assert seen.gaps == ()
    plan = await explain(account, BY_NAME, schema=SCHEMA)
    assert plan.root.operation == "table"


async def test_plans_of_views(shop: PrivateServer, account: Server) -> None:
    grant(shop, *schema_grants(SCHEMA))
    with pytest.raises(MissingPrivilege, match="GRANT SELECT, SHOW VIEW"):
        await explain(account, BY_VIEW, schema=SCHEMA)
    grant(shop, *schema_grants(SCHEMA, views=True))
    assert (await explain(account, BY_VIEW, schema=SCHEMA)).root.operation == "table"


def test_an_underscore_in_a_schemas_name_stands_for_itself() -> None:
    assert schema_grants("my_shop", views=True) == (r"SELECT ON `my\_shop`.*", r"SHOW VIEW ON `my\_shop`.*")
