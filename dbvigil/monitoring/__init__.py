"""The monitor: which process samples what, when, and how everyone else sees it.

monitor.py     DatabaseMonitor: what users call, from any process
loop.py        the asyncio loop that samples, in one process or thread
store.py       what a sample becomes in the database, fenced by its lease
leases.py      who samples which target
control.py     wishes said in one process and obeyed in another
thresholds.py  effective thresholds: defaults, settings, stored
state.py       the newest figures and verdicts, for any reader
"""

from dbvigil.monitoring.monitor import DatabaseMonitor, get_database_monitor

__all__ = ["DatabaseMonitor", "get_database_monitor"]
