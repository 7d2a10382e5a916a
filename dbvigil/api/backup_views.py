"""The address of backups: what was made and how it stands, and the wish for one. No monitored server and no file is touched here."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from dbvigil.api.backup_answers import BackupBody, BackupSerializer, BackupsQuery, BackupsSerializer
from dbvigil.api.base import ApiView, Operation, operation
from dbvigil.monitoring import get_database_monitor


class BackupsView(ApiView):
    """Backups, the newest first, and how each database stands. Superusers ask for one, which the monitor then makes."""

    roles: ClassVar = {"POST": "superuser"}

    @operation(Operation("Backups", BackupsSerializer, query=BackupsQuery, missing=True))
    def get(self, request: Request) -> Response:
        found = get_database_monitor().get_backups(self.query.get("database"), self.query["limit"])
        return Response(found)

    @operation(
        Operation(
            "Back up now",
            BackupSerializer,
            body=BackupBody,
            missing=True,
            over=True,
            example={"database": "default"},
        )
    )
    def post(self, request: Request) -> Response:
        user = request.user.get_username()
        return Response(get_database_monitor().request_backup(self.body["database"], user))
