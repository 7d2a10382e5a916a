"""The pages' addresses, below the place where a project includes `dbvigil.urls`."""

from __future__ import annotations

from django.urls import path

from dbvigil.pages.acknowledge import acknowledge_page
from dbvigil.pages.alert import alert_page
from dbvigil.pages.backups import backups_page
from dbvigil.pages.connections import connections_page
from dbvigil.pages.locks import locks_page
from dbvigil.pages.queries import queries_page
from dbvigil.pages.recovery import recovery_page
from dbvigil.pages.replication import replication_page
from dbvigil.pages.runbooks import runbook_page

urlpatterns = [
    path("alerts/<int:alert_id>/", alert_page, name="dbvigil-alert"),
    path("connections/", connections_page, name="dbvigil-connections"),
    path("backups/", backups_page, name="dbvigil-backups"),
    path("locks/", locks_page, name="dbvigil-locks"),
    path("recovery/", recovery_page, name="dbvigil-recovery"),
    path("replication/", replication_page, name="dbvigil-replication"),
    path("slow-queries/", queries_page, name="dbvigil-slow-queries"),
    path("runbooks/<slug:name>/", runbook_page, name="dbvigil-runbook"),
    path("acknowledge/<str:token>/", acknowledge_page, name="dbvigil-acknowledge"),
]
