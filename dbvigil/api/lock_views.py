"""The addresses of deadlocks and of waits for locks: what was seen of every monitored server. None of them is asked here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rest_framework.request import Request
from rest_framework.response import Response

from dbvigil.api import lock_answers as answers
from dbvigil.api import lock_requests as requests
from dbvigil.api.base import ApiView, Operation, operation
from dbvigil.locks.stored import deadlocks, lock_waits
from dbvigil.monitoring import get_database_monitor


class _LocksView(ApiView):
    def chosen(self) -> Sequence[str]:
        """The databases that the request is about. Raises `UnknownDatabase`."""
        monitor, database = get_database_monitor(), self.query.get("database")
        if database is None:
            return monitor.databases()
        monitor.require(database)
        return (database,)


class DeadlocksView(_LocksView):
    """Deadlocks by pattern, each with its latest and with what helps. Statements have no values."""

    @operation(Operation("Deadlocks", answers.DeadlocksSerializer, query=requests.LocksQuery, missing=True))
    def get(self, request: Request) -> Response:
        now = datetime.now(UTC)
        found = deadlocks(self.chosen(), self.query["hours"], now, limit=self.query["limit"])
        return Response({"count": len(found), "results": found})


class LockWaitsView(_LocksView):
    """Who waited for whom: row locks and metadata locks as trees, by episode. Waits of less than a second are not kept."""

    @operation(
        Operation("Waits for locks", answers.LockWaitsSerializer, query=requests.LocksQuery, missing=True)
    )
    def get(self, request: Request) -> Response:
        interval = get_database_monitor().get_status()["interval_seconds"]
        found = lock_waits(
            self.chosen(),
            self.query["hours"],
            datetime.now(UTC),
            limit=self.query["limit"],
            interval=interval,
        )
        return Response({"count": len(found), "results": found})
