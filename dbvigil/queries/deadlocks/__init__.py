"""Deadlocks: InnoDB's report of the latest read, told apart by pattern, and what helps against each.

latest_deadlock(status)      what SHOW ENGINE INNODB STATUS tells of the latest, or None
pattern_key(deadlock)        the same for every deadlock of the same statements over the same indexes
advise(deadlock)             what helps, most to the point first
"""

from __future__ import annotations

from dbvigil.queries.deadlocks.advice import advise
from dbvigil.queries.deadlocks.pattern import pattern_key
from dbvigil.queries.deadlocks.report import latest_deadlock
from dbvigil.queries.deadlocks.values import Advice, Deadlock, Lock, Transaction

__all__ = ["Advice", "Deadlock", "Lock", "Transaction", "advise", "latest_deadlock", "pattern_key"]
