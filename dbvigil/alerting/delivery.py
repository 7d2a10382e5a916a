"""Delivers: one thread a channel, so that one that hangs holds up no other, and one that sweeps and attends to them.

Any number of processes may do so for the same outbox. Nothing is kept in memory: a process that is killed at any step loses nothing.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from django.db import DatabaseError, InterfaceError, connections

from dbvigil.alert import Alert
from dbvigil.alerting import clock, outbox
from dbvigil.alerting.links import links_of
from dbvigil.alerting.outbox import Claim
from dbvigil.alerting.plan import Plan
from dbvigil.alerting.sweep import sweep
from dbvigil.channels.base import Channel, Notice, Outcome
from dbvigil.models import AlertWorker, ChannelState

logger = logging.getLogger("dbvigil.alerts")

BURST = 10.0
"""Messages that a channel is sent one by one before a storm is bundled."""

_LOOK_EVERY = 0.5
_SWEEP_EVERY = 1.0
_AFTER_TROUBLE = 1.0
_SETTLE_AGAIN = 0.25


@dataclass(frozen=True, slots=True)
class Delivering:
    """What a process that delivers works with: the channels there are now, by name, where what cannot be delivered goes, where links
    lead (empty: no links), the plan as it stands now, and where runbooks are (empty: on this site).
    """

    channels: Callable[[], Mapping[str, Channel]]
    fallback: str
    base_url: str
    plan: Callable[[datetime], Plan]
    runbooks: str = ""


class Deliverer:
    """Delivers until it is stopped. `on_alerts` is told of alerts that a sweep changed."""

    def __init__(
        self,
        delivering: Delivering,
        *,
        on_alerts: Callable[[list[Alert]], None] | None = None,
        also: Callable[[datetime], None] | None = None,
    ) -> None:
        self.started_at = datetime.now(UTC)
        self.identity = f"{socket.gethostname()}:{os.getpid()}:{self.started_at.timestamp():.3f}"
        self._delivering = delivering
        self._on_alerts = on_alerts
        self._also = also
        self._channels: Mapping[str, Channel] = {}
        self._sweeper: threading.Thread | None = None
        self._threads: dict[str, threading.Thread] = {}
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._number = 0
        self._delivered = 0
        self._troubled = False

    def start(self) -> None:
        """Starts the thread that sweeps, which starts one for each channel; returns at once."""
        self._sweeper = threading.Thread(target=self._sweep, name="dbvigil-sweep", daemon=True)
        self._sweeper.start()

    def wake(self) -> None:
        """There is something new in the outbox."""
        with self._news:
            self._number += 1
            self._news.notify_all()

    def stop(self, timeout: float = 5.0) -> None:
        """Lets what is being sent be settled, within `timeout` seconds. What is not stays in the outbox for another process."""
        self._stop.set()
        self.wake()
        deadline = time.monotonic() + timeout
        threads = [self._sweeper] if self._sweeper is not None else []
        for thread in (*threads, *self._threads.values()):
            thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def running(self) -> bool:
        """Whether it delivers: the thread that sweeps is alive, and sees to it that the others are."""
        return self._sweeper is not None and self._sweeper.is_alive()

    def drain(self) -> int:
        """Delivers what is due now, in this thread; how many messages were tried."""
        tried = 0
        self._channels = self._delivering.channels()
        for channel in self._channels.values():
            while self._one(channel):
                tried += 1
        return tried

    # threads

    def _deliver(self, name: str) -> None:
        """Delivers on one channel for as long as there is one of this name."""
        seen = -1
        while not self._stop.is_set() and name in self._channels:
            with self._news:
                if self._number == seen:
                    self._news.wait(_LOOK_EVERY)
                seen = self._number
            channel = self._channels.get(name)
            if channel is not None:
                self._steadily(partial(self._all_due, channel))
        connections.close_all()

    def _all_due(self, channel: Channel) -> None:
        # A channel that was changed or removed meanwhile is not sent anything more as it was.
        while not self._stop.is_set() and self._channels.get(channel.name) is channel and self._one(channel):
            pass

    def _sweep(self) -> None:
        self._steadily(self._attend)
        while not self._stop.wait(_SWEEP_EVERY):
            self._steadily(self._attend)
            self._steadily(self._sweep_once)
        self._steadily(lambda: AlertWorker.objects.filter(identity=self.identity).delete())
        connections.close_all()

    def _attend(self) -> None:
        """Sees to it that each channel has a thread; those of channels that are gone end by themselves."""
        self._channels = self._delivering.channels()
        self._threads = {name: thread for name, thread in self._threads.items() if thread.is_alive()}
        for name in self._channels:
            if name not in self._threads:
                thread = threading.Thread(
                    target=self._deliver, args=(name,), name=f"dbvigil-deliver-{name}", daemon=True
                )
                self._threads[name] = thread
                thread.start()

    def _sweep_once(self) -> None:
        now = datetime.now(UTC)
        AlertWorker.objects.update_or_create(
            identity=self.identity,
            defaults={"started_at": self.started_at, "seen_at": now, "delivered": self._delivered},
        )
        plan = self._delivering.plan(now)
        if clock.follow(plan, now):
            plan = self._delivering.plan(now)
        outbox.release_abandoned(now)
        outbox.sweep_disabled(self._delivering.channels, now, self._fallback)
        changed = sweep(plan, now)
        if self._also is not None:
            self._also(now)
        if changed:
            self.wake()
            if self._on_alerts is not None:
                self._on_alerts(changed)

    def _steadily(self, step: Callable[[], object]) -> None:
        """One step; trouble is said once, and the next step comes a little later."""
        try:
            step()
        except (DatabaseError, InterfaceError) as error:
            connections.close_all()
            if not self._troubled:
                logger.error("alerts wait: the service's own database fails (%s)", str(error).strip())
            self._troubled = True
            self._stop.wait(_AFTER_TROUBLE)
            return
        except Exception:
            connections.close_all()
            # A fault of ours in one thread must not end it; what it worked on stays in the outbox.
            logger.exception("delivery failed; it goes on")
            self._stop.wait(_AFTER_TROUBLE)
            return
        if self._troubled:
            self._troubled = False
            logger.info("alerts are delivered again")

    # one message

    def _one(self, channel: Channel) -> bool:
        """Claims and sends one message; false where there was none."""
        claimed = outbox.claim(channel, self.identity, datetime.now(UTC), BURST)
        if claimed is None:
            return False
        started = time.monotonic()
        try:
            outcome = channel.send(self._notice(claimed))
        except Exception as error:
            logger.exception("channel %s failed", channel.name)
            outcome = Outcome(False, f"the channel failed ({type(error).__name__}); the log has the details")
        self._settle(claimed, outcome, started)
        return True

    def _notice(self, claimed: Claim) -> Notice:
        base_url, runbooks = self._delivering.base_url, self._delivering.runbooks
        links = [links_of(base_url, alert, claimed.at, runbooks) for alert in claimed.alerts]
        return Notice(claimed.message_id, claimed.type, claimed.at, claimed.alerts, links)

    def _settle(self, claimed: Claim, outcome: Outcome, started: float) -> None:
        """Writes the outcome down. While the database does not take it the lease runs: after it somebody else tries again."""
        while True:
            try:
                outbox.settle(
                    claimed,
                    outcome,
                    self.identity,
                    datetime.now(UTC),
                    random.random(),  # noqa: S311 - it spreads retries and guards nothing
                    self._fallback(claimed.channel),
                )
                break
            except (DatabaseError, InterfaceError):
                connections.close_all()
                if time.monotonic() - started > outbox.LEASE_SECONDS:
                    raise
                time.sleep(_SETTLE_AGAIN)
        if outcome.ok:
            self._delivered += 1
        else:
            logger.warning(
                "%s: message %s was not delivered (attempt %d): %s",
                claimed.channel,
                claimed.message_id,
                claimed.attempt,
                outcome.detail,
            )

    def _fallback(self, channel: str) -> str | None:
        """Where the news of a channel that cannot be reached goes."""
        return fallback_of(channel, self._delivering.fallback, self._channels)


def fallback_of(channel: str, wanted: str, channels: Mapping[str, Channel]) -> str | None:
    """The channel that tells what `channel` could not: the one that was `wanted`, else the first other one that works."""
    if wanted and wanted in channels and wanted != channel:
        return wanted
    disabled = set(ChannelState.objects.exclude(disabled_at=None).values_list("name", flat=True))
    return next((name for name in channels if name != channel and name not in disabled), None)
