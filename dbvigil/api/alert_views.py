"""The addresses of alerting: who is told, what was told, and what people do about it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from dbvigil.alert import Alert
from dbvigil.alerting import names
from dbvigil.alerting.service import get_database_alerting
from dbvigil.api import alert_answers as answers
from dbvigil.api import alert_requests as requests
from dbvigil.api.auth import ROLES
from dbvigil.api.base import ApiView, Operation, operation
from dbvigil.monitoring import get_database_monitor

PAGE = 50


def _known(database: str | None) -> None:
    """Raises `UnknownDatabase` unless `database` is None or there can be alerts of it."""
    if database is not None:
        names.check_database(database, get_database_monitor().databases())


def _listed(alerts: list[Alert]) -> dict[str, Any]:
    return {"count": len(alerts), "results": [alert.to_dict() for alert in alerts]}


class AlertsView(ApiView):
    """Every alert that is not over, the gravest and newest first."""

    @operation(Operation("Active alerts", answers.AlertsSerializer, query=requests.AlertsQuery, missing=True))
    def get(self, request: Request) -> Response:
        _known(self.query.get("database"))
        return Response(_listed(get_database_alerting().get_active_alerts(**self.query)))


class AlertHistoryView(ApiView):
    """Alerts that were open at any time in the last hours, each with everything that happened to it, newest first."""

    @operation(
        Operation(
            "Past alerts", answers.AlertHistorySerializer, query=requests.AlertHistoryQuery, missing=True
        )
    )
    def get(self, request: Request) -> Response:
        hours, database, page = self.query["hours"], self.query.get("database"), self.query["page"]
        _known(database)
        alerting = get_database_alerting()
        count = alerting.count_alert_history(hours, database)
        found = alerting.get_alert_history(hours, database, (page - 1) * PAGE, PAGE)
        pages = -(-count // PAGE)

        def address(number: int) -> str | None:
            here = request.build_absolute_uri()
            return replace_query_param(here, "page", number) if 1 <= number <= pages else None

        return Response(
            {
                "count": count,
                "next": address(page + 1),
                # Past the end: back to the last page that there is.
                "previous": address(min(page - 1, pages)),
                "results": [alert.to_dict() for alert in found],
            }
        )


class AcknowledgeView(ApiView):
    """Takes an alert up: it is escalated no further, and a reminder comes where it still fires hours later. For staff."""

    roles: ClassVar = {"POST": "staff"}

    @operation(
        Operation(
            "Acknowledge an alert",
            answers.AlertSerializer,
            body=requests.AcknowledgeBody,
            missing=True,
            over=True,
            example={"alert_id": 1, "note": "I am looking at it"},
        )
    )
    def post(self, request: Request) -> Response:
        alerting = get_database_alerting()
        alert = alerting.acknowledge_alert(
            self.body["alert_id"], request.user.get_username(), self.body["note"]
        )
        return Response(alert.to_dict())


class SuppressView(ApiView):
    """Keeps a database, or one metric of it, quiet for some time: alerts go on, and nobody is told of them. For staff.

    Only superusers keep every database quiet.
    """

    roles: ClassVar = {"POST": "staff"}

    @operation(
        Operation(
            "Suppress alerts",
            answers.SuppressionSerializer,
            body=requests.SuppressBody,
            missing=True,
            example={
                "database": "default",
                "metric": "slow_queries",
                "duration_minutes": 60,
                "reason": "monthly report",
            },
        )
    )
    def post(self, request: Request) -> Response:
        database, metric = self.body["database"] or "", self.body["metric"] or ""
        if not database and not ROLES["superuser"](request.user):
            raise PermissionDenied
        _known(database or None)
        if metric:
            names.check_metric(metric)
        made = get_database_alerting().suppress_alert(
            database,
            metric,
            self.body["duration_minutes"],
            self.body["reason"],
            request.user.get_username(),
        )
        return Response(made)


class EndSuppressionView(ApiView):
    """Ends a suppression before its time: what still fires and was told to nobody is told at once. For staff.

    Only superusers end one of every database.
    """

    roles: ClassVar = {"POST": "staff"}

    @operation(
        Operation(
            "End a suppression",
            answers.SuppressionSerializer,
            body=requests.SuppressEndBody,
            missing=True,
            over=True,
            example={"suppression_id": 1},
        )
    )
    def post(self, request: Request) -> Response:
        alerting, number = get_database_alerting(), self.body["suppression_id"]
        held = alerting.get_suppression(number)
        if not held["database"] and not ROLES["superuser"](request.user):
            raise PermissionDenied
        return Response(alerting.end_suppression(number, request.user.get_username()))


class SuppressionsView(ApiView):
    """The suppressions that hold now. Maintenance windows are not among them."""

    @operation(Operation("Suppressions", answers.SuppressionsSerializer))
    def get(self, request: Request) -> Response:
        found = get_database_alerting().get_suppressions()
        return Response({"count": len(found), "results": found})


class TestChannelsView(ApiView):
    """Sends a test message on every channel, or on some, now, and says what became of each. For superusers."""

    roles: ClassVar = {"POST": "superuser"}

    @operation(
        Operation(
            "Test channels",
            answers.TestChannelsSerializer,
            body=requests.TestChannelsBody,
            example={"channels": ["email"]},
        )
    )
    def post(self, request: Request) -> Response:
        return Response({"results": get_database_alerting().switchboard.test(self.body.get("channels"))})
