"""Recovery by the monitor itself, a real process: what it does on an alert, what it leaves, what it puts back after it was killed."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from dbvigil.monitoring.leases import LEASE_SECONDS
from dbvigil.sandbox import PrivateServer, attach_replica, replication_options, wait_until_caught_up
from tests.support import crowd, recovering
from tests.support.blocked import running, until
from tests.support.receiver import Receiver
from tests.support.servers import MONITORING_USER, PrivateServers, monitoring_url
from tests.support.service import Service
from tests.support.waiting import PATIENCE

RELEASES = ("mysql-9.7", "mariadb-10.11")
LONG = "SELECT SLEEP(600), 'secret of ada' FROM DUAL"
SETTINGS = (
    "'innodb_flush_log_at_trx_commit', 'sync_binlog', 'replica_parallel_workers', 'slave_parallel_threads'"
)
SPEED_UP = {"speed_up_replica": {"mode": "live", "workers": 4}}
LAG = {"DB_ALERT_REPLICATION_WARNING": "1", "DB_ALERT_REPLICATION_CRITICAL": "2"}


def rules(metric: str) -> str:
    return json.dumps({metric: {"hold": 1, "critical_hold": 1, "keep": 1}})


@pytest.fixture(params=RELEASES)
def server(request: pytest.FixtureRequest, private_server: PrivateServers) -> PrivateServer:
    made = private_server(request.param)
    made.execute("CREATE DATABASE till")
    made.create_user("app", "app-Secret-1", ("ALL ON till.*",))
    return made


@pytest.fixture
def shop(service: Service, server: PrivateServer, receiver: Receiver) -> Service:
    """A service that alerts at once where statements of `server` run for long, and may recover."""
    service.targets = {"shop": monitoring_url(server)}
    service.extra |= {
        "DB_ALERT_WEBHOOK_URL": receiver.url,
        "DB_ALERT_THRESHOLDS": json.dumps({"*": {"longest_query_seconds": {"warning": 2, "critical": 3}}}),
        "DB_ALERT_RULES": rules("longest_query_seconds"),
        "DB_RECOVERY_ACCOUNTS": f"shop={recovering.add_account(server)}",
        "DB_RECOVERY_ACTIONS": json.dumps({"end_long_statements": {"mode": "live", "limit_seconds": 5}}),
    }
    return service


def attempts(service: Service) -> list[tuple[Any, ...]]:
    return service.rows(
        "SELECT action, mode, outcome FROM dbvigil_recoveryattempt WHERE outcome <> 'nothing' ORDER BY id"
    )


def events(service: Service) -> list[str]:
    found = service.rows("SELECT event FROM dbvigil_auditevent ORDER BY id")
    return [event for (event,) in found if event.startswith(("fired", "recovery", "resolved"))]


def settings_of(server: PrivateServer) -> dict[str, str]:
    rows = server.execute(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({SETTINGS})")
    return {row["Variable_name"]: row["Value"] for row in rows}


def runs(server: PrivateServer, number: int) -> bool:
    sql = "SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = %s AND COMMAND = 'Query'"
    return bool(server.execute(sql, number))


@pytest.mark.timeout(600)
def test_a_long_statement_is_ended_on_its_alert_and_that_is_told(
    shop: Service, server: PrivateServer, receiver: Receiver
) -> None:
    shop.extra["DB_RECOVERY_ENABLED"] = "true"
    shop.start_monitor("--interval", "1")
    with running(server, LONG, server.connect(user="app", password="app-Secret-1", database="till")) as long:
        shop.wait_for(
            lambda: ("end_long_statements", "live", "succeeded") in attempts(shop), 60, "nothing was done"
        )
        assert not runs(server, long)
    shop.wait_for(
        lambda: "alert.recovery_succeeded" in [body["type"] for _, body in receiver.messages],
        30,
        "nobody is told",
    )
    # One that was answered too late is sent again, under its own name.
    messages = dict(receiver.messages).values()
    (told,) = [body["data"] for body in messages if body["type"] == "alert.recovery_succeeded"]
    assert told["metric"] == "longest_query_seconds"
    assert told["recovery"]["action"] == "end_long_statements"
    assert told["recovery"]["actor"] == "dbvigil"
    assert "(done)" in told["recovery"]["done"][0]
    # Not "ada" alone, which a digest may have by chance.
    assert "of ada" not in json.dumps(told)
    shop.wait_for(lambda: "resolved" in events(shop), 30, "it is not over")
    assert events(shop)[-4:] in (
        ["fired", "recovery_attempted", "recovery_succeeded", "resolved"],
        ["recovery_attempted", "recovery_attempted", "recovery_succeeded", "resolved"],
    )
    assert json.loads(shop.manage("database_monitor", "verify-audit", "--json").stdout)["faults"] == []


@pytest.mark.timeout(600)
def test_while_recovery_is_not_enabled_it_says_once_what_it_would_do_and_tells_nobody(
    shop: Service, server: PrivateServer, receiver: Receiver
) -> None:
    shop.extra["DB_RECOVERY_ACTIONS"] = json.dumps(
        {"end_long_statements": {"mode": "live", "limit_seconds": 5}}
    )
    with running(server, LONG, server.connect(user="app", password="app-Secret-1", database="till")) as long:
        until(lambda: runs(server, long), "it does not run")
        before = server.execute(
            "SHOW GLOBAL VARIABLES WHERE Variable_name NOT LIKE '%%timestamp%%' AND Variable_name NOT LIKE 'gtid%%'"
        )
        # It has run for longer than the limit when the alert fires.
        until(
            lambda: bool(
                server.execute(
                    "SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = %s AND TIME > 6", long
                )
            ),
            "it is not long",
        )
        shop.start_monitor("--interval", "1")
        shop.wait_for(
            lambda: ("end_long_statements", "dry_run", "planned") in attempts(shop), 60, "nothing was planned"
        )
        taken = shop.samples("shop")
        shop.wait_for(lambda: shop.samples("shop") > taken + 4, 30, "it samples no more")
        assert runs(server, long)
        assert attempts(shop) == [("end_long_statements", "dry_run", "planned")]
        after = server.execute(
            "SHOW GLOBAL VARIABLES WHERE Variable_name NOT LIKE '%%timestamp%%' AND Variable_name NOT LIKE 'gtid%%'"
        )
        assert after == before
    assert events(shop)[:2] == ["fired", "recovery_attempted"]
    assert not [body for _, body in receiver.messages if body["type"].startswith("alert.recovery")]


@pytest.mark.timeout(600)
def test_what_somebody_has_taken_up_is_left_to_them(shop: Service, server: PrivateServer) -> None:
    shop.extra["DB_RECOVERY_ACTIONS"] = json.dumps({"end_long_statements": "off"})
    first = shop.start_monitor("--interval", "1")
    with running(server, LONG, server.connect(user="app", password="app-Secret-1", database="till")) as long:
        # One that becomes critical after it was taken up is nobody's again.
        critical = [("critical",)]
        shop.wait_for(
            lambda: shop.rows("SELECT severity FROM dbvigil_episode") == critical, 60, "it does not fire"
        )
        shop.manage("database_monitor", "acknowledge", "1", "--user", "ada")
        first.send_signal(signal.SIGTERM)
        first.wait(PATIENCE)
        shop.extra |= {
            "DB_RECOVERY_ENABLED": "true",
            "DB_RECOVERY_ACTIONS": json.dumps({"end_long_statements": {"mode": "live", "limit_seconds": 5}}),
        }
        shop.start_monitor("--interval", "1")
        taken = shop.samples("shop")
        shop.wait_for(lambda: shop.samples("shop") > taken + 6, 30, "it samples no more")
        assert runs(server, long)
        assert attempts(shop) == []


@pytest.fixture(params=RELEASES)
def replica(
    request: pytest.FixtureRequest, private_server: PrivateServers, service: Service
) -> Iterator[PrivateServer]:
    """A replica that is behind for as long as it is read-only, monitored by a service that may speed it up."""
    flavor = request.param.split("-")[0]
    options = replication_options(flavor)
    slow = {"innodb-flush-log-at-trx-commit": 1, "sync-binlog": 1, "read-only": "ON"}
    if flavor == "mysql":
        slow["replica-parallel-workers"] = 1
    source = private_server(request.param, options=options)
    made = private_server(request.param, options={**options, **slow})
    attach_replica(source, made)
    source.execute("CREATE DATABASE till")
    source.execute("CREATE TABLE till.t (id INT PRIMARY KEY, v INT)")
    wait_until_caught_up(made, source)
    service.targets = {"replica": monitoring_url(made)}
    service.extra |= {
        **LAG,
        "DB_ALERT_RULES": rules("replication_lag"),
        "DB_RECOVERY_ACCOUNTS": f"replica={recovering.add_account(made)}",
        "DB_RECOVERY_ACTIONS": json.dumps(SPEED_UP),
        "DB_RECOVERY_ENABLED": "true",
    }
    with source.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION binlog_format = 'STATEMENT'")
        # More than a busy machine applies before the tests have done what they do while it is behind.
        for number in range(400):
            cursor.execute(f"INSERT INTO till.t SELECT {number}, IF(@@GLOBAL.read_only, SLEEP(0.5), 0)")
    yield made


def open_changes(service: Service) -> int:
    ((count,),) = service.rows("SELECT COUNT(*) FROM dbvigil_recoverychange WHERE closed_at IS NULL")
    return int(count)


def applier_runs(server: PrivateServer) -> bool:
    mysql = server.flavor == "mysql"
    row = server.execute("SHOW REPLICA STATUS" if mysql else "SHOW ALL SLAVES STATUS")[0]
    return bool(row["Replica_SQL_Running" if mysql else "Slave_SQL_Running"] == "Yes")


@pytest.mark.timeout(600)
def test_a_monitor_that_is_killed_between_apply_and_undo_leaves_old_settings_after_its_restart(
    service: Service, replica: PrivateServer
) -> None:
    before = settings_of(replica)
    first = service.start_monitor("--interval", "1")
    service.wait_for(
        lambda: ("speed_up_replica", "live", "succeeded") in attempts(service), 60, "it is not sped up"
    )
    relaxed = settings_of(replica)
    assert (relaxed["innodb_flush_log_at_trx_commit"], relaxed["sync_binlog"]) == ("2", "0")
    first.kill()
    first.wait()
    assert open_changes(service) >= 2
    assert settings_of(replica) == relaxed
    # Whoever starts it again may have switched recovery off meanwhile.
    service.extra["DB_RECOVERY_ENABLED"] = "false"
    service.start_monitor("--interval", "1")
    service.wait_for(lambda: open_changes(service) == 0, 3 * LEASE_SECONDS + 30, "it is not put back")
    assert settings_of(replica) == before
    assert applier_runs(replica)
    # That is told after the last change was closed.
    service.wait_for(lambda: "recovery_undone" in events(service), what="it is not told")


@pytest.mark.timeout(600)
def test_a_monitor_that_is_killed_at_any_moment_of_applying_leaves_old_settings_after_its_restart(
    service: Service, replica: PrivateServer
) -> None:
    before = settings_of(replica)
    first = service.start_monitor("--interval", "1")
    # The record is there before the first setting: killed as soon as it is seen, whatever was done by then.
    service.wait_for(lambda: open_changes(service) > 0, 60, "nothing is begun")
    first.kill()
    first.wait()
    service.extra["DB_RECOVERY_ENABLED"] = "false"
    service.start_monitor("--interval", "1")
    service.wait_for(lambda: open_changes(service) == 0, 3 * LEASE_SECONDS + 60, "it is not put back")
    assert settings_of(replica) == before
    service.wait_for(lambda: applier_runs(replica), 30, "the applier does not run")
    outcomes = {outcome for _, mode, outcome in attempts(service) if mode == "live"}
    assert outcomes <= {"interrupted", "succeeded"}


@pytest.mark.parametrize("replica", ["mariadb-10.11"], indirect=True)
@pytest.mark.timeout(600)
def test_a_monitor_that_stops_puts_everything_back_first(service: Service, replica: PrivateServer) -> None:
    before = settings_of(replica)
    monitor = service.start_monitor("--interval", "1")
    service.wait_for(
        lambda: ("speed_up_replica", "live", "succeeded") in attempts(service), 60, "it is not sped up"
    )
    assert settings_of(replica) != before
    monitor.send_signal(signal.SIGTERM)
    assert monitor.wait(PATIENCE) == 0, service.log()
    assert settings_of(replica) == before
    assert open_changes(service) == 0
    assert applier_runs(replica)


@pytest.mark.parametrize("replica", ["mariadb-10.11"], indirect=True)
@pytest.mark.timeout(600)
def test_what_was_relaxed_is_put_back_once_the_replica_has_caught_up(
    service: Service, replica: PrivateServer
) -> None:
    before = settings_of(replica)
    service.start_monitor("--interval", "1")
    service.wait_for(
        lambda: ("speed_up_replica", "live", "succeeded") in attempts(service), 60, "it is not sped up"
    )
    assert settings_of(replica) != before
    # From here on nothing holds the replica up.
    replica.execute("SET GLOBAL read_only = OFF")
    service.wait_for(lambda: open_changes(service) == 0, 120, "it is not put back")
    assert settings_of(replica) == before

    def caught_up() -> bool:
        lag = service.metrics("replica")["replication_lag"]
        return lag is not None and lag <= 1

    # A sample may have found the applier stopped for a moment, for the number of its workers.
    service.wait_for(caught_up, what="it is behind again")


def connections_of_monitor(server: PrivateServer) -> set[int]:
    sql = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = %s"
    return {row["ID"] for row in server.execute(sql, MONITORING_USER)}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("server", ["mariadb-10.11"], indirect=True)
def test_the_monitors_own_connection_is_opened_anew(shop: Service, server: PrivateServer) -> None:
    shop.extra |= {
        **crowd.levels(),
        "DB_RECOVERY_ENABLED": "true",
        "DB_RECOVERY_ACTIONS": json.dumps({"reset_connections": "live"}),
    }
    shop.start_monitor("--interval", "1")
    shop.wait_for(lambda: shop.samples("shop") > 1, 30, "it is not sampled")
    before = connections_of_monitor(server)
    assert len(before) == 1
    with crowd.on(server):
        shop.wait_for(
            lambda: ("reset_connections", "live", "succeeded") in attempts(shop), 60, "it is not reset"
        )
        shop.wait_for(
            lambda: connections_of_monitor(server) and not before & connections_of_monitor(server),
            20,
            "it is the old one",
        )
    taken = shop.samples("shop")
    shop.wait_for(lambda: shop.samples("shop") > taken + 2, 20, "it samples no more")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("server", ["mysql-9.7"], indirect=True)
def test_the_command_ends_a_statement_by_hand(shop: Service, server: PrivateServer) -> None:
    flags = (
        "database_monitor",
        "recover",
        "end_long_statements",
        "--database",
        "shop",
        "--reason",
        "the till waits",
    )
    with running(server, LONG, server.connect(user="app", password="app-Secret-1", database="till")) as long:
        until(
            lambda: bool(
                server.execute(
                    "SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = %s AND TIME > 6", long
                )
            ),
            "it is not long",
        )
        planned = json.loads(shop.manage(*flags, "--json").stdout)
        assert [step["session"] for step in planned["plan"]] == [long]
        assert runs(server, long)
        done = json.loads(shop.manage(*flags, "--live", "--json").stdout)
        assert (done["outcome"], done["verified"]) == ("succeeded", True)
        assert not runs(server, long)
        again = shop.manage(*flags, "--live", expect=1)
        assert "cooling down" in again.stderr
        assert again.stderr.count("\n") == 1
    assert "secret" not in shop.manage("database_monitor", "recover").stdout
