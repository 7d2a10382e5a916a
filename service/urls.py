"""URLs of the stand-alone service."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from dbvigil.api.exposition import prometheus_metrics
from service.sign_in import SignIn, SignOut

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="dbvigil:docs")),
    path("sign-in/", SignIn.as_view(), name="dbvigil-sign-in"),
    path("sign-out/", SignOut.as_view(), name="dbvigil-sign-out"),
    path("admin/", admin.site.urls),
    path("core/", include("core.urls")),
    path("metrics", prometheus_metrics),
]
