"""The addresses of maintenance windows."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from rest_framework.request import Request
from rest_framework.response import Response

from dbvigil.alerting.service import get_database_alerting
from dbvigil.alerting.windows import Values
from dbvigil.api import alert_answers as answers
from dbvigil.api import alert_requests as requests
from dbvigil.api.base import ApiView, Operation, operation
from dbvigil.monitoring import get_database_monitor

_EXAMPLE = {
    "name": "Sunday upgrades",
    "database": "default",
    "metric": None,
    "schedule": "0 3 * * 0",
    "time_zone": "Europe/Berlin",
    "minutes": 90,
    "reason": "the host is patched",
}


def _values(body: Any) -> Values:
    """What was sent, with null for what the service has as an empty text."""
    return cast(Values, {name: "" if value is None else value for name, value in body.items()})


class WindowsView(ApiView):
    """Maintenance windows: times that come back and in which nobody is told of alerts. Superusers make them."""

    roles: ClassVar = {"POST": "superuser"}

    @operation(Operation("Maintenance windows", answers.WindowsSerializer))
    def get(self, request: Request) -> Response:
        found = get_database_alerting().get_windows()
        return Response({"count": len(found), "results": found})

    @operation(
        Operation(
            "Make a maintenance window",
            answers.WindowSerializer,
            body=requests.WindowBody,
            missing=True,
            example=_EXAMPLE,
        )
    )
    def post(self, request: Request) -> Response:
        databases, user = get_database_monitor().databases(), request.user.get_username()
        return Response(get_database_alerting().add_window(_values(self.body), databases, user))


class WindowView(ApiView):
    """One maintenance window, to be changed or removed; what it kept quiet and no longer does is told at once. For superusers."""

    roles: ClassVar = {"PATCH": "superuser", "DELETE": "superuser"}

    @operation(
        Operation(
            "Change a maintenance window",
            answers.WindowSerializer,
            body=requests.WindowChangeBody,
            missing=True,
            example={"minutes": 120, "active": False},
        )
    )
    def patch(self, request: Request, window_id: int) -> Response:
        databases, user = get_database_monitor().databases(), request.user.get_username()
        changed = get_database_alerting().change_window(window_id, _values(self.body), databases, user)
        return Response(changed)

    @operation(Operation("Remove a maintenance window", answers.WindowSerializer, missing=True))
    def delete(self, request: Request, window_id: int) -> Response:
        return Response(get_database_alerting().remove_window(window_id, request.user.get_username()))
