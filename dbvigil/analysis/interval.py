"""Whether two snapshots can be differenced, over how many seconds, and whether the server restarted between them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dbvigil.types import Snapshot

# Uptime has whole seconds at both ends; a little drift between two clocks grows with the time between.
_UPTIME_SLACK = 2.0
_DRIFT = 0.01
# Without a common clock only uptime counts the seconds: below this, its whole seconds are too coarse for a rate.
_LEAST_UPTIME_INTERVAL = 10.0


@dataclass(frozen=True, slots=True)
class Interval:
    """The time between two snapshots of one target, and the server's counters at both ends.

    `same_run` says that the server ran through without a restart, a reset of its counters or a change of machine; where it is false,
    every difference of a counter is None. `same_connection` says that the monitor's own counters continue.
    """

    seconds: float
    same_run: bool
    same_connection: bool
    current: Snapshot
    previous: Snapshot

    def delta(self, name: str) -> float | None:
        """How much status counter `name` grew; None where it is missing at one end, or shrank: a reset is unknown, not a rate."""
        if not self.same_run:
            return None
        return growth(counters(self.current, "global"), counters(self.previous, "global"), name)

    def rate(self, name: str) -> float | None:
        """`delta` a second."""
        grown = self.delta(name)
        return None if grown is None else grown / self.seconds

    def clients_delta(self, name: str) -> float | None:
        """`delta` without what the monitor's own session added.

        The own session's counters are read in the same visit. When the connection changed, the statements of the former connection after
        its last reading are known by number only: enough for statement counters, None for any other.
        """
        grown, own_now = self.delta(name), counters(self.current, "own")
        own: float | None = None
        if self.same_connection:
            own = growth(own_now, counters(self.previous, "own"), name)
        elif name in ("Questions", "Com_select") and name in own_now:
            own = own_now[name] + self.previous.readings.get("monitor", {}).get("trailing_statements", 0)
        if grown is None or own is None:
            return None
        # The two readings are a statement apart at most, so the rest can undershoot by one of the monitor's own, never by more.
        return max(0.0, grown - own)

    def clients_rate(self, name: str) -> float | None:
        """`clients_delta` a second."""
        grown = self.clients_delta(name)
        return None if grown is None else grown / self.seconds


def counters(snapshot: Snapshot, scope: str) -> Mapping[str, Any]:
    """Status counters of `scope` ("global" or "own"); empty where they were not read."""
    values: Mapping[str, Any] = snapshot.readings.get("status", {}).get(scope, {})
    return values


def growth(now: Mapping[str, Any], before: Mapping[str, Any], name: str) -> float | None:
    """`now[name] - before[name]`; None where either is missing or the difference is negative."""
    end, start = now.get(name), before.get(name)
    if end is None or start is None or end < start:
        return None
    return float(end - start)


def same_server(one: Snapshot, other: Snapshot) -> bool:
    """Whether both snapshots are of the same server in the same version, as far as it tells."""
    a, b = one.server, other.server
    return one.database == other.database and (
        a.flavor,
        a.version_text,
        a.server_uuid,
        a.server_id,
        a.hostname,
    ) == (
        b.flavor,
        b.version_text,
        b.server_uuid,
        b.server_id,
        b.hostname,
    )


def between(current: Snapshot, previous: Snapshot | None) -> Interval | None:
    """The interval from `previous` to `current`; None where nothing can be differenced: no earlier snapshot, another server, no clock."""
    if previous is None or not same_server(current, previous):
        return None
    seconds = _elapsed(current, previous)
    if seconds is None:
        return None
    same_connection = current.clock == previous.clock and current.connection == previous.connection
    return Interval(
        seconds=seconds,
        same_run=_same_run(current, previous, seconds, same_connection),
        same_connection=same_connection,
        current=current,
        previous=previous,
    )


def restarted(current: Snapshot, previous: Snapshot | None) -> bool | None:
    """Whether the server started again since `previous`; None where that cannot be told, as of one that is seen for the first time.

    A machine that took another's place is the same server here: what the target names was away.
    """
    uptime = counters(current, "global").get("Uptime")
    if previous is None or uptime is None:
        return None
    if current.clock == previous.clock and current.connection == previous.connection:
        return False
    former_uptime = counters(previous, "global").get("Uptime")
    if former_uptime is not None and uptime < former_uptime:
        return True
    if current.clock == previous.clock:
        seconds = current.monotonic - previous.monotonic
    else:
        seconds = (current.taken_at - previous.taken_at).total_seconds()
    return bool(seconds - uptime > _slack(seconds))


def _elapsed(current: Snapshot, previous: Snapshot) -> float | None:
    """Seconds by the monitoring host's monotonic clock; across its reboots by the server's uptime, where the calendar agrees with it."""
    if current.clock == previous.clock:
        seconds = current.monotonic - previous.monotonic
        return seconds if seconds > 0 else None
    uptime = growth(counters(current, "global"), counters(previous, "global"), "Uptime")
    if uptime is None or uptime < _LEAST_UPTIME_INTERVAL:
        return None
    calendar = (current.taken_at - previous.taken_at).total_seconds()
    return uptime if abs(calendar - uptime) <= _slack(uptime) else None


def _same_run(current: Snapshot, previous: Snapshot, seconds: float, same_connection: bool) -> bool:
    now, before = counters(current, "global"), counters(previous, "global")
    uptime, former_uptime = now.get("Uptime"), before.get("Uptime")
    if uptime is None or former_uptime is None:
        return False
    if _counted_from(now) != _counted_from(before):
        return False
    if same_connection:
        return True
    slack = _slack(seconds)
    # A server that was sampled in its first moments and restarted at once would look the same: that is unknown too.
    return bool(former_uptime > slack and abs(uptime - former_uptime - seconds) <= slack)


def _counted_from(values: Mapping[str, Any]) -> float:
    """Uptime at the last FLUSH STATUS: 0 where there was none."""
    return float(values["Uptime"] - values.get("Uptime_since_flush_status", values["Uptime"]))


def _slack(seconds: float) -> float:
    return _UPTIME_SLACK + _DRIFT * seconds
