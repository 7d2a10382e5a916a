"""Helps a replica that is behind to catch up: parallel workers and relaxed durability for a time, and then everything as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dbvigil.collectors.values import number, switched_on
from dbvigil.conf.recovery import OPTIONS, Option
from dbvigil.errors import MissingPrivilege
from dbvigil.recovery import variables
from dbvigil.recovery.actions import replicas
from dbvigil.recovery.plan import Change, Plan, Scene, Step
from dbvigil.types import DatabaseMetrics

CAUGHT_UP_SECONDS = 1.0
DURABILITY = {"innodb_flush_log_at_trx_commit": "2", "sync_binlog": "0"}
"""What a crash of the replica's host can lose is what its source still has; a crash of the server alone loses nothing of InnoDB's."""
_COMMIT_ORDER = ("replica_preserve_commit_order", "slave_preserve_commit_order")
_MODE = "slave_parallel_mode"


class SpeedUpReplica:
    name: ClassVar = "speed_up_replica"
    help: ClassVar = "Gives a replica that is behind parallel workers and relaxed durability for a time."
    metrics: ClassVar[Sequence[str]] = ("replication_lag",)
    options: ClassVar[Sequence[Option]] = OPTIONS["speed_up_replica"]

    async def plan(self, scene: Scene) -> Plan:
        found = await replicas.channels(scene.server)
        values = await variables.read(
            scene.server, (*variables.SETTABLE, *_COMMIT_ORDER, _MODE, "read_only", "super_read_only")
        )
        reason = hindered(found, values)
        if reason is not None:
            return Plan(nothing=reason)
        wanted = dict(DURABILITY) if scene.settings["relax_durability"] else {}
        workers = variables.workers_name(scene.server.info)
        left = {}
        reason = no_workers(found, values, workers, scene.settings["workers"])
        if reason is None:
            wanted[workers] = str(scene.settings["workers"])
        else:
            left[f"workers: {reason}"] = 1
        changes = [
            Change("setting", name, values[name], new)
            for name, new in wanted.items()
            if values.get(name) is not None and _relaxes(name, values[name], new)
        ]
        if not changes:
            return Plan(nothing="every setting that helps is in force already", left=left)
        steps, more = changed(changes, found[0]["name"], workers)
        return Plan(steps, left=left, changes=(*changes, *more), minutes=scene.settings["minutes"])

    async def apply(self, scene: Scene, step: Step) -> str | None:
        kind, name, value = step.given
        match kind:
            case "set":
                await variables.put(scene.server, name, value)
            case "stop":
                await replicas.stop(scene.server, name, "applier")
            case "start":
                await _start(scene, name)
        return None

    async def verify(self, scene: Scene, done: Sequence[Step]) -> str | None:
        values = await variables.read(scene.server, variables.SETTABLE)
        meant = {name: value for kind, name, value in (step.given for step in done) if kind == "set"}
        wrong = [
            f"{name} is {values.get(name)}" for name, value in meant.items() if values.get(name) != value
        ]
        wrong += [
            "the applier does not run"
            for channel in await replicas.channels(scene.server)
            if any(step.given[:2] == ("start", channel["name"]) for step in done)
            and not channel["running"]["applier"]
        ]
        return "; ".join(wrong) or None

    async def undo(self, scene: Scene, changes: Sequence[Change]) -> Plan:
        channels = {one["name"]: one for one in await replicas.channels(scene.server)}
        values = await variables.read(scene.server, variables.SETTABLE)
        workers = variables.workers_name(scene.server.info)
        settled: dict[Change, str] = {}
        back: list[Change] = []
        appliers: list[Change] = []
        for change in changes:
            if change.kind == "applier":
                reason = no_start(channels.get(change.name))
                appliers += [change] if reason is None else []
            else:
                reason = stays(change, values.get(change.name))
                back += [change] if reason is None else []
            if reason is not None:
                settled[change] = reason
        running = next((one for one in channels.values() if one["running"]["applier"]), None)
        steps: tuple[Step, ...] = ()
        more: tuple[Change, ...] = ()
        if back:
            turned = [Change("setting", one.name, one.new, one.old) for one in back]
            steps, more = changed(turned, None if running is None else running["name"], workers, of=back)
        starts = tuple(
            Step(
                f"start the applier again{_of(one.name)}", {}, ("start", one.name, ""), {one: "started again"}
            )
            for one in appliers
        )
        return Plan((*steps, *starts), changes=more, settled=settled)

    def is_over(self, figures: DatabaseMetrics) -> bool:
        return figures.replication_lag is not None and figures.replication_lag <= CAUGHT_UP_SECONDS


async def _start(scene: Scene, channel: str) -> None:
    try:
        await replicas.start(scene.server, channel, "applier")
    except MissingPrivilege:
        # Whoever may not start it was not let stop it either.
        found = await replicas.channels(scene.server)
        if not any(one["name"] == channel and one["running"]["applier"] for one in found):
            raise


def hindered(channels: Sequence[Mapping[str, Any]], values: Mapping[str, str]) -> str | None:
    """Why a server is not helped by this, or must not be; None where it may be."""
    if len(channels) != 1:
        return "it is no replica" if not channels else "it follows several sources"
    (channel,) = channels
    if channel["name"] in replicas.GROUPS:
        return "it is a member of a group"
    if not channel["running"]["applier"]:
        return "its applier does not run"
    if not (switched_on(values.get("read_only")) or switched_on(values.get("super_read_only"))):
        return "it is not read-only: what is written here would be less durable too"
    if (channel["delay"] or 0) > 0:
        return "it is meant to be behind"
    read, applied = (
        (channel[f"{which}_file"], channel[f"{which}_position"]) for which in ("read", "applied")
    )
    if None in (*read, *applied) or read == applied:
        return "it has applied all that it received: what is slow is before it"
    return None


def no_workers(
    channels: Sequence[Mapping[str, Any]], values: Mapping[str, str], name: str, wanted: int
) -> str | None:
    """Why its workers stay as many as they are; None where there may be more."""
    current = number(values.get(name))
    if current is None:
        return "how many there are is not known"
    if current >= wanted:
        return f"there are {current} already"
    if values.get(_MODE, "").lower() == "none":
        return "slave_parallel_mode is none"
    order = next((values[one] for one in _COMMIT_ORDER if one in values), None)
    if name != variables.MARIADB_WORKERS and not switched_on(order):
        return "without replica_preserve_commit_order they would leave gaps"
    return None


def stays(change: Change, current: str | None) -> str | None:
    """Why a setting is not put back; None where it has the value that it was given here."""
    if current == change.new:
        return None
    if current == change.old:
        return "as it was already"
    return "it cannot be read any more" if current is None else f"somebody has set it to {current}: left"


def no_start(channel: Mapping[str, Any] | None) -> str | None:
    """Why an applier that was stopped here is not started again; None where it is.

    One that runs is told to start too: it may be about to stop still, if whoever stopped it did not wait for that.
    """
    if channel is None:
        return "there is no such channel any more"
    error = channel["error"]["applier"]
    stopped = channel["running"]["applier"] is False
    return f"it has stopped with error {error}: left" if stopped and error else None


def changed(
    changes: Sequence[Change], channel: str | None, workers: str, of: Sequence[Change] | None = None
) -> tuple[tuple[Step, ...], tuple[Change, ...]]:
    """The steps that give settings their new values, workers with the applier (of `channel`; None: it does not run) stopped for a moment;
    and what has to be written down for that. `of`: the changes that are settled by them, one each.
    """
    steps: list[Step] = []
    more: list[Change] = []
    for place, change in enumerate(changes):
        closes = {of[place]: "put back"} if of else {}
        setting = Step(
            f"set {change.name} from {change.old} to {change.new}",
            {"setting": change.name, "from": change.old, "to": change.new},
            ("set", change.name, change.new),
            closes,
        )
        if change.name != workers or channel is None:
            steps.append(setting)
            continue
        applier = Change("applier", channel, "running", "stopped")
        more.append(applier)
        steps += [
            Step(f"stop the applier for a moment{_of(channel)}", {}, ("stop", channel, "")),
            setting,
            Step(
                f"start the applier again{_of(channel)}",
                {},
                ("start", channel, ""),
                {applier: "started again"},
            ),
        ]
    return tuple(steps), tuple(more)


def _relaxes(name: str, old: str, new: str) -> bool:
    """Whether `new` is faster: of what syncs, 1 alone is slow, and 0 and 2 are what somebody has chosen."""
    return old == "1" if name in DURABILITY else old != new


def _of(channel: str) -> str:
    return f" of channel {channel}" if channel else ""
