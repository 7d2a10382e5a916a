"""What clients may ask about slow queries."""

from __future__ import annotations

from dbvigil.api.fields import Choice, Number, QueryNumber, QueryWhole, Strict, Text
from dbvigil.api.requests import MAX_ALIAS
from dbvigil.queries.severity import SEVERITIES
from dbvigil.slow_queries.deployments import LONGEST_AGO, LONGEST_NAME
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


class DeploymentsQuery(Strict):
    hours = QueryNumber(
        required=False,
        default=168.0,
        min_value=0.01,
        max_value=LONGEST_HOURS,
        help_text="Those of the last so many hours.",
    )
    database = Text(required=False, max_length=MAX_ALIAS, help_text="Only those that touched this database.")


class DeploymentBody(Strict):
    """Something was deployed: from here on statements are compared with what they were before."""

    name = Text(max_length=LONGEST_NAME, help_text="What was deployed: a version, a commit.")
    database = Text(
        required=False,
        allow_null=True,
        max_length=MAX_ALIAS,
        help_text="The database that it touches; every one otherwise.",
    )
    minutes_ago = Number(
        required=False,
        default=0.0,
        min_value=0,
        max_value=LONGEST_AGO.total_seconds() / 60,
        help_text="How long ago it was.",
    )
