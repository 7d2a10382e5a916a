"""The Django app."""

from __future__ import annotations

from types import ModuleType

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from dbvigil import autostart, conf
from dbvigil.checks import check_settings
from dbvigil.connections import pools, reporting
from dbvigil.errors import ConfigurationError


class DbvigilConfig(AppConfig):
    name = "dbvigil"
    verbose_name = "Database monitoring"
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        self.brings_knox = _install_knox()

    def ready(self) -> None:
        checks.register(check_settings)
        autostart.arrange()
        try:
            watched = conf.load().connection_monitoring
        except ConfigurationError:
            # The system checks report a wrong setting with its name.
            return
        if watched:
            reporting.arrange()
        else:
            pools.switch_off()


def _install_knox() -> bool:
    """Adds the app that keeps API tokens, unless the project lists it; whether it was added.

    Django is walking through this very list when it makes our `AppConfig`, so an app that is appended now is
    the last one it meets.
    """
    apps = settings.INSTALLED_APPS
    if any(entry == "knox" or entry.startswith("knox.") for entry in apps):
        return False
    if not isinstance(apps, list):
        raise ImproperlyConfigured('dbvigil cannot add "knox" to INSTALLED_APPS, a tuple: add it yourself')
    apps.append("knox")
    return True
