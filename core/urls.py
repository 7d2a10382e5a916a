"""The addresses of dbvigil, under the platform's name: `path("core/", include("core.urls"))`."""

from dbvigil.urls import app_name, urlpatterns

__all__ = ["app_name", "urlpatterns"]
