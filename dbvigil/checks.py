"""What is wrong with the settings, as Django system checks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.checks import CheckMessage, Error

from dbvigil import conf
from dbvigil.channels.templates import TemplateTrouble
from dbvigil.errors import AlertError


def check_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """One error for each setting that cannot be used.

    Its name, the value as far as it may be shown, and what is allowed.
    """
    found = [Error(str(problem), id="dbvigil.E001") for problem in conf.problems()]
    return [*found, *_templates()] if not found else list(found)


def _templates() -> Iterator[Error]:
    """One error for each template of messages that cannot be read, or cannot be rendered for a sample."""
    from dbvigil.alerting import words  # noqa: PLC0415 - there are no models yet when the check is registered

    for part, source in conf.load().alerts.templates.items():
        try:
            words.read(source)
            words.preview(part, None, None, datetime.now(UTC))
        except (TemplateTrouble, AlertError) as trouble:
            said = trouble.detail if isinstance(trouble, AlertError) else trouble
            yield Error(f"DB_ALERT_TEMPLATES[{part}]: {said}", id="dbvigil.E002")
