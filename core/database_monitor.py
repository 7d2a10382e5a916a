"""The monitor, under the platform's name."""

from dbvigil.monitoring import DatabaseMonitor, get_database_monitor
from dbvigil.types import DatabaseMetrics

__all__ = ["DatabaseMetrics", "DatabaseMonitor", "get_database_monitor"]
