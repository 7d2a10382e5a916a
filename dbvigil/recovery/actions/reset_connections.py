"""Resets what this project itself holds towards a server: the monitor's connection, and Django's in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from dbvigil.conf.recovery import OPTIONS, Option
from dbvigil.errors import ServerError
from dbvigil.recovery import own
from dbvigil.recovery.plan import Lasting, Plan, Scene, Step

ANSWERS = "SELECT 1 AS answers"


class ResetConnections(Lasting):
    name: ClassVar = "reset_connections"
    help: ClassVar = "Resets the monitor's and Django's own connections to the server."
    metrics: ClassVar[Sequence[str]] = ("up", "connection_usage")
    options: ClassVar[Sequence[Option]] = OPTIONS["reset_connections"]

    async def plan(self, scene: Scene) -> Plan:
        try:
            await scene.server.connect()
            await scene.server.rows(ANSWERS)
        except ServerError as error:
            return Plan(nothing=f"the server does not answer a new connection either: {error}")
        steps = [
            Step("close the monitor's connection and sample over a new one", {"connections": 1}, "monitor")
        ]
        held = own.held(scene.target)
        if held:
            text = f"let Django's {held} connection{'s' if held > 1 else ''} in this process be opened anew"
            steps.append(Step(text, {"connections": held}, "django"))
        return Plan(tuple(steps))

    async def apply(self, scene: Scene, step: Step) -> str | None:
        if step.given == "django":
            return None if own.retire(scene.target) else "there are none any more"
        scene.reset()
        return None

    async def verify(self, scene: Scene, done: Sequence[Step]) -> str | None:
        await scene.server.connect()
        await scene.server.rows(ANSWERS)
        return None
