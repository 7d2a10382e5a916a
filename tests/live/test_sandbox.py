"""Private servers, on the real programs of each release."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql
import pytest

from dbvigil.sandbox import (
    Certificates,
    PrivateServer,
    SandboxError,
    ServerNotStarted,
    ServerUnavailable,
    attach_replica,
    find,
    replication_options,
    wait_until_caught_up,
)
from dbvigil.sandbox.cache import building
from dbvigil.sandbox.errors import ReplicaBehind
from dbvigil.sandbox.process import ProcessorTime
from tests.support.servers import MONITORING_PASSWORD, MONITORING_USER, PrivateServers, monitoring_url
from tests.support.waiting import PATIENCE, wait_for


def log_in(server: PrivateServer, **arguments: Any) -> pymysql.Connection[Any]:
    """A connection over TCP as the monitoring account."""
    settings: dict[str, Any] = {"host": server.host, "port": server.port, "connect_timeout": 5}
    account = {"user": MONITORING_USER, "password": MONITORING_PASSWORD}
    connection: pymysql.Connection[Any] = pymysql.connect(**(settings | account | arguments))
    return connection


def value(connection: pymysql.Connection[Any], sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
        assert row is not None
        return row[0]


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


# -- shared servers


def test_server_is_the_release_it_is_named_after(any_server: PrivateServer, release: str) -> None:
    version = any_server.execute("SELECT VERSION() AS version")[0]["version"]
    assert version.startswith(".".join(map(str, any_server.version)))
    assert release == f"{any_server.flavor}-{'.'.join(map(str, any_server.version[:2]))}"


def test_monitoring_account_reads_over_tcp_what_its_grants_allow(any_server: PrivateServer) -> None:
    with log_in(any_server) as connection:
        assert value(connection, "SELECT COUNT(*) FROM performance_schema.global_status") > 100
        assert value(connection, "SELECT COUNT(*) FROM information_schema.INNODB_METRICS") > 100
        assert value(connection, "SELECT sys_version FROM sys.version")
        with connection.cursor() as cursor:
            cursor.execute("SHOW ENGINE INNODB STATUS")
            cursor.execute("SHOW REPLICA STATUS")
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            value(connection, "SELECT COUNT(*) FROM mysql.user")


def test_administrator_cannot_come_in_over_tcp(any_server: PrivateServer) -> None:
    with pytest.raises(pymysql.err.OperationalError, match=r"Access denied|not allowed"):
        log_in(any_server, user="root", password="")


def test_monitoring_url_says_where_and_who(any_server: PrivateServer) -> None:
    parts = urlsplit(monitoring_url(any_server, ssl_mode="required"))
    assert (parts.hostname, parts.port, parts.query) == ("127.0.0.1", any_server.port, "ssl-mode=required")
    assert unquote(parts.password or "") == MONITORING_PASSWORD


def test_server_uses_cpu(any_server: PrivateServer) -> None:
    before = any_server.cpu_seconds()
    any_server.execute("SELECT BENCHMARK(3000000, SHA2('a', 256))")
    assert any_server.cpu_seconds() > before > 0


def test_processor_time_is_of_work_and_not_of_waiting(any_server: PrivateServer) -> None:
    took = []
    with any_server.connect() as connection, connection.cursor() as cursor:
        seen = any_server.processor_time()
        for text in (*["SELECT SLEEP(0.1)"] * 3, "SELECT BENCHMARK(300000, SHA2('a', 256))"):
            before = seen.milliseconds()
            cursor.execute(text)
            after = seen.milliseconds()
            assert before is not None and after is not None
            took.append(after - before)
    *waited, worked = took
    # The server may have something to do besides, after other tests; not all the time.
    assert worked > 20 > min(waited) >= 0


def test_processor_time_of_a_process_that_is_gone_is_unknown() -> None:
    assert ProcessorTime(2**22 + 1).milliseconds() is None


def test_account_survives_awkward_characters(any_server: PrivateServer) -> None:
    any_server.create_user("o'brien%s", "p%s'@:/\\", ["PROCESS ON *.*"])
    with log_in(any_server, user="o'brien%s", password="p%s'@:/\\") as connection:
        assert value(connection, "SELECT USER()").startswith("o'brien%s@")


# -- a server's life


def test_crash_and_restart_keep_data_and_port(private_server: PrivateServers, release: str) -> None:
    server = private_server(release)
    port, first_pid = server.port, server.pid
    server.execute("CREATE DATABASE kept")
    server.kill()
    assert not server.running
    with pytest.raises(SandboxError, match="no process"):
        _ = server.pid
    with pytest.raises(pymysql.err.OperationalError):
        log_in(server)
    server.start()
    assert server.port == port
    assert server.pid != first_pid
    assert server.execute("SHOW DATABASES LIKE 'kept'")
    second_pid = server.pid
    server.restart()
    assert server.pid != second_pid
    assert server.execute("SHOW DATABASES LIKE 'kept'")


def test_paused_server_keeps_connections_and_does_not_answer(
    private_server: PrivateServers, release: str
) -> None:
    server = private_server(release)
    with log_in(server) as connection:
        # Not earlier: to log in may take longer.
        connection._read_timeout = 1  # type: ignore[attr-defined]
        server.pause()
        assert server.running
        with pytest.raises(pymysql.err.OperationalError, match="timed out"):
            value(connection, "SELECT 1")
        server.resume()
    with log_in(server) as connection:
        assert value(connection, "SELECT 1") == 1


def test_paused_server_can_be_stopped_and_destroyed(private_server: PrivateServers) -> None:
    server = private_server("mariadb-10.11")
    server.pause()
    server.stop()
    assert not server.running
    pid = server.start().pid
    server.pause()
    server.destroy()
    assert is_gone(pid)
    assert not server.home.exists()


@pytest.mark.parametrize("paused", [False, True])
def test_server_dies_with_the_process_that_started_it(tmp_path: Path, paused: bool) -> None:
    script = (
        "import sys, pathlib; from dbvigil.sandbox import PrivateServer\n"
        "server = PrivateServer('mariadb-10.11', pathlib.Path(sys.argv[1])).start()\n"
        f"{'server.pause()' if paused else ''}\n"
        "print(server.pid, flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "server")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not is_gone(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_for(lambda: is_gone(pid), "the server's end")


def test_server_is_shut_down_cleanly_when_python_ends(tmp_path: Path) -> None:
    home = tmp_path / "server"
    script = (
        "import sys, pathlib; from dbvigil.sandbox import PrivateServer\n"
        "print(PrivateServer('mariadb-10.11', pathlib.Path(sys.argv[1])).start().pid)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(home)],
        capture_output=True,
        text=True,
        check=True,
        timeout=2 * PATIENCE,
    )
    assert is_gone(int(done.stdout))
    assert "Shutdown complete" in (home / "error.log").read_text()


def test_server_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    server = PrivateServer("mariadb-10.11", tmp_path / "server")
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    # The thread's death signal, were there one, would be delivered before join returns or very soon after.
    for _ in range(20):
        assert server.execute("SELECT 1 AS one") == [{"one": 1}]
        time.sleep(0.01)
    server.destroy()


# -- options


def test_options_win_over_defaults(private_server: PrivateServers, release: str) -> None:
    options = {"max_connections": 17, "innodb-buffer-pool-size": "64M"}
    server = private_server(release, performance_schema=False, options=options)
    row = server.execute(
        "SELECT @@max_connections AS clients, @@innodb_buffer_pool_size AS pool, @@performance_schema AS ps"
    )[0]
    assert row == {"clients": 17, "pool": 64 * 2**20, "ps": 0}


def test_start_failure_tells_what_the_server_said(tmp_path: Path, release: str) -> None:
    server = PrivateServer(release, tmp_path / "server", options={"no-such-option": 1})
    with pytest.raises(ServerNotStarted, match="no-such-option"):
        server.start()
    assert not server.running
    server.destroy()


def test_fixed_port_that_is_taken_is_an_error(any_server: PrivateServer, tmp_path: Path) -> None:
    server = PrivateServer(any_server.binary, tmp_path / "server", port=any_server.port)
    with pytest.raises(ServerNotStarted, match="port"):
        server.start()
    server.destroy()


def test_free_port_that_somebody_took_is_replaced(any_server: PrivateServer, tmp_path: Path) -> None:
    server = PrivateServer(any_server.binary, tmp_path / "server")
    server.port = any_server.port
    with server:
        assert server.port != any_server.port
        assert server.execute("SELECT @@port AS port") == [{"port": server.port}]


def test_home_of_something_else_is_neither_used_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    server = PrivateServer("mariadb-10.11", tmp_path)
    with pytest.raises(SandboxError, match="not empty"):
        server.start()
    server.destroy()
    assert (tmp_path / "thesis.txt").exists()


def test_home_of_another_release_is_refused(mysql: PrivateServer) -> None:
    with pytest.raises(SandboxError, match=r"holds the data of mysql-9\.7"):
        PrivateServer("mariadb-10.11", mysql.home).start()
    assert mysql.execute("SELECT 1 AS one") == [{"one": 1}]


def test_long_home_still_has_a_usable_socket(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 20) / "server"
    with PrivateServer("mariadb-10.11", home) as server:
        assert len(os.fsencode(server.socket)) <= 100
        assert server.socket.exists()
        folder = server.socket.parent
        assert server.execute("SELECT 1 AS one") == [{"one": 1}]
    assert not folder.exists()


# -- TLS


def test_certificate_is_good_for_its_authority_and_names_only(
    private_server: PrivateServers, release: str, tmp_path: Path
) -> None:
    certificates = Certificates.create(tmp_path / "certificates", ["127.0.0.1"])
    server = private_server(release, tls=certificates)
    trusting = ssl.create_default_context(cafile=str(certificates.ca))
    with log_in(server, ssl=trusting) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        row = cursor.fetchone()
        assert row is not None
        assert row[1]
    mistrusting = ssl.create_default_context(cafile=str(certificates.other_ca))
    with pytest.raises(pymysql.err.OperationalError, match="certificate verify failed"):
        log_in(server, ssl=mistrusting)
    with pytest.raises(pymysql.err.OperationalError, match="certificate"):
        log_in(server, host="localhost", ssl=trusting)


def test_account_can_require_tls_and_a_client_certificate(
    private_server: PrivateServers, release: str, tmp_path: Path
) -> None:
    certificates = Certificates.create(tmp_path / "certificates")
    server = private_server(release, tls=certificates)
    server.create_user("careful", "secret", require="X509")
    context = ssl.create_default_context(cafile=str(certificates.ca))
    with pytest.raises(pymysql.err.OperationalError, match="denied"):
        log_in(server, user="careful", password="secret", ssl=context)
    context.load_cert_chain(certificates.client_cert, certificates.client_key)
    with log_in(server, user="careful", password="secret", ssl=context) as connection:
        assert value(connection, "SELECT USER()").startswith("careful@")


# -- replication


@pytest.mark.parametrize("gtid", [True, False], ids=["gtid", "file position"])
def test_replica_follows_its_source(private_server: PrivateServers, release: str, gtid: bool) -> None:
    flavor = find(release).flavor
    source = private_server(release, options=replication_options(flavor, gtid=gtid))
    replica = private_server(release, options=replication_options(flavor, gtid=gtid))
    attach_replica(source, replica, gtid=gtid)
    source.execute("CREATE DATABASE shop")
    source.execute("CREATE TABLE shop.item (id INT PRIMARY KEY)")
    source.execute("INSERT INTO shop.item VALUES (1), (2)")
    wait_until_caught_up(replica, source)
    assert replica.execute("SELECT COUNT(*) AS items FROM shop.item") == [{"items": 2}]
    assert source.execute("SELECT @@server_id AS id") != replica.execute("SELECT @@server_id AS id")
    replica.execute("STOP REPLICA")
    source.execute("INSERT INTO shop.item VALUES (3)")
    with pytest.raises(ReplicaBehind, match=f"port {replica.port}"):
        wait_until_caught_up(replica, source, timeout=1)


def test_replica_of_two_sources_with_a_delayed_channel(private_server: PrivateServers, release: str) -> None:
    flavor = find(release).flavor
    first, second, replica = (
        private_server(release, options=replication_options(flavor, domain=domain)) for domain in (1, 2, 3)
    )
    attach_replica(first, replica, channel="first")
    attach_replica(second, replica, channel="second", delay=7)
    first.execute("CREATE DATABASE one")
    wait_until_caught_up(replica, first, channel="first")
    assert replica.execute("SHOW DATABASES LIKE 'one'")
    if flavor == "mysql":
        rows = replica.execute("SHOW REPLICA STATUS")
        delays = {row["Channel_Name"]: row["SQL_Delay"] for row in rows}
    else:
        rows = replica.execute("SHOW ALL REPLICAS STATUS")
        delays = {row["Connection_name"]: row["SQL_Delay"] for row in rows}
    assert delays == {"first": 0, "second": 7}


def test_replica_reads_over_tls_where_its_source_has_a_certificate(
    private_server: PrivateServers, release: str, tmp_path: Path
) -> None:
    flavor = find(release).flavor
    certificates = Certificates.create(tmp_path / "certificates")
    options = {**replication_options(flavor), "require-secure-transport": "ON"}
    source = private_server(release, options=options, tls=certificates)
    replica = private_server(release, options=replication_options(flavor))
    attach_replica(source, replica)
    source.execute("CREATE DATABASE safe")
    wait_until_caught_up(replica, source)
    assert replica.execute("SHOW DATABASES LIKE 'safe'")


# -- what is not there


def test_unknown_release_names_the_known_ones() -> None:
    with pytest.raises(ServerUnavailable, match=r"oracle-23 cannot be had.*mariadb-10\.11"):
        find("oracle-23")


def test_missing_release_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBVIGIL_CACHE", str(tmp_path))
    with pytest.raises(ServerUnavailable, match=r"python -m dbvigil\.sandbox install mysql-9\.7"):
        find("mysql-9.7")


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "thing"

    def fail() -> None:
        with building(target) as draft:
            assert draft is not None
            (draft / "half").touch()
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == [".thing.lock"]
    with building(target) as draft:
        assert draft is not None
        (draft / "whole").touch()
    assert (target / "whole").exists()
    with building(target) as draft:
        assert draft is None
