"""Ends sessions that rest in an open transaction while others wait for their locks: the roots of the trees alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from dbvigil.blocking import Forest
from dbvigil.collectors.lock_waits import read_waits
from dbvigil.conf.recovery import OPTIONS, Option
from dbvigil.recovery import sessions
from dbvigil.recovery.actions.ending import ended, is_gone, step, wanted
from dbvigil.recovery.plan import Lasting, Plan, Scene, Step
from dbvigil.recovery.policy import Verdict, choose_blockers


class EndBlockers(Lasting):
    name: ClassVar = "end_blockers"
    help: ClassVar = "Ends sessions that rest in a transaction which others wait for."
    metrics: ClassVar[Sequence[str]] = ("lock_waits_current",)
    options: ClassVar[Sequence[Option]] = OPTIONS["end_blockers"]

    async def plan(self, scene: Scene) -> Plan:
        verdict = await self._choose(scene)
        steps = tuple(step("end", one) for one in verdict.chosen)
        return Plan(
            steps,
            "" if steps else "nobody who may be ended rests in a transaction that others wait for",
            verdict.left,
        )

    async def apply(self, scene: Scene, step: Step) -> str | None:
        # Whoever waited may have got the lock, or given up, since.
        again = await self._choose(scene)
        if step.given.id not in {one.row.id for one in again.chosen}:
            return "nobody waits for it any more, or it is no longer at rest"
        return await sessions.end_session(scene.server, step.given)

    async def verify(self, scene: Scene, done: Sequence[Step]) -> str | None:
        return await ended(scene, done, "is still there", is_gone)

    async def _choose(self, scene: Scene) -> Verdict:
        rows, own = await sessions.look(scene.server, scene.users)
        waits = await read_waits(scene.server, lambda digest, text: None)
        if waits.left_out:
            # What is not seen whole is not judged by its roots.
            return Verdict(left={"more sessions wait than are read": waits.left_out})
        settings = scene.settings
        return choose_blockers(
            rows, waits or Forest(), wanted(settings, "idle_seconds"), own, settings["waits_seconds"]
        )
