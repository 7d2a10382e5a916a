"""Connecting to real servers: what is learnt, how the monitor behaves as a guest, and how each failure reads."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from dbvigil.errors import (
    AccessDenied,
    ConnectionLost,
    InsecureConnection,
    MissingObject,
    MissingPrivilege,
    ServerError,
    ServerTimeout,
    ServerUnreachable,
    StatementFailed,
    TooManyConnections,
)
from dbvigil.sandbox import Certificates, PrivateServer
from dbvigil.server import Server
from dbvigil.targets import Target, parse_url
from tests.support import ports
from tests.support.servers import (
    MONITORING_PASSWORD,
    MONITORING_USER,
    PrivateServers,
    available,
)
from tests.support.waiting import BOUNDED, PATIENCE, wait_for

PASSWORD = "Pä$$ wörd/'\"\\%"


def target(
    server: PrivateServer, user: str = MONITORING_USER, password: str = MONITORING_PASSWORD, **query: str
) -> Target:
    return parse_url("t", server.url(user, password, **query))


@contextlib.asynccontextmanager
async def visiting(
    where: Target, *, read_timeout: float = 10, trusted: bool | None = None
) -> AsyncIterator[Server]:
    server = Server(where, connect_timeout=PATIENCE, read_timeout=read_timeout, trusted=trusted)
    try:
        await server.connect()
        yield server
    finally:
        await server.close()


async def failure(
    where: Target, *, connect_timeout: float = PATIENCE, trusted: bool | None = None
) -> ServerError:
    server = Server(where, connect_timeout=connect_timeout, trusted=trusted)
    with pytest.raises(ServerError) as caught:
        await server.connect()
    await server.close()
    assert "\n" not in str(caught.value)
    assert not where.password or where.password not in str(caught.value)
    return caught.value


# -- what is learnt


async def test_what_a_server_is(any_server: PrivateServer) -> None:
    async with visiting(target(any_server)) as server:
        info = server.info
        assert server.statements == 2
        (row,) = await server.rows(
            "SELECT CONNECTION_ID() AS id, @@server_id AS server_id, VERSION() AS version"
        )
        assert (info.flavor, info.version) == (any_server.flavor, any_server.version)
        assert info.performance_schema is True
        assert (server.connection_id, info.server_id, info.version_text) == tuple(row.values())
        assert info.hostname == socket.gethostname()
        assert (info.server_uuid is not None) == info.is_mysql
        assert server.statements == 3


async def test_performance_schema_off(private_server: PrivateServers) -> None:
    private = private_server("mariadb-10.11", performance_schema=False)
    async with visiting(target(private)) as server:
        assert server.info.performance_schema is False


async def test_values(any_server: PrivateServer) -> None:
    sql = """SELECT 1 AS whole, -5 AS negative, 18446744073709551615 AS big, 1.5 AS exact, 2.0e0 AS flt, SUM(7) AS total,
                    'grün 🐬 100%' AS text, NULL AS nothing, x'00ff' AS binary_text, b'101' AS bits,
                    TIMESTAMP '2026-01-31 09:05:00' AS at, '' AS blank"""
    async with visiting(target(any_server)) as server:
        (row,) = await server.rows(sql)
        bits = row.pop("bits")
        assert row == {
            "whole": 1,
            "negative": -5,
            "big": 18446744073709551615,
            "exact": 1.5,
            "flt": 2.0,
            "total": 7,
            "text": "grün 🐬 100%",
            "nothing": None,
            "binary_text": "\x00\ufffd",
            "at": datetime(2026, 1, 31, 9, 5),
            "blank": "",
        }
        assert {type(row[name]) for name in ("whole", "big", "total")} == {int}
        assert bits in (5, "\x05")
        assert await server.rows("SELECT 1 AS one FROM DUAL WHERE FALSE") == []
        assert await server.rows("DO 1") == []


async def test_many_rows_and_long_values(any_server: PrivateServer) -> None:
    """Across packets, buffers, and sequence numbers that wrap."""
    async with visiting(target(any_server)) as server:
        rows = await server.rows("SHOW GLOBAL STATUS")
        assert len(rows) > 400 and all(set(row) == {"Variable_name", "Value"} for row in rows)
        numbers = " UNION ALL ".join(
            f"SELECT {number} AS n, REPEAT('x', {number}) AS x" for number in range(700)
        )
        assert [(row["n"], len(row["x"])) for row in await server.rows(numbers)] == [
            (n, n) for n in range(700)
        ]
        (row,) = await server.rows("SELECT REPEAT('ü', 300000) AS x")
        assert row["x"] == "ü" * 300_000


async def test_arguments_are_quoted(any_server: PrivateServer) -> None:
    given = ("it's", 'a "b" \\ %s', 5, None, 1.5, True)
    async with visiting(target(any_server)) as server:
        sql = "SELECT %s AS a, %s AS b, %s AS c, %s AS d, %s AS e, %s AS f, '100%%' AS g"
        (row,) = await server.rows(sql, given)
        assert tuple(row.values()) == (*given, "100%")


async def test_one_statement_is_one_statement(any_server: PrivateServer) -> None:
    async with visiting(target(any_server)) as server:
        with pytest.raises(StatementFailed):
            await server.rows("SELECT 1; SELECT 2")
        assert server.connected


async def test_statements_at_once_wait_for_each_other(any_server: PrivateServer) -> None:
    async with visiting(target(any_server)) as server:
        answers = await asyncio.gather(*(server.rows("SELECT %s AS n", (n,)) for n in range(20)))
        assert [rows[0]["n"] for rows in answers] == list(range(20))


# -- a good guest


async def test_the_session(any_server: PrivateServer) -> None:
    async with visiting(target(any_server), read_timeout=5) as server:
        mariadb = server.info.is_mariadb
        limit = "max_statement_time" if mariadb else "max_execution_time"
        read_only = "tx_read_only" if mariadb and not server.info.at_least(11, 1) else "transaction_read_only"
        names = f"autocommit lock_wait_timeout innodb_lock_wait_timeout sql_mode long_query_time {limit} {read_only}"
        columns = ", ".join(f"@@SESSION.{name} AS {name}" for name in names.split())
        (row,) = await server.rows(f"SELECT {columns}")
        assert row[limit] == (4.5 if mariadb else 4500)
        assert row["lock_wait_timeout"] <= 5 and row["innodb_lock_wait_timeout"] <= 5
        assert (row["autocommit"], row[read_only], row["sql_mode"]) == (1, 1, "")


async def test_nothing_can_be_written(any_server: PrivateServer) -> None:
    any_server.create_user("writer", PASSWORD, ["ALL ON written.*"])
    async with visiting(target(any_server, "writer", PASSWORD)) as server:
        with pytest.raises(StatementFailed, match="READ ONLY"):
            await server.rows("CREATE DATABASE written")


async def test_its_name_is_known(any_server: PrivateServer) -> None:
    async with visiting(target(any_server)) as server:
        attributes = any_server.execute(
            "SELECT ATTR_VALUE AS value FROM performance_schema.session_connect_attrs"
            " WHERE PROCESSLIST_ID = %s AND ATTR_NAME = 'program_name'",
            server.connection_id,
        )
    assert attributes == [{"value": "dbvigil"}]


async def test_its_statements_are_not_in_the_slow_log(private_server: PrivateServers, release: str) -> None:
    private = private_server(
        release, options={"slow-query-log": "ON", "long-query-time": "0", "log-output": "TABLE"}
    )
    async with visiting(target(private)) as server:
        # This session's count: those of the sessions that set the server up may still be on their way.
        before = (await server.rows("SHOW SESSION STATUS LIKE 'Slow_queries'"))[0]["Value"]
        await server.rows("SELECT 'ours', SLEEP(0.01)")
        await server.rows("SHOW GLOBAL STATUS")
        after = (await server.rows("SHOW SESSION STATUS LIKE 'Slow_queries'"))[0]["Value"]
    private.execute("SELECT 'theirs'")

    def logged() -> str:
        return str(private.execute("SELECT CONVERT(sql_text USING utf8mb4) AS text FROM mysql.slow_log"))

    # A statement is logged after it is answered.
    wait_for(lambda: "theirs" in logged(), "the slow log")
    assert "ours" not in logged() and "SHOW GLOBAL STATUS" not in logged()
    assert before == after


async def test_leaving_is_not_an_aborted_client(with_tls: tuple[PrivateServer, Certificates]) -> None:
    # A server of this file's own: on a shared one the sessions that other tests broke off may be counted meanwhile.
    private, _ = with_tls
    private.create_user("leaving", PASSWORD)

    def aborted() -> list[dict[str, object]]:
        return private.execute("SHOW GLOBAL STATUS LIKE 'Aborted%'")

    before = aborted()
    for mode in ("disabled", "preferred"):
        async with visiting(target(private, "leaving", PASSWORD, ssl_mode=mode)):
            pass
    still = "SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = 'leaving'"
    wait_for(lambda: not private.execute(still), "the end of the sessions")
    assert aborted() == before


async def test_a_server_that_insists_on_its_character_set(private_server: PrivateServers) -> None:
    options = {"skip-character-set-client-handshake": None, "character-set-server": "latin1"}
    private = private_server("mariadb-10.11", options=options)
    async with visiting(target(private)) as server:
        assert await server.rows("SELECT 'ü 🐬' AS text") == [{"text": "ü 🐬"}]


@pytest.mark.parametrize("kind", ["mariadb-10.11", "mysql-9.7"])
async def test_innodb_s_times_and_now_are_in_one_zone(private_server: PrivateServers, kind: str) -> None:
    private = private_server(kind, options={"default-time-zone": "+05:00"})
    private.execute("CREATE DATABASE zone")
    private.execute("CREATE TABLE zone.t (a INT) ENGINE = InnoDB")
    # The server's own threads have transactions now and then, too.
    age = (
        "SELECT ABS(TIMESTAMPDIFF(SECOND, trx_started, NOW())) AS age FROM information_schema.INNODB_TRX"
        " WHERE trx_mysql_thread_id <> 0"
    )
    with private.connect() as owner, owner.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO zone.t VALUES (1)")
        async with visiting(target(private)) as server:
            (row,) = await server.rows(age)
    assert row["age"] < 60


# -- ways in


@pytest.fixture(scope="session")
def with_tls(
    tmp_path_factory: pytest.TempPathFactory, release: str
) -> Iterator[tuple[PrivateServer, Certificates]]:
    """Each server in turn, with a certificate for "localhost" alone."""
    folder = tmp_path_factory.mktemp("tls")
    certificates = Certificates.create(folder / "certificates", ["localhost"])
    with PrivateServer(available(release), folder / "server", tls=certificates) as server:
        yield server, certificates


async def cipher(server: Server) -> str:
    (row,) = await server.rows("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    return str(row["Value"])


async def test_tls(with_tls: tuple[PrivateServer, Certificates]) -> None:
    private, certificates = with_tls
    plugin = "caching_sha2_password" if private.flavor == "mysql" else "mysql_native_password"
    private.create_user("tls", PASSWORD, plugin=plugin, require="SSL")
    ca = str(certificates.ca)
    url = target(private, "tls", PASSWORD)

    def to(host: str, **query: str) -> Target:
        return parse_url("t", private.url("tls", PASSWORD, **query).replace("127.0.0.1", host))

    # caching_sha2_password knows nobody yet: the first time is the full way, the second the fast one.
    for _ in ("full", "fast"):
        async with visiting(to("localhost", ssl_ca=ca), trusted=False) as server:
            assert await cipher(server)
    for query in ({"ssl_mode": "verify-ca", "ssl_ca": ca}, {"ssl_mode": "required"}, {}):
        async with visiting(to("127.0.0.1", **query), trusted=False) as server:
            assert await cipher(server)
    error = await failure(to("127.0.0.1", ssl_ca=ca))
    assert isinstance(error, InsecureConnection)
    assert "is not for the host name or address '127.0.0.1'" in error.cause and "verify-ca" in error.remedy
    error = await failure(to("localhost", ssl_ca=str(certificates.other_ca)))
    assert isinstance(error, InsecureConnection) and "authority that is not trusted" in error.cause
    error = await failure(to("localhost", ssl_mode="verify-identity"))
    assert isinstance(error, InsecureConnection) and "ssl-ca" in error.remedy
    error = await failure(to("localhost", ssl_mode="disabled"))
    assert isinstance(error, AccessDenied) and "requires TLS needs ssl-mode" in error.remedy
    assert url.password == PASSWORD


async def test_a_client_certificate(with_tls: tuple[PrivateServer, Certificates]) -> None:
    private, certificates = with_tls
    private.create_user("x509", PASSWORD, require="X509")
    files = {"ssl_ca": str(certificates.ca), "ssl_mode": "verify-ca"}
    mine = {"ssl_cert": str(certificates.client_cert), "ssl_key": str(certificates.client_key)}
    async with visiting(target(private, "x509", PASSWORD, **files, **mine)) as server:
        assert await cipher(server)
    assert isinstance(await failure(target(private, "x509", PASSWORD, **files)), AccessDenied)
    missing = await failure(target(private, ssl_ca="/no/ca.pem"))
    assert isinstance(missing, InsecureConnection) and "/no/ca.pem" in missing.cause
    no_key = mine | {"ssl_key": str(certificates.client_cert)}
    assert "usable PEM" in (await failure(target(private, **files, **no_key))).cause


async def test_tls_that_the_server_does_not_have(mariadb: PrivateServer) -> None:
    error = await failure(target(mariadb, ssl_mode="required"))
    assert (
        isinstance(error, InsecureConnection)
        and "offers no TLS" in error.cause
        and "ssl_cert" in error.remedy
    )
    async with visiting(target(mariadb)) as server:
        assert await cipher(server) == ""


async def test_caching_sha2_without_tls(mysql: PrivateServer) -> None:
    mysql.create_user("sha2", PASSWORD, plugin="caching_sha2_password")
    where = target(mysql, "sha2", PASSWORD, ssl_mode="disabled")
    error = await failure(where, trusted=False)
    assert isinstance(error, InsecureConnection)
    assert "caching_sha2_password" in error.cause and "verify-identity" in error.remedy
    # A line that is encrypted only is not one that is proven.
    error = await failure(target(mysql, "sha2", PASSWORD, ssl_mode="required"), trusted=False)
    assert isinstance(error, InsecureConnection)
    async with visiting(where):
        pass
    # Once the server knows the password, a scramble will do.
    async with visiting(where, trusted=False):
        pass
    mysql.execute("FLUSH PRIVILEGES")
    async with visiting(
        target(mysql, "sha2", PASSWORD, ssl_mode="disabled", get_server_public_key="1"), trusted=False
    ):
        pass


@pytest.mark.parametrize("password", [PASSWORD, ""])
async def test_sha256_password(mysql: PrivateServer, password: str) -> None:
    mysql.create_user("sha256", password, plugin="sha256_password")
    for mode in ("disabled", "required"):
        async with visiting(target(mysql, "sha256", password, ssl_mode=mode)):
            pass
    if password:
        error = await failure(target(mysql, "sha256", password), trusted=False)
        assert isinstance(error, InsecureConnection) and "sha256_password" in error.cause


async def test_the_socket(any_server: PrivateServer) -> None:
    any_server.create_user("socket", PASSWORD)
    where = target(any_server, "socket", PASSWORD, socket=str(any_server.socket))
    async with visiting(where, trusted=False) as server:
        assert await cipher(server) == ""
    error = await failure(target(any_server, socket="/no/such.sock"))
    assert isinstance(error, ServerUnreachable) and "there is no socket /no/such.sock" in error.cause


async def test_an_empty_password(any_server: PrivateServer) -> None:
    any_server.create_user("nobody", "")
    async with visiting(target(any_server, "nobody", "")):
        pass


# -- refused


async def test_the_wrong_password(any_server: PrivateServer) -> None:
    for user in (MONITORING_USER, "unknown"):
        error = await failure(target(any_server, user, "wrong-password"))
        assert isinstance(error, AccessDenied) and error.code == 1045
        assert f"refuses user '{user}'" in error.cause and "check user, password" in error.remedy


async def test_an_account_that_is_locked_or_expired(any_server: PrivateServer) -> None:
    any_server.create_user("locked", PASSWORD)
    any_server.execute("ALTER USER locked@'%' ACCOUNT LOCK")
    error = await failure(target(any_server, "locked", PASSWORD))
    assert isinstance(error, AccessDenied) and "locked" in error.cause and "ACCOUNT UNLOCK" in error.remedy
    any_server.create_user("expired", PASSWORD)
    any_server.execute("ALTER USER expired@'%' PASSWORD EXPIRE")
    error = await failure(target(any_server, "expired", PASSWORD))
    assert isinstance(error, AccessDenied) and "has expired" in error.cause


async def test_an_account_for_other_hosts(private_server: PrivateServers, release: str) -> None:
    private = private_server(release)
    private.execute(
        "DELETE FROM mysql.global_priv WHERE Host = '%'"
        if private.flavor == "mariadb"
        else "DELETE FROM mysql.user WHERE Host = '%'"
    )
    private.execute("FLUSH PRIVILEGES")
    error = await failure(target(private))
    assert isinstance(error, AccessDenied) and "this host" in error.cause


async def test_too_many_connections(private_server: PrivateServers, release: str) -> None:
    private = private_server(release, options={"max-connections": 10})
    private.create_user("hog", PASSWORD)
    private.create_user("limited", PASSWORD)
    private.execute("ALTER USER limited@'%' WITH MAX_USER_CONNECTIONS 1")
    async with visiting(target(private, "limited", PASSWORD)):
        error = await failure(target(private, "limited", PASSWORD))
        assert isinstance(error, TooManyConnections) and "'limited'" in error.cause
    async with contextlib.AsyncExitStack() as stack:
        with pytest.raises(TooManyConnections, match="every connection of the server is taken") as caught:
            for _ in range(12):
                await stack.enter_async_context(visiting(target(private, "hog", PASSWORD)))
        assert caught.value.code == 1040 and "max_connections" in caught.value.remedy


async def test_nobody_there() -> None:
    with ports.hold() as taken:
        port = taken.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            error = await failure(parse_url("t", f"mysql://u:{MONITORING_PASSWORD}@{host}:{port}/"))
            assert isinstance(error, ServerUnreachable)
            assert str(error).startswith(
                f"connection refused: nothing listens at {host}:{port}; start the server"
            )
    error = await failure(parse_url("t", "mysql://u@no-such-host.invalid/"))
    assert isinstance(error, ServerUnreachable) and "cannot be resolved" in error.cause


async def test_a_full_backlog_is_no_answer() -> None:
    """What a firewall that drops packets looks like: the handshake of TCP itself never ends."""
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.socket())
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(silent.getsockname())
        where = parse_url("t", f"mysql://u@127.0.0.1:{silent.getsockname()[1]}/")
        error = await failure(where, connect_timeout=0.5)
    assert isinstance(error, ServerUnreachable) and "does not answer within 0.5 s" in error.cause


async def test_the_target_s_own_limits_win(mariadb: PrivateServer) -> None:
    async with visiting(target(mariadb, read_timeout="0.2"), read_timeout=4 * BOUNDED) as server:
        started = time.monotonic()
        with pytest.raises(ServerError):
            await server.rows(f"SELECT SLEEP({2 * BOUNDED})")
        assert time.monotonic() - started < BOUNDED


# -- during a statement


async def test_what_a_server_refuses(any_server: PrivateServer) -> None:
    any_server.create_user("poor", PASSWORD)
    cases: list[tuple[str, type[ServerError], str]] = [
("SELECT * FROM performance_schema.threads", MissingPrivilege, "GRANT SELECT"),
        ("SELECT User FROM mysql.user", MissingPrivilege, "GRANT SELECT"),
        ("SHOW REPLICAS" if any_server.flavor == "mysql" else "SHOW REPLICA HOSTS", MissingPrivilege, "REPLICATION"),
        ("SHOW ENGINE INNODB STATUS", MissingPrivilege, "GRANT PROCESS ON *.* TO"),
        ("SELECT @@no_such_variable", MissingObject, ""),
        ("SELECT no_such_column FROM information_schema.tables", MissingObject, ""),
        ("SELECT FROM", StatementFailed, ""),
    ]  # fmt: skip
    async with visiting(target(any_server, "poor", PASSWORD)) as server:
        connection = server.connection
        for sql, kind, remedy in cases:
            with pytest.raises(StatementFailed) as caught:
                await server.rows(sql)
            assert type(caught.value) is kind, (sql, caught.value)
            assert remedy in str(caught.value) and caught.value.code
            assert "\n" not in str(caught.value)
        assert (await server.rows("SELECT 1 AS one"), server.connection) == ([{"one": 1}], connection)


async def test_a_lock_is_not_waited_for(any_server: PrivateServer) -> None:
    any_server.execute("CREATE DATABASE IF NOT EXISTS locking")
    any_server.execute("CREATE TABLE IF NOT EXISTS locking.t (a INT)")
    any_server.create_user("reader", PASSWORD, ["SELECT ON locking.*"])
    with any_server.connect() as owner, owner.cursor() as cursor:
        cursor.execute("LOCK TABLES locking.t WRITE")
        async with visiting(target(any_server, "reader", PASSWORD)) as server:
            started = time.monotonic()
            with pytest.raises(StatementFailed, match="holds a lock") as caught:
                await server.rows("SELECT * FROM locking.t")
            assert caught.value.code == 1205 and time.monotonic() - started < BOUNDED
            assert server.connected


async def test_a_statement_ends_at_the_server_s_limit(
    any_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = "SELECT COUNT(*) FROM {0} a, {0} b, {0} c, {0} d".format("information_schema.collations")
    async with visiting(target(any_server), read_timeout=1) as server:
        # The session has its limit; that of this side, a tenth of a second later, is not what is looked at.
        monkeypatch.setattr(server, "_read_timeout", PATIENCE)
        started = time.monotonic()
        with pytest.raises(StatementFailed, match="time limit was reached"):
            await server.rows(sql)
        assert time.monotonic() - started < BOUNDED
        assert server.connected


async def test_a_killed_connection_is_opened_anew(any_server: PrivateServer) -> None:
    async with visiting(target(any_server)) as server:
        first = server.connection
        any_server.execute("KILL %s", server.connection_id)
        with contextlib.suppress(ConnectionLost):
            await server.rows("SELECT 1 AS one")
        assert await server.rows("SELECT 1 AS one") == [{"one": 1}]
        assert server.connection != first


async def test_a_connection_that_is_killed_in_a_statement(any_server: PrivateServer) -> None:
    async with visiting(target(any_server), read_timeout=2 * PATIENCE) as server:
        statement = asyncio.create_task(server.rows(f"SELECT SLEEP({PATIENCE})"))
        running = "SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = %s AND INFO LIKE 'SELECT SLEEP%%'"
        while not any_server.execute(running, server.connection_id):
            await asyncio.sleep(0.01)
        any_server.execute("KILL %s", server.connection_id)
        with pytest.raises((ConnectionLost, StatementFailed)):
            await statement


async def test_a_crash_and_a_restart(private_server: PrivateServers, release: str) -> None:
    private = private_server(release)
    # These servers write their log about once a second; the account must outlive the crash.
    private.execute("FLUSH LOGS")
    async with visiting(target(private), read_timeout=2 * PATIENCE) as server:
        statement = asyncio.create_task(server.rows(f"SELECT SLEEP({PATIENCE})"))
        while not private.execute(
            "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%%'"
        ):
            await asyncio.sleep(0.01)
        private.kill()
        with pytest.raises(ConnectionLost, match="broke during a statement"):
            await statement
        with pytest.raises(ServerUnreachable, match="nothing listens"):
            await server.rows("SELECT 1 AS one")
        await asyncio.to_thread(private.start)
        assert await server.rows("SELECT 1 AS one") == [{"one": 1}]


async def test_a_paused_server(
    private_server: PrivateServers, release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = private_server(release)
    server = Server(target(private), connect_timeout=PATIENCE, read_timeout=PATIENCE)
    await server.connect()
    private.pause()
    # Short limits while it is paused alone: one that runs may be slow.
    monkeypatch.setattr(server, "_connect_timeout", 2.0)
    monkeypatch.setattr(server, "_read_timeout", 0.5)
    started = time.monotonic()
    with pytest.raises(ServerTimeout, match="did not answer a statement within"):
        await server.rows("SELECT 1 AS one")
    with pytest.raises(ServerTimeout, match="accepted the connection and did not answer"):
        await server.rows("SELECT 1 AS one")
    assert time.monotonic() - started < BOUNDED
    monkeypatch.undo()
    private.resume()
    assert await server.rows("SELECT 1 AS one") == [{"one": 1}]
    private.pause()
    started = time.monotonic()
    await server.close()
    assert time.monotonic() - started < BOUNDED
    assert not server.connected
    private.resume()


async def test_a_cancelled_statement_does_not_leave_its_answer_behind(any_server: PrivateServer) -> None:
    async with visiting(target(any_server)) as server:
        first = server.connection
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await server.rows("SELECT SLEEP(1) AS slept")
        assert not server.connected
        assert await server.rows("SELECT 2 AS two") == [{"two": 2}]
        assert server.connection != first


async def test_closing_is_repeatable_and_opens_again(any_server: PrivateServer) -> None:
    server = Server(target(any_server))
    await server.close()
    await server.connect()
    first = server.connection
    await server.close()
    await server.close()
    assert not server.connected
    await server.connect()
    assert server.connected and server.connection != first
    await server.close()


async def test_files_that_are_no_certificates(mysql: PrivateServer, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    error = await failure(target(mysql, ssl_ca=str(file)))
    assert isinstance(error, InsecureConnection) and "no usable PEM file" in error.cause
