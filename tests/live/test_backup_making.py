"""Backups of real servers: consistent while others write, whole or not at all, and proved by what their restore holds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbvigil.backups import dumping, making
from dbvigil.backups.comparing import Figures, Truth
from dbvigil.backups.errors import BackupError, DamagedBackup, Ended
from dbvigil.backups.packing import unpacked
from dbvigil.backups.programs import Stop
from dbvigil.backups.restoring import restore
from dbvigil.errors import AccessDenied
from dbvigil.sandbox import PrivateServer, replication_options
from dbvigil.targets import Target
from tests.support.backups import (
    KEY,
    PASSWORD,
    TOTAL,
    USER,
    bank,
    everything,
    keeper,
    made,
    proved,
    total,
    transfers,
)
from tests.support.disks import fill
from tests.support.servers import PrivateServers
from tests.support.waiting import PATIENCE, wait_for


@pytest.fixture(scope="module")
def kept(any_server: PrivateServer) -> Iterator[Target]:
    """A server with a schema of everything, as the account for backups sees it."""
    everything(any_server, "every-thing")
    yield keeper(any_server)
    any_server.execute("DROP DATABASE `every-thing`")


def test_a_backup_of_everything_is_proved(kept: Target, any_server: PrivateServer, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    found = made(kept, path, databases=("every-thing",), key=KEY)
    proof = proved(path, found, tmp_path / "private", (KEY,))
    assert proof.to_dict()["tables"] == []
    assert proof.comparison.verified
    assert (
        proof.comparison.count("equal")
        == len(found.held.tables)
        == (8 if any_server.flavor == "mariadb" else 7)
    )
    others = {
        "routine": ["every-thing.doing (procedure)", "every-thing.one (function)"],
        "trigger": ["every-thing.before_child"],
        "event": ["every-thing.daily"],
        "view": ["every-thing.shown"],
    }
    if any_server.flavor == "mariadb":
        others["view"].insert(0, "every-thing.numbers")
    assert {kind: sorted(names) for kind, names in found.held.others.items()} == others
    assert found.held.tables["every-thing.twins"].before == found.held.tables["every-thing.twins"].after
    assert found.facts["warnings"] == [
        "every-thing.loose: not in the snapshot, for their engine is not transactional; ALTER TABLE … ENGINE=InnoDB helps"
    ]
    assert found.facts["databases"] == ["every-thing"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == found.size
    assert not (tmp_path / "private").exists()


def test_a_changed_table_is_found(kept: Target, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    found = made(kept, path, databases=("every-thing",))
    tables = dict(found.held.tables)
    twins = tables["every-thing.twins"].before
    assert twins is not None
    for name, truth in (
        ("every-thing.twins", Figures(twins.rows, str(int(twins.checksum) + 1))),
        ("every-thing.parent", Figures(3, "1")),
        ("every-thing.gone", Figures(0, "0")),
    ):
        tables[name] = Truth(truth, truth)
    held = replace(found.held, tables=tables, others={**found.held.others, "view": ["every-thing.other"]})
    proof = proved(path, replace(found, held=held), tmp_path / "private")
    assert not proof.comparison.verified
    wrong = {
        one.table: (one.outcome, one.detail) for one in proof.comparison.findings if one.outcome != "equal"
    }
    assert wrong == {
        "every-thing.twins": ("differs", "another checksum in the restore"),
        "every-thing.parent": ("differs", "2 rows for 3 in the restore"),
        "every-thing.gone": ("missing", "the restore has no such table"),
    }
    assert proof.comparison.others == ["view every-thing.other is not in the restore"]


def test_a_dump_amid_writes_holds_one_moment(
    private_server: PrivateServers, release: str, tmp_path: Path
) -> None:
    flavor = "mysql" if release.startswith("mysql") else "mariadb"
    server = private_server(release, options=replication_options(flavor))
    bank(server, "bank")
    target, path = keeper(server), tmp_path / "backup"
    server.execute("SET GLOBAL log_output = 'TABLE'")
    with transfers(server, "bank") as done:
        wait_for(lambda: done[0] > 20, "transfers")
        server.execute("SET GLOBAL general_log = ON")
        before = done[0]
        found = made(target, path)
        server.execute("SET GLOBAL general_log = OFF")
        assert done[0] > before
    log = server.execute(
        "SELECT CONVERT(argument USING utf8mb4) AS said FROM mysql.general_log WHERE user_host LIKE %s",
        f"{USER}%",
    )
    said = [row["said"].upper() for row in log]
    assert any("WITH CONSISTENT SNAPSHOT" in one for one in said)
    assert [one for one in said if one.startswith(("FLUSH", "LOCK TABLES", "LOCK INSTANCE", "STOP"))] == []
    other = private_server(release)
    other.create_user("restorer", "r", ("ALL ON *.*",))
    target = Target("other", host=other.host, port=other.port, user="restorer", password="r")
    restore(target, flavor, unpacked(path), Stop())
    assert total(other, "bank") == TOTAL
    rows = other.execute("SELECT COUNT(*) AS number, MAX(id) AS last FROM bank.log")[0]
    assert rows["number"] > 20
    proof = proved(path, found, tmp_path / "private")
    assert proof.comparison.verified, proof.to_dict()
    # What nobody wrote to in between is equal; the others are equal or lie between.
    assert {one.outcome for one in proof.comparison.findings} <= {"equal", "between"}
    place = found.facts["position"]
    if flavor == "mariadb":
        assert place["exact"]
        assert place["file"].startswith("binlog.")


@pytest.fixture
def simple(any_server: PrivateServer, tmp_path: Path) -> Iterator[Target]:
    """A server with one table of a few rows."""
    any_server.execute("CREATE DATABASE simple_one")
    any_server.execute("CREATE TABLE simple_one.t (id INT PRIMARY KEY, v VARCHAR(100))")
    rows = ", ".join(f"({number}, '{number * 7919:x}')" for number in range(50))
    any_server.execute(f"INSERT INTO simple_one.t VALUES {rows}")
    yield keeper(any_server)
    any_server.execute("DROP DATABASE simple_one")


@pytest.mark.parametrize("key", ["", KEY], ids=["plain", "sealed"])
def test_a_byte_that_was_changed_is_found(simple: Target, tmp_path: Path, key: str) -> None:
    path = tmp_path / "backup"
    found = made(simple, path, databases=("simple_one",), key=key)
    whole = path.read_bytes()
    for place in (0, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedBackup, match="its SHA-256 is not the one that was written down"):
            proved(path, found, tmp_path / "private", (key,) if key else ())
        with pytest.raises(DamagedBackup):
            list(unpacked(path, (key,) if key else ()))
    path.write_bytes(whole[:-5])
    with pytest.raises(DamagedBackup):
        list(unpacked(path, (key,) if key else ()))
    path.write_bytes(whole)
    assert b"CREATE TABLE `t`" in b"".join(unpacked(path, (key,) if key else ()))


def test_a_wrong_password_is_told_and_leaves_no_file(simple: Target, tmp_path: Path) -> None:
    with pytest.raises(AccessDenied):
        made(replace(simple, password="wrong"), tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_is_told(simple: Target, any_server: PrivateServer, small_disk: Path) -> None:
    any_server.execute("CREATE TABLE simple_one.big (id INT PRIMARY KEY, v LONGBLOB)")
    for number in range(4):
        any_server.execute("INSERT INTO simple_one.big VALUES (%s, RANDOM_BYTES(1024))", number)
        any_server.execute("UPDATE simple_one.big SET v = REPEAT(v, 200) WHERE id = %s", number)
    filler = fill(small_disk)
    filler.write_bytes(filler.read_bytes()[: -3 * 4096])
    # With random bytes nothing is compressed away.
    any_server.execute("UPDATE simple_one.big SET v = CONCAT(v, RANDOM_BYTES(1024), RANDOM_BYTES(1024))")
    any_server.execute(
        "INSERT INTO simple_one.big SELECT 10 + a.id + 4 * b.id, RANDOM_BYTES(1024) FROM simple_one.big a, simple_one.big b"
    )
    with pytest.raises(OSError, match="No space left"):
        made(simple, small_disk / "backup", databases=("simple_one",))


def test_tables_that_the_account_may_not_see_are_no_backup(
    any_server: PrivateServer, simple: Target, tmp_path: Path
) -> None:
    any_server.create_user(
        "narrow", "n", ("PROCESS ON *.*", "SELECT ON simple_one.t", "SHOW DATABASES ON *.*")
    )
    any_server.execute("CREATE TABLE simple_one.hidden (id INT PRIMARY KEY)")
    with pytest.raises(
        BackupError, match=r"the account may not see simple_one\.hidden: a dump would lack them"
    ):
        made(replace(simple, user="narrow", password="n"), tmp_path / "backup", databases=("simple_one",))
    with pytest.raises(BackupError, match="there is no database nowhere"):
        made(simple, tmp_path / "backup", databases=("nowhere",))
    assert list(tmp_path.iterdir()) == []


def slowly(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Every dump stands still after its first bytes until the event is set."""
    goes_on = threading.Event()
    monkeypatch.setattr(dumping.Pace, "after", lambda self, size: goes_on.wait(PATIENCE))
    return goes_on


def large(server: PrivateServer) -> None:
    """So much that a dump cannot wait whole in a pipe."""
    server.execute("CREATE TABLE simple_one.large (id INT PRIMARY KEY, v LONGTEXT)")
    for number in range(8):
        server.execute("INSERT INTO simple_one.large VALUES (%s, REPEAT('0123456789', 100000))", number)


def test_a_dump_that_is_ended_in_the_middle_is_none(
    simple: Target, any_server: PrivateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large(any_server)
    goes_on, stop = slowly(monkeypatch), Stop()

    def end() -> None:
        stop.end("the monitor stopped")
        goes_on.set()

    timer = threading.Timer(1.0, end)
    timer.start()
    with pytest.raises(Ended, match="the monitor stopped"):
        made(simple, tmp_path / "backup", stop, databases=("simple_one",))
    timer.join()


def test_a_server_that_dies_in_the_middle_is_told(
    private_server: PrivateServers, release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = private_server(release)
    server.execute("CREATE DATABASE simple_one")
    large(server)
    target, goes_on = keeper(server), slowly(monkeypatch)
    begun = threading.Event()
    real = making._soon

    def soon(*arguments: Any) -> None:
        real(*arguments)
        begun.set()

    monkeypatch.setattr(making, "_soon", soon)

    def kill() -> None:
        begun.wait(PATIENCE)
        server.kill()
        goes_on.set()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(BackupError, match=r"mysqldump ended with code \d|mariadb-dump ended with code \d"):
        made(target, tmp_path / "backup", databases=("simple_one",))
    killer.join()


def test_nobody_who_changes_a_table_waits_for_the_comparison(
    simple: Target, any_server: PrivateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large(any_server)
    goes_on, ends = slowly(monkeypatch), list[str]()

    def run() -> None:
        try:
            made(simple, tmp_path / "backup", databases=("simple_one",))
        except BackupError as error:
            ends.append(str(error))

    running = threading.Thread(target=run)
    running.start()
    counts = "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE USER = %s AND COMMAND = 'Sleep'"
    wait_for(lambda: any_server.execute(counts, USER)[0]["n"] >= 2, "two snapshots that rest")
    # The dump is at the other table: its own lock on this one is yet to come.
    with any_server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION lock_wait_timeout = 10")
        cursor.execute("ALTER TABLE simple_one.t ADD COLUMN more INT, ALGORITHM = COPY")
    goes_on.set()
    running.join()
    # A dump that met the other table half way is none; the tools say so, each in its words.
    assert all("1412" in one or "field count" in one for one in ends), ends


def test_what_was_not_read_is_not_vouched_for(simple: Target, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    found = made(simple, path, databases=("simple_one",), compare_seconds=0.0)
    proof = proved(path, found, tmp_path / "private")
    assert not proof.comparison.verified
    assert [(one.outcome, one.detail) for one in proof.comparison.findings] == [
        ("not compared", "the time for comparing was up")
    ]


def test_a_file_with_the_password_is_nowhere(
    simple: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large_enough, stop = slowly(monkeypatch), Stop()
    seen: list[str] = []

    def look() -> None:
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    text = (process / name).read_bytes()
                except OSError:
                    continue
                if PASSWORD.encode() in text or PASSWORD[:8].encode() in text:
                    seen.append(f"{process}/{name}")
        large_enough.set()

    looker = threading.Timer(0.5, look)
    looker.start()
    found = made(simple, tmp_path / "backup", stop, databases=("simple_one",))
    looker.join()
    assert found.size > 0
    assert seen == []
