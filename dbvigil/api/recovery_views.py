"""The address of recovery: what it may do and has done, and one action by hand."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from dbvigil.api.base import ApiView, Operation, operation
from dbvigil.api.recovery_answers import RecoveryAttemptSerializer, RecoverySerializer
from dbvigil.api.recovery_requests import RecoverBody, RecoveryQuery
from dbvigil.monitoring import get_database_monitor
from dbvigil.recovery.by_hand import overview, recover


class RecoveryView(ApiView):
    """What recovery may do and has done; and one action on one database now, within the same policy and bounds as by itself.

    For superusers, and for whoever has the permission `dbvigil.recover_database`.
    """

    roles: ClassVar = {"POST": "recoverer"}

    @operation(Operation("Recovery", RecoverySerializer, query=RecoveryQuery, missing=True))
    def get(self, request: Request) -> Response:
        database = self.query.get("database")
        if database is not None:
            get_database_monitor().require(database)
        return Response(overview(database))

    @operation(
        Operation(
            "Recover",
            RecoveryAttemptSerializer,
            body=RecoverBody,
            missing=True,
            over=True,
            example={
                "action": "end_long_statements",
                "database": "default",
                "dry_run": True,
                "reason": "the report holds up the shop",
            },
        )
    )
    def post(self, request: Request) -> Response:
        get_database_monitor().require(self.body["database"])
        done = recover(
            self.body["action"],
            self.body["database"],
            self.body["reason"],
            request.user.get_username(),
            live=not self.body["dry_run"],
        )
        return Response(done)
