"""Copies of a real MariaDB's files: consistent while others write, proved by a server that is started on them, refused where they cannot be."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbvigil.backups import copying, making
from dbvigil.backups.errors import BackupError, DamagedBackup, Ended
from dbvigil.backups.packing import unpacked
from dbvigil.backups.preparing import fresh, prepare
from dbvigil.backups.programs import Stop
from dbvigil.sandbox import PrivateServer, replication_options
from dbvigil.targets import Target, parse_url
from tests.support.backups import (
    KEY,
    PASSWORD,
    TOTAL,
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
