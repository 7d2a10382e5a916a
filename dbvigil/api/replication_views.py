"""The address of replication, as it was seen of every monitored server. None of them is asked here."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from dbvigil.api.base import ApiView, Operation, operation
from dbvigil.api.replication_answers import ReplicationReportSerializer
from dbvigil.monitoring import get_database_monitor


class ReplicationView(ApiView):
    """Which servers replicate from which, what is wrong about it, why a replica is behind and when it will have caught up."""

    @operation(Operation("Replication", ReplicationReportSerializer))
    def get(self, request: Request) -> Response:
        return Response(get_database_monitor().get_replication())
