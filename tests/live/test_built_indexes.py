"""Whether a proved index is there by now, asked of real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dbvigil.models import ProvedIndex
from dbvigil.sandbox import PrivateServer
from dbvigil.server import Server
from dbvigil.slow_queries import built
from dbvigil.targets import parse_url
from tests.support.servers import MONITORING_PASSWORD, MONITORING_USER

SCHEMA = "built_indexes"


@pytest.fixture
def table(any_server: PrivateServer) -> Iterator[PrivateServer]:
    any_server.execute(f"CREATE DATABASE {SCHEMA}")
    any_server.execute(f"CREATE TABLE {SCHEMA}.t (id INT PRIMARY KEY, a INT, b INT, c VARCHAR(200))")
    any_server.execute(f"GRANT SELECT ON {SCHEMA}.* TO {MONITORING_USER}@'%'")
    yield any_server
    any_server.execute(f"REVOKE SELECT ON {SCHEMA}.* FROM {MONITORING_USER}@'%'")
    any_server.execute(f"DROP DATABASE {SCHEMA}")


async def test_an_index_is_there_when_the_server_may_use_it(table: PrivateServer) -> None:
    wanted = [
        ProvedIndex(pk=1, schema=SCHEMA, table="t", columns=[["a", False], ["b", True]]),
        ProvedIndex(pk=2, schema=SCHEMA, table="t", columns=[["c", False]]),
        ProvedIndex(pk=3, schema=SCHEMA, table="gone", columns=[["c", False]]),
    ]
    server = Server(parse_url("shop", table.url(MONITORING_USER, MONITORING_PASSWORD)))
    try:
        assert await built.present(server, wanted) == {}
        # Neither another direction nor a part of a column is what was proved.
        table.execute(f"ALTER TABLE {SCHEMA}.t ADD INDEX ascending (a, b), ADD INDEX part (c(10))")
        assert await built.present(server, wanted) == {}
        table.execute(f"ALTER TABLE {SCHEMA}.t ADD INDEX longer (a, b DESC, id), ADD INDEX whole (c)")
        assert await built.present(server, wanted) == {1: "longer", 2: "whole"}
        hidden = "IGNORED" if table.flavor == "mariadb" else "INVISIBLE"
        table.execute(f"ALTER TABLE {SCHEMA}.t ALTER INDEX whole {hidden}")
        assert await built.present(server, wanted) == {1: "longer"}
    finally:
        await server.close()
