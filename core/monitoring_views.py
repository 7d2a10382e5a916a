"""The API's views, under the platform's name."""

from dbvigil.api.documentation import DocsView, SchemaView
from dbvigil.api.exposition import PrometheusView
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
    "ConfigView",
    "ControlView",
    "DashboardView",
    "DocsView",
    "HealthView",
    "HistoryView",
    "MetricsView",
    "PrometheusView",
    "SchemaView",
    "ThresholdView",
]
