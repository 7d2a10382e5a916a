"""The actions of `database_monitor`: one module each, and one line here."""

from dbvigil.management.actions import (
    acknowledge,
    advise,
    alerts,
    backtest,
    config,
    connections,
    deliver,
    deployed,
    locks,
    maintenance,
    metrics,
    preview_alert,
    slow_queries,
    start,
    status,
    stop,
    suppress,
    test_alerts,
    threshold,
    verify_audit,
)
from dbvigil.management.actions.base import Action

ACTIONS: tuple[Action, ...] = (
    start.ACTION,
    stop.ACTION,
    status.ACTION,
    metrics.ACTION,
    slow_queries.ACTION,
    locks.ACTION,
    connections.ACTION,
    deployed.ACTION,
    advise.ACTION,
    alerts.ACTION,
    test_alerts.ACTION,
    preview_alert.ACTION,
    acknowledge.ACTION,
    suppress.ACTION,
    maintenance.ACTION,
    threshold.ACTION,
    backtest.ACTION,
    deliver.ACTION,
    verify_audit.ACTION,
    config.ACTION,
)
"""Every action, in the order in which help lists them."""
