"""What the service stores. No logic: `monitoring`, `history` and `alerting` do the steps."""

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
from dbvigil.models.history import Chunk, Sample
from dbvigil.models.monitor import MonitorControl, MonitorProcess, StoredThreshold, TargetState

__all__ = [
    "AlertChannel",
    "AlertWorker",
    "AppendOnlyError",
    "AuditEvent",
    "AuditHead",
    "ChannelState",
    "Chunk",
    "Delivery",
    "Episode",
    "MaintenanceWindow",
    "MonitorControl",
    "MonitorProcess",
    "Sample",
    "StoredThreshold",
    "Suppression",
    "TargetState",
]
