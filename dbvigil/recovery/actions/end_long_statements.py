"""Ends statements that run beyond a limit and only read: `KILL QUERY`, after which the session goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from dbvigil.conf.recovery import OPTIONS, Option
from dbvigil.recovery import sessions
from dbvigil.recovery.actions.ending import ended, step, wanted
from dbvigil.recovery.plan import Lasting, Plan, Scene, Step
from dbvigil.recovery.policy import choose_statements


class EndLongStatements(Lasting):
    name: ClassVar = "end_long_statements"
    help: ClassVar = "Ends statements that run for too long and only read."
    metrics: ClassVar[Sequence[str]] = ("query_time", "longest_query_seconds", "connection_usage")
    options: ClassVar[Sequence[Option]] = OPTIONS["end_long_statements"]

    async def plan(self, scene: Scene) -> Plan:
        rows, own = await sessions.look(scene.server, scene.users)
        verdict = choose_statements(rows, wanted(scene.settings, "limit_seconds"), own)
        steps = tuple(step("end the statement of", one) for one in verdict.chosen)
        return Plan(steps, "" if steps else "no statement that may be ended runs for so long", verdict.left)

    async def apply(self, scene: Scene, step: Step) -> str | None:
        return await sessions.end_statement(scene.server, step.given)

    async def verify(self, scene: Scene, done: Sequence[Step]) -> str | None:
        return await ended(
            scene,
            done,
            "still runs",
            lambda row, now: now is None or now.query != row.query or now.text != row.text,
        )
