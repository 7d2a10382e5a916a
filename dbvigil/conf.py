"""Typed settings: their defaults, where each value comes from, and what is wrong with it.

Values come from Django's settings. The stand-alone site lets an environment variable of the same name
override each: its settings module calls `from_environment`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings as django_settings

from dbvigil import targets
from dbvigil.catalogue import METRICS, metric
from dbvigil.errors import ConfigurationError
from dbvigil.types import Threshold

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")


def _boolean(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _TRUE + _FALSE:
        return value.strip().lower() in _TRUE
    raise ConfigurationError(name, value, "allowed: True or False")


def _number(name: str, value: object, least: float, most: float) -> float:
    allowed = f"allowed: a number from {least:g} to {most:g}"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ConfigurationError(name, value, allowed)
    try:
        number = float(value)
    except ValueError:
        raise ConfigurationError(name, value, allowed) from None
    if not math.isfinite(number) or not least <= number <= most:
        raise ConfigurationError(name, value, allowed)
    return number


def check_interval(name: str, value: object) -> float:
    """Seconds between two samples of one target, as a float; raises `ConfigurationError` naming `name`."""
    return _number(name, value, 1, 86_400)


def check_level(name: str, value: object) -> float:
    """A threshold's level as a float; raises `ConfigurationError` naming `name`."""
    return _number(name, value, -1e15, 1e15)


def _days(name: str, value: object) -> float:
    return _number(name, value, 1, 3_650)


def _level(name: str, value: object) -> float:
    return _number(name, value, 0, 1e15)


def _urls(name: str, value: object) -> Mapping[str, str]:
    allowed = "allowed: {alias: 'mysql://user:password@host:3306/'}, or alias=url pairs separated by spaces"
    if isinstance(value, str):
        return targets.parse_pairs(value)
    if not isinstance(value, Mapping):
        raise ConfigurationError(name, type(value).__name__, allowed)
    for alias, url in value.items():
        if not isinstance(alias, str) or not isinstance(url, str):
            raise ConfigurationError(name, alias, allowed)
        targets.parse_url(alias, url)
    return dict(value)


def _history_url(name: str, value: object) -> str:
    if value != "":
        raise ConfigurationError(name, "a URL", 'allowed: "", which keeps history in the Django database')
    return ""


def mask_urls(value: Mapping[str, str]) -> dict[str, str]:
    """Targets' URLs fit to be shown: without password and query."""
    return {
        alias: re.sub(r"//([^:@/]*)(:[^@/]*)?@", r"//\1:***@", url.split("?")[0])
        for alias, url in value.items()
    }


@dataclass(frozen=True, slots=True)
class Setting:
    """One Django setting.

    Its default, how its value is read (raising `ConfigurationError`), and what it means.
    """

    name: str
    default: Any
    read: Callable[[str, object], Any]
    help: str
    shown: Callable[[Any], Any] | None = None


_LEVELS: tuple[tuple[str, str], ...] = (
    ("connection_usage", "DB_ALERT_CONNECTION"),
    ("query_time", "DB_ALERT_QUERY_TIME"),
    ("slow_queries", "DB_ALERT_SLOW_QUERIES"),
    ("replication_lag", "DB_ALERT_REPLICATION"),
)

SETTINGS: tuple[Setting, ...] = (
    Setting("DB_MONITORING_INTERVAL", 30, check_interval, "Seconds between samples of one target."),
    Setting(
        "DB_MONITORING_TARGETS",
        {},
        _urls,
        "Targets besides the MySQL aliases in DATABASES; in the environment alias=url pairs separated by spaces.",
        mask_urls,
    ),
    Setting(
        "DB_MONITORING_RETENTION_DAYS", 30, _days, "Days that raw samples are kept; rollups stay 400 days."
    ),
    Setting("DB_MONITORING_AUTOSTART", False, _boolean, "Start the monitor thread inside the web process."),
    Setting(
        "DB_MONITORING_HISTORY_URL", "", _history_url, "Where history is kept; empty for the Django database."
    ),
    *(
        Setting(
            f"{prefix}_{level.upper()}",
            getattr(metric(name), level),
            _level,
            f"`{name}`: {level} from this value on.",
        )
        for name, prefix in _LEVELS
        for level in ("warning", "critical")
    ),
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Every setting, read and checked.

    `origin` says for each name whether it is the default, set, or from the environment.
    """

    interval: float
    targets: Mapping[str, targets.Target]
    retention_days: float
    autostart: bool
    thresholds: Mapping[str, Threshold]
    shown: Mapping[str, Mapping[str, Any]]


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that `environ` gives, as text.

    `load` reads text and values alike. For a settings module: `globals().update(…)`.
    """
    given = {setting.name: environ[setting.name] for setting in SETTINGS if setting.name in environ}
    return {**given, "DB_MONITORING_FROM_ENVIRONMENT": tuple(given)}


def problems() -> list[ConfigurationError]:
    """What is wrong with the settings: one error a setting, empty where all is well."""
    found: list[ConfigurationError] = []
    for setting in SETTINGS:
        try:
            setting.read(setting.name, getattr(django_settings, setting.name, setting.default))
        except ConfigurationError as error:
            found.append(error)
    if not found:
        try:
            load()
        except ConfigurationError as error:
            found.append(error)
    return found


def load() -> Configuration:
    """The settings as they are now; raises `ConfigurationError` for the first that cannot be used."""
    values: dict[str, Any] = {}
    shown: dict[str, Mapping[str, Any]] = {}
    environment = getattr(django_settings, "DB_MONITORING_FROM_ENVIRONMENT", ())
    for setting in SETTINGS:
        value = setting.read(setting.name, getattr(django_settings, setting.name, setting.default))
        values[setting.name] = value
        origin = "settings" if hasattr(django_settings, setting.name) else "default"
        if setting.name in environment:
            origin = "environment"
        shown[setting.name] = {"value": setting.shown(value) if setting.shown else value, "source": origin}
    return Configuration(
        interval=values["DB_MONITORING_INTERVAL"],
        targets=targets.load(django_settings.DATABASES, values["DB_MONITORING_TARGETS"]),
        retention_days=values["DB_MONITORING_RETENTION_DAYS"],
        autostart=values["DB_MONITORING_AUTOSTART"],
        thresholds=_thresholds(values, shown),
        shown=shown,
    )


def _thresholds(values: Mapping[str, Any], shown: Mapping[str, Mapping[str, Any]]) -> dict[str, Threshold]:
    result = {
        row.name: Threshold(row.name, row.warning, row.critical)
        for row in METRICS
        if row.warning is not None or row.critical is not None
    }
    for name, prefix in _LEVELS:
        warning, critical = f"{prefix}_WARNING", f"{prefix}_CRITICAL"
        check_levels(name, values[warning], values[critical], field=critical)
        origins = {shown[warning]["source"], shown[critical]["source"]} - {"default"}
        threshold = replace(result[name], warning=values[warning], critical=values[critical])
        result[name] = replace(threshold, source=origins.pop() if origins else "default")
    return result


def check_levels(
    name: str, warning: float | None, critical: float | None, *, field: str = "critical"
) -> None:
    """Raises `ConfigurationError` where warning and critical of metric `name` stand the wrong way round, or
    the metric takes none.
    """
    row = metric(name)
    if not row.numeric:
        raise ConfigurationError("metric", name, "allowed: a metric that is a number")
    if warning is None or critical is None:
        return
    if row.bad == "low" and warning < critical:
        raise ConfigurationError(
            field, critical, f"allowed: at most the warning level, {warning:g}, because low is bad for {name}"
        )
    if row.bad != "low" and warning > critical:
        raise ConfigurationError(field, critical, f"allowed: at least the warning level, {warning:g}")
