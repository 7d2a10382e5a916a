"""Replicas that are mended: started again where the error passes, sped up for a time, and every setting put back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dbvigil import conf
from dbvigil.errors import RecoveryRefused
from dbvigil.models import RecoveryAttempt, RecoveryChange, TargetState
from dbvigil.recovery import by_hand, perform, putting_back
from dbvigil.recovery.actions.speed_up_replica import SpeedUpReplica
from dbvigil.recovery.by_hand import recover
from dbvigil.recovery.putting_back import put_back_attempt
from dbvigil.sandbox import PrivateServer, attach_replica, replication_options, wait_until_caught_up
from tests.support import recovering
from tests.support.servers import PrivateServers
from tests.support.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.django_db

RELEASES = ("mysql-9.7", "mariadb-10.11")
WORKERS = {"mysql": "replica_parallel_workers", "mariadb": "slave_parallel_threads"}
STATUS = {"mysql": "SHOW REPLICA STATUS", "mariadb": "SHOW ALL SLAVES STATUS"}
COLUMNS = {
    "mysql": ("Replica_IO_Running", "Replica_SQL_Running"),
    "mariadb": ("Slave_IO_Running", "Slave_SQL_Running"),
}
SLOW = 250
"""Statements that it is behind, 0.4 s each: more than any test takes to look and to act."""
SETTINGS = ("innodb_flush_log_at_trx_commit", "sync_binlog", *WORKERS.values())


@dataclass
class Pair:
    source: PrivateServer
    replica: PrivateServer

    def threads(self) -> tuple[str, str]:
        row = self.replica.execute(STATUS[self.replica.flavor])[0]
        io, sql = COLUMNS[self.replica.flavor]
        return row[io], row[sql]

    def say(self, word: str, thread: str) -> None:
        noun = "REPLICA" if self.replica.flavor == "mysql" else "SLAVE"
        self.replica.execute(f"{word} {noun} {thread}")

    def settings(self) -> dict[str, str]:
        """What recovery could change."""
        names = ", ".join(f"'{name}'" for name in SETTINGS)
        rows = self.replica.execute(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
        return {row["Variable_name"]: row["Value"] for row in rows}

    def all_settings(self) -> dict[str, str]:
        """Everything that does not change by itself."""
        rows = self.replica.execute(
            "SHOW GLOBAL VARIABLES WHERE Variable_name NOT LIKE 'gtid%%' AND Variable_name NOT LIKE '%%timestamp%%'"
        )
        return {row["Variable_name"]: row["Value"] for row in rows}


@pytest.fixture(autouse=True)
def patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt and its way back have the time that a busy machine takes, but in the test of what takes too long."""
    if "too_long" in request.node.name:
        return
    monkeypatch.setattr(by_hand, "SECONDS", PATIENCE)
    monkeypatch.setattr(perform, "CONNECT_SECONDS", PATIENCE)
    for module in (perform, putting_back):
        monkeypatch.setattr(module, "BACK_SECONDS", PATIENCE)


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def pair(release: str, private_server: PrivateServers) -> Pair:
    # Whoever waits for a row asks again each second, so that it can be stopped; and again, and again.
    return make_pair(
        private_server, release, {"innodb-lock-wait-timeout": 1, "slave-transaction-retries": 1000}
    )


def make_pair(private_server: PrivateServers, release: str, replica_options: dict[str, Any]) -> Pair:
    """A replica, read-only, whose applier is slow to sync."""
    flavor = release.split("-", maxsplit=1)[0]
    options = replication_options(flavor)
    durable = {"innodb-flush-log-at-trx-commit": 1, "sync-binlog": 1, "read-only": "ON"}
    workers = {"mysql": {"replica-parallel-workers": 1}, "mariadb": {}}[flavor]
    source = private_server(release, options=options)
    replica = private_server(release, options={**options, **durable, **workers, **replica_options})
    attach_replica(source, replica)
    source.execute("CREATE DATABASE till")
    source.execute("CREATE TABLE till.t (id INT PRIMARY KEY, v INT)")
    wait_until_caught_up(replica, source)
    return Pair(source, replica)


@pytest.fixture
def behind(pair: Pair) -> Pair:
    """Its applier is slower than the source: each of many statements sleeps on the replica, and there alone."""
    with pair.source.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION binlog_format = 'STATEMENT'")
        for number in range(SLOW):
            cursor.execute(f"INSERT INTO till.t SELECT {number}, IF(@@GLOBAL.read_only, SLEEP(0.4), 0)")
    return pair


def watched(settings: Any, pair: Pair, options: Any) -> None:
    recovering.configure(settings, pair.replica, options, "replica")
    watch()


def watch() -> None:
    """A monitor holds the lease, and goes on doing so however long a test takes."""
    renewed = datetime.now(UTC) + timedelta(hours=1)
    TargetState.objects.create(alias="replica", holder="a monitor", renewed_at=renewed)


def test_an_applier_that_gave_up_on_a_lock_is_started_again(
    private_server: PrivateServers, release: str, settings: Any
) -> None:
    # It gives up at once on a row that somebody holds: error 1205.
    pair = make_pair(private_server, release, {"innodb-lock-wait-timeout": 1, "slave-transaction-retries": 0})
    recovering.configure(settings, pair.replica, {}, "replica")
    with pair.replica.connect(autocommit=False) as locking:
        with locking.cursor() as cursor:
            cursor.execute("INSERT INTO till.t VALUES (1, 1)")
        pair.source.execute("INSERT INTO till.t VALUES (1, 1)")
        wait_for(lambda: pair.threads()[1] == "No", "the applier to stop", 60)
        locking.rollback()
    planned = recover("restart_replication", "replica", "a try", "ada")
    assert [(step["thread"], step["error"]) for step in planned["plan"]] == [("applier", 1205)]
    assert pair.threads()[1] == "No"
    done = recover("restart_replication", "replica", "the lock is gone", "ada", live=True)
    assert (done["outcome"], done["verified"]) == ("succeeded", True)
    wait_until_caught_up(pair.replica, pair.source)


def test_a_receiver_that_lost_its_source_is_started_again(
    private_server: PrivateServers, release: str, settings: Any
) -> None:
    mysql = release.startswith("mysql")
    pair = make_pair(private_server, release, {} if mysql else {"master-retry-count": 1})
    recovering.configure(settings, pair.replica, {}, "replica")
    if mysql:
        pair.replica.execute("STOP REPLICA")
        pair.replica.execute("CHANGE REPLICATION SOURCE TO SOURCE_RETRY_COUNT = 1")
        pair.replica.execute("START REPLICA")
    pair.say("STOP", "IO_THREAD")
    pair.source.stop()
    pair.say("START", "IO_THREAD")
    wait_for(lambda: pair.threads()[0] == "No", "the receiver to give up", 60)
    pair.source.start()
    done = recover("restart_replication", "replica", "the source is back", "ada", live=True)
    assert (done["outcome"], done["plan"][0]["thread"]) == ("succeeded", "receiver")
    wait_for(lambda: pair.threads() == ("Yes", "Yes"), "both threads to run")


def test_what_stopped_for_good_or_on_purpose_stays_as_it_is(pair: Pair, settings: Any) -> None:
    recovering.configure(settings, pair.replica, {}, "replica")
    pair.say("STOP", "SQL_THREAD")
    on_purpose = recover("restart_replication", "replica", "a try", "ada", live=True)
    assert (on_purpose["outcome"], on_purpose["plan"]) == ("nothing", [])
    assert "it stopped without an error: somebody stopped it" in on_purpose["left"]
    pair.replica.execute("INSERT INTO till.t VALUES (7, 7)")
    pair.source.execute("INSERT INTO till.t VALUES (7, 8)")
    pair.say("START", "SQL_THREAD")
    wait_for(lambda: pair.threads()[1] == "No", "the applier to stop")
    for_good = recover("restart_replication", "replica", "a try", "ada", live=True)
    assert (for_good["outcome"], for_good["plan"]) == ("nothing", [])
    assert "error 1062 is not one that passes" in for_good["left"]
    assert pair.threads()[1] == "No"


def test_a_replica_is_sped_up_and_everything_is_put_back(behind: Pair, settings: Any) -> None:
    pair = behind
    before = pair.all_settings()
    watched(settings, pair, {"speed_up_replica": {"workers": 4}})
    wait_for(lambda: recover("speed_up_replica", "replica", "a try", "ada")["plan"], "it to be behind")
    assert pair.all_settings() == before, "a dry run changed something"

    done = recover("speed_up_replica", "replica", "it is needed tonight", "ada", live=True)
    assert (done["outcome"], done["verified"], done["error"]) == ("succeeded", True, ""), str(
        [done["done"], done["error"]]
    )
    during = pair.settings()
    assert (during["innodb_flush_log_at_trx_commit"], during["sync_binlog"]) == ("2", "0")
    assert during[WORKERS[pair.replica.flavor]] == "4"
    assert pair.threads() == ("Yes", "Yes")
    assert done["undo_at"] is not None

    (attempt,) = RecoveryAttempt.objects.filter(outcome="succeeded")
    configuration = conf.load()
    assert put_back_attempt(attempt, configuration.targets["replica"], configuration, perform.utcnow)
    assert pair.all_settings() == before
    assert pair.threads() == ("Yes", "Yes")
    left = RecoveryChange.objects.filter(attempt=attempt, closed_at=None)
    assert not left.exists()
    # Nobody waits for what is left to sleep.
    pair.replica.execute("SET GLOBAL read_only = OFF")
    wait_until_caught_up(pair.replica, pair.source, 90)


def test_what_somebody_else_has_set_meanwhile_is_left(behind: Pair, settings: Any) -> None:
    watched(settings, behind, {"speed_up_replica": {"workers": 4}})
    wait_for(lambda: recover("speed_up_replica", "replica", "a try", "ada")["plan"], "it to be behind")
    recover("speed_up_replica", "replica", "it is needed tonight", "ada", live=True)
    behind.replica.execute("SET GLOBAL sync_binlog = 50")
    (attempt,) = RecoveryAttempt.objects.filter(outcome="succeeded")
    configuration = conf.load()
    assert put_back_attempt(attempt, configuration.targets["replica"], configuration, perform.utcnow)
    assert behind.settings()["sync_binlog"] == "50"
    assert behind.settings()["innodb_flush_log_at_trx_commit"] == "1"
    assert RecoveryChange.objects.get(name="sync_binlog").result == "somebody has set it to 50: left"


def test_a_server_that_was_restarted_has_forgotten(behind: Pair, settings: Any) -> None:
    before = behind.settings()
    watched(settings, behind, {"speed_up_replica": {"workers": 4}})
    wait_for(lambda: recover("speed_up_replica", "replica", "a try", "ada")["plan"], "it to be behind")
    recover("speed_up_replica", "replica", "it is needed tonight", "ada", live=True)
    # As if it had run for long: then its age alone tells.
    RecoveryChange.objects.update(uptime=1e6)
    behind.replica.restart()
    (attempt,) = RecoveryAttempt.objects.filter(outcome="succeeded")
    configuration = conf.load()
    assert put_back_attempt(attempt, configuration.targets["replica"], configuration, perform.utcnow)
    assert behind.settings() == before
    results = set(RecoveryChange.objects.filter(kind="setting").values_list("result", flat=True))
    assert results == {"the server was restarted and has its own settings"}


def test_nothing_lasting_is_done_where_no_monitor_would_put_it_back(behind: Pair, settings: Any) -> None:
    recovering.configure(settings, behind.replica, {}, "replica")
    wait_for(lambda: recover("speed_up_replica", "replica", "a try", "ada")["plan"], "it to be behind")
    before = behind.settings()
    with pytest.raises(RecoveryRefused, match="no monitor watches this database"):
        recover("speed_up_replica", "replica", "it is needed", "ada", live=True)
    TargetState.objects.create(
        alias="replica", holder="gone", renewed_at=datetime.now(UTC) - timedelta(minutes=1)
    )
    with pytest.raises(RecoveryRefused, match="no monitor watches this database"):
        recover("speed_up_replica", "replica", "it is needed", "ada", live=True)
    assert behind.settings() == before


def test_a_missing_grant_in_the_middle_puts_back_what_was_set(behind: Pair, settings: Any) -> None:
    mysql = behind.replica.flavor == "mysql"
    lacking = "REPLICATION_SLAVE_ADMIN ON *.*" if mysql else "BINLOG ADMIN ON *.*"
    without = [lacking] if mysql else [lacking, "SUPER ON *.*"]
    before = behind.settings()
    settings.DB_RECOVERY_ACTIONS = {}
    recovering.configure(settings, behind.replica, {"speed_up_replica": {"workers": 4}}, "replica", *without)
    watch()
    wait_for(lambda: recover("speed_up_replica", "replica", "a try", "ada")["plan"], "it to be behind")
    done = recover("speed_up_replica", "replica", "it is needed", "ada", live=True)
    assert done["outcome"] == "failed"
    assert f"GRANT {'REPLICATION_SLAVE_ADMIN' if mysql else 'SUPER'} ON *.* TO" in done["error"]
    assert behind.settings() == before
    assert done["undo_at"] is None


def test_the_actions_name_is_the_one_of_its_options() -> None:
    assert SpeedUpReplica.name in conf.load().recovery.actions


def test_an_applier_that_takes_too_long_to_stop_runs_again_afterwards(
    private_server: PrivateServers, release: str, settings: Any
) -> None:
    # It waits for a row that somebody holds, and cannot be stopped before it has it.
    pair = make_pair(private_server, release, {"innodb-lock-wait-timeout": 100})
    before = pair.settings()
    watched(settings, pair, {"speed_up_replica": {"workers": 4}})
    with pair.replica.connect(autocommit=False) as locking:
        with locking.cursor() as cursor:
            cursor.execute("INSERT INTO till.t VALUES (1, 1)")
        pair.source.execute("INSERT INTO till.t VALUES (1, 1)")
        pair.source.execute("INSERT INTO till.t VALUES (2, 2)")
        wait_for(lambda: recover("speed_up_replica", "replica", "a try", "ada")["plan"], "it to be behind")
        done = recover("speed_up_replica", "replica", "it is needed", "ada", live=True)
        assert done["outcome"] == "failed"
        locking.rollback()
    attempt = RecoveryAttempt.objects.get(mode="live")
    configuration = conf.load()

    def put_back() -> bool:
        """As the monitor does, again and again until nothing is open."""
        rows = RecoveryChange.objects.filter(attempt=attempt, closed_at=None)
        return not rows.exists() or put_back_attempt(
            attempt, configuration.targets["replica"], configuration, perform.utcnow
        )

    wait_for(put_back, "everything to be put back", 60)
    wait_until_caught_up(pair.replica, pair.source)
    assert pair.settings() == before
    assert pair.threads() == ("Yes", "Yes")
