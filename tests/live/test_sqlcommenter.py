"""Statements of a Django project name their view, in the slow log of real servers, and are the same kinds of statement as before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.utils import ConnectionHandler

from dbvigil.sandbox import PrivateServer
from dbvigil.sandbox.server import random_password
from dbvigil.server import Server
from dbvigil.slow_queries.collecting import Collector
from dbvigil.sqlcommenter import SqlCommenter, commented
from dbvigil.targets import Target
from tests.support.mysqldb import use_pymysql

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
READ = "SELECT `name` FROM `commented_app`.`goods` WHERE `name` LIKE %s AND `id` > %s"
PLAIN = "SELECT COUNT(*) FROM `commented_app`.`goods` WHERE `name` LIKE 'a%'"


@pytest.fixture
def project(any_server: PrivateServer, django_db_blocker: Any) -> Iterator[Any]:
    """A connection as Django makes it."""
    use_pymysql()
    password = random_password()
    any_server.execute("CREATE DATABASE commented_app")
    any_server.execute(
        "CREATE TABLE commented_app.goods (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40))"
    )
    any_server.create_user("commented", password, ("ALL ON commented_app.*",))
    handler = ConnectionHandler(
        {
            "default": {
                "ENGINE": "django.db.backends.mysql",
                "NAME": "commented_app",
                "USER": "commented",
                "PASSWORD": password,
                "HOST": "127.0.0.1",
                "PORT": str(any_server.port),
            }
        }
    )
    # A project that has the middleware: connections that are made from now on take part.
    SqlCommenter(lambda asked: None)
    connection = handler["default"]
    # Django's connections are not for the thread of an event loop.
    connection.inc_thread_sharing()
    with django_db_blocker.unblock():
        yield connection
        connection.close()
    any_server.execute("DROP DATABASE commented_app")
    any_server.execute("DROP USER commented@'%'")


def ask(connection: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO goods (name) VALUES (%s)", [("a%b",), ("c",)])
        cursor.execute("INSERT INTO goods (name) VALUES (%s), (%s)", ["100 %", "a'*/;"])
        cursor.execute(READ, ["a%", 0])
        found = list(cursor.fetchall())
        cursor.execute(PLAIN)
        found += cursor.fetchall()
        # A server counts and logs a statement after its answer has gone out, and before it reads the next one.
        cursor.execute("SELECT 1")
        return found


async def test_the_log_names_who_asked(project: Any, any_server: PrivateServer) -> None:
    before = any_server.execute(
        "SELECT @@global.slow_query_log AS a, @@global.long_query_time AS b, @@global.log_output AS c"
    )[0]
    reader = Server(Target("shop", user="root", socket=str(any_server.socket)))
    try:
        any_server.execute(
            "SET GLOBAL slow_query_log = 1, GLOBAL long_query_time = 0, GLOBAL log_output = 'FILE'"
        )
        collector = Collector()
        bare = await asyncio.to_thread(ask, project)
        await collector.collect(reader, NOW)
        counted = await digests(reader)
        with commented(task="nightly"):
            found = await asyncio.to_thread(ask, project)
        # The same rows twice over: nothing that a comment holds was taken for a place of a parameter.
        assert found == [*bare[:-1], *bare[:-1], (2 * bare[-1][0],)]
        await asyncio.to_thread(project.close)
        any_server.execute("SELECT 1")
        collected = await collector.collect(reader, NOW + timedelta(seconds=60))
        facts = {
            collected.new[name].fingerprint: one
            for name, one in collected.facts.items()
            if name in collected.new
        }
        assert facts[
            "select `name` from `commented_app`.`goods` where `name` like ? and `id` > ?"
        ].callers == {"application=service task=nightly": 1}
        assert facts["select count(*) from `commented_app`.`goods` where `name` like ?"].callers == {
            "application=service task=nightly": 1
        }
        # The server's own digests are those of the statements without a comment.
        assert await digests(reader) == {name: 2 * count for name, count in counted.items()}
    finally:
        await reader.close()
        any_server.execute(
            f"SET GLOBAL slow_query_log = {before['a']}, GLOBAL long_query_time = {before['b']}"
        )
        any_server.execute(f"SET GLOBAL log_output = '{before['c']}'")


async def digests(reader: Server) -> dict[str, int]:
    """Executions by digest of the project's own statements."""
    # Not by a reading of the costliest, among which they may come only after the first look at a server that others use.
    rows = await reader.rows(
        "SELECT DIGEST AS digest, COUNT_STAR AS count FROM performance_schema.events_statements_summary_by_digest"
        " WHERE DIGEST_TEXT LIKE '%goods%' AND SCHEMA_NAME = 'commented_app' AND DIGEST_TEXT NOT LIKE 'CREATE%'"
    )
    return {row["digest"]: row["count"] for row in rows}
