"""The API's addresses: check who asks and what, call the monitor, answer. No decision is made here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from dbvigil.alerting.service import get_database_alerting
from dbvigil.api import answers, requests
from dbvigil.api.base import ApiView, Operation, operation
from dbvigil.errors import UnknownDatabase
from dbvigil.monitoring import get_database_monitor
from dbvigil.slow_queries.stored import slow_queries
from dbvigil.types import iso_utc

_HOURS = 24.0
_WORST = 10


class MetricsView(ApiView):
    """The newest figures of every database. They come from the last sample; no monitored server is asked."""

    @operation(
        Operation("Current metrics", answers.MetricsSerializer, query=requests.MetricsQuery, missing=True)
    )
    def get(self, request: Request) -> Response:
        metrics = get_database_monitor().get_current_metrics()
        database = self.query.get("database")
        if database is not None:
            if database not in metrics:
                raise UnknownDatabase(database, tuple(metrics))
            metrics = {database: metrics[database]}
        return Response(
            {
                "timestamp": iso_utc(datetime.now(UTC)),
                "databases": {alias: figures.to_dict() for alias, figures in metrics.items()},
            }
        )


class HistoryView(ApiView):
    """Metrics of one database over time, as points of average, lowest and highest."""

    @operation(Operation("History", answers.HistorySerializer, query=requests.HistoryQuery, missing=True))
    def get(self, request: Request, database: str) -> Response:
        return Response(
            get_database_monitor().get_metrics_history(
                database, self.query["hours"], self.query.get("metric"), self.query["resolution"]
            )
        )


class HealthView(ApiView):
    """The verdict on every database, each lost point with its reason, and whether the monitor runs."""

    @operation(Operation("Health", answers.HealthSerializer))
    def get(self, request: Request) -> Response:
        return Response(get_database_monitor().get_health_summary())


class DashboardView(ApiView):
    """Health, metrics, active alerts, the worst statements, replication and the last day's trends in one answer, for an overview."""

    @operation(Operation("Dashboard", answers.DashboardSerializer))
    def get(self, request: Request) -> Response:
        alerts = [alert.to_dict() for alert in get_database_alerting().get_active_alerts()]
        monitor = get_database_monitor()
        worst = slow_queries(monitor.databases(), _HOURS, datetime.now(UTC), limit=_WORST)
        return Response(
            {**monitor.get_dashboard(), "alerts": alerts, "slow_queries": [one.to_dict() for one in worst]}
        )


class ConfigView(ApiView):
    """Settings and thresholds in effect, each with where it comes from, and the channels that alerts are sent on.

    Secrets are masked for everyone.
    """

    @operation(Operation("Configuration", answers.ConfigSerializer))
    def get(self, request: Request) -> Response:
        channels = get_database_alerting().switchboard.shown()
        return Response({**get_database_monitor().get_configuration(), "channels": channels})


class ThresholdView(ApiView):
    """Sets the levels of one metric, for one database or all, or goes back to what the settings say. For superusers.

    Every monitor obeys within a second.
    """

    roles: ClassVar = {"POST": "superuser", "DELETE": "superuser"}

    @operation(
        Operation(
            "Set a threshold",
            answers.ThresholdChangeSerializer,
            body=requests.ThresholdBody,
            missing=True,
            example={"metric": "connection_usage", "warning": 85, "critical": 95},
        )
    )
    def post(self, request: Request) -> Response:
        changed = get_database_monitor().update_threshold(
            self.body["metric"],
            warning=self.body["warning"],
            critical=self.body["critical"],
            database=self.body.get("database"),
            by=request.user.get_username(),
        )
        return Response(changed)

    @operation(
        Operation(
            "Reset a threshold",
            answers.ThresholdChangeSerializer,
            query=requests.ThresholdQuery,
            missing=True,
        )
    )
    def delete(self, request: Request) -> Response:
        changed = get_database_monitor().reset_threshold(
            self.query["metric"], self.query.get("database"), by=request.user.get_username()
        )
        return Response(changed)


class ControlView(ApiView):
    """Starts, stops or restarts the monitor wherever it runs, or takes samples now. For superusers."""

    roles: ClassVar = {"POST": "superuser"}

    @operation(
        Operation(
            "Control the monitor",
            answers.ControlSerializer,
            body=requests.ControlBody,
            example={"action": "collect"},
        )
    )
    def post(self, request: Request) -> Response:
        monitor = get_database_monitor()
        if "interval" in self.body:
            monitor.set_interval(self.body["interval"], by=request.user.get_username())
        match self.body["action"]:
            case "start":
                monitor.start()
            case "stop":
                monitor.stop()
            case "restart":
                monitor.restart()
            case "collect":
                monitor.request_collect()
        return Response(monitor.get_status())
