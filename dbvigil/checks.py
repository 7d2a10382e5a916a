"""What is wrong with the settings, as Django system checks."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error

from dbvigil import conf


def check_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """One error for each setting that cannot be used.

    Its name, the value as far as it may be shown, and what is allowed.
    """
    return [Error(str(problem), id="dbvigil.E001") for problem in conf.problems()]
