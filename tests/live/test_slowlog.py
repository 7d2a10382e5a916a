"""Slow logs of real servers, as file and as table, beside what was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pymysql

from dbvigil.queries.slowlog import Event, TablePosition, follow, read_table
from dbvigil.queries.slowlog.follow import Position
from dbvigil.sandbox import PrivateServer
from dbvigil.server import Server
from dbvigil.targets import parse_url
from tests.recorded.slowlog.traffic import BLOCKS, PLAIN, SETUP, hostile
from tests.support.servers import MONITORING_PASSWORD, MONITORING_USER, PrivateServers
from tests.support.waiting import wait_for


def drive(server: PrivateServer) -> list[str]:
    """Sends the traffic; returns what is to be found in the log, in order."""
    sent = [text.replace("{n}", str(number)) for text, times in PLAIN for number in range(1, times + 1)]
    sent += hostile(BLOCKS[server.flavor])
    with server.connect(database="shop") as connection, connection.cursor() as cursor:
        for text in sent:
            try:
                cursor.execute(text)
            except pymysql.Error as error:
                assert "no_such_column" in str(error), error
    return [text.replace("/*!99999", "/* 99999") for text in sent]


def shop(private_server: PrivateServers, release: str, **options: str) -> PrivateServer:
    server = private_server(release, options={"slow-query-log": "ON", "long-query-time": "0", **options})
    for statement in SETUP:
        server.execute(statement)
    return server


def sent_by(found: list[Event], sent: list[str]) -> list[str]:
    wanted = set(sent)
    return [text for text in (event.statement.decode() for event in found) if text in wanted]


async def test_a_file_through_rotation(private_server: PrivateServers, release: str, tmp_path: Path) -> None:
    log = tmp_path / "slow.log"
    server = shop(private_server, release, **{"slow-query-log-file": str(log)})
    position: Position | None = None
    found: list[Event] = []

    def arrived(last: str) -> bool:
        """MySQL answers first and logs then."""
        nonlocal position
        more, position = follow(log, position)
        found.extend(more)
        return any(event.statement == last.encode() for event in found)

    arrived("")
    sent = drive(server)
    wait_for(lambda: arrived(sent[-1]), "the last statement in the log")
    assert sent_by(found, sent) == sent
    assert not [event for event in found if event.user == "forged"]
    log.rename(tmp_path / "slow.log.1")
    # In one session: the server has logged a statement when it reads the session's next one, and not before it answers.
    with server.connect() as connection, connection.cursor() as cursor:
        for text in ("SELECT 'before the flush'", "FLUSH SLOW LOGS", "SELECT 'after the flush'"):
            cursor.execute(text)
    wait_for(lambda: arrived("SELECT 'after the flush'"), "the last statement in the new log")
    texts = [event.statement for event in found]
    assert texts.index(b"SELECT 'before the flush'") < texts.index(b"SELECT 'after the flush'")


@asynccontextmanager
async def reading(server: PrivateServer) -> AsyncIterator[Server]:
    server.execute(f"GRANT SELECT ON mysql.slow_log TO '{MONITORING_USER}'@'%'")
    connection = Server(parse_url("t", server.url(MONITORING_USER, MONITORING_PASSWORD)))
    try:
        yield connection
    finally:
        await connection.close()


_SECOND = "SELECT 1 AS there FROM mysql.slow_log WHERE sql_text LIKE 'SELECT SLEEP%two%'"
_LAST = (
    "SELECT 1 AS there FROM mysql.slow_log WHERE sql_text LIKE '# administrator command: Quit%SELECT 7 AS t'"
)


async def test_the_table(private_server: PrivateServers, release: str) -> None:
    server = shop(private_server, release, **{"log-output": "TABLE"})
    async with reading(server) as connection:
        sent = drive(server)
        wait_for(lambda: server.execute(_LAST), "the last statement in the table")
        found, position, calls = list[Event](), TablePosition(), 0
        while True:
            more, position = await read_table(
                connection, TablePosition.from_dict(position.to_dict()), limit=40
            )
            assert len(more) <= 40
            found += more
            calls += 1
            if len(more) < 40:
                break
        assert calls > 2
        # MariaDB keeps the text in three-byte UTF-8, which has no dolphins.
        texts = Counter(event.statement.decode().replace("?", "\U0001f42c") for event in found)
        assert {text: texts[text.replace("?", "\U0001f42c")] for text in sent} == Counter(sent)
        event = next(event for event in found if event.statement == sent[0].encode())
        assert (event.user, event.host, event.schema) == ("root", "localhost", "shop")
        server.execute("SELECT SLEEP(0.25), 'one'")
        server.execute("TRUNCATE mysql.slow_log")
        server.execute("SELECT SLEEP(0.25), 'two'")
        wait_for(lambda: server.execute(_SECOND), "the statement after the truncation")
        more, position = await read_table(connection, position)
        (slow,) = [event for event in more if b"'two'" in event.statement]
        assert 250_000 <= slow.query_time_us < 60_000_000
        again, _ = await read_table(connection, position)
        assert slow not in again
