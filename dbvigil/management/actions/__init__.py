"""The actions of `database_monitor`: one module each, and its name here, in the order in which help lists them."""

from __future__ import annotations

from importlib import import_module

from dbvigil.management.actions.base import Action

NAMES = (
    "start",
    "stop",
    "status",
    "metrics",
    "slow-queries",
    "locks",
    "connections",
    "topology",
    "backup",
    "deployed",
    "advise",
    "alerts",
    "test-alerts",
    "preview-alert",
    "acknowledge",
    "suppress",
    "maintenance",
    "recover",
    "threshold",
    "backtest",
    "deliver",
    "verify-audit",
    "config",
)


def load(name: str) -> Action:
    """The action of that name, its module read now: some need more than all others together."""
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    found: Action = module.ACTION
    return found
