"""The address of connections: what processes have reported and servers have told. None of them is asked here."""

from __future__ import annotations

from datetime import UTC, datetime

from rest_framework.request import Request
from rest_framework.response import Response

from dbvigil.api.base import ApiView, Operation, operation
from dbvigil.api.connection_answers import ConnectionsSerializer
from dbvigil.api.requests import MetricsQuery
from dbvigil.connections.stored import connections
from dbvigil.monitoring import get_database_monitor


class ConnectionsView(ApiView):
    """Who holds connections: the project's processes as they see themselves, everybody as the servers see them; leaks and advice."""

    @operation(Operation("Connections", ConnectionsSerializer, query=MetricsQuery, missing=True))
    def get(self, request: Request) -> Response:
        monitor, database = get_database_monitor(), self.query.get("database")
        if database is not None:
            monitor.require(database)
        chosen = monitor.databases() if database is None else (database,)
        return Response({"databases": connections(chosen, datetime.now(UTC))})
