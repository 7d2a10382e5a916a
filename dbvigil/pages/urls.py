"""The pages' addresses, below the place where a project includes `dbvigil.urls`."""

from __future__ import annotations

from django.urls import path

from dbvigil.pages.acknowledge import acknowledge_page
from dbvigil.pages.alert import alert_page

urlpatterns = [
    path("alerts/<int:alert_id>/", alert_page, name="dbvigil-alert"),
    path("acknowledge/<str:token>/", acknowledge_page, name="dbvigil-acknowledge"),
]
