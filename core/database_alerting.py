"""The platform's names for alerting."""

from dbvigil.alert import Alert
from dbvigil.alerting import DatabaseAlerting, get_database_alerting

__all__ = ["Alert", "DatabaseAlerting", "get_database_alerting"]
