"""What the API answers, as schema: the bodies that the monitor builds, with units from the catalogue."""

from __future__ import annotations

from dataclasses import fields as dataclass_fields
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dbvigil.api.alert_answers import AlertSerializer, ChannelSerializer
from dbvigil.api.query_answers import SlowQuerySerializer
from dbvigil.api.shapes import Answer, Moment, ReadingField
from dbvigil.catalogue import BY_NAME, NUMERIC
from dbvigil.types import DatabaseMetrics, Failure, ReplicationChannel, Status

STATUSES: tuple[str, ...] = get_args(Status)
UNIT_TEXT = {
    "count": "",
    "flag": "",
    "text": "",
    "percent": "percent, 0–100",
    "seconds": "seconds",
    "milliseconds": "milliseconds",
    "per_second": "per second",
    "per_minute": "per minute",
    "bytes": "bytes",
    "bytes_per_second": "bytes per second",
}

_POINT = "rows of `[timestamp, average, lowest, highest]` in time order"


def _help(name: str) -> str:
    """The catalogue's sentence on a metric, with its unit."""
    row = BY_NAME.get(name)
    if row is None:
        return ""
    unit = UNIT_TEXT[row.unit]
    return f"{row.help} Unit: {unit}." if unit else row.help


def _field(hint: Any, help_text: str) -> serializers.Field[Any, Any, Any, Any]:
    """The field that describes a value of type `hint`."""
    options = get_args(hint)
    nullable = NoneType in options
    kinds = [option for option in options if option is not NoneType] if nullable else [hint]
    common: dict[str, Any] = {"allow_null": nullable, "help_text": help_text}
    literals = [value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
    if literals:
        return serializers.ChoiceField(choices=literals, **common)
    kind = kinds[0]
    if get_origin(kind) is tuple:
        return _SERIALIZERS[get_args(kind)[0]](many=True, **common)
    field: serializers.Field[Any, Any, Any, Any] = _SIMPLE[kind](**common)
    return field


_SIMPLE: dict[Any, Any] = {
    bool: serializers.BooleanField,
    int: serializers.IntegerField,
    float: serializers.FloatField,
    str: serializers.CharField,
}


def _described(kind: type) -> type[Answer]:
    """A serializer with one field for each of a dataclass's."""
    hints = get_type_hints(kind)
    members: dict[str, Any] = {
        item.name: Moment(help_text=_help(item.name))
        if item.name == "timestamp"
        else _field(hints[item.name], _help(item.name))
        for item in dataclass_fields(kind)
    }
    members["__doc__"] = (kind.__doc__ or "").split("\n\n")[0].strip()
    return type(f"{kind.__name__}Serializer", (serializers.Serializer,), members)


_SERIALIZERS: dict[type, type[Answer]] = {kind: _described(kind) for kind in (ReplicationChannel, Failure)}
_SERIALIZERS[DatabaseMetrics] = _described(DatabaseMetrics)
DatabaseMetricsSerializer = _SERIALIZERS[DatabaseMetrics]
ReplicationChannelSerializer = _SERIALIZERS[ReplicationChannel]


class MetricsSerializer(Answer):
    """The newest figures of every database."""

    timestamp = Moment(help_text="When this was answered.")
    databases = serializers.DictField(child=DatabaseMetricsSerializer(), help_text="By alias.")


# `prefixItems` would say which is which, but readers of OpenAPI 3.1 get it wrong, schemathesis among them.
@extend_schema_field(
    {
        "type": "array",
        "items": {
            "type": "array",
            "items": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]},
            "minItems": 4,
            "maxItems": 4,
        },
        "example": [["2026-01-31T09:05:00.000Z", 12.5, 10.0, 15.0]],
    }
)
class PointsField(serializers.Field[Any, Any, Any, Any]):
    """One metric over time: [timestamp, average, lowest, highest] in time order."""


class HistorySerializer(Answer):
    """Metrics of one database over time. A time without a reading has no point."""

    database = serializers.CharField()
    hours = serializers.FloatField()
    resolution_seconds = serializers.IntegerField(help_text="Seconds between two points.")
    series = serializers.DictField(child=PointsField(), help_text=f"By metric: {_POINT}.")


class ReasonSerializer(Answer):
    """Why health lost points."""

    metric = serializers.CharField()
    value = ReadingField()
    penalty = serializers.IntegerField(help_text="The points lost.")
    message = serializers.CharField(help_text="What is wrong and what to do.")


class DatabaseHealthSerializer(Answer):
    """The verdict on one database."""

    status = serializers.ChoiceField(choices=STATUSES)
    score = serializers.IntegerField(
        allow_null=True, min_value=0, max_value=100, help_text="null where unknown."
    )
    reasons = ReasonSerializer(many=True)
    last_sample = Moment(allow_null=True)
    age_seconds = serializers.FloatField(allow_null=True, help_text="Age of the last sample.")
    alerts = serializers.IntegerField(help_text="How many of its alerts are open.")


class ControlSerializer(Answer):
    """Whether a monitor runs, in any process."""

    running = serializers.BooleanField()
    interval_seconds = serializers.FloatField(help_text="Seconds between samples of one target.")
    since = Moment(allow_null=True, help_text="When it started; null where none runs.")


class MonitorSerializer(ControlSerializer):
    """Whether a monitor runs, and when it last took a sample."""

    last_cycle = Moment(allow_null=True)


class OpenAlertsSerializer(Answer):
    """How many alerts are open: by how they stand, and the same ones by severity."""

    firing = serializers.IntegerField()
    acknowledged = serializers.IntegerField()
    suppressed = serializers.IntegerField()
    critical = serializers.IntegerField()
    warning = serializers.IntegerField()


class HealthSerializer(Answer):
    """The verdict on all databases: the worst status and the lowest score."""

    status = serializers.ChoiceField(choices=STATUSES)
    score = serializers.IntegerField(allow_null=True, min_value=0, max_value=100)
    timestamp = Moment()
    databases = serializers.DictField(child=DatabaseHealthSerializer(), help_text="By alias.")
    monitor = MonitorSerializer()
    alerts = OpenAlertsSerializer()


class ReplicationSerializer(Answer):
    """How one database replicates."""

    replication_role = serializers.ChoiceField(choices=("source", "replica", "both"))
    replication_io_running = serializers.BooleanField(
        allow_null=True, help_text=_help("replication_io_running")
    )
    replication_sql_running = serializers.BooleanField(
        allow_null=True, help_text=_help("replication_sql_running")
    )
    replication_lag = serializers.FloatField(allow_null=True, help_text=_help("replication_lag"))
    replication_channels = ReplicationChannelSerializer(many=True, allow_null=True)
    findings = serializers.ListField(
        child=serializers.CharField(),
        help_text="The ids of its findings; `replication/` tells what they are.",
    )
    catch_up_seconds = serializers.FloatField(
        allow_null=True,
        help_text="In how many it will have caught up; null where it does not, or nobody knows.",
    )


class DashboardSerializer(Answer):
    """Everything an overview shows, in one answer."""

    health = HealthSerializer()
    metrics = serializers.DictField(child=DatabaseMetricsSerializer(), help_text="By alias.")
    alerts = AlertSerializer(many=True, help_text="The active ones, the gravest and newest first.")
    slow_queries = SlowQuerySerializer(
        many=True, help_text="The ten that took most time in the last 24 hours."
    )
    replication = serializers.DictField(
        child=ReplicationSerializer(), help_text="By alias, where it replicates."
    )
    trends = serializers.DictField(
        child=serializers.DictField(child=PointsField()),
        help_text=f"The last 24 hours, by alias and metric: {_POINT}.",
    )


class SettingSerializer(Answer):
    """One setting: its value, secrets masked, and where it comes from."""

    value = ReadingField()
    source = serializers.CharField(  # type: ignore[assignment]  # every field has an attribute of this name
        help_text="default, settings, environment, or stored (changed at run time)."
    )


class LevelsSerializer(Answer):
    """Two levels of a metric and where they come from."""

    warning = serializers.FloatField(allow_null=True)
    critical = serializers.FloatField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]


class ThresholdSerializer(LevelsSerializer):
    """A threshold that holds now."""

    metric = serializers.ChoiceField(choices=NUMERIC)
    database = serializers.CharField(allow_null=True, help_text="null: every database.")


class ConfigSerializer(Answer):
    """Settings and thresholds in effect."""

    settings = serializers.DictField(child=SettingSerializer(), help_text="By name.")
    thresholds = ThresholdSerializer(many=True)
    channels = ChannelSerializer(many=True, help_text="Where alerts are sent.")


class ThresholdChangeSerializer(Answer):
    """A threshold as it was set, and what held before."""

    metric = serializers.ChoiceField(choices=NUMERIC)
    warning = serializers.FloatField(allow_null=True)
    critical = serializers.FloatField(allow_null=True)
    database = serializers.CharField(allow_null=True)
    previous = LevelsSerializer(allow_null=True)


class ProblemSerializer(Answer):
    """What went wrong (RFC 9457)."""

    type = serializers.CharField(help_text="Stable identifier of the kind of problem.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = serializers.DictField(  # type: ignore[assignment]  # the base class has a property of this name
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Messages by field.",
    )
