"""The collectors, in the order in which a sample runs them: cheap and vital first.

Statements come last, for they tell the monitor's own statements by the last ten of its thread: what a sample sends on a slow schedule
should be among them.
"""

from __future__ import annotations

from dbvigil.collectors.base import Collector
from dbvigil.collectors.heartbeat import Heartbeat
from dbvigil.collectors.host import Host
from dbvigil.collectors.innodb import InnoDB
from dbvigil.collectors.locks import Locks
from dbvigil.collectors.replication import Replication
from dbvigil.collectors.sessions import Sessions
from dbvigil.collectors.statements import Statements
from dbvigil.collectors.status import Status
from dbvigil.collectors.tables import Tables
from dbvigil.collectors.variables import Variables

ALL: tuple[Collector, ...] = (
    Status(),
    Replication(),
    Heartbeat(),
    Sessions(),
    InnoDB(),
    Locks(),
    Host(),
    Variables(),
    Tables(),
    Statements(),
)
