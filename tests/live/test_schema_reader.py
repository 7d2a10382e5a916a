"""Tables as real servers describe them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from dbvigil.errors import ConfigurationError
from dbvigil.queries.schema import Column, ForeignKey, Index, IndexPart
from dbvigil.queries.schema_reader import MOST_TABLES, read_schema
from dbvigil.sandbox import PrivateServer
from dbvigil.server import Server
from dbvigil.targets import parse_url
from tests.support.servers import monitoring_url

USER, PASSWORD = "schema-reader", "schema-reader-1"
PARENT = "CREATE TABLE described.parent (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB"
CHILD = """
    CREATE TABLE described.Child (
        id INT NOT NULL, part SMALLINT NOT NULL, parent_id BIGINT UNSIGNED, name VARCHAR(40) COLLATE utf8mb4_bin NOT NULL DEFAULT 'x',
        words TEXT, total INT GENERATED ALWAYS AS (id + part) STORED,
        PRIMARY KEY (id, part), UNIQUE KEY name (name(10), part), FULLTEXT KEY words (words),
        KEY hidden (part){hidden}, KEY down (total DESC, id),
        CONSTRAINT to_parent FOREIGN KEY (parent_id) REFERENCES described.parent (id)
    ) ENGINE=InnoDB PARTITION_CLAUSE"""
HIDDEN = {"mysql": " INVISIBLE", "mariadb": " IGNORED"}


@pytest.fixture(scope="module")
def described(any_server: PrivateServer) -> Iterator[PrivateServer]:
    any_server.execute("CREATE DATABASE described CHARACTER SET utf8mb4")
    any_server.execute(PARENT)
    any_server.execute(CHILD.format(hidden=HIDDEN[any_server.flavor]).replace("PARTITION_CLAUSE", ""))
    any_server.execute("CREATE VIEW described.seen AS SELECT id FROM described.parent")
    any_server.execute(
        "CREATE TABLE described.parts (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2"
    )
    any_server.execute("INSERT INTO described.parent VALUES (1), (2), (3)")
    any_server.execute("ANALYZE TABLE described.parent")
    any_server.create_user(USER, PASSWORD, ("SELECT ON described.*",))
    yield any_server
    any_server.execute("DROP DATABASE described")


@pytest.fixture
async def server(described: PrivateServer) -> AsyncIterator[Server]:
    one = Server(parse_url("t", described.url(USER, PASSWORD)))
    yield one
    await one.close()


async def test_a_table_is_described(server: Server, described: PrivateServer) -> None:
    schema = await read_schema(server, {("", "Child"), ("described", "parent")}, default="described")
    assert schema.gaps == ()
    child = schema.table("child")
    assert child is not None
    assert (child.engine, child.view, child.partitioned) == ("InnoDB", False, False)
    assert [column.name for column in child.columns] == ["id", "part", "parent_id", "name", "words", "total"]
    name, total = child.column("NAME"), child.column("total")
    assert isinstance(name, Column)
    assert (name.type, name.nullable, name.collation) == ("varchar(40)", False, "utf8mb4_bin")
    assert name.default is not None
    assert name.default.strip("'") == "x"
    assert total is not None
    assert total.generated
    unique, hidden, words, down = (child.index(one) for one in ("name", "hidden", "words", "down"))
    assert isinstance(unique, Index)
    assert (unique.unique, [(part.column, part.prefix) for part in unique.parts]) == (
        True,
        [("name", 10), ("part", None)],
    )
    assert hidden is not None
    assert not hidden.visible
    assert words is not None
    assert words.kind == "fulltext"
    assert down is not None
    # MariaDB has descending indexes since 10.8.
    assert down.parts[0].descending is (described.flavor == "mysql" or described.version >= (10, 8))
    assert child.foreign_keys == (ForeignKey("to_parent", ("parent_id",), "parent", ("id",), "described"),)
    parent = schema.table("parent", "described")
    assert parent is not None
    assert parent.primary_key == Index("PRIMARY", (IndexPart("id", cardinality=3),), unique=True)
    assert parent.rows == 3
    key = parent.column("id")
    assert key is not None
    assert (key.type.replace("(20)", ""), key.auto_increment, key.distinct) == ("bigint unsigned", True, 3)


async def test_views_and_partitions_are_told_apart(server: Server) -> None:
    schema = await read_schema(server, {("described", "seen"), ("described", "parts")})
    seen, parts = schema.table("seen", "described"), schema.table("parts", "described")
    assert seen is not None
    assert parts is not None
    assert (seen.view, parts.partitioned) == (True, True)


async def test_an_expression_is_no_column(server: Server, described: PrivateServer) -> None:
    if described.flavor != "mysql":
        pytest.skip("MariaDB has no indexes on expressions")
    described.execute("CREATE TABLE described.e (id INT PRIMARY KEY, n VARCHAR(20), KEY low ((LOWER(n))))")
    table = (await read_schema(server, {("described", "e")})).table("e", "described")
    assert table is not None
    low = table.index("low")
    assert low is not None
    assert (low.parts[0].column, low.parts[0].expression.startswith("lower(")) == ("", True)


async def test_what_may_not_be_seen_is_a_gap(described: PrivateServer) -> None:
    blind = Server(parse_url("t", monitoring_url(described)))
    schema = await read_schema(blind, {("described", "parent"), ("described", "it's`not\\there")})
    await blind.close()
    assert dict(schema.tables) == {}
    assert len(schema.gaps) == 2
    assert "described.parent" in " ".join(schema.gaps)


async def test_it_is_bounded(server: Server) -> None:
    assert (await read_schema(server, set())).tables == {}
    many = {("described", f"t{number}") for number in range(MOST_TABLES)} - {("described", "t1")}
    schema = await read_schema(server, many | {("described", "parent")})
    assert list(schema.tables) == [("described", "parent")]
    assert server.statements < 50
    with pytest.raises(ConfigurationError, match="tables"):
        await read_schema(server, many | {("described", "a"), ("described", "b")})
