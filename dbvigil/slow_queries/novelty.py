"""What counts as new: only against what was known before it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Min

from dbvigil.models import QueryKind

NEW_FOR = timedelta(days=7)
"""How long a statement is called new."""
KNOWN_FOR = timedelta(days=1)
"""What was first seen within so long of the very first statement was there before anybody looked: most run once a day at least."""


def known_since(database: str) -> datetime | None:
    """When the first statement of `database` was seen of those that are kept; None where none is."""
    first: datetime | None = QueryKind.objects.filter(database=database).aggregate(first=Min("first_seen"))[
        "first"
    ]
    return first


def is_new(first_seen: datetime, known: datetime | None, since: datetime) -> bool | None:
    """Whether a statement came up at or after `since`; None where too little was known by then to tell.

    Pure. `known`: when the first statement of its database was seen.
    """
    if first_seen < since:
        return False
    return True if known is not None and first_seen >= known + KNOWN_FOR else None
