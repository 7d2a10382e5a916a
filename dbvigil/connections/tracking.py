"""This process's own connections of Django to MySQL and MariaDB: how many are open, how many in use, what connecting costs.

Nothing is kept alive by being watched: a connection counts as open while its wrapper lives and still has it.
"""

from __future__ import annotations

import functools
import os
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.core.signals import request_finished, request_started
from django.db.backends.base.base import BaseDatabaseWrapper

_MOST_KINDS = 20
_MOST_IDS = 50
_UID = "dbvigil.connections"


@dataclass(slots=True, eq=False)
class _Held:
    """One connection: its wrapper and the driver's object behind it."""

    wrapper: weakref.ref[BaseDatabaseWrapper]
    raw: int
    number: int | None
    opened: float
    used: float
    running: int = 0


@dataclass(slots=True)
class _Totals:
    opened: int = 0
    held: list[_Held] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    connect_seconds: float = 0.0
    longest_connect: float = 0.0


class Tracker:
    """Counts by alias; thread-safe. `ours` are threads of the monitor's own, which do not count."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.on_first: Callable[[], None] | None = None
        self.ours: set[int] = set()
        self.reset()

    def reset(self) -> None:
        """As in a new process: what a parent has open is not the child's."""
        self._lock = threading.Lock()
        self._aliases: dict[str, _Totals] = {}
        self._requests: set[int] = set()

    def opened(self, wrapper: BaseDatabaseWrapper, seconds: float) -> None:
        """`wrapper` has just connected, which took `seconds`."""
        if threading.get_ident() in self.ours:
            return
        now = self._monotonic()
        held = _Held(weakref.ref(wrapper), id(wrapper.connection), _number(wrapper.connection), now, now)
        with self._lock:
            totals = self._aliases.setdefault(wrapper.alias, _Totals())
            totals.opened += 1
            totals.connect_seconds += seconds
            totals.longest_connect = max(totals.longest_connect, seconds)
            totals.held = [one for one in totals.held if _is_open(one)]
            totals.held.append(held)
        executing = [one for one in wrapper.execute_wrappers if not isinstance(one, _Executing)]
        wrapper.execute_wrappers[:] = [*executing, _Executing(held, self._monotonic)]
        if self.on_first is not None:
            self.on_first()

    def failed(self, alias: str, error: BaseException) -> None:
        """Connecting has failed; the kind is the error's type and number, its words may hold more than should be told."""
        if threading.get_ident() in self.ours:
            return
        number = error.args[0] if error.args and isinstance(error.args[0], int) else None
        kind = type(error).__name__ + (f" {number}" if number is not None else "")
        with self._lock:
            errors = self._aliases.setdefault(alias, _Totals()).errors
            if kind not in errors and len(errors) >= _MOST_KINDS:
                kind = "other"
            errors[kind] = errors.get(kind, 0) + 1
        if self.on_first is not None:
            self.on_first()

    def request_began(self, **kwargs: object) -> None:
        self._requests.add(threading.get_ident())

    def request_ended(self, **kwargs: object) -> None:
        self._requests.discard(threading.get_ident())

    def figures(self) -> dict[str, dict[str, Any]]:
        """By alias `{"open", "in_use", "opened", "closed", "oldest_seconds", "outlived", "max_age", "health_checks", "connect_errors",
        "connect_seconds_mean", "connect_seconds_longest", "ids"}`; what nothing is known of is None."""
        now = self._monotonic()
        with self._lock:
            return {alias: self._of(totals, now) for alias, totals in self._aliases.items()}

    def count(self, alias: str) -> int:
        """How many connections of an alias are open."""
        with self._lock:
            totals = self._aliases.get(alias)
            return 0 if totals is None else sum(_is_open(one) for one in totals.held)

    def retire(self, alias: str) -> int:
        """Has Django take the open connections of an alias for too old: their threads close them when they begin their next request.

        Nobody else may close them: they belong to their threads. How many.
        """
        with self._lock:
            totals = self._aliases.get(alias)
            held = [one.wrapper() for one in totals.held if _is_open(one)] if totals is not None else []
        for wrapper in held:
            if wrapper is not None:
                wrapper.close_at = self._monotonic()
        return len(held)

    def _of(self, totals: _Totals, now: float) -> dict[str, Any]:
        totals.held = [one for one in totals.held if _is_open(one)]
        in_use, outlived, age, checks = 0, 0, None, None
        for one in totals.held:
            wrapper = one.wrapper()
            if wrapper is None:
                continue
            age, checks = wrapper.settings_dict["CONN_MAX_AGE"], wrapper.settings_dict["CONN_HEALTH_CHECKS"]
            busy = (
                one.running > 0
                or wrapper.in_atomic_block
                or getattr(wrapper, "_thread_ident", 0) in self._requests
            )
            in_use += busy
            outlived += not busy and has_outlived(age, now - one.opened, now - one.used)
        return {
            "open": len(totals.held),
            "in_use": in_use,
            "opened": totals.opened,
            "closed": totals.opened - len(totals.held),
            "oldest_seconds": round(now - min(one.opened for one in totals.held), 1) if totals.held else None,
            "outlived": outlived,
            "max_age": age,
            "health_checks": checks,
            "connect_errors": dict(totals.errors),
            "connect_seconds_mean": round(totals.connect_seconds / totals.opened, 6)
            if totals.opened
            else None,
            "connect_seconds_longest": round(totals.longest_connect, 6) if totals.opened else None,
            "ids": [one.number for one in totals.held if one.number is not None][:_MOST_IDS],
        }


SLACK_SECONDS = 60.0


def has_outlived(max_age: float | None, age: float, idle: float) -> bool:
    """Whether an idle connection is one that Django's request cycle would have closed.

    With a CONN_MAX_AGE a quiet worker keeps its connection beyond that age until its next request, which is no fault: only one that was
    *used* beyond it was never looked at. Without one (0) any that rests is forgotten. All in seconds.
    """
    if max_age is None or idle < SLACK_SECONDS:
        return False
    return max_age == 0 or age - idle > max_age + SLACK_SECONDS


class _Executing:
    """Marks a connection as in use while a statement runs."""

    __slots__ = ("_held", "_monotonic")

    def __init__(self, held: _Held, monotonic: Callable[[], float]) -> None:
        self._held, self._monotonic = held, monotonic

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        self._held.running += 1
        try:
            return execute(sql, params, many, context)
        finally:
            self._held.running -= 1
            self._held.used = self._monotonic()


def _is_open(held: _Held) -> bool:
    wrapper = held.wrapper()
    return wrapper is not None and wrapper.connection is not None and id(wrapper.connection) == held.raw


def _number(raw: Any) -> int | None:
    """The server's number of a connection, as the drivers keep it; asks nobody."""
    found = getattr(raw, "thread_id", None) or getattr(raw, "connection_id", None)
    value = found() if callable(found) else found
    return value if isinstance(value, int) else None


TRACKER = Tracker()
"""Of this process."""


def install() -> None:
    """Watches every MySQL alias of this process from now on; again is harmless."""
    plain = BaseDatabaseWrapper.connect
    if getattr(plain, "dbvigil", False):
        return

    @functools.wraps(plain)
    def connect(self: BaseDatabaseWrapper) -> None:
        if self.vendor != "mysql":
            return plain(self)
        began = time.perf_counter()
        try:
            plain(self)
        except Exception as error:
            TRACKER.failed(self.alias, error)
            raise
        TRACKER.opened(self, time.perf_counter() - began)
        return None

    connect.dbvigil = True  # type: ignore[attr-defined]  # so that it is not wrapped twice
    BaseDatabaseWrapper.connect = connect  # type: ignore[method-assign]
    request_started.connect(TRACKER.request_began, dispatch_uid=_UID)
    request_finished.connect(TRACKER.request_ended, dispatch_uid=_UID)
    os.register_at_fork(after_in_child=TRACKER.reset)
