"""The addresses of slow queries: what was collected of every monitored server. None of them is asked here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from dbvigil.api import query_answers as answers
from dbvigil.api import query_requests as requests
from dbvigil.api.base import ApiView, Operation, operation
from dbvigil.monitoring import get_database_monitor
from dbvigil.slow_queries.deployments import deployed, deployments
from dbvigil.slow_queries.stored import slow_queries, troubles


class SlowQueriesView(ApiView):
    """The kinds of statement that took most time, the worst first, each with its figures, its plan and what to do about it.

    A statement that performance_schema and the slow log both know is one entry.
    """

    @operation(
        Operation(
            "Slow queries", answers.SlowQueriesSerializer, query=requests.SlowQueriesQuery, missing=True
        )
    )
    def get(self, request: Request) -> Response:
        monitor, database = get_database_monitor(), self.query.get("database")
        if database is not None:
            monitor.require(database)
        chosen = monitor.databases() if database is None else (database,)
        found = slow_queries(
            chosen,
            self.query["hours"],
            datetime.now(UTC),
            limit=self.query["limit"],
            only=self.query.get("severity"),
        )
        return Response(
            {
                "count": len(found),
                "results": [one.to_dict() for one in found],
                "trouble": troubles(chosen),
            }
        )


class DeploymentsView(ApiView):
    """Deployments: slow queries are compared with what they were before the newest. Staff put them on record."""

    roles: ClassVar = {"POST": "staff"}

    @operation(
        Operation("Deployments", answers.DeploymentsSerializer, query=requests.DeploymentsQuery, missing=True)
    )
    def get(self, request: Request) -> Response:
        database = self.query.get("database")
        if database is not None:
            get_database_monitor().require(database)
        found = deployments(datetime.now(UTC) - timedelta(hours=self.query["hours"]), database)
        return Response({"count": len(found), "results": found})

    @operation(
        Operation(
            "Put a deployment on record",
            answers.DeploymentSerializer,
            body=requests.DeploymentBody,
            missing=True,
            example={"name": "v1.2"},
        )
    )
    def post(self, request: Request) -> Response:
        database = self.body.get("database")
        if database is not None:
            get_database_monitor().require(database)
        user, now = request.user.get_username(), datetime.now(UTC)
        return Response(deployed(self.body["name"], database or "", user, now, self.body["minutes_ago"]))
