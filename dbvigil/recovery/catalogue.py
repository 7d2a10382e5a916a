"""The actions there are: those that ship, and those of a host project that the settings name."""

from __future__ import annotations

from django.utils.module_loading import import_string

from dbvigil.conf.recovery import RecoverySettings
from dbvigil.errors import RecoveryError
from dbvigil.recovery.actions import ALL
from dbvigil.recovery.plan import Action


def actions(settings: RecoverySettings) -> dict[str, Action]:
    """By name, in the order in which they are tried; a project's own, named by their dotted paths, come last."""
    found: dict[str, Action] = {action.name: action for action in ALL}
    for name in settings.actions:
        if name not in found:
            found[name] = import_string(name)()
    return found


def find(settings: RecoverySettings, name: str) -> Action:
    """One action. Raises `RecoveryError`."""
    known = actions(settings)
    if name not in known:
        raise RecoveryError("action", f"{name[:200]!r} is not allowed; allowed: {', '.join(known)}")
    return known[name]
