"""What the service stores. No logic: `monitoring`, `history`, `alerting` and the other rooms above do the steps."""

from dbvigil.models.alerts import (
    AlertWorker,
    AppendOnlyError,
    AuditEvent,
    AuditHead,
    ChannelState,
    Delivery,
    Episode,
    MaintenanceWindow,
    Suppression,
)
from dbvigil.models.channels import AlertChannel
from dbvigil.models.connections import ConnectionProcess, ServerConnections
from dbvigil.models.history import Chunk, Sample
from dbvigil.models.locks import Deadlock, LockWait
from dbvigil.models.monitor import MonitorControl, MonitorProcess, StoredThreshold, TargetState
from dbvigil.models.queries import Deployment, ProvedIndex, QueryKind, QueryPlan, QueryProgress, QueryWindow
from dbvigil.models.recovery import RecoveryAttempt, RecoveryChange, RecoveryGuard
from dbvigil.models.replication import ReplicationFacts

__all__ = [
    "AlertChannel",
    "AlertWorker",
    "AppendOnlyError",
    "AuditEvent",
    "AuditHead",
    "ChannelState",
    "Chunk",
    "ConnectionProcess",
    "Deadlock",
    "Delivery",
    "Deployment",
    "Episode",
    "LockWait",
    "MaintenanceWindow",
    "MonitorControl",
    "MonitorProcess",
    "ProvedIndex",
    "QueryKind",
    "QueryPlan",
    "QueryProgress",
    "QueryWindow",
    "RecoveryAttempt",
    "RecoveryChange",
    "RecoveryGuard",
    "ReplicationFacts",
    "Sample",
    "ServerConnections",
    "StoredThreshold",
    "Suppression",
    "TargetState",
]
