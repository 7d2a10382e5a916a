"""Statements and sessions that are ended on real servers: those that may be, and nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import pymysql
import pytest

from dbvigil import conf
from dbvigil.errors import RecoveryRefused
from dbvigil.models import RecoveryAttempt
from dbvigil.recovery.actions import relieve_memory
from dbvigil.recovery.actions.end_long_statements import EndLongStatements
from dbvigil.recovery.actions.relieve_memory import RelieveMemory
from dbvigil.recovery.by_hand import overview, recover
from dbvigil.recovery.perform import Attempt
from dbvigil.recovery.plan import Action, Scene, Step
from dbvigil.recovery.records import Asked
from dbvigil.sandbox import PrivateServer
from tests.support import recovering
from tests.support.blocked import holding, number_of, running, until
from tests.support.servers import MONITORING_PASSWORD, MONITORING_USER, PrivateServers
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.django_db

# All sleep for longer than any test takes, however slow the machine: each is ended by its test.
LONG = "SELECT SLEEP(600), 'secret of ada' FROM DUAL"
REASONS = {
    True: "it runs within another statement",
    False: "it may run within a procedure, which this server does not tell",
}
LIMIT = {"end_long_statements": {"limit_seconds": 5}}


@pytest.fixture(scope="module")
def server(release: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    """A server of these tests alone: what others have called on it would count."""
    private = PrivateServers(tmp_path_factory.mktemp("recovery"))
    yield prepare(private(release))
    private.destroy()


def prepare(server: PrivateServer) -> PrivateServer:
    server.execute("CREATE DATABASE till")
    server.execute("CREATE TABLE till.t (id INT PRIMARY KEY, v INT)")
    server.execute("INSERT INTO till.t VALUES (1, 1), (2, 2)")
    server.create_user("app", "app-Secret-1", ("ALL ON till.*",))
    server.create_user("nightly_backup", "app-Secret-1", ("ALL ON till.*",))
    return server


def seconds_of(server: PrivateServer, number: int) -> float:
    rows = server.execute(
        "SELECT TIME AS t FROM information_schema.PROCESSLIST WHERE ID = %s AND COMMAND <> 'Sleep'", number
    )
    return float(rows[0]["t"]) if rows else -1.0


def runs(server: PrivateServer, number: int) -> bool:
    return seconds_of(server, number) >= 0


def app(server: PrivateServer, user: str = "app") -> Any:
    return server.connect(user=user, password="app-Secret-1", database="till")


def test_only_the_long_select_of_an_application_is_ended(server: PrivateServer, settings: Any) -> None:
    recovering.configure(settings, server, LIMIT)
    with ExitStack() as stack:
        long = stack.enter_context(running(server, LONG, app(server)))
        update = stack.enter_context(running(server, "UPDATE t SET v = SLEEP(600) WHERE id = 1", app(server)))
        locking = stack.enter_context(
            running(server, "SELECT SLEEP(600) FROM t WHERE id = 2 FOR UPDATE", app(server))
        )
        backup = stack.enter_context(running(server, LONG, app(server, "nightly_backup")))
        until(
            lambda: all(seconds_of(server, one) >= 6 for one in (long, update, locking, backup)),
            "they do not run",
        )
        planned = recover("end_long_statements", "shop", "a try", "ada")
        assert [step["session"] for step in planned["plan"]] == [long]
        assert (planned["outcome"], planned["done"], planned["dry_run"]) == ("planned", [], True)
        assert runs(server, long)

        # Only now, for it is not to run for as long as the limit before this is planned.
        fresh = stack.enter_context(running(server, LONG, app(server)))
        until(lambda: runs(server, fresh), "it does not run")
        done = recover("end_long_statements", "shop", "it holds up the till", "ada", live=True)
        assert [step["session"] for step in done["plan"]] == [long]
        assert (done["outcome"], done["verified"], done["error"]) == ("succeeded", True, "")
        assert [one["done"] for one in done["done"]] == [True]
        until(lambda: not runs(server, long), "it still runs")
        assert all(runs(server, one) for one in (update, locking, backup, fresh))
        assert "ada" not in str([done["plan"], done["done"]]).replace("'actor'", "")
        assert done["plan"][0]["statement"] == "SELECT SLEEP(?), ? FROM DUAL"
        with pytest.raises(RecoveryRefused, match="cooling down for another"):
            recover("end_long_statements", "shop", "again", "ada", live=True)
    assert [one["outcome"] for one in overview("shop")["attempts"]] == ["succeeded", "planned"]


@pytest.mark.parametrize("told", [False, True])
def test_a_select_within_a_procedure_is_left(
    private_server: Any, release: str, told: bool, settings: Any
) -> None:
    server = prepare(private_server(release, options={"performance-schema": "ON" if told else "OFF"}))
    recovering.configure(settings, server, LIMIT)
    server.execute(
        "CREATE PROCEDURE till.slowly() BEGIN UPDATE t SET v = 3 WHERE id = 1; SELECT SLEEP(600) FROM DUAL; END"
    )
    with running(server, "CALL slowly()", app(server)) as inside:
        until(lambda: seconds_of(server, inside) >= 6, "it does not run")
        planned = recover("end_long_statements", "shop", "a try", "ada")
        assert planned["plan"] == []
        assert planned["outcome"] == "nothing"
        reasons = {
            "it runs within another statement",
            "it may run within a procedure, which this server does not tell",
        }
        assert reasons & set(planned["left"])


def test_a_missing_grant_is_named_and_nothing_is_done(server: PrivateServer, settings: Any) -> None:
    grant = "CONNECTION_ADMIN" if server.flavor == "mysql" else "CONNECTION ADMIN"
    without = [f"{grant} ON *.*", "SUPER ON *.*"]
    recovering.configure(settings, server, LIMIT, "shop", *without)
    with running(server, LONG, app(server)) as long:
        until(lambda: seconds_of(server, long) >= 6, "it does not run")
        done = recover("end_long_statements", "shop", "a try", "ada", live=True)
        assert (done["outcome"], done["verified"]) == ("failed", None)
        assert f"GRANT {grant} ON *.* TO" in done["error"]
        assert runs(server, long)


def test_the_root_of_a_tree_of_waits_is_ended_where_it_rests(server: PrivateServer, settings: Any) -> None:
    recovering.configure(settings, server, {"end_blockers": {"idle_seconds": 5, "waits_seconds": 1}})
    arguments = {"user": "app", "password": "app-Secret-1", "database": "till"}
    with ExitStack() as stack:
        root = stack.enter_context(holding(server, "UPDATE t SET v = 5 WHERE id = 1", **arguments))
        second = app(server)
        second.autocommit(False)
        with second.cursor() as cursor:
            cursor.execute("UPDATE t SET v = 6 WHERE id = 2")
        middle = stack.enter_context(running(server, "UPDATE t SET v = 6 WHERE id = 1", second))
        leaf = stack.enter_context(running(server, "UPDATE t SET v = 7 WHERE id = 2", app(server)))
        bystander = stack.enter_context(holding(server, "SELECT * FROM t", **arguments))

        def planned() -> list[int]:
            return [step["session"] for step in recover("end_blockers", "shop", "a try", "ada")["plan"]]

        until(lambda: planned() == [number_of(root)], "the root is not found")
        done = recover("end_blockers", "shop", "the till stands still", "ada", live=True)
        assert (done["outcome"], done["verified"]) == ("succeeded", True)
        until(lambda: not runs(server, middle), "nobody goes on")
        # Its locks are given back before it leaves the list of sessions.
        until(lambda: number_of(root) not in ids(server), "it is still there")
        assert {middle, leaf, number_of(bystander)} <= ids(server)


# -- actions with options that no setting would take, so that nobody has to wait


def do(action: Action, server: PrivateServer, live: bool, **values: Any) -> RecoveryAttempt:
    configuration = conf.load()
    settings = configuration.recovery.actions[action.name]
    settings = replace(settings, values={**settings.values, **values})
    asked = Asked(settings, "shop", "live" if live else "dry_run", "ada", "a test")
    done = Attempt(action, asked, configuration.targets["shop"], 10).run()
    assert done is not None
    return done


def ids(server: PrivateServer) -> set[int]:
    return {row["ID"] for row in server.execute("SELECT ID FROM information_schema.PROCESSLIST")}


def test_idle_connections_are_closed_and_those_in_a_transaction_are_not(
    server: PrivateServer, settings: Any
) -> None:
    recovering.configure(settings, server)
    arguments = {"user": "app", "password": "app-Secret-1", "database": "till"}
    with ExitStack() as stack:
        idle = stack.enter_context(app(server))
        inside = stack.enter_context(holding(server, "SELECT * FROM t", **arguments))
        backup = stack.enter_context(app(server, "nightly_backup"))
        monitor = stack.enter_context(server.connect(user=MONITORING_USER, password=MONITORING_PASSWORD))
        wanted = {"idle_seconds": 2.0, "users": (), "at_most": 20}
        until(
            lambda: len(do(RelieveMemory(), server, False, **wanted).plan["steps"]) == 1,
            "it is not idle for long",
        )
        done = do(RelieveMemory(), server, True, **wanted)
        assert (done.outcome, done.verified) == ("succeeded", True)
        assert [step["session"] for step in done.plan["steps"]] == [number_of(idle)]
        until(lambda: number_of(idle) not in ids(server), "it is still there")
        assert {number_of(one) for one in (inside, backup, monitor)} <= ids(server)


def test_the_table_cache_is_flushed_only_where_nothing_would_wait(
    server: PrivateServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recovering.configure(settings, server)
    monkeypatch.setattr(relieve_memory, "_LEAST_TABLES", 1)
    wanted = {"idle_seconds": 3600.0, "flush_tables": True}
    server.execute("SELECT * FROM till.t")

    def planned() -> tuple[list[str], set[str]]:
        plan = do(RelieveMemory(), server, False, **wanted).plan
        return [step["text"] for step in plan["steps"]], {
            reason for reason in plan["left"] if "table cache" in reason
        }

    # Sessions that were ended by the tests before may still be leaving.
    if server.flavor == "mariadb":
        untold = "the table cache: whether somebody has locked tables this server does not tell"
        until(lambda: planned() == ([], {untold}), "it is hindered by something else")
        return
    until(lambda: planned() == (["flush the table cache"], set()), "it is hindered")
    with app(server) as locking, locking.cursor() as cursor:
        cursor.execute("LOCK TABLES t READ")
        assert planned() == ([], {"the table cache: somebody has locked tables"})
    until(lambda: number_of(locking) not in ids(server), "it is still there")
    with running(server, "SELECT SLEEP(600) FROM t", app(server)) as long:
        until(lambda: seconds_of(server, long) >= 2, "it does not run")
        assert planned() == ([], {"the table cache: statements are running that it would wait for"})
    until(lambda: planned() == (["flush the table cache"], set()), "it is hindered still")
    flushes = "SHOW GLOBAL STATUS LIKE 'Com_flush'"
    before = int(server.execute(flushes)[0]["Value"])
    done = do(RelieveMemory(), server, True, **wanted)
    assert (done.outcome, done.verified) == ("succeeded", True)
    assert int(server.execute(flushes)[0]["Value"]) == before + 1


def test_a_session_that_does_something_else_by_then_is_left(server: PrivateServer, settings: Any) -> None:
    recovering.configure(settings, server)
    session = app(server)
    number = number_of(session)
    first_is_over = threading.Event()

    def run() -> None:
        with suppress(pymysql.MySQLError), session.cursor() as cursor:
            with suppress(pymysql.MySQLError):
                cursor.execute(LONG)
            # The server is done with a statement for certain once it has answered the next one.
            cursor.execute("DO 0")
            first_is_over.set()
            cursor.execute(LONG)

    class Late(EndLongStatements):
        """Somebody else is faster between plan and apply."""

        async def apply(self, scene: Scene, step: Step) -> str | None:
            server.execute(f"KILL QUERY {number}")
            assert first_is_over.wait(PATIENCE)
            until(lambda: runs(server, number), "the second does not run")
            return await super().apply(scene, step)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        until(lambda: seconds_of(server, number) >= 3, "it does not run")
        done = do(Late(), server, True, limit_seconds=2.0)
        assert (done.outcome, done.verified) == ("nothing", None)
        assert done.done[0]["detail"] in ("it does something else now", "it has begun something new since")
        until(lambda: runs(server, number), "the second does not run any more")
    finally:
        server.execute(f"KILL {number}")
        thread.join()


def test_a_managed_server_ends_statements_by_its_procedure(
    private_server: PrivateServers, settings: Any
) -> None:
    server = prepare(private_server("mysql-9.7"))
    server.execute(
        "CREATE PROCEDURE mysql.rds_kill_query(IN number BIGINT) SQL SECURITY DEFINER KILL QUERY number"
    )
    recovering.configure(settings, server, LIMIT, "shop", "CONNECTION_ADMIN ON *.*")
    server.execute(f"GRANT EXECUTE ON PROCEDURE mysql.rds_kill_query TO {recovering.USER}")
    with running(server, LONG, app(server)) as long:
        until(lambda: seconds_of(server, long) >= 6, "it does not run")
        done = recover("end_long_statements", "shop", "a try", "ada", live=True)
        assert (done["outcome"], done["verified"], done["error"]) == ("succeeded", True, "")
        until(lambda: not runs(server, long), "it still runs")


def test_what_runs_within_a_block_of_mariadb_is_left(private_server: PrivateServers, settings: Any) -> None:
    server = prepare(private_server("mariadb-10.11", options={"performance-schema": "OFF"}))
    recovering.configure(settings, server, LIMIT)
    with running(server, "BEGIN NOT ATOMIC SELECT SLEEP(600) FROM DUAL; END", app(server)) as inside:
        until(lambda: seconds_of(server, inside) >= 6, "it does not run")
        assert recover("end_long_statements", "shop", "a try", "ada")["plan"] == []
