"""The API's addresses, to be included wherever a project likes."""

from __future__ import annotations

from typing import Any

from django.urls import path, re_path

from dbvigil.api import (
    alert_views,
    backup_views,
    channel_views,
    connection_views,
    lock_views,
    preview_views,
    query_views,
    recovery_views,
    replication_views,
    views,
    window_views,
)
from dbvigil.api.base import NoSuchAddress
from dbvigil.api.documentation import DocsView, SchemaView

urlpatterns = [
    path("metrics/", views.MetricsView.as_view(), name="metrics"),
    path("metrics/<str:database>/history/", views.HistoryView.as_view(), name="history"),
    path("health/", views.HealthView.as_view(), name="health"),
    path("dashboard/", views.DashboardView.as_view(), name="dashboard"),
    path("slow-queries/", query_views.SlowQueriesView.as_view(), name="slow-queries"),
    path("deadlocks/", lock_views.DeadlocksView.as_view(), name="deadlocks"),
    path("lock-waits/", lock_views.LockWaitsView.as_view(), name="lock-waits"),
    path("connections/", connection_views.ConnectionsView.as_view(), name="connections"),
    path("replication/", replication_views.ReplicationView.as_view(), name="replication"),
    path("recovery/", recovery_views.RecoveryView.as_view(), name="recovery"),
    path("backups/", backup_views.BackupsView.as_view(), name="backups"),
    path("deployments/", query_views.DeploymentsView.as_view(), name="deployments"),
    path("alerts/", alert_views.AlertsView.as_view(), name="alerts"),
    path("alerts/history/", alert_views.AlertHistoryView.as_view(), name="alert-history"),
    path("alerts/acknowledge/", alert_views.AcknowledgeView.as_view(), name="acknowledge"),
    path("alerts/suppress/", alert_views.SuppressView.as_view(), name="suppress"),
    path("alerts/suppress/end/", alert_views.EndSuppressionView.as_view(), name="end-suppression"),
    path("alerts/suppressions/", alert_views.SuppressionsView.as_view(), name="suppressions"),
    path("alerts/windows/", window_views.WindowsView.as_view(), name="windows"),
    path("alerts/windows/<int:window_id>/", window_views.WindowView.as_view(), name="window"),
    path("alerts/channels/", channel_views.ChannelsView.as_view(), name="channels"),
    path("alerts/channels/<str:channel>/", channel_views.ChannelView.as_view(), name="channel"),
    path("alerts/preview/", preview_views.PreviewView.as_view(), name="preview"),
    path("alerts/test-channels/", alert_views.TestChannelsView.as_view(), name="test-channels"),
    path("config/", views.ConfigView.as_view(), name="config"),
    path("config/threshold/", views.ThresholdView.as_view(), name="threshold"),
    path("control/", views.ControlView.as_view(), name="control"),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
    re_path(r"", NoSuchAddress.as_view(), name="nothing"),
]


def addresses() -> list[tuple[str, Any]]:
    """(path below the API, view) of everything that the schema may describe."""
    return [(str(entry.pattern), entry.callback) for entry in urlpatterns if entry.name != "nothing"]
