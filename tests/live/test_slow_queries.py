"""Slow queries from real servers to what people read: digests, slow logs, plans, advice, evidence."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.database_monitor import SlowQuery, SlowQueryAnalyzer
from dbvigil.errors import UnknownDatabase
from dbvigil.sandbox import PrivateServer
from dbvigil.server import Server
from dbvigil.slow_queries import collecting
from dbvigil.slow_queries.collecting import Collected, Collector
from dbvigil.targets import parse_url
from tests.support.servers import PrivateServers, add_monitoring_user, monitoring_url
from tests.support.service import Service
from tests.support.waiting import PATIENCE

USER, PASSWORD = "slow-reader", "slow-reader-1"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "ada@example.org"
BY_ADDRESS = f"SELECT id, city FROM customer WHERE email = '{SECRET}'"


def fill(server: PrivateServer) -> None:
    server.execute("CREATE DATABASE slow_shop")
    with server.connect(database="slow_shop") as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE customer (id INT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(80), city VARCHAR(40))"
        )
        for first in range(0, 6000, 2000):
            rows = ",".join(
                f"('user{number}@example.org', 'c{number % 7}')" for number in range(first, first + 2000)
            )
            cursor.execute(f"INSERT INTO customer (email, city) VALUES {rows}")
        connection.commit()
        cursor.execute("ANALYZE TABLE customer")


def ask(server: PrivateServer, sql: str = BY_ADDRESS, times: int = 1) -> None:
    with server.connect(database="slow_shop") as connection, connection.cursor() as cursor:
        for _ in range(times):
            cursor.execute(sql)
            cursor.fetchall()
        # A server counts a statement, and logs it, after its rows were sent and before it reads the next command.
        connection.ping(reconnect=False)


@pytest.fixture
def shop(any_server: PrivateServer) -> Iterator[PrivateServer]:
    # What others have run may have filled it, and then nothing new gets a row.
    any_server.execute("TRUNCATE TABLE performance_schema.events_statements_summary_by_digest")
    fill(any_server)
    any_server.create_user(
        USER, PASSWORD, ("PROCESS ON *.*", "SELECT ON performance_schema.*", "SELECT ON slow_shop.*")
    )
    yield any_server
    any_server.execute("DROP DATABASE slow_shop")
    any_server.execute(f"DROP USER '{USER}'@'%'")


@pytest.fixture
def analyzer(shop: PrivateServer, settings: Any) -> SlowQueryAnalyzer:
    settings.DB_MONITORING_TARGETS = {"shop": shop.url(USER, PASSWORD)}
    return SlowQueryAnalyzer("shop")


# -- the analyzer


def test_one_statement_gets_its_plan_and_an_index(analyzer: SlowQueryAnalyzer) -> None:
    found = analyzer.analyze(BY_ADDRESS, schema="slow_shop")
    assert (found.fingerprint, found.count) == ("select id, city from customer where email = ?", None)
    advice = next(one for one in found.recommendations if one.rule == "full_table_scan")
    assert "ADD INDEX" in advice.sql
    assert "`email`" in advice.sql
    assert found.to_dict()["plan"]["tree"]
    assert found.gaps == ()
    assert SECRET not in json.dumps(found.to_dict())


def test_inside_somebody_elses_loop_too(analyzer: SlowQueryAnalyzer) -> None:
    async def caller() -> SlowQuery:
        return analyzer.analyze(BY_ADDRESS, "slow_shop")

    assert "full_table_scan" in asyncio.run(caller()).patterns


def test_what_is_not_a_question_is_judged_without_a_plan(analyzer: SlowQueryAnalyzer) -> None:
    found = analyzer.analyze("DELETE FROM customer", schema="slow_shop")
    assert "write_without_where" in found.patterns
    assert found.plan is None
    assert any("only a SELECT is explained" in gap for gap in found.gaps)


@pytest.mark.django_db
def test_digests_of_the_server(analyzer: SlowQueryAnalyzer, shop: PrivateServer) -> None:
    shop.execute("TRUNCATE TABLE performance_schema.events_statements_summary_by_digest")
    ask(shop, times=30)
    ask(shop, "SELECT COUNT(*) FROM customer", times=2)
    found = analyzer.analyze_server(limit=5)
    one = next(query for query in found if "`email` = ?" in query.query)
    assert (one.count, one.source, one.schema, one.rows_examined) == (30, "digest", "slow_shop", 180_000)
    assert one.digest
    assert one.share_of_load is not None
    assert "no_index_share" in one.patterns
    times = [query.total_time or 0 for query in found]
    assert times == sorted(times, reverse=True)
    assert not [query for query in found if "performance_schema" in query.query]
    assert len(analyzer.analyze_server(limit=1)) == 1
    recent = analyzer.analyze_server(limit=50, minutes=5)
    assert any("`email` = ?" in query.query for query in recent)
    if shop.flavor == "mysql":
        assert one.p95_time is not None


def test_an_unknown_database_is_named(analyzer: SlowQueryAnalyzer) -> None:
    with pytest.raises(UnknownDatabase, match="'nowhere'"):
        SlowQueryAnalyzer("nowhere").analyze_server()
    found = SlowQueryAnalyzer("nowhere").analyze("SELECT * FROM t")
    assert "select_star" in found.patterns
    assert any("nowhere" in gap for gap in found.gaps)


# -- visits


@pytest.fixture
async def reader(shop: PrivateServer) -> Any:
    server = Server(parse_url("shop", shop.url(USER, PASSWORD)))
    yield server
    await server.close()


def address(found: Collected) -> Any:
    names = [name for name, text in found.new.items() if "`email` = ?" in text.query]
    return names[0] if names else None


async def test_visits_tell_what_happened_in_between(shop: PrivateServer, reader: Server) -> None:
    collector = Collector()
    ask(shop, times=3)
    first = await collector.collect(reader, NOW)
    assert "digest" not in first.windows
    ask(shop, times=7)
    second = await collector.collect(reader, NOW + timedelta(seconds=60))
    name = address(second)
    assert second.windows["digest"].seconds == 60
    assert second.windows["digest"].kinds[name].figures.count == 7
    third = await collector.collect(reader, NOW + timedelta(seconds=120))
    assert name not in third.windows["digest"].kinds
    # Another monitor goes on from there.
    ask(shop, times=2)
    other = Collector(json.loads(json.dumps(third.progress)), tuple(second.new))
    fourth = await other.collect(reader, NOW + timedelta(seconds=180))
    assert fourth.windows["digest"].kinds[name].figures.count == 2
    assert SECRET not in repr([visit.new for visit in (first, second, third, fourth)])
    assert SECRET not in json.dumps([dict(visit.progress) for visit in (first, second, third, fourth)])


async def test_a_truncated_table_begins_anew(shop: PrivateServer, reader: Server) -> None:
    collector = Collector()
    ask(shop, times=5)
    await collector.collect(reader, NOW)
    ask(shop, times=5)
    name = address(await collector.collect(reader, NOW + timedelta(seconds=60)))
    shop.execute("TRUNCATE TABLE performance_schema.events_statements_summary_by_digest")
    ask(shop, times=4)
    found = await collector.collect(reader, NOW + timedelta(seconds=120))
    assert found.windows["digest"].kinds[name].figures.count == 4


async def test_a_restarted_server_begins_anew(private_server: PrivateServers, release: str) -> None:
    shop = private_server(release)
    fill(shop)
    shop.create_user(
        USER, PASSWORD, ("PROCESS ON *.*", "SELECT ON performance_schema.*", "SELECT ON slow_shop.*")
    )
    reader = Server(parse_url("shop", shop.url(USER, PASSWORD)))
    collector = Collector()
    await collector.collect(reader, NOW)
    ask(shop, times=20)
    name = address(await collector.collect(reader, NOW + timedelta(seconds=60)))
    shop.restart()
    ask(shop, times=6)
    reader = Server(reader.target)
    found = await collector.collect(reader, NOW + timedelta(seconds=120))
    assert found.windows["digest"].kinds[name].figures.count == 6
    await reader.close()


async def test_histograms_give_the_percentile_of_the_span(mysql: PrivateServer) -> None:
    mysql.execute("TRUNCATE TABLE performance_schema.events_statements_summary_by_digest")
    fill(mysql)
    try:
        reader = Server(parse_url("shop", monitoring_url(mysql)))
        collector = Collector()
        await collector.collect(reader, NOW)
        ask(mysql, "SELECT SLEEP(0.001) FROM customer LIMIT 1", times=30)
        started = time.monotonic()
        ask(mysql, "SELECT SLEEP(0.2) FROM customer LIMIT 1", times=3)
        took = time.monotonic() - started
        found = await collector.collect(reader, NOW + timedelta(seconds=60))
        name = next(
            name
            for name, text in found.new.items()
            if "SLEEP" in text.query.upper() and "LIMIT" in text.query
        )
        p95 = found.windows["digest"].figures(name).p95_time
        assert p95 is not None
        # None of them has taken longer than all three; a bucket's upper end is a little above what is in it.
        assert 0.15 < p95 < max(0.4, 1.1 * took)
        ask(mysql, "SELECT SLEEP(0.001) FROM customer LIMIT 1", times=60)
        later = await collector.collect(reader, NOW + timedelta(seconds=120))
        p95 = later.windows["digest"].figures(name).p95_time
        assert p95 is not None
        assert p95 < 0.15
        await reader.close()
    finally:
        mysql.execute("DROP DATABASE slow_shop")


async def test_a_server_without_digests_says_so(private_server: PrivateServers) -> None:
    server = private_server("mariadb-10.11", options={"performance-schema": "OFF"})
    server.create_user(USER, PASSWORD, ("PROCESS ON *.*",))
    reader = Server(parse_url("shop", server.url(USER, PASSWORD)))
    found = await Collector().collect(reader, NOW)
    assert "performance_schema is off" in found.trouble["digest"]
    await reader.close()


@pytest.mark.parametrize("output", ["FILE", "TABLE"])
async def test_the_slow_log_is_followed(
    shop: PrivateServer, reader: Server, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # After that long the log would be left alone for an hour.
    monkeypatch.setattr(collecting, "LOG_SECONDS", PATIENCE)
    shop.execute(f"GRANT SELECT ON mysql.slow_log TO '{USER}'@'%'")
    before = shop.execute(
        "SELECT @@global.slow_query_log AS a, @@global.long_query_time AS b, @@global.log_output AS c"
    )[0]
    try:
        shop.execute("SET GLOBAL slow_query_log = 1, GLOBAL long_query_time = 0")
        shop.execute(f"SET GLOBAL log_output = '{output}'")
        collector = Collector()
        ask(shop, times=2)
        await collector.collect(reader, NOW)
        ask(shop, times=4)
        # An entry of a file has ended when the next has begun.
        ask(shop, "SELECT 1")
        found = await collector.collect(reader, NOW + timedelta(seconds=60))
        kinds = {
            found.new[name].fingerprint: cost
            for name, cost in found.windows["slow_log"].kinds.items()
            if name in found.new
        }
        assert kinds["select id, city from customer where email = ?"].figures.count == 4
        digest = found.new[address(found)]
        log = next(
            text
            for name, text in found.new.items()
            if name[0] == "slow_log" and text.query.startswith("select id, city")
        )
        assert digest.pair == log.pair
        assert found.samples[log.pair] == BY_ADDRESS
        again = await collector.collect(reader, NOW + timedelta(seconds=120))
        assert not [name for name in again.windows["slow_log"].kinds if name[2] == log.query_id]
    finally:
        shop.execute(f"SET GLOBAL slow_query_log = {before['a']}, GLOBAL long_query_time = {before['b']}")
        shop.execute(f"SET GLOBAL log_output = '{before['c']}'")


# -- the whole way


def test_from_the_server_to_people(service: Service, private_server: PrivateServers, release: str) -> None:
    server = private_server(release)
    fill(server)
    add_monitoring_user(server)
    service.targets = {"shop": monitoring_url(server)}
    service.extra["DB_MONITORING_INTERVAL"] = "1"
    service.start_monitor()
    service.wait_for(lambda: service.samples("shop") >= 2)
    service.wait_for(lambda: service.rows("SELECT 1 FROM dbvigil_queryprogress WHERE data IS NOT NULL"), 30)

    def address() -> dict[str, Any] | None:
        body = service.command("slow-queries", "--database", "shop")
        return next((one for one in body["results"] if "`email` = ?" in one["query"]), None)

    ask(server, times=50)
    # A visit that falls in the middle tells of some, and the next one, a minute later, of the rest.
    service.wait_for(lambda: (address() or {}).get("count") == 50, 150, "the statements are not told")
    one = address()
    assert one is not None
    assert one["count"] == 50
    assert one["source"] == "digest"
    assert one["schema"] == "slow_shop"
    assert one["is_new"] is None, "nobody knows what ran before"
    assert "no_index_share" in one["patterns"]
    lines = service.manage("database_monitor", "slow-queries").stdout.splitlines()
    assert lines[0].startswith("SEVERITY")
    assert any("`email` = ?" in line for line in lines)
    now = service.command("slow-queries", "--now", "--limit", "3")
    assert len(now["results"]) == 3
    stored = b"".join(path.read_bytes() for path in service.home.glob("dbvigil.sqlite3*"))
    assert SECRET.encode() not in stored


def test_a_log_needs_no_server(service: Service, tmp_path: Path) -> None:
    log = tmp_path / "slow.log"
    log.write_text(
        "# Time: 2026-03-01T12:00:00.000000Z\n# User@Host: web[web] @ localhost []  Id:     5\n"
        "# Query_time: 2.500000  Lock_time: 0.000100 Rows_sent: 1  Rows_examined: 90000\n"
        f"use shop;\nSET timestamp=1772366400;\n{BY_ADDRESS};\n"
        "# Time: 2026-03-01T12:00:10.000000Z\n# User@Host: web[web] @ localhost []  Id:     5\n"
        "# Query_time: 0.500000  Lock_time: 0.000100 Rows_sent: 0  Rows_examined: 10\n"
        "SET timestamp=1772366410;\nUPDATE customer SET city = 'x' WHERE id = 5;\n"
    )
    body = service.command("slow-queries", "--log", str(log))
    assert (body["events"], body["total_time"], body["skipped_bytes"], body["kinds"]) == (2, 3.0, 0, 2)
    first = body["results"][0]
    assert (first["query_id"], first["schema"], first["source"]) == (
        SlowQueryAnalyzer.fingerprint(BY_ADDRESS)[1],
        "shop",
        "slow_log",
    )
    assert first["share_of_load"] == pytest.approx(100 * 2.5 / 3)
    assert SECRET not in json.dumps(body)
    service.extra["DB_QUERY_REDACTION"] = "0"
    assert service.command("slow-queries", "--log", str(log))["results"][0]["sample"] == BY_ADDRESS
    for arguments, word in (
        (["--log", str(tmp_path / "none.log")], "--log"),
        (["--log", str(tmp_path)], "--log"),
        (["--log", str(log), "--hours", "3"], "--hours"),
        (["--limit", "0"], "--limit"),
        (["--hours", "-1"], "hours"),
        (["--database", "nowhere"], "nowhere"),
    ):
        done = service.manage("database_monitor", "slow-queries", *arguments, expect=1)
        (line,) = done.stderr.splitlines()
        assert word in line
        assert done.stdout == ""
