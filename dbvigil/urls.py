"""What a host project includes: `path("core/", include("dbvigil.urls"))` gives /core/api/monitoring/…, the
pages at /core/monitoring/…, and /core/metrics.

Prometheus looks for /metrics at the root of a site; a project that has nothing else there adds
`path("metrics", dbvigil.api.exposition.prometheus_metrics)` to its own URLs, as the stand-alone service does.
"""

from __future__ import annotations

from django.urls import include, path

from dbvigil.api.exposition import prometheus_metrics

app_name = "dbvigil"

urlpatterns = [
    path("api/monitoring/", include("dbvigil.api.urls")),
    path("monitoring/", include("dbvigil.pages.urls")),
    path("metrics", prometheus_metrics, name="prometheus"),
]
