"""The rules of one database: how those that ship meet the thresholds that hold there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dbvigil.alerts.rule import Rule
from dbvigil.alerts.shipped import METRIC_OF, OTHER_RUNBOOK, SHIPPED
from dbvigil.catalogue import metric
from dbvigil.types import Threshold

_METRICS = frozenset(METRIC_OF.values())
_GENERIC_HOLD = 120.0
_CHANGEABLE = ("hold", "critical_hold", "keep")


def for_database(
    thresholds: Mapping[str, Threshold], changes: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[Rule, ...]:
    """The rules of one database: those that ship, with the levels that hold there, and one for every other metric with a threshold.

    `changes` are the operator's, by rule: `enabled`, and seconds for `hold`, `critical_hold` and `keep`.
    """
    found = []
    for rule in SHIPPED:
        threshold = thresholds.get(rule.metric)
        if threshold is not None and rule.condition is None:
            found.append(_with_levels(rule, threshold))
        elif rule.warning is not None or rule.critical is not None:
            found.append(rule)
    for name, threshold in thresholds.items():
        if name not in _METRICS:
            found.append(_with_levels(_generic(name), threshold))
    changed = changes or {}
    return tuple(
        replace(rule, **{key: value for key, value in changed.get(rule.id, {}).items() if key in _CHANGEABLE})
        for rule in found
        if changed.get(rule.id, {}).get("enabled", True)
        and (rule.warning is not None or rule.critical is not None)
    )


def _with_levels(rule: Rule, threshold: Threshold) -> Rule:
    known = metric(rule.metric).bad
    bad = rule.bad if known == "none" else known
    return replace(rule, warning=threshold.warning, critical=threshold.critical, bad=bad)


def _generic(name: str) -> Rule:
    """A rule for a metric that somebody gave a threshold."""
    return Rule(
        name,
        name,
        "Somebody gave this metric a threshold.",
        (f"look at what changed {metric(name).title.lower()} when it started",),
        hold=_GENERIC_HOLD,
        runbook=OTHER_RUNBOOK,
    )
