"""The servers' own programs: whose they are, what they are told, and what is said of how they end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dbvigil.backups import plugins, programs
from dbvigil.backups.census import Table, statement
from dbvigil.backups.dumping import arguments
from dbvigil.backups.errors import BackupError, Ended
from dbvigil.backups.programs import Program, Stop, Tool, client_program, dump_program, options_of
from dbvigil.targets import Target, parse_url
from dbvigil.types import ServerInfo
from tests.support.waiting import BOUNDED

MARIADB = "mariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu"
MYSQL = "mysqldump  Ver 9.7.4 for Linux on x86_64 (MySQL Community Server - GPL)"


def on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, **found: str) -> None:
    """Programs of these names (`_` is -) that say these versions are all that PATH has."""
    for name, version in found.items():
        program = folder / name.replace("_", "-")
        program.write_text(f"#!/bin/sh\necho '{version}'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    programs._program.cache_clear()


def test_each_flavor_takes_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(tmp_path, monkeypatch, mariadb_dump=MARIADB, mysqldump=MYSQL, mysql=MYSQL, mariadb=MARIADB)
    assert dump_program("mariadb") == Program("mariadb", (str(tmp_path / "mariadb-dump"),), MARIADB)
    assert dump_program("mysql") == Program("mysql", (str(tmp_path / "mysqldump"),), MYSQL)
    assert client_program("mysql").command == (str(tmp_path / "mysql"),)
    assert client_program("mariadb").command == (str(tmp_path / "mariadb"),)


def test_the_other_flavor_s_tool_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "RELEASES", {})
    on_path(tmp_path, monkeypatch, mysqldump=MARIADB)
    with pytest.raises(BackupError) as caught:
        dump_program("mysql")
    assert str(caught.value) == (
        f"MySQL's own mysqldump cannot be found: {tmp_path}/mysqldump is MariaDB's; install mysql-client on this machine"
    )
    on_path(tmp_path, monkeypatch, mysqldump=MYSQL)
    with pytest.raises(
        BackupError,
        match=r"MariaDB's own mariadb-dump cannot be found: .* is MySQL's; install mariadb-client",
    ):
        dump_program("mariadb")


def test_a_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "RELEASES", {})
    on_path(tmp_path, monkeypatch)
    with pytest.raises(
        BackupError, match=r"none of mariadb-dump, mysqldump is on PATH; install mariadb-client"
    ):
        dump_program("mariadb")


def test_no_tool_is_told_to_lock() -> None:
    for flavor in ("mysql", "mariadb"):
        told = arguments(flavor, ["shop", "--odd"], position=True)
        assert told[-4:] == ["--databases", "--", "shop", "--odd"]
        assert {
            "--single-transaction",
            "--quick",
            "--routines",
            "--events",
            "--triggers",
            "--hex-blob",
        } < set(told)
        assert not any(word in option for option in told for word in ("lock", "flush", "source-data"))
    assert "--master-data=2" not in arguments("mariadb", ["shop"], position=False)


@pytest.mark.parametrize(
    ("url", "flavor", "lines"),
    [
        ("mysql://u:p@db:33/", "mysql", ['host="db"', "port=33", "protocol=tcp", "ssl-mode=PREFERRED"]),
        ("mysql://u:p@127.0.0.1/", "mysql", ["ssl-mode=PREFERRED", "get-server-public-key"]),
        ("mysql://u:p@db/?get-server-public-key=1", "mysql", ["get-server-public-key"]),
        ("mysql://u:p@db/?ssl-ca=/ca.pem", "mysql", ["ssl-mode=VERIFY_IDENTITY", 'ssl-ca="/ca.pem"']),
        (
            "mysql://u:p@db/?ssl-ca=/ca.pem",
            "mariadb",
            ["ssl", "ssl-verify-server-cert=1", 'ssl-ca="/ca.pem"'],
        ),
        ("mysql://u:p@db/?ssl-mode=required", "mariadb", ["ssl", "ssl-verify-server-cert=0"]),
        ("mysql://u:p@db/?ssl-mode=disabled", "mariadb", ["skip-ssl"]),
        ("mysql://u:p@/?socket=/s", "mariadb", ['socket="/s"']),
    ],
)
def test_how_a_connection_is_told(url: str, flavor: str, lines: list[str]) -> None:
    found = options_of(parse_url("t", url), flavor).splitlines()
    assert found[:3] == ["[client]", 'user="u"', 'password="p"']
    assert set(lines) <= set(found)


def test_a_server_without_tls_is_reached_as_it_can_be() -> None:
    assert (
        "skip-ssl" in options_of(parse_url("t", "mysql://u:p@db/"), "mariadb", encrypted=False).splitlines()
    )
    demanding = options_of(parse_url("t", "mysql://u:p@db/?ssl-mode=required"), "mariadb", encrypted=False)
    assert "skip-ssl" not in demanding


@pytest.mark.parametrize(
    ("url", "flavor", "bound"),
    [
        ("mysql://u:p@db/", "mariadb", True),
        ("mysql://u:p@db/?ssl-mode=required", "mariadb", True),
        ("mysql://u:p@db/?ssl-ca=/ca.pem", "mariadb", False),
        ("mysql://u:p@db/", "mysql", False),
    ],
)
def test_a_server_that_has_not_proved_who_it_is_may_not_ask_for_the_password(
    url: str, flavor: str, bound: bool
) -> None:
    lines = options_of(parse_url("t", url), flavor).splitlines()
    assert (f'plugin-dir="{plugins.safe()}"' in lines) is bound
    assert {path.name for path in Path(plugins.safe()).iterdir()} <= set(plugins.SAFE)


def test_no_password_gets_out_of_its_line() -> None:
    text = options_of(Target("t", user="u\nhost=evil", password='p"\nplugin-dir=/evil\\'), "mysql")
    assert [line.split("=")[0] for line in text.splitlines()[:3]] == ["[client]", "user", "password"]
    assert not any(line.startswith(("plugin-dir", "host=evil")) for line in text.splitlines())


def script(folder: Path, text: str) -> Program:
    path = folder / "mysqldump"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Program("mysql", (str(path),), "")


def test_what_a_tool_complains_of_is_told_without_values(tmp_path: Path) -> None:
    program = script(
        tmp_path,
        'echo "mysqldump: [Warning] noise" >&2\n'
        "echo \"ERROR 1062 (23000) at line 3: Duplicate entry 'ada@example.org' for key 't.mail'\" >&2\n"
        "exit 2",
    )
    tool = Tool(program, Target("t", user="u"), (), Stop())
    with tool.running() as process:
        process.wait()
    failure = tool.failure()
    assert failure.startswith("mysqldump ended with code 2: ")
    assert "1062" in failure
    assert "ada@example.org" not in failure
    assert "noise" not in failure


def test_a_tool_is_ended_when_that_is_said_before_and_after_it_starts(tmp_path: Path) -> None:
    stop = Stop()
    program = script(tmp_path, "exec sleep 60")
    running = Tool(program, Target("t", user="u"), (), stop)
    with running.running() as process:
        stop.end("the time was up")
        process.wait(BOUNDED)
    late = Tool(program, Target("t", user="u"), (), stop)
    with late.running() as process:
        process.wait(BOUNDED)
    for tool in (running, late):
        with pytest.raises(Ended, match="the time was up"):
            tool.failure()


def test_who_holds_the_lock_may_say_it_again() -> None:
    stop, calls = Stop(), list[str]()

    def as_a_signal_would() -> None:
        calls.append(stop.reason)
        if len(calls) == 1:
            stop.end("once more")

    stop.then(as_a_signal_would)
    stop.end("the monitor stopped")
    assert calls == ["the monitor stopped"] * 2


def test_a_tool_ends_with_the_block_that_runs_it(tmp_path: Path) -> None:
    tool = Tool(script(tmp_path, "exec sleep 60"), Target("t", user="u"), (), Stop())
    with pytest.raises(ZeroDivisionError), tool.running():
        raise ZeroDivisionError
    assert tool.process.poll() is not None


def test_the_account_is_in_a_file_that_has_no_name(tmp_path: Path) -> None:
    program = script(
        tmp_path, 'echo "$@"; env; cat "${1#--defaults-file=}"; stat -L -c "mode %a" "${1#--defaults-file=}"'
    )
    tool = Tool(program, Target("t", user="u", password="hidden word"), ("--more",), Stop())
    with tool.running() as process:
        assert process.stdout is not None
        said = process.stdout.read().decode()
    command, _, rest = said.partition("\n")
    environment, _, file = rest.partition("[client]")
    assert command.startswith("--defaults-file=/proc/self/fd/")
    assert command.endswith(" --more")
    assert "hidden word" not in command + environment
    assert 'password="hidden word"' in file
    assert file.rstrip().endswith("mode 600")


INFO = {
    flavor: ServerInfo(flavor, (10, 11, 1), "", performance_schema=False) for flavor in ("mysql", "mariadb")
}


def test_figures_are_read_within_a_limit_of_the_server_s_own() -> None:
    table = Table("a.t", "`a`.`t`", True, 0, (("i`d", "int", False), ("n", "longtext", True)))
    row = "CAST(`i``d` AS CHAR), CRC32(CAST(`n` AS BINARY)), CONCAT(ISNULL(`n`))"
    body = f"COUNT(*) AS row_count, CAST(COALESCE(SUM(CRC32(CONCAT_WS('#', {row}))), 0) AS CHAR) AS checksum FROM `a`.`t`"
    assert statement(table, INFO["mysql"], 2.5) == f"SELECT /*+ MAX_EXECUTION_TIME(2500) */ {body}"
    assert (
        statement(table, INFO["mariadb"], 2.5) == f"SET STATEMENT max_statement_time = 2.5 FOR SELECT {body}"
    )
    assert "'0' AS checksum" in statement(Table("a.t", "`a`.`t`", True, 0, ()), INFO["mysql"], 1)


def test_setpriv_is_what_ties_a_tool_to_its_process() -> None:
    assert subprocess.run(["setpriv", "--pdeathsig", "KILL", "true"], check=False).returncode == 0
