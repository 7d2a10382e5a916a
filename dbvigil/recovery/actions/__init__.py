"""The actions of recovery: one module each, and one line here."""

from dbvigil.recovery.actions.end_blockers import EndBlockers
from dbvigil.recovery.actions.end_long_statements import EndLongStatements
from dbvigil.recovery.actions.relieve_memory import RelieveMemory
from dbvigil.recovery.actions.reset_connections import ResetConnections
from dbvigil.recovery.actions.restart_replication import RestartReplication
from dbvigil.recovery.actions.speed_up_replica import SpeedUpReplica
from dbvigil.recovery.plan import Action

ALL: tuple[Action, ...] = (
    ResetConnections(),
    EndLongStatements(),
    EndBlockers(),
    RelieveMemory(),
    RestartReplication(),
    SpeedUpReplica(),
)
"""Every action that ships, in the order in which they are tried: what harms least comes first."""
