"""Gives memory back: closes connections that rest without a transaction and, where that is wanted and safe, the tables that rest open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from dbvigil.collectors.values import number
from dbvigil.conf.recovery import OPTIONS, Option
from dbvigil.errors import MissingPrivilege
from dbvigil.recovery import sessions
from dbvigil.recovery.actions.ending import ended, is_gone, step, wanted
from dbvigil.recovery.plan import Lasting, Plan, Scene, Step
from dbvigil.recovery.policy import Own, Row, choose_idle

OPEN_TABLES = "SHOW GLOBAL STATUS WHERE Variable_name = 'Open_tables'"
MDL_INSTRUMENT = "SELECT ENABLED AS enabled FROM performance_schema.setup_instruments WHERE NAME = 'wait/lock/metadata/sql/mdl'"
# LOCK TABLES … READ and … WRITE, and FLUSH TABLES … WITH READ LOCK.
LOCKED_TABLES = """
    SELECT COUNT(*) AS locked FROM performance_schema.metadata_locks
     WHERE OBJECT_TYPE IN ('TABLE', 'GLOBAL')
       AND LOCK_TYPE IN ('SHARED_NO_READ_WRITE', 'SHARED_READ_ONLY', 'SHARED_NO_WRITE', 'EXCLUSIVE', 'SHARED')"""
# Not LOCAL, and replicas would close theirs too.
FLUSH_TABLES = "FLUSH LOCAL TABLES"
_LONGEST_RUNNING = 1.0
_LEAST_TABLES = 1_000


class RelieveMemory(Lasting):
    name: ClassVar = "relieve_memory"
    help: ClassVar = "Closes idle connections; flushes the table cache where that is wanted."
    metrics: ClassVar[Sequence[str]] = ("memory_usage", "connection_usage")
    options: ClassVar[Sequence[Option]] = OPTIONS["relieve_memory"]

    async def plan(self, scene: Scene) -> Plan:
        rows, own = await sessions.look(scene.server, scene.users)
        verdict = choose_idle(rows, wanted(scene.settings, "idle_seconds"), own)
        steps = [step("close idle", one) for one in verdict.chosen]
        left = dict(verdict.left)
        if scene.settings["flush_tables"]:
            hindered = await _hindered(scene, rows, own)
            if hindered is None:
                steps.append(Step("flush the table cache", {"statement": FLUSH_TABLES}))
            else:
                left[f"the table cache: {hindered}"] = 1
        return Plan(
            tuple(steps), "" if steps else "no connection that may be closed has rested for so long", left
        )

    async def apply(self, scene: Scene, step: Step) -> str | None:
        if isinstance(step.given, Row):
            return await sessions.end_session(scene.server, step.given)
        hindered = await _hindered(scene, *await sessions.look(scene.server, scene.users))
        if hindered is not None:
            return hindered
        try:
            await scene.server.rows(FLUSH_TABLES)
        except MissingPrivilege:
            raise sessions.lacking(scene.server.info, "RELOAD") from None
        return None

    async def verify(self, scene: Scene, done: Sequence[Step]) -> str | None:
        return await ended(scene, done, "is still there", is_gone)


async def _hindered(scene: Scene, rows: Sequence[Row], own: Own) -> str | None:
    """Why FLUSH TABLES would do no good, or harm: it waits for every statement that uses a table, and who comes after waits for it."""
    if any(
        row.command not in ("Sleep", "Daemon") and row.id not in own.ids and not _short(row) for row in rows
    ):
        return "statements are running that it would wait for"
    server = scene.server
    open_tables = number((await server.rows(OPEN_TABLES))[0]["Value"])
    if open_tables is None or open_tables < _LEAST_TABLES:
        return f"fewer than {_LEAST_TABLES} tables are open"
    instrument = await server.rows(MDL_INSTRUMENT) if server.info.performance_schema else []
    if not instrument or instrument[0]["enabled"] != "YES":
        return "whether somebody has locked tables this server does not tell"
    if number((await server.rows(LOCKED_TABLES))[0]["locked"]) != 0:
        return "somebody has locked tables"
    return None


def _short(row: Row) -> bool:
    # Replicas and the server's own threads have been at it for ever, and hold no table for long.
    waits = row.command in (
        "Binlog Dump",
        "Binlog Dump GTID",
        "Connect",
        "Slave_IO",
        "Slave_SQL",
        "Slave_worker",
    )
    return waits or (row.seconds is not None and row.seconds < _LONGEST_RUNNING)
