"""What clients may ask about slow queries."""

from __future__ import annotations

from dbvigil.api.fields import Choice, QueryNumber, QueryWhole, Strict, Text
from dbvigil.api.requests import MAX_ALIAS
from dbvigil.queries.severity import SEVERITIES
from dbvigil.slow_queries.stored import LONGEST_HOURS, MOST


class SlowQueriesQuery(Strict):
    database = Text(required=False, max_length=MAX_ALIAS, help_text="Only this database's.")
    limit = QueryWhole(
        required=False, default=50, min_value=1, max_value=MOST, help_text="At most so many, the worst."
    )
    hours = QueryNumber(
        required=False,
        default=24.0,
        min_value=0.01,
        max_value=LONGEST_HOURS,
        help_text="What they cost in the last so many hours; windows of five minutes are kept, of an hour after two days.",
    )
    severity = Choice(choices=SEVERITIES, required=False, help_text="Only those of this severity.")
