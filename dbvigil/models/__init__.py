"""What the service stores. No logic: the rooms above do the steps, each with its own rows."""

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
from dbvigil.models.backups import Backup, BackupPlan
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
    "Backup",
    "BackupPlan",
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
