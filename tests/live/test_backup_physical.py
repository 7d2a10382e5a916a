"""Copies of a real MariaDB's files: of one moment, proved by a server that is started on them, refused where they are out of reach."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from dbvigil.backups import copying, dumping, plugins
from dbvigil.backups.comparing import Figures, Truth
from dbvigil.backups.errors import BackupError, DamagedBackup
from dbvigil.backups.packing import Packer, unpacked
from dbvigil.backups.preparing import fresh, prepare
from dbvigil.backups.programs import Stop
from dbvigil.sandbox import PrivateServer, find, replication_options, template
from dbvigil.sandbox import options as sandbox_options
from dbvigil.sandbox.grants import PHYSICAL_BACKUP_GRANTS
from dbvigil.targets import Target
from dbvigil.types import ServerInfo
from tests.support import rogue
from tests.support.backups import (
    KEY,
    PASSWORD,
    TOTAL,
    USER,
    bank,
    copied,
    everything,
    keeper,
    proved,
    total,
    transfers,
)
from tests.support.servers import PrivateServers
from tests.support.waiting import wait_for

RELEASE = "mariadb-10.11"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    """A server with a binary log, an account that has the grants of the docs, and something of everything."""
    home = tmp_path_factory.mktemp("copied") / "server"
    with PrivateServer(RELEASE, home, options=replication_options("mariadb")) as found:
        everything(found, "every-thing")
        bank(found, "bank")
        yield found


@pytest.fixture
def target(server: PrivateServer) -> Target:
    return keeper(server, physical=True)


def test_a_copy_amid_writes_holds_one_moment(server: PrivateServer, target: Target, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    with transfers(server, "bank") as done:
        wait_for(lambda: done[0] > 20, "transfers")
        before = done[0]
        found = copied(target, path, key=KEY)
        assert done[0] > before
    assert [one.name for one in tmp_path.iterdir()] == ["backup"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert (found.facts["tool"], found.facts["flavor"]) == (
        copying.backup_program(found.info).version,
        "mariadb",
    )
    place = found.facts["position"]
    assert place["exact"]
    assert place["file"].startswith("binlog.")
    # What the log says of the copy's moment is what the copy itself holds of it.
    number = int(place["gtids"].rpartition("-")[2])
    assert number >= before
    proof = proved(path, found, tmp_path / "private", (KEY,), physical=True)
    assert proof.comparison.verified, proof.to_dict()
    outcomes = {one.table: one.outcome for one in proof.comparison.findings}
    assert outcomes["bank.log"] in ("between", "equal")
    assert {name: outcome for name, outcome in outcomes.items() if not name.startswith("bank.")} == {
        name: "equal" for name in found.held.tables if not name.startswith("bank.")
    }
    assert found.held.others["event"] == ["every-thing.daily"]
    assert not (tmp_path / "private").exists()
    folder = tmp_path / "unpacked"
    with fresh(folder):
        prepare(found.info, unpacked(path, (KEY,)), folder, Stop())
    with PrivateServer(
        RELEASE, tmp_path / "again", options={"skip-grant-tables": None}, data=folder
    ) as again:
        assert total(again, "bank") == TOTAL
        assert again.execute("SELECT COUNT(*) AS n FROM bank.log")[0]["n"] > 20
    assert not folder.exists()


def test_a_server_with_pages_of_its_own_is_proved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, pages = tmp_path / "data", {"innodb-page-size": 8192}
    with monkeypatch.context() as patched:
        patched.setitem(sandbox_options._COMMON, "innodb-page-size", 8192)
        data.mkdir()
        template._initialize(find(RELEASE), data)
    with PrivateServer(RELEASE, tmp_path / "home", options=pages, data=data) as server:
        bank(server, "bank")
        found = copied(keeper(server, physical=True), tmp_path / "backup")
    comparison = proved(tmp_path / "backup", found, tmp_path / "private", physical=True).comparison
    assert (comparison.verified, comparison.sentence) == (True, "3 tables equal in rows and checksum")


@pytest.mark.parametrize("key", ["", KEY], ids=["plain", "sealed"])
def test_a_byte_that_was_changed_is_found(target: Target, tmp_path: Path, key: str) -> None:
    path, keys = tmp_path / "backup", (key,) if key else ()
    found = copied(target, path, key=key)
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    with pytest.raises(DamagedBackup, match="its SHA-256 is not the one that was written down"):
        proved(path, found, tmp_path / "private", keys, physical=True)
    folder = tmp_path / "unpacked"
    with pytest.raises((DamagedBackup, BackupError)), fresh(folder):
        prepare(found.info, unpacked(path, keys), folder, Stop())
    assert [one.name for one in tmp_path.iterdir()] == ["backup"]


def test_a_table_that_the_copy_lacks_is_found(server: PrivateServer, target: Target, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    found = copied(target, path)
    twins = found.held.tables["every-thing.twins"].before
    assert twins is not None
    found.held.tables["every-thing.gone"] = Truth(twins, twins)  # type: ignore[index]  # it is a dict
    found.held.tables["every-thing.twins"] = Truth(Figures(9, "1"), Figures(9, "1"))  # type: ignore[index]
    comparison = proved(path, found, tmp_path / "private", physical=True).comparison
    assert {one.table: one.outcome for one in comparison.findings if one.outcome != "equal"} == {
        "every-thing.gone": "missing",
        "every-thing.twins": "differs",
    }


def test_what_is_no_stream_is_no_server(target: Target, tmp_path: Path) -> None:
    found = copied(target, tmp_path / "backup")
    for number, text in enumerate((b"", b"SELECT 1;\n" * 100)):
        folder = tmp_path / f"unpacked-{number}"
        with (
            pytest.raises(BackupError, match=r"mbstream ended with code|mariadb-backup ended with code"),
            fresh(folder),
        ):
            prepare(found.info, [text], folder, Stop())
        assert not folder.exists()


def test_the_tool_has_to_be_the_server_s_own_release(
    target: Target, private_server: PrivateServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = keeper(private_server("mariadb-11.8"), physical=True)
    with pytest.raises(
        BackupError,
        match=r"mariadb-backup is of MariaDB 10\.11, and the server of 11\.8: install mariadb-backup 11\.8",
    ):
        copied(other, tmp_path / "backup")
    mysql = private_server("mysql-9.7")
    with pytest.raises(
        BackupError, match=r"physical backups are made of MariaDB alone, and this is MySQL 9\.7"
    ):
        copied(keeper(mysql), tmp_path / "backup")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(
        BackupError, match=r"mariadb-backup is not on PATH: install mariadb-backup 10\.11 on this machine"
    ):
        copied(target, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_each_grant_of_the_docs_is_needed(server: PrivateServer, target: Target, tmp_path: Path) -> None:
    grants = [
        one
        for one in PHYSICAL_BACKUP_GRANTS
        if one.partition(" ON ")[0] in ("RELOAD", "PROCESS", "BINLOG MONITOR")
    ]
    assert len(grants) == 3
    for missing in grants:
        server.create_user(USER, PASSWORD, [one for one in PHYSICAL_BACKUP_GRANTS if one != missing])
        with pytest.raises(BackupError) as caught:
            copied(target, tmp_path / "backup")
        assert "mariadb-backup ended with code 1: " in str(caught.value)
        assert missing.partition(" ON ")[0] in str(caught.value)
        # The tool tells all that the account may, with the password's hash.
        assert "IDENTIFIED" not in str(caught.value)
        (tmp_path / "backup").unlink()
    assert list(tmp_path.iterdir()) == []


async def test_a_server_that_asks_for_the_password_is_not_told_it(tmp_path: Path) -> None:
    program = copying.backup_program(ServerInfo("mariadb", (10, 11, 1), "", performance_schema=False))
    async with rogue.Rogue(rogue.ask("mysql_clear_password")) as enemy:
        target = Target("t", host="127.0.0.1", port=enemy.port, user=USER, password="kZ7w-secret-word")
        call = partial(copying.copy, program, target, tmp_path, tmp_path, Packer(tmp_path / "backup"), Stop())
        with pytest.raises(BackupError) as caught:
            await asyncio.to_thread(call, begun=lambda: None, pace=dumping.Pace(0), encrypted=False)
        assert enemy.connections
        assert not enemy.heard("kZ7w-secret-word")
    # It was looked for where there is none.
    assert f"{plugins.safe()}/mysql_clear_password.so" in str(caught.value)


def test_files_that_are_not_this_machine_s_are_not_copied(
    server: PrivateServer, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> str:
        with pytest.raises(
            BackupError, match=f"the files of 127.0.0.1:{server.port} cannot be copied from here: "
        ) as caught:
            copied(target, tmp_path / "backup")
        return str(caught.value).partition("from here: ")[2]

    pid_file = server.home / "server.pid"
    pid = pid_file.read_text()
    try:
        # Another server of this machine, as old as this process.
        pid_file.write_text("1")
        assert refused() == f"the process that its pid file {pid_file} names is another server's"
        pid_file.write_text("4194304")
        assert refused() == f"the process that its pid file {pid_file} names is not on this machine"
        pid_file.unlink()
        assert refused() == f"its pid file {pid_file}: No such file or directory"
    finally:
        pid_file.write_text(pid)
    link = server.datadir / "elsewhere.isl"
    link.write_text("/elsewhere.ibd")
    try:
        assert refused() == f"{link} leads outside of {server.datadir} (DATA DIRECTORY)"
    finally:
        link.unlink()
    with monkeypatch.context() as patched:
        # A second machine cannot be had here.
        patched.setattr("socket.gethostname", lambda: "elsewhere")
        assert refused().startswith("it runs on ")
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_ended_or_dies_in_the_middle_is_none(
    server: PrivateServer, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Stop()

    def end(self: object, size: int) -> None:
        stop.end("the monitor stopped")

    def kill(self: object, size: int) -> None:
        for process in psutil.Process().children():
            if process.name() == "mariadb-backup":
                process.kill()

    for does, told in ((end, "the monitor stopped"), (kill, "mariadb-backup was killed by signal 9")):
        with monkeypatch.context() as patched:
            patched.setattr(dumping.Pace, "after", does)
            with pytest.raises(BackupError, match=told):
                copied(target, tmp_path / "backup", stop if does is end else None)
        (tmp_path / "backup").unlink()
        assert list(tmp_path.iterdir()) == []


def test_nobody_waits_for_a_reader_that_is_held_back(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paced = list[int]()
    monkeypatch.setattr(dumping.Pace, "after", lambda self, size: paced.append(size))
    found = copied(target, tmp_path / "backup")
    # Some of it is read while the tool holds locks, and at once.
    assert 0 < sum(paced) < found.plain


def test_one_without_its_last_words_is_none(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.which("mariadb-backup")
    silent = tmp_path / "mariadb-backup"
    silent.write_text(f"#!/bin/sh\n[ $1 = --version ] && exec {real} --version\necho data\n")
    silent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(
        BackupError, match="mariadb-backup did not say 'completed OK!' at its end: the copy is not whole"
    ):
        copied(target, tmp_path / "backup")


def test_a_copy_is_unpacked_into_a_new_folder_alone(server: PrivateServer, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with (
        pytest.raises(BackupError, match="is not empty: a copy is unpacked into a new folder alone"),
        fresh(tmp_path),
    ):
        pass
    assert (tmp_path / "mine").read_text() == "mine"
    inside = server.datadir / "inside"
    with (
        pytest.raises(BackupError, match=rf"belongs to a server that runs \(process {server.pid}\)"),
        fresh(inside),
    ):
        pass
    assert not inside.exists()
