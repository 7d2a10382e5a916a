"""The monitor, under the platform's name."""

from dbvigil.monitoring import DatabaseMonitor, get_database_monitor
from dbvigil.query import SlowQuery
from dbvigil.slow_queries.analyzer import SlowQueryAnalyzer
from dbvigil.types import DatabaseMetrics

__all__ = ["DatabaseMetrics", "DatabaseMonitor", "SlowQuery", "SlowQueryAnalyzer", "get_database_monitor"]
