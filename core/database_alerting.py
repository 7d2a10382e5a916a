"""Alerting, under the platform's name."""

from dbvigil.alert import Alert
from dbvigil.alerting.service import DatabaseAlerting, get_database_alerting

__all__ = ["Alert", "DatabaseAlerting", "get_database_alerting"]
