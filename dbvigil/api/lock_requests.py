"""What clients may ask about deadlocks and waits for locks."""

from __future__ import annotations

from dbvigil.api.fields import QueryNumber, QueryWhole, Strict, Text
from dbvigil.api.requests import MAX_ALIAS
from dbvigil.locks.stored import LONGEST_HOURS, MOST


class LocksQuery(Strict):
    database = Text(required=False, max_length=MAX_ALIAS, help_text="Only this database's.")
    hours = QueryNumber(
        required=False,
        default=24.0,
        min_value=0.01,
        max_value=LONGEST_HOURS,
        help_text="Those that were seen in the last so many hours.",
    )
    limit = QueryWhole(
        required=False, default=50, min_value=1, max_value=MOST, help_text="At most so many, the newest."
    )
