"""Digests as real servers keep them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from pymysql.cursors import DictCursor

from dbvigil.queries.digests import between, merged, read_digests, read_texts
from dbvigil.sandbox import PrivateServer
from dbvigil.server import Server
from dbvigil.targets import parse_url
from tests.support.servers import monitoring_url

TABLE = "CREATE TABLE digested.t (nr INT PRIMARY KEY AUTO_INCREMENT, k INT, word VARCHAR(40))"


@pytest.fixture
async def server(any_server: PrivateServer) -> AsyncIterator[Server]:
    any_server.execute("CREATE DATABASE digested")
    any_server.execute(TABLE)
    any_server.execute("INSERT INTO digested.t (k, word) VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    one = Server(parse_url("t", monitoring_url(any_server)))
    yield one
    await one.close()
    any_server.execute("DROP DATABASE digested")


def now() -> datetime:
    return datetime.now(UTC)


def counted(cursor: DictCursor) -> None:
    """All that the session has sent is counted now: a server answers a statement before it counts it, and reads the next one after."""
    cursor.execute("SELECT 1")


async def test_what_happened_between_two_readings(server: Server, any_server: PrivateServer) -> None:
    before = await read_digests(server, now())
    with any_server.connect() as client, client.cursor() as cursor:
        cursor.execute("USE digested")
        for word in ("a", "b", "secret-word", "c"):
            cursor.execute(f"SELECT nr, word FROM t WHERE word = '{word}' ORDER BY k")
        cursor.execute("UPDATE t SET k = k + 1 WHERE nr = 2")
        counted(cursor)
    after = await read_digests(server, now(), before.clock)
    span = between(before, after)
    texts = await read_texts(server, [digest for _, digest in span.digests])
    assert "secret-word" not in str(texts)
    (select,) = [key for key, text in texts.items() if text.startswith("SELECT `nr` , `word` FROM `t`")]
    figures = span.digests[select]
    assert (select[0], figures.count, figures.rows_sent, figures.rows_examined) == ("digested", 4, 3, 15)
    assert (figures.no_index_used, figures.full_scans, figures.errors) == (4, 4, 0)
    assert figures.sort_rows == 3
    assert figures.total_time > 0
    (update,) = [key for key, text in texts.items() if text.startswith("UPDATE `t`")]
    assert (span.digests[update].count, span.digests[update].rows_affected) == (1, 1)
    assert span.count is not None
    assert span.count >= 6
    assert span.total_time is not None
    assert span.total_time > figures.total_time


async def test_a_table_that_was_truncated_and_a_reading_of_news_only(
    server: Server, any_server: PrivateServer
) -> None:
    with any_server.connect() as client, client.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM digested.t")
        counted(cursor)
        first = await read_digests(server, now())
        any_server.execute("TRUNCATE TABLE performance_schema.events_statements_summary_by_digest")
        for _ in range(3):
            cursor.execute("SELECT COUNT(*) FROM digested.t")
        counted(cursor)
    second = await read_digests(server, now(), first.clock)
    span = between(first, second)
    assert (span.count, span.total_time) == (None, None)
    texts = await read_texts(server, [digest for _, digest in span.digests])
    (key,) = [key for key, text in texts.items() if "FROM `digested`" in text]
    assert span.digests[key].count == 3
    third = await read_digests(server, now(), second.clock)
    assert key in merged(second, third).digests
    assert between(merged(second, third), third).digests == {}
