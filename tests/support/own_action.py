"""A recovery action as a host project writes one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from dbvigil.conf.recovery import Option
from dbvigil.recovery.plan import Lasting, Plan, Scene, Step


def _words(name: str, value: object) -> str:
    return str(value)


class DrainQueue(Lasting):
    """Says what it would do, and does as if."""

    name: ClassVar = "tests.support.own_action.DrainQueue"
    help: ClassVar = "Drains a queue."
    metrics: ClassVar[Sequence[str]] = ("connection_usage",)
    options: ClassVar[Sequence[Option]] = (Option("queue", "mail", _words, "Which queue."),)
    drained: ClassVar[list[str]] = []

    async def plan(self, scene: Scene) -> Plan:
        return Plan((Step(f"drain {scene.settings['queue']}", {}, scene.settings["queue"]),))

    async def apply(self, scene: Scene, step: Step) -> str | None:
        self.drained.append(step.given)
        return None

    async def verify(self, scene: Scene, done: Sequence[Step]) -> str | None:
        return None
