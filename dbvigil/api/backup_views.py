"""The address of backups: what was made and how it stands, and the wish for one. No monitored server and no file is touched here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from dbvigil import conf
from dbvigil.api.backup_answers import BackupBody, BackupSerializer, BackupsQuery, BackupsSerializer
from dbvigil.api.base import ApiView, Operation, operation
from dbvigil.backups import jobs
from dbvigil.backups.errors import BackupError
from dbvigil.backups.stored import backups, shown
from dbvigil.monitoring import get_database_monitor


class BackupsView(ApiView):
    """Backups, the newest first, and how each database stands. Superusers ask for one, which the monitor then makes."""

    roles: ClassVar = {"POST": "superuser"}

    @operation(Operation("Backups", BackupsSerializer, query=BackupsQuery, missing=True))
    def get(self, request: Request) -> Response:
        monitor, database = get_database_monitor(), self.query.get("database")
        if database is not None:
            monitor.require(database)
        chosen = monitor.databases() if database is None else (database,)
        limit = self.query["limit"]
        return Response(backups(conf.load().backups, chosen, datetime.now(UTC), limit=limit))

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
        database = self.body["database"]
        get_database_monitor().require(database)
        if not conf.load().backups.enabled:
            raise BackupError("the scheduler is off (BACKUP_SCHEDULER_ENABLED): no monitor would make it")
        return Response(shown(jobs.ask(database, request.user.get_username(), datetime.now(UTC))))
