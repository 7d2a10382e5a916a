"""Index candidates proved by execution on real servers: what helps is verified, what harms never is, and the monitored server only reads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dbvigil.queries.proof import Budget, verify
from dbvigil.queries.schema import Schema
from dbvigil.queries.schema_reader import read_schema
from dbvigil.queries.workload import Candidate, Proof, WorkloadQuery
from dbvigil.sandbox import PrivateServer
from dbvigil.server import Server
from dbvigil.targets import parse_url

USER, PASSWORD, DATABASE = "prover", "prover-1", "proved"
TABLES = (
    "CREATE TABLE customers (id INT PRIMARY KEY, region VARCHAR(20) NOT NULL, secret VARBINARY(20), born DATE NULL) ENGINE=InnoDB",
    """CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, customer_id INT NOT NULL, status VARCHAR(10) NOT NULL, code INT NOT NULL,
        total DECIMAL(10,2) NOT NULL, twice DECIMAL(11,2) GENERATED ALWAYS AS (total * 2) STORED, note CHAR(60) NOT NULL, seen DATETIME NULL,
        KEY customer (customer_id),
        CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id)) ENGINE=InnoDB""",
)
DIGITS = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6"
DIGITS += " UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
NUMBERS = (
    f"SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS n FROM {DIGITS} a, {DIGITS} b, {DIGITS} c, {DIGITS} e"
)
CUSTOMERS = f"INSERT INTO customers SELECT n + 1, CONCAT('r', n % 7), X'00ff27', IF(n % 3, NULL, '0000-00-00') FROM ({NUMBERS}) x WHERE n < 2000"
# Nine of ten orders are done; the others' states are rare. A tenth of them are the first customer's.
ORDERS = f"""INSERT INTO orders (customer_id, status, code, total, note, seen)
    SELECT IF(n % 10 = 0, 1, 1 + n * 7 % 2000), IF(n % 10 < 9, 'done', CONCAT('s', n % 97)), n * 7919 % 10007, n / 100, REPEAT('né', 20),
           DATE_ADD('2024-01-01', INTERVAL n MINUTE)
      FROM (SELECT m.n + 10000 * k.d AS n FROM ({NUMBERS}) m, (SELECT 0 AS d UNION ALL SELECT 1) k) x"""


@pytest.fixture(scope="module")
def proved(any_server: PrivateServer) -> Iterator[PrivateServer]:
    any_server.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
    with any_server.connect(database=DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = ''")
        for text in (*TABLES, CUSTOMERS, ORDERS, "ANALYZE TABLE customers, orders"):
            cursor.execute(text)
    any_server.create_user(USER, PASSWORD, (f"SELECT ON {DATABASE}.*",))
    yield any_server
    any_server.execute(f"DROP DATABASE {DATABASE}")


def candidate(table: str, *columns: str, serves: tuple[str, ...] = ("q1",)) -> Candidate:
    return Candidate(DATABASE, table, tuple((one, False) for one in columns), serves, "ddl", "rollback")


def query(sql: str, query_id: str = "q1") -> WorkloadQuery:
    return WorkloadQuery(query_id, sql, DATABASE)


async def proofs(
    server: PrivateServer, workload: list[WorkloadQuery], candidates: list[Candidate], **options: Any
) -> list[Proof]:
    monitored = Server(parse_url("t", server.url(USER, PASSWORD)))
    try:
        schema = await known(monitored)
        return await verify(
            monitored, workload, candidates, schema, **({"budget": Budget(load_share=100)} | options)
        )
    finally:
        await monitored.close()


async def known(server: Server) -> Schema:
    return await read_schema(server, {("", "orders"), ("", "customers")}, default=DATABASE)


async def test_an_index_that_helps_is_verified(proved: PrivateServer) -> None:
    (proof,) = await proofs(
        proved, [query("SELECT id, total FROM orders WHERE code = ?")], [candidate("orders", "code")]
    )
    assert proof.outcome == "verified", proof
    assert proof.speed_up is not None and proof.speed_up > 20
    assert proof.before is not None and proof.after is not None
    assert proof.before["rows_read"] >= 20_000 and proof.after["rows_read"] <= 10
    assert {case["case"] for case in proof.queries[0]["cases"]} == {"hot", "median", "cold"}
    assert proof.sample is not None and proof.sample["rows"] == 20_000
