"""The addresses of slow queries: what was collected of every monitored server. None of them is asked here."""

from __future__ import annotations

from datetime import UTC, datetime

from rest_framework.request import Request
from rest_framework.response import Response

from dbvigil.api import query_answers as answers
from dbvigil.api import query_requests as requests
from dbvigil.api.base import ApiView, Operation, operation
from dbvigil.monitoring import get_database_monitor
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
