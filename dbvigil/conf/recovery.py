"""The settings of recovery: which actions may do what, within which bounds, and with which account.

An action's options stand here in one table, so that a wrong one is a setting's error like any other. An action of a host project is named
by its dotted path and brings its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from django.utils.module_loading import import_string

from dbvigil.conf.accounts import Account
from dbvigil.conf.values import boolean, mapping, number
from dbvigil.errors import ConfigurationError

Mode = Literal["off", "dry_run", "live"]
MODES: tuple[Mode, ...] = get_args(Mode)

NEVER_SAFE = (1032, 1062, 1236, 1396, 1593, 1594, 1872, 13114, 13117)
"""Errors after which starting a replica again harms or is in vain: rows that differ, logs that are gone or broken."""

SAFE_ERRORS = (1040, 1053, 1158, 1159, 1160, 1161, 1205, 1213, 2003, 2005, 2006, 2013)
"""Errors that pass: the source was away, full or restarting, the network broke, a lock or a deadlock hit the applier."""

_ALLOWED = 'allowed: {action: "off", "dry_run" or "live"} or {action: {"mode": …, option: value}}'
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_MOST_NAMES = 100


@dataclass(frozen=True, slots=True)
class Option:
    """One option of an action: its default, how its value is read (raising `ConfigurationError`), and what it means."""

    name: str
    default: Any
    read: Callable[[str, object], Any]
    help: str


@dataclass(frozen=True, slots=True)
class ActionSettings:
    """One action as the settings have it; `values` holds every option by name."""

    name: str
    mode: Mode
    values: Mapping[str, Any]

    def __getitem__(self, option: str) -> Any:
        return self.values[option]


@dataclass(frozen=True, slots=True)
class RecoverySettings:
    """Every setting of recovery, read and checked. `actions` has all there are, named or not."""

    enabled: bool
    actions: Mapping[str, ActionSettings]
    accounts: Mapping[str, Account] = field(repr=False)

    def automatic(self, action: str) -> Mode:
        """What `action` may do where nobody asks: nothing live while recovery is not enabled."""
        mode = self.actions[action].mode
        return "dry_run" if mode == "live" and not self.enabled else mode


def _mode(name: str, value: object) -> Mode:
    for mode in MODES:
        if value == mode:
            return mode
    raise ConfigurationError(name, value, f"allowed: {', '.join(MODES)}")


def _severity(name: str, value: object) -> str:
    if value in ("warning", "critical"):
        return str(value)
    raise ConfigurationError(name, value, 'allowed: "critical", or "warning" (and worse)')


def _seconds(least: float, most: float) -> Callable[[str, object], float]:
    return lambda name, value: number(name, value, least, most)


def _whole(least: int, most: int) -> Callable[[str, object], int]:
    def read(name: str, value: object) -> int:
        found = number(name, value, least, most)
        if found != int(found):
            raise ConfigurationError(name, value, f"allowed: a whole number from {least} to {most}")
        return int(found)

    return read


def _names(name: str, value: object) -> tuple[str, ...]:
    if (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) <= _MOST_NAMES
        and all(isinstance(one, str) and 0 < len(one) <= _MOST_NAMES for one in value)
    ):
        return tuple(value)
    raise ConfigurationError(name, value, f"allowed: a list of at most {_MOST_NAMES} names; empty: any")


def _errors(name: str, value: object) -> tuple[int, ...]:
    allowed = (
        "allowed: a list of error numbers, never any of "
        + ", ".join(map(str, NEVER_SAFE))
        + ": a replica that is started again after these loses or doubles data, or stops again"
    )
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ConfigurationError(name, value, allowed)
    for one in value:
        if isinstance(one, bool) or not isinstance(one, int) or not 0 < one < 100_000 or one in NEVER_SAFE:
            raise ConfigurationError(name, one, allowed)
    return tuple(value)


def _guards(at_most: int, per_hour: int, cool_down: float) -> tuple[Option, ...]:
    """What bounds every action."""
    return (
        Option(
            "severity",
            "critical",
            _severity,
            "Acts on alerts of this severity; `warning` means that and worse.",
        ),
        Option("at_most", at_most, _whole(1, 100), "So many sessions, channels or servers in one attempt."),
        Option("per_hour", per_hour, _whole(1, 60), "So many live attempts on one database in an hour."),
        Option(
            "cool_down_seconds", cool_down, _seconds(10, 86_400), "Between two live attempts on one database."
        ),
        Option(
            "databases_per_hour",
            3,
            _whole(1, 1_000),
            "On so many databases in an hour; one is a fault, all of them a mistake.",
        ),
    )


_USERS = Option("users", (), _names, "Only sessions of these users; empty: of any that is not protected.")
_DATABASES = Option("databases", (), _names, "Only sessions whose schema is one of these; empty: any.")

OPTIONS: Mapping[str, tuple[Option, ...]] = {
    "reset_connections": _guards(100, 6, 60),
    "end_long_statements": (
        Option("limit_seconds", 60.0, _seconds(5, 86_400), "Statements that have run for longer."),
        _USERS,
        _DATABASES,
        Option("writes", False, boolean, "INSERT, UPDATE, DELETE and REPLACE too; undoing one can take longer than it ran."),
        *_guards(5, 6, 60),
    ),
    "end_blockers": (
        Option("idle_seconds", 30.0, _seconds(5, 86_400), "Sessions that have run nothing for so long, in an open transaction."),
        Option("waits_seconds", 5.0, _seconds(1, 3_600), "Others have waited for them for so long."),
        _USERS,
        _DATABASES,
        *_guards(1, 6, 60),
    ),
    "relieve_memory": (
        Option("idle_seconds", 600.0, _seconds(60, 86_400), "Connections that have run nothing for so long, without a transaction."),
        _USERS,
        _DATABASES,
        Option("flush_tables", False, boolean, "FLUSH TABLES too, where no statement is running that it would wait for."),
        *_guards(20, 2, 900),
    ),
    "restart_replication": (
        Option("errors", SAFE_ERRORS, _errors, "Starts again what stopped with one of these errors."),
        *_guards(1, 3, 300),
    ),
    "speed_up_replica": (
        Option("workers", 4, _whole(2, 32), "Parallel workers of the applier meanwhile."),
        Option("relax_durability", True, boolean, "`innodb_flush_log_at_trx_commit` = 2 and `sync_binlog` = 0 meanwhile."),
        Option("minutes", 15.0, _seconds(1, 240), "After so many minutes every setting is put back, whatever the lag."),
        *_guards(1, 2, 1_800),
    ),
}  # fmt: skip
"""The options of each action that ships."""

_COMMON = _guards(1, 3, 300)


def actions(name: str, value: object) -> Mapping[str, ActionSettings]:
    """What DB_RECOVERY_ACTIONS says, with every option's default; raises `ConfigurationError` naming the place that is wrong."""
    wanted = mapping(name, value, _ALLOWED)
    found = {action: _action(f"{name}[{action}]", action, {}, options) for action, options in OPTIONS.items()}
    for action, given in wanted.items():
        place = f"{name}[{action}]"
        found[str(action)] = _action(place, str(action), given, _options(name, action))
    return found


def _options(name: str, action: object) -> tuple[Option, ...]:
    if isinstance(action, str) and action in OPTIONS:
        return OPTIONS[action]
    if not isinstance(action, str) or not _PATH.fullmatch(action):
        raise ConfigurationError(
            name, action, f"allowed: {', '.join(OPTIONS)}, or the dotted path of an action of your own"
        )
    try:
        kind = import_string(action)
    except ImportError as error:
        raise ConfigurationError(name, action, f"allowed: a class that can be imported ({error})") from None
    missing = [
        one
        for one in ("help", "metrics", "options", "plan", "apply", "verify", "undo")
        if not hasattr(kind, one)
    ]
    if missing:
        raise ConfigurationError(name, action, f"allowed: a class that has {', '.join(missing)}")
    own: tuple[Option, ...] = tuple(kind.options)
    return (*own, *(one for one in _COMMON if one.name not in {each.name for each in own}))


def _action(place: str, action: str, given: object, options: Sequence[Option]) -> ActionSettings:
    if isinstance(given, str):
        given = {"mode": given}
    if not isinstance(given, Mapping):
        raise ConfigurationError(place, given, _ALLOWED)
    known = {option.name: option for option in options}
    for key in given:
        if key != "mode" and key not in known:
            raise ConfigurationError(place, key, f"allowed: mode, {', '.join(known)}")
    return ActionSettings(
        action,
        _mode(f"{place}[mode]", given.get("mode", "dry_run")),
        {
            option.name: option.read(f"{place}[{option.name}]", given[option.name])
            if option.name in given
            else option.default
            for option in options
        },
    )


def shown_actions(value: Mapping[str, ActionSettings]) -> dict[str, Any]:
    """Each action with its mode and all its options."""
    return {
        action: {
            "mode": settings.mode,
            **{name: list(one) if isinstance(one, tuple) else one for name, one in settings.values.items()},
        }
        for action, settings in value.items()
    }
