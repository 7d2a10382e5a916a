"""Starts a receiver or an applier again that stopped with an error which passes by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, get_args

from dbvigil.conf.recovery import OPTIONS, Option
from dbvigil.recovery.actions import replicas
from dbvigil.recovery.actions.replicas import Thread
from dbvigil.recovery.plan import Lasting, Plan, Scene, Step

_LOOKS = 20
_PAUSE = 0.1


class RestartReplication(Lasting):
    name: ClassVar = "restart_replication"
    help: ClassVar = "Starts a stopped receiver or applier again where its error is one that passes."
    metrics: ClassVar[Sequence[str]] = ("replication_running",)
    options: ClassVar[Sequence[Option]] = OPTIONS["restart_replication"]

    async def plan(self, scene: Scene) -> Plan:
        safe, at_most = scene.settings["errors"], scene.settings["at_most"]
        steps: list[Step] = []
        left: dict[str, int] = {}
        for channel in await replicas.channels(scene.server):
            for thread in get_args(Thread):
                if channel["running"][thread] is not False:
                    continue
                others = (
                    await replicas.worker_errors(scene.server, channel["name"])
                    if thread == "applier"
                    else set()
                )
                reason = refused(channel, thread, others, safe)
                if reason is None and len(steps) < at_most:
                    steps.append(_step(channel, thread))
                else:
                    reason = reason or "more than are started at once"
                    left[reason] = left.get(reason, 0) + 1
        return Plan(tuple(steps), "" if steps else "nothing stopped with an error that passes", left)

    async def apply(self, scene: Scene, step: Step) -> str | None:
        name, thread, error = step.given
        channel = next((one for one in await replicas.channels(scene.server) if one["name"] == name), None)
        if channel is None or channel["running"][thread] is not False or channel["error"][thread] != error:
            return "it no longer stands as it did"
        await replicas.start(scene.server, name, thread)
        return None

    async def verify(self, scene: Scene, done: Sequence[Step]) -> str | None:
        started = [step.given[:2] for step in done]
        for _ in range(_LOOKS):
            found = {one["name"]: one["running"] for one in await replicas.channels(scene.server)}
            # One that connects is on its way; whether it arrives the alert tells.
            stopped = [(name, thread) for name, thread in started if found.get(name, {}).get(thread) is False]
            if stopped:
                return "; ".join(f"the {thread}{_of(name)} has stopped again" for name, thread in stopped)
            if all(found[name][thread] for name, thread in started):
                return None
            await asyncio.sleep(_PAUSE)
        return None


def refused(
    channel: Mapping[str, Any], thread: Thread, workers: Collection[int], safe: Collection[int]
) -> str | None:
    """Why a thread that stopped is not started again; None where its error, and each of its workers', is a safe one."""
    error = channel["error"][thread]
    if channel["name"] in replicas.GROUPS:
        return "a channel of group replication"
    if error is None:
        return "why it stopped is not known"
    if error == 0 and not workers:
        return "it stopped without an error: somebody stopped it"
    unsafe = sorted({number for number in {error, *workers} - {0} if number not in safe})
    return f"error {', '.join(map(str, unsafe))} is not one that passes" if unsafe else None


def _step(channel: Mapping[str, Any], thread: Thread) -> Step:
    error = channel["error"][thread]
    return Step(
        f"start the {thread}{_of(channel['name'])} again: it stopped with error {error}",
        {"channel": channel["name"], "thread": thread, "error": error},
        (channel["name"], thread, error),
    )


def _of(channel: str) -> str:
    return f" of channel {channel}" if channel else ""
