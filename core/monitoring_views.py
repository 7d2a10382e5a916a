"""The API's views, under the platform's name."""

from dbvigil.api.alert_views import (
    AcknowledgeView,
    AlertHistoryView,
    AlertsView,
    EndSuppressionView,
    SuppressionsView,
    SuppressView,
    TestChannelsView,
)
from dbvigil.api.documentation import DocsView, SchemaView
from dbvigil.api.exposition import PrometheusView
from dbvigil.api.query_views import DeploymentsView, SlowQueriesView
from dbvigil.api.views import (
    ConfigView,
    ControlView,
    DashboardView,
    HealthView,
    HistoryView,
    MetricsView,
    ThresholdView,
)

__all__ = [
    "AcknowledgeView",
    "AlertHistoryView",
    "AlertsView",
    "ConfigView",
    "ControlView",
    "DashboardView",
    "DeploymentsView",
    "DocsView",
    "EndSuppressionView",
    "HealthView",
    "HistoryView",
    "MetricsView",
    "PrometheusView",
    "SchemaView",
    "SlowQueriesView",
    "SuppressView",
    "SuppressionsView",
    "TestChannelsView",
    "ThresholdView",
]
