"""Index advice on real servers: the DDL and its rollback are taken, the plan uses what was named, and use is counted or unknown."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from dbvigil.errors import ConfigurationError
from dbvigil.queries.advise import Advice, advise
from dbvigil.queries.explain import explain
from dbvigil.queries.indexes import candidates, read_index_uses, redundant_indexes
from dbvigil.queries.schema_reader import read_schema
from dbvigil.queries.workload import Candidate, WorkloadQuery
from dbvigil.sandbox import PrivateServer
from dbvigil.server import Server
from dbvigil.targets import parse_url
from tests.recorded.explain.record import fill
from tests.support.servers import PrivateServers

USER, PASSWORD = "indexer", "indexer-1"
SCHEMA = "indexed"
TABLES = {(SCHEMA, name) for name in ("customer", "orders", "item", "product", "film", "rental", "plain")}

# As sakila has them: rentals of films, with a computed column, and an engine that copies.
MORE = (
    "CREATE TABLE film (film_id INT AUTO_INCREMENT PRIMARY KEY, title VARCHAR(90) NOT NULL, release_year SMALLINT, rating CHAR(5),"
    " length SMALLINT, decade SMALLINT AS (release_year DIV 10) VIRTUAL, FULLTEXT KEY words (title))",
    "CREATE TABLE rental (rental_id INT AUTO_INCREMENT PRIMARY KEY, film_id INT NOT NULL, customer_id INT NOT NULL,"
    " rented DATETIME NOT NULL, returned DATETIME, KEY film (film_id), KEY film_again (film_id),"
    " CONSTRAINT of_film FOREIGN KEY (film_id) REFERENCES film (film_id))",
    "CREATE TABLE plain (id INT PRIMARY KEY, a INT, b INT) ENGINE=MyISAM",
    "INSERT INTO film (title, release_year, rating, length) SELECT CONCAT('film ', id), 1900 + id % 120, CONCAT('r', id % 5), 60 + id % 97"
    " FROM orders",
    "INSERT INTO rental (film_id, customer_id, rented, returned) SELECT 1 + (o.id * 7 + n.n) % 4000, o.id % 599,"
    " '2026-01-01' + INTERVAL (o.id * 13 + n.n) % 100000 MINUTE, IF(o.id % 9, '2026-09-01', NULL)"
    " FROM orders o JOIN (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) n",
    "INSERT INTO plain SELECT id, id % 511, id % 7 FROM orders",
)  # fmt: skip

# Statements as digests have them, and with values for which the optimizer must choose the first candidate.
NATURAL = (
    ("SELECT note FROM orders WHERE total = ?", "SELECT note FROM orders WHERE total = 5"),
    (
        "SELECT rental_id, returned FROM rental WHERE customer_id = ? ORDER BY rented DESC LIMIT ?",
        "SELECT rental_id, returned FROM rental WHERE customer_id = 77 ORDER BY rented DESC LIMIT 10",
    ),
    (
        "SELECT COUNT(*) FROM rental WHERE rented BETWEEN ? AND ?",
        "SELECT COUNT(*) FROM rental WHERE rented BETWEEN '2026-01-03' AND '2026-01-04'",
    ),
    (
        "SELECT f.title FROM rental r JOIN film f ON f.film_id = r.film_id WHERE r.customer_id = ?",
        "SELECT f.title FROM rental r JOIN film f ON f.film_id = r.film_id WHERE r.customer_id = 77",
    ),
    (
        "SELECT id FROM orders WHERE id IN (SELECT order_id FROM item WHERE sku = ?)",
        "SELECT id FROM orders WHERE id IN (SELECT order_id FROM item WHERE sku = 's77')",
    ),
    (
        "SELECT id, (SELECT COUNT(*) FROM item i WHERE i.product_id = p.id) AS sold FROM product p",
        "SELECT id, (SELECT COUNT(*) FROM item i WHERE i.product_id = p.id) AS sold FROM product p",
    ),
    (
        "SELECT title FROM film WHERE rating = ? AND length > ?",
        "SELECT title FROM film WHERE rating = 'r3' AND length > 155",
    ),
    ("SELECT title FROM film WHERE decade = ?", "SELECT title FROM film WHERE decade = 191"),
    ("SELECT b FROM plain WHERE a = ?", "SELECT b FROM plain WHERE a = 17"),
    (
        "SELECT customer_id, MAX(rented) FROM rental WHERE customer_id IN (...) GROUP BY customer_id",
        "SELECT customer_id, MAX(rented) FROM rental WHERE customer_id IN (7, 77) GROUP BY customer_id",
    ),
)
CHANGING = (
    "UPDATE rental SET returned = ? WHERE returned IS NULL AND customer_id = ?",
    "DELETE FROM rental WHERE rented < ? LIMIT ?",
    "SELECT customer_id, COUNT(*) FROM rental GROUP BY customer_id",
    "SELECT rental_id FROM rental ORDER BY customer_id DESC, rented LIMIT ?",
    "SELECT title FROM film WHERE rating = ? OR length = ?",
)


@pytest.fixture(scope="module")
def filled(any_server: PrivateServer) -> Iterator[PrivateServer]:
    fill(any_server, SCHEMA)
    with any_server.connect(database=SCHEMA) as connection, connection.cursor() as cursor:
        for statement in MORE:
            cursor.execute(statement)
        connection.commit()
        cursor.execute("ANALYZE TABLE film, rental, plain")
    any_server.create_user(
        USER, PASSWORD, ("PROCESS ON *.*", "SELECT ON performance_schema.*", f"SELECT ON {SCHEMA}.*")
    )
    yield any_server
    any_server.execute(f"DROP DATABASE {SCHEMA}")
    any_server.execute(f"DROP USER '{USER}'@'%'")


@pytest.fixture
async def server(filled: PrivateServer) -> AsyncIterator[Server]:
    one = Server(parse_url("t", filled.url(USER, PASSWORD)))
    await one.connect()
    yield one
    await one.close()


async def found(server: Server, *statements: str) -> tuple[Candidate, ...]:
    schema = await read_schema(server, TABLES, default=SCHEMA)
    assert schema.gaps == ()
    workload = [WorkloadQuery(str(place), sql, SCHEMA) for place, sql in enumerate(statements)]
    return candidates(workload, schema, server.info.flavor, server.info.version, limit=100)


@pytest.mark.parametrize(("digest", "sql"), NATURAL, ids=[case[0] for case in NATURAL])
async def test_the_optimizer_uses_it(server: Server, filled: PrivateServer, digest: str, sql: str) -> None:
    best = (await found(server, digest))[0]
    name = best.ddl.split("ADD INDEX `")[1].split("`")[0]
    filled.execute(best.ddl)
    try:
        plan = await explain(server, sql, schema=SCHEMA)
        assert name in {node.key for node in plan.tables}
        # What is there is not asked for again.
        assert best.columns not in {one.columns for one in await found(server, digest)}
    finally:
        filled.execute(best.rollback)


async def test_every_ddl_and_every_rollback_is_taken(server: Server, filled: PrivateServer) -> None:
    every = await found(server, *(digest for digest, _ in NATURAL), *CHANGING)
    assert len(every) > 10
    before = await read_schema(server, TABLES, default=SCHEMA)
    for one in every:
        filled.execute(one.ddl)
        table = (await read_schema(server, {(SCHEMA, one.table)})).table(one.table, SCHEMA)
        assert table is not None
        made = {tuple((part.column, part.descending) for part in index.parts) for index in table.indexes}
        assert one.columns in made
        filled.execute(one.rollback)
    after = await read_schema(server, TABLES, default=SCHEMA)
    assert {key: {index.name for index in table.indexes} for key, table in after.tables.items()} == {
        key: {index.name for index in table.indexes} for key, table in before.tables.items()
    }


async def test_a_needless_index_is_hidden_shown_and_dropped(server: Server, filled: PrivateServer) -> None:
    schema = await read_schema(server, TABLES, default=SCHEMA)
    (one,) = [
        each for each in redundant_indexes(schema, server.info.flavor, server.info.version) if each.table == "rental"
    ]  # fmt: skip
    assert (one.index, one.kept, one.why) == ("film", "film_again", "duplicate")
    assert one.note == "it serves the foreign key of_film; film_again serves it as well"

    async def visible() -> bool | None:
        table = (await read_schema(server, {(SCHEMA, "rental")})).table("rental", SCHEMA)
        index = table.index("film") if table is not None else None
        return None if index is None else index.visible

    filled.execute(one.first)
    assert await visible() is False
    filled.execute(one.rollback)
    assert await visible() is True
    filled.execute(one.then)
    assert await visible() is None
    filled.execute(f"ALTER TABLE {SCHEMA}.rental ADD INDEX film (film_id)")


async def uses(server: Server) -> dict[tuple[str, str], int | None]:
    return {(use.table, use.index): use.reads for use in await read_index_uses(server, {SCHEMA})}


async def test_reads_of_an_index_are_counted(server: Server, filled: PrivateServer) -> None:
    with filled.connect(database=SCHEMA) as connection, connection.cursor() as cursor:
        for text in ("SELECT COUNT(*) FROM rental FORCE INDEX (film) WHERE film_id = 3", "SELECT 1"):
            # The server sums a statement's reads up when it has answered; it has when it answers the next one.
            cursor.execute(text)
        before = await uses(server)
        for text in ("SELECT COUNT(*) FROM rental FORCE INDEX (film) WHERE film_id = 3", "SELECT 1"):
            cursor.execute(text)
    after = await uses(server)
    reads = before["rental", "film"], after["rental", "film"]
    if server.info.performance_schema:
        assert reads[0] is not None
        assert reads[1] is not None
        assert reads[1] > reads[0]
        assert after["rental", "film_again"] == 0
    else:
        assert reads == (None, None)


@pytest.mark.parametrize("release", ["mariadb-10.11"])
async def test_user_statistics_count_too(private_server: PrivateServers, release: str) -> None:
    server = private_server(release, options={"userstat": "ON", "performance-schema": "OFF"})
    server.execute("CREATE DATABASE counted")
    server.execute("CREATE TABLE counted.t (id INT PRIMARY KEY, a INT, b INT, KEY a (a), KEY b (b))")
    server.execute("INSERT INTO counted.t SELECT seq, seq % 7, seq FROM counted.seq_1_to_100")
    server.create_user(USER, PASSWORD, ("PROCESS ON *.*", "SELECT ON counted.*"))
    server.execute("SELECT COUNT(*) FROM counted.t FORCE INDEX (a) WHERE a = 3")
    monitor = Server(parse_url("t", server.url(USER, PASSWORD)))
    try:
        seen = {use.index: use.reads for use in await read_index_uses(monitor, {"counted"})}
        assert (seen["a"] or 0) > 0
        assert seen["b"] == 0
        # Switched off and on again, it has missed what nobody can tell.
        server.execute("SET GLOBAL userstat = OFF")
        server.execute("SET GLOBAL userstat = ON")
        assert {use.reads for use in await read_index_uses(monitor, {"counted"})} == {None}
    finally:
        await monitor.close()


# -- the whole way

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DEAR = "SELECT rental_id, returned FROM rental WHERE customer_id = 77 AND returned IS NULL ORDER BY rented DESC LIMIT 10"


def work(server: PrivateServer, times: int = 20) -> None:
    with server.connect(database=SCHEMA) as connection, connection.cursor() as cursor:
        for _ in range(times):
            cursor.execute(DEAR)
            cursor.fetchall()


def wanted(advice: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in advice["candidates"] if (one["schema"], one["table"]) == (SCHEMA, "rental"))


async def test_the_servers_own_work_is_advised_on(server: Server, filled: PrivateServer) -> None:
    filled.execute("TRUNCATE TABLE performance_schema.events_statements_summary_by_digest")
    work(filled)
    advice = await advise(server, now=NOW, minutes=60)
    body = advice.to_dict()
    one = wanted(body)
    assert one["columns"][0] == {"name": "customer_id", "descending": False}
    assert one["share_of_load"] == pytest.approx(sum(query["share_of_load"] for query in one["serves"]))
    assert 0 < one["share_of_load"] <= 100
    assert {"`rental`" in query["query"] for query in one["serves"]} == {True}
    assert (body["database"], body["timestamp"], body["servers"]) == ("t", "2026-11-23T12:00:00.000Z", ["t"])
    (twin,) = [each["index"] for each in body["needless"] if each["table"] == "rental"]
    assert twin in {"film", "film_again"}
    # The counters have not run for two weeks.
    assert {each["why"] for each in body["needless"]} == {"duplicate"}
    texts = [query["query"] for each in body["candidates"] for query in each["serves"]]
    assert texts
    assert not [text for text in texts if "77" in text]
    assert isinstance(advice, Advice)


async def test_a_silent_replica_leaves_nothing_unused(server: Server, filled: PrivateServer) -> None:
    work(filled, 1)
    gone = Server(replace(parse_url("gone", filled.url(USER, PASSWORD)), port=1))
    advice = await advise(server, now=NOW, replicas=[gone])
    assert advice.servers == ("t", "gone")
    (gap,) = [one for one in advice.gaps if one.startswith("gone ")]
    assert "none is called unused" in gap
    assert PASSWORD not in gap


@pytest.mark.parametrize(
    ("name", "value"), [("limit", 0), ("limit", 201), ("minutes", 0), ("minutes", float("nan"))]
)
async def test_what_cannot_be_asked_is_named(server: Server, name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}: {value} is not allowed"):
        await advise(server, **{name: value})


@pytest.mark.django_db
def test_the_command_shows_it(filled: PrivateServer, settings: Any) -> None:
    settings.DB_MONITORING_TARGETS = {"shop": filled.url(USER, PASSWORD), "copy": filled.url(USER, PASSWORD)}
    work(filled)
    out = io.StringIO()
    call_command(
        "database_monitor", "advise", "--database", "shop", "--with-replicas", "copy", "--json", stdout=out
    )
    body = json.loads(out.getvalue())
    assert body["servers"] == ["shop", "copy"]
    one = wanted(body)
    out = io.StringIO()
    call_command("database_monitor", "advise", "--database", "shop", "--limit", "100", stdout=out)
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert one["ddl"] + ";" in lines
    assert f"undo: {one['rollback']};" in lines
    assert {"rental.film: the same as another", "rental.film_again: the same as another"} & set(lines)
    assert PASSWORD not in out.getvalue()


@pytest.mark.django_db
def test_the_command_proves_it(filled: PrivateServer, settings: Any) -> None:
    settings.DB_MONITORING_TARGETS = {"shop": filled.url(USER, PASSWORD)}
    filled.execute("TRUNCATE TABLE performance_schema.events_statements_summary_by_digest")
    work(filled)
    before = filled.execute(
        "SELECT COUNT(*) AS n FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = %s", (SCHEMA,)
    )
    # After one statement that a busy machine has held up, the pause alone would use up the usual time.
    patient = ("--verify", "--seconds", "600")
    # On a machine that is busy with other tests the clock leaves doubts, which are told as such.
    for _ in range(3):
        out = io.StringIO()
        call_command(
            "database_monitor", "advise", *patient, "--minutes", "60", "--limit", "2", "--json", stdout=out
        )
        body = json.loads(out.getvalue())
        proof = wanted(body)["proof"]
        if proof["outcome"] != "estimated":
            break
    assert proof["outcome"] == "verified", proof["reason"]
    assert proof["speed_up"] > 1.5
    assert proof["cost"]["rows_read"] <= 200_000
    assert {one["proof"]["outcome"] for one in body["candidates"]} <= {
        "verified",
        "estimated",
        "no_gain",
        "harmful",
        "untested",
    }
    after = filled.execute(
        "SELECT COUNT(*) AS n FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = %s", (SCHEMA,)
    )
    assert before == after


@pytest.mark.django_db
def test_the_flags_are_the_budget(filled: PrivateServer, settings: Any) -> None:
    settings.DB_MONITORING_TARGETS = {"shop": filled.url(USER, PASSWORD)}
    work(filled)
    out, err = io.StringIO(), io.StringIO()
    budget = ("--rows", "500", "--seconds", "20", "--load", "50")
    call_command(
        "database_monitor", "advise", "--verify", *budget, "--limit", "1", "--json", stdout=out, stderr=err
    )
    (one,) = json.loads(out.getvalue())["candidates"]
    assert 0 < one["proof"]["cost"]["rows_read"] <= 500
    assert err.getvalue() == ""
    with pytest.raises(
        CommandError, match="--rows, --seconds, --load: '50' is not allowed; allowed: with --verify"
    ):
        call_command("database_monitor", "advise", "--rows", "50")
    with pytest.raises(CommandError, match=r"budget\.load_share: 101"):
        call_command("database_monitor", "advise", "--verify", "--load", "101")
