"""What the API answers about slow queries, as schema."""

from __future__ import annotations

from typing import get_args

from rest_framework import serializers

from dbvigil.api.shapes import Answer, Moment, ReadingField
from dbvigil.queries.severity import SEVERITIES
from dbvigil.query import AdviceAction, Confidence, QuerySource


class AdviceEvidenceSerializer(Answer):
    """What was measured, estimated or read."""

    before = ReadingField(help_text="Without the change.")
    after = ReadingField(help_text="With it, where that is known.")
    method = serializers.CharField(help_text="What it was found in, or how it was measured.")


class RecommendationSerializer(Answer):
    """What to do about a query."""

    rule = serializers.CharField(help_text="The rule that says so.")
    title = serializers.CharField()
    detail = serializers.CharField(help_text="What is wrong here, in this statement's own names.")
    action = serializers.ChoiceField(choices=get_args(AdviceAction))
    sql = serializers.CharField(help_text="DDL or the rewritten query; empty where there is none to give.")
    django = serializers.CharField(help_text="The same as Django code, where the table is a known model's.")
    evidence = AdviceEvidenceSerializer()
    confidence = serializers.ChoiceField(choices=get_args(Confidence))


class PlanChangeSerializer(Answer):
    """A plan that a kind of statement had."""

    hash = serializers.CharField(help_text="Of its shape: tables, access, indexes and order.")
    first_seen = Moment()
    last_seen = Moment()
    changes = serializers.ListField(
        child=serializers.CharField(), help_text="What differed from the plan before it."
    )


class SinceDeploymentSerializer(Answer):
    """The newest deployment of the last week, and what it did to a statement."""

    name = serializers.CharField()
    at = Moment()
    is_new = serializers.BooleanField(
        allow_null=True, help_text="It was not seen before; null where too little was known by then."
    )
    trend = serializers.FloatField(
        allow_null=True, help_text="Its time an execution as a multiple of that before the deployment."
    )
    slower = serializers.CharField(help_text="How it became slower; empty where it did not.")
    plan_changed = serializers.BooleanField(help_text="It runs on another plan since.")


class DeploymentSerializer(Answer):
    """A moment at which what runs against the databases changed."""

    name = serializers.CharField()
    at = Moment()
    database = serializers.CharField(allow_null=True, help_text="null: every database.")
    by = serializers.CharField(help_text="Who put it on record.")


class DeploymentsSerializer(Answer):
    """Deployments, the newest first."""

    count = serializers.IntegerField()
    results = DeploymentSerializer(many=True)


def _count(text: str) -> serializers.IntegerField:
    return serializers.IntegerField(allow_null=True, help_text=text)


def _number(text: str) -> serializers.FloatField:
    return serializers.FloatField(allow_null=True, help_text=text)


class SlowQuerySerializer(Answer):
    """One kind of statement and what it cost in the span. What a source cannot tell is null."""

    fingerprint = serializers.CharField(help_text="In pt-query-digest's dialect.")
    query_id = serializers.CharField(help_text="Its 16 hexadecimal digits.")
    query = serializers.CharField(help_text="The statement without its values.")
    source = serializers.ChoiceField(choices=get_args(QuerySource))  # type: ignore[assignment]
    digest = serializers.CharField(help_text="The server's own key; empty for a log's.")
    database = serializers.CharField()
    schema = serializers.CharField()
    sample = serializers.CharField(
        allow_null=True, help_text="One statement with its values; only where redaction is off."
    )
    count = _count("Executions.")
    total_time = _number("Seconds.")
    avg_time = _number("Seconds an execution.")
    p95_time = _number("Seconds that 95 % of the executions did not exceed.")
    max_time = _number("Seconds of the longest execution.")
    lock_time = _number("Seconds of waiting for locks.")
    rows_examined = _count("Rows read.")
    rows_sent = _count("Rows given to clients.")
    rows_examined_per_row_sent = _number("Rows read for each row sent or changed.")
    no_index_used = _count("Executions without an index.")
    tmp_disk_tables = _count("Temporary tables that went to disk.")
    first_seen = Moment(allow_null=True)
    last_seen = Moment(allow_null=True)
    share_of_load = _number("Percent of all statement time of the database.")
    severity = serializers.ChoiceField(choices=SEVERITIES)
    frequency_per_minute = _number("Executions a minute.")
    patterns = serializers.ListField(
        child=serializers.CharField(), help_text="The rules that found something."
    )
    recommendations = RecommendationSerializer(many=True)
    plan = serializers.DictField(allow_null=True, help_text="The newest plan, as one tree for both flavors.")
    plan_history = PlanChangeSerializer(many=True, help_text="The plans that it had, the present one first.")
    is_new = serializers.BooleanField(
        allow_null=True,
        help_text="First seen in the last seven days; null where too little was known by then.",
    )
    trend = _number("Its time an execution as a multiple of that in the span before.")
    since_deployment = SinceDeploymentSerializer(
        allow_null=True, help_text="null where nothing was deployed in the last week."
    )
    callers = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Executions by what the statements' comments name: view, route or task.",
    )
    gaps = serializers.ListField(
        child=serializers.CharField(), help_text="What could not be looked at, and why."
    )


class SlowQueriesSerializer(Answer):
    """The kinds of statement that took most time, the worst first."""

    count = serializers.IntegerField()
    results = SlowQuerySerializer(many=True)
    trouble = serializers.DictField(
        child=serializers.DictField(child=serializers.CharField()),
        help_text="By alias and source, what could not be read and why.",
    )
