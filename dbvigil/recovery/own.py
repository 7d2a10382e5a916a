"""What this process of a Django project holds towards a server, and how it is opened anew."""

from __future__ import annotations

from dbvigil.connections.tracking import TRACKER
from dbvigil.targets import Target


def held(target: Target) -> int:
    """How many of Django's connections to `target` are open in this process; none where it is no alias of DATABASES."""
    return TRACKER.count(target.alias) if target.source == "DATABASES" else 0


def retire(target: Target) -> int:
    """Has Django open them anew: each is closed by its own thread at its next request, and never under a statement. How many."""
    return TRACKER.retire(target.alias) if target.source == "DATABASES" else 0
