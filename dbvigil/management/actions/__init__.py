"""The actions of `database_monitor`: one module each, and one line here."""

from dbvigil.management.actions import config, metrics, start, status, stop
from dbvigil.management.actions.base import Action

ACTIONS: tuple[Action, ...] = (start.ACTION, stop.ACTION, status.ACTION, metrics.ACTION, config.ACTION)
"""Every action, in the order in which help lists them."""
