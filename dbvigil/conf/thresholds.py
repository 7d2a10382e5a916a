"""The thresholds that the settings give: the catalogue's defaults, the four settings of their own, and DB_ALERT_THRESHOLDS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dbvigil.catalogue import METRICS, metric
from dbvigil.conf.values import check_level, mapping
from dbvigil.errors import ConfigurationError, UnknownMetric
from dbvigil.types import Threshold

LEVELS: tuple[tuple[str, str], ...] = (
    ("connection_usage", "DB_ALERT_CONNECTION"),
    ("query_time", "DB_ALERT_QUERY_TIME"),
    ("slow_queries", "DB_ALERT_SLOW_QUERIES"),
    ("replication_lag", "DB_ALERT_REPLICATION"),
)
"""The metrics whose levels have settings of their own, and how these begin."""

EVERYWHERE = "*"
_SETTING = "DB_ALERT_THRESHOLDS"
_ALLOWED = 'allowed: {database or "*": {metric: {"warning": number or null, "critical": number or null}}}'

Wanted = Mapping[str, Mapping[str, tuple[float | None, float | None]]]
"""Levels by database ("*" for every one) and metric."""


@dataclass(frozen=True, slots=True)
class Configured:
    """Thresholds by metric: those for every database, and those for one, by its alias."""

    everywhere: Mapping[str, Threshold] = field(default_factory=dict)
    by_database: Mapping[str, Mapping[str, Threshold]] = field(default_factory=dict)


def wanted(name: str, value: object) -> Wanted:
    """What DB_ALERT_THRESHOLDS says; raises `ConfigurationError` naming the place that is wrong."""
    return {
        _alias(name, alias): {
            _metric(f"{name}[{alias}]", row): _levels(f"{name}[{alias}][{row}]", row, levels)
            for row, levels in _mapping(f"{name}[{alias}]", metrics).items()
        }
        for alias, metrics in mapping(name, value, _ALLOWED).items()
    }


def configured(values: Mapping[str, Any], shown: Mapping[str, Mapping[str, Any]]) -> Configured:
    """The thresholds of all settings, read (`values`) and with their sources (`shown`)."""
    everywhere = {
        row.name: Threshold(row.name, row.warning, row.critical)
        for row in METRICS
        if row.warning is not None or row.critical is not None
    }
    for name, prefix in LEVELS:
        warning, critical = f"{prefix}_WARNING", f"{prefix}_CRITICAL"
        check_levels(name, values[warning], values[critical], field=critical)
        origins = {shown[warning]["source"], shown[critical]["source"]} - {"default"}
        threshold = replace(everywhere[name], warning=values[warning], critical=values[critical])
        everywhere[name] = replace(threshold, source=origins.pop() if origins else "default")
    source = shown[_SETTING]["source"]
    by_database: dict[str, dict[str, Threshold]] = {}
    for alias, metrics in values[_SETTING].items():
        for name, (low, high) in metrics.items():
            if alias == EVERYWHERE:
                everywhere[name] = Threshold(name, low, high, None, source)
            else:
                by_database.setdefault(alias, {})[name] = Threshold(name, low, high, alias, source)
    return Configured(everywhere, by_database)


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


def shown_wanted(value: Wanted) -> dict[str, Any]:
    """As it is written in the settings."""
    return {
        alias: {name: {"warning": low, "critical": high} for name, (low, high) in metrics.items()}
        for alias, metrics in value.items()
    }


def _alias(place: str, alias: object) -> str:
    if not isinstance(alias, str) or not alias:
        raise ConfigurationError(place, alias, _ALLOWED)
    return alias


def _mapping(place: str, value: object) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(place, value, _ALLOWED)
    return value


def _metric(place: str, name: object) -> str:
    try:
        row = metric(str(name))
    except UnknownMetric as error:
        raise ConfigurationError(place, name, str(error)) from None
    if not row.numeric:
        raise ConfigurationError(place, name, "allowed: a metric that is a number")
    return row.name


def _levels(place: str, name: str, value: object) -> tuple[float | None, float | None]:
    given = _mapping(place, value)
    if not given or not set(given) <= {"warning", "critical"}:
        raise ConfigurationError(place, value, _ALLOWED)
    levels = {
        key: None if level is None else check_level(f"{place}[{key}]", level) for key, level in given.items()
    }
    low, high = levels.get("warning"), levels.get("critical")
    check_levels(name, low, high, field=f"{place}[critical]")
    return low, high
