"""The settings of backups: of what, when, where to, under which key and as whom."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cronsim import CronSim, CronSimError

from dbvigil.conf.accounts import Account
from dbvigil.conf.values import boolean, mapping, number
from dbvigil.errors import ConfigurationError

AUTO = "auto"
DUMP, PHYSICAL = "dump", "physical"
TOOLS = (DUMP, PHYSICAL)
LEAST_KEY = 32

_MASK = "***"
_ALIAS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_CRON = 'allowed: a cron expression of five fields that comes about, read in UTC, such as "15 3 * * *"'
_SCHEDULES = 'allowed: {alias: "15 3 * * *"} or {alias: {"cron": "15 3 * * *", …}}'
_KEY = f"allowed: at least {LEAST_KEY} random characters, or nothing"


@dataclass(frozen=True, slots=True)
class BackupSchedule:
    """When one database is backed up, and how.

    `source` is the alias of the server that is read: a replica, the database itself, or "auto", which is a healthy replica and else the
    database. `tool` is "dump", or "physical" for a copy of the server's files by mariadb-backup. `databases` are schemas, all of the
    server's own where it is empty. Kept are the backups of `keep_days`, and one a week of `keep_weeks`. `verify` restores each one;
    `compare_seconds` is how long the server may be read for what the restore is compared with. `most_hours` ends one that takes too
    long; `megabytes_per_second` is how fast it is read (0: as fast as it comes).
    """

    cron: str
    source: str = AUTO
    databases: tuple[str, ...] = ()
    keep_days: float = 7.0
    keep_weeks: float = 4.0
    verify: bool = True
    compare_seconds: float = 900.0
    most_hours: float = 12.0
    megabytes_per_second: float = 0.0
    tool: str = DUMP

    def to_dict(self) -> dict[str, Any]:
        """As it is written in the settings."""
        return {
            "cron": self.cron,
            "from": self.source,
            "databases": list(self.databases),
            "keep_days": self.keep_days,
            "keep_weeks": self.keep_weeks,
            "verify": self.verify,
            "compare_seconds": self.compare_seconds,
            "most_hours": self.most_hours,
            "megabytes_per_second": self.megabytes_per_second,
            "tool": self.tool,
        }


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """Every setting of backups, read and checked. `keys` are those that open; the first of them seals."""

    enabled: bool = False
    schedules: Mapping[str, BackupSchedule] = field(default_factory=dict)
    folder: str = ""
    keys: tuple[str, ...] = field(default=(), repr=False)
    seals: bool = False
    accounts: Mapping[str, Account] = field(default_factory=dict, repr=False)


def schedules(name: str, value: object) -> Mapping[str, BackupSchedule]:
    """What DB_BACKUP_SCHEDULES says; raises `ConfigurationError` naming the place that is wrong."""
    return {
        _alias(name, alias): _schedule(f"{name}[{alias}]", given)
        for alias, given in mapping(name, value, _SCHEDULES).items()
    }


def _schedule(name: str, given: object) -> BackupSchedule:
    if isinstance(given, str):
        given = {"cron": given}
    if not isinstance(given, Mapping) or "cron" not in given:
        raise ConfigurationError(name, given, _SCHEDULES)
    found = BackupSchedule(_cron(f"{name}[cron]", given["cron"]))
    for key, value in given.items():
        found = _with(found, name, key, value)
    if found.tool == PHYSICAL and found.databases:
        raise ConfigurationError(
            f"{name}[databases]",
            list(found.databases),
            'allowed with "tool": "physical": none, for all of a server\'s files are copied',
        )
    return found


def _with(found: BackupSchedule, name: str, key: object, value: object) -> BackupSchedule:
    place = f"{name}[{key}]"
    match key:
        case "cron":
            return found
        case "from":
            return replace(found, source=value if value == AUTO else _alias(place, value))
        case "tool":
            return replace(found, tool=_tool(place, value))
        case "databases":
            return replace(found, databases=_names(place, value))
        case "verify":
            return replace(found, verify=boolean(place, value))
        case "keep_days":
            return replace(found, keep_days=number(place, value, 1, 3_650))
        case "keep_weeks":
            return replace(found, keep_weeks=number(place, value, 0, 520))
        case "compare_seconds":
            return replace(found, compare_seconds=number(place, value, 0, 86_400))
        case "most_hours":
            return replace(found, most_hours=number(place, value, 0.01, 168))
        case "megabytes_per_second":
            return replace(found, megabytes_per_second=number(place, value, 0, 100_000))
    known = ", ".join(BackupSchedule("").to_dict())
    raise ConfigurationError(name, key, f"allowed: {known}")


def _cron(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value.split()) != 5:
        raise ConfigurationError(name, value, _CRON)
    try:
        first = next(CronSim(value, datetime(2026, 1, 1, tzinfo=UTC)), None)
    except CronSimError as error:
        raise ConfigurationError(name, value, f"{_CRON} ({error})") from None
    if first is None:
        raise ConfigurationError(name, value, _CRON)
    return value


def _tool(name: str, value: object) -> str:
    if value not in TOOLS:
        raise ConfigurationError(name, value, f"allowed: {', '.join(TOOLS)}")
    return str(value)


def _names(name: str, value: object) -> tuple[str, ...]:
    allowed = "allowed: a list of schemas' names"
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ConfigurationError(name, value, allowed)
    for one in value:
        # A name that begins with a hyphen would be an option to the tool.
        if not isinstance(one, str) or not one or one.startswith("-") or len(one) > 64 or "\x00" in one:
            raise ConfigurationError(name, one, allowed)
    return tuple(value)


def folder(name: str, value: object) -> str:
    """An absolute path, or nothing."""
    if value == "" or (isinstance(value, str) and value.startswith("/") and "\x00" not in value):
        return str(value)
    raise ConfigurationError(name, value, "allowed: the absolute path of a folder, or nothing")


def key(name: str, value: object) -> str:
    """A secret that is never shown."""
    if value == "":
        return ""
    if not isinstance(value, str) or len(value) < LEAST_KEY:
        raise ConfigurationError(name, "a key", _KEY)
    return value


def fallbacks(name: str, value: object) -> tuple[str, ...]:
    """Former keys; in the environment separated by spaces."""
    if isinstance(value, str):
        value = value.split()
    if not isinstance(value, Sequence):
        raise ConfigurationError(name, type(value).__name__, "allowed: a list of former keys")
    return tuple(key(name, one) for one in value if one != "")


def settings(values: Mapping[str, Any], targets: Mapping[str, Any]) -> BackupSettings:
    """All of them together; raises `ConfigurationError` where they do not fit each other or the `targets`."""
    enabled, planned = values["BACKUP_SCHEDULER_ENABLED"], values["DB_BACKUP_SCHEDULES"]
    known = f"allowed: a monitored database ({', '.join(targets) or 'there is none'})"
    for alias, schedule in planned.items():
        if alias not in targets:
            raise ConfigurationError("DB_BACKUP_SCHEDULES", alias, known)
        if schedule.source != AUTO and schedule.source not in targets:
            raise ConfigurationError(
                f"DB_BACKUP_SCHEDULES[{alias}][from]", schedule.source, f'{known}, or "auto"'
            )
    for alias in values["DB_BACKUP_ACCOUNTS"]:
        if alias not in targets:
            raise ConfigurationError("DB_BACKUP_ACCOUNTS", alias, known)
    if enabled and not values["DB_BACKUP_FOLDER"]:
        raise ConfigurationError(
            "DB_BACKUP_FOLDER", "", "allowed with BACKUP_SCHEDULER_ENABLED: the absolute path of a folder"
        )
    own, former = values["DB_BACKUP_KEY"], values["DB_BACKUP_KEY_FALLBACKS"]
    return BackupSettings(
        enabled=enabled,
        schedules=planned,
        folder=values["DB_BACKUP_FOLDER"],
        keys=((own,) if own else ()) + former,
        seals=bool(own),
        accounts=values["DB_BACKUP_ACCOUNTS"],
    )


def shown_schedules(value: Mapping[str, BackupSchedule]) -> dict[str, Any]:
    return {alias: schedule.to_dict() for alias, schedule in value.items()}


def masked_keys(value: Sequence[str]) -> list[str]:
    return [_MASK for _ in value]


def _alias(name: str, value: object) -> str:
    if not isinstance(value, str) or not _ALIAS.fullmatch(value):
        raise ConfigurationError(name, value, "allowed: a monitored database's alias")
    return value
