"""A server that is young because it restarted, and one that is merely seen for the first time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dbvigil.alerts.rule import RESTARTED, Rule
from dbvigil.alerts.states import RuleState
from dbvigil.types import DatabaseMetrics


def unrestarted(
    metrics: DatabaseMetrics, rules: Iterable[Rule], states: Mapping[str, RuleState]
) -> DatabaseMetrics:
    """The figures as the rules are to see them where no restart was seen: that a server is young is then nobody's trouble.

    A rule that has begun to judge a restart goes on by its own state.
    """
    rule = next((rule for rule in rules if rule.id == RESTARTED), None)
    if rule is None or RESTARTED in states or not rule.breached(metrics.uptime):
        return metrics
    return replace(metrics, uptime=None)
