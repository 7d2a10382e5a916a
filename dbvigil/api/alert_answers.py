"""What the API answers about alerts, as schema."""

from __future__ import annotations

from typing import get_args

from rest_framework import serializers

from dbvigil.alert import AlertStatus, DeliveryStatus, EventName
from dbvigil.api.alert_requests import SEVERITIES
from dbvigil.api.shapes import Answer, Moment, ReadingField


class NotificationSerializer(Answer):
    """What became of one event on one channel."""

    channel = serializers.CharField()
    event = serializers.CharField(help_text="The event that was told.")
    status = serializers.ChoiceField(
        choices=get_args(DeliveryStatus),
        help_text="`failed`: given up after a day; `cancelled`: no longer wanted before it was sent.",
    )
    attempts = serializers.IntegerField()
    sent_at = Moment(allow_null=True)
    error = serializers.CharField(help_text="Why the last attempt failed; empty where none did.")


class AlertEventSerializer(Answer):
    """One thing that happened to an alert."""

    at = Moment()
    event = serializers.ChoiceField(choices=get_args(EventName))
    actor = serializers.CharField(help_text="Who did it; `dbvigil` where nobody asked.")
    detail = serializers.DictField()


class AlertSerializer(Answer):
    """One episode of trouble on one database, from firing to resolved."""

    id = serializers.IntegerField()
    database = serializers.CharField(help_text="Alias; `dbvigil` for trouble with the monitoring itself.")
    metric = serializers.CharField(help_text="A metric of the catalogue, or the name of a rule (`up`).")
    severity = serializers.ChoiceField(choices=SEVERITIES)
    status = serializers.ChoiceField(choices=get_args(AlertStatus))
    value = ReadingField()
    threshold = serializers.FloatField(
        allow_null=True, help_text="The level it passed; null where the trouble is no number."
    )
    message = serializers.CharField(help_text="What is wrong, in one line.")
    recommendations = serializers.ListField(
        child=serializers.CharField(), help_text="What to do, in the order to try."
    )
    evidence = serializers.DictField(help_text="What was seen at the moment it fired.")
    started_at = Moment()
    last_seen_at = Moment()
    occurrences = serializers.IntegerField(help_text="Samples that found it.")
    no_data = serializers.BooleanField(help_text="The metric can no longer be read.")
    flapping = serializers.BooleanField(help_text="It comes and goes so often that one message tells of all.")
    acknowledged_at = Moment(allow_null=True)
    acknowledged_by = serializers.CharField(help_text="Empty where nobody has taken it up.")
    note = serializers.CharField()
    escalation_level = serializers.IntegerField(help_text="The highest step reached; 0 is the first.")
    escalated_at = Moment(allow_null=True)
    suppressed_until = Moment(allow_null=True)
    resolved_at = Moment(allow_null=True)
    duration_seconds = serializers.FloatField(help_text="Until now, or until it was over.")
    notifications = NotificationSerializer(many=True)


class PastAlertSerializer(AlertSerializer):
    """An alert with everything that happened to it, oldest first."""

    events = AlertEventSerializer(many=True)


class AlertsSerializer(Answer):
    """The active alerts, the gravest and newest first."""

    count = serializers.IntegerField()
    results = AlertSerializer(many=True)


class AlertHistorySerializer(Answer):
    """One page of past and active alerts, newest first."""

    count = serializers.IntegerField(help_text="On all pages together.")
    next = serializers.URLField(allow_null=True, help_text="Address of the next page.")
    previous = serializers.URLField(allow_null=True, help_text="Address of the page before.")
    results = PastAlertSerializer(many=True)


class SuppressionSerializer(Answer):
    """A suppression."""

    suppression_id = serializers.IntegerField()
    database = serializers.CharField(help_text="Empty: every database.")
    metric = serializers.CharField(help_text="Empty: every metric.")
    until = Moment(help_text="When it ends, or has ended.")
    created_by = serializers.CharField(help_text="Who made it.")


class HeldSuppressionSerializer(SuppressionSerializer):
    """A suppression that holds now."""

    reason = serializers.CharField()
    starts_at = Moment()


class SuppressionsSerializer(Answer):
    """The suppressions that hold now, the one that ends first at the top."""

    count = serializers.IntegerField()
    results = HeldSuppressionSerializer(many=True)


class WindowSerializer(Answer):
    """A maintenance window, and how it stands now."""

    window_id = serializers.IntegerField()
    name = serializers.CharField()
    schedule = serializers.CharField(help_text="A cron expression, read by the clock of `time_zone`.")
    time_zone = serializers.CharField()
    minutes = serializers.IntegerField(help_text="How long it lasts.")
    database = serializers.CharField(help_text="Empty: every database.")
    metric = serializers.CharField(help_text="Empty: every metric.")
    reason = serializers.CharField()
    active = serializers.BooleanField(help_text="False: switched off.")
    created_by = serializers.CharField(help_text="Who made it.")
    open = serializers.BooleanField(help_text="Whether it keeps alerts quiet now.")
    open_until = Moment(allow_null=True, help_text="When it closes; null unless it is open.")
    next_start = Moment(allow_null=True, help_text="When it begins next; null while it is switched off.")


class WindowsSerializer(Answer):
    """The maintenance windows, by name."""

    count = serializers.IntegerField()
    results = WindowSerializer(many=True)


class ChannelSerializer(Answer):
    """Where alerts are sent, secrets masked, and how it fares."""

    name = serializers.CharField()
    kind = serializers.CharField()
    target = serializers.CharField(help_text="Masked.")
    active = serializers.BooleanField(help_text="Whether it is used.")
    created_by = serializers.CharField(help_text="Who made it; empty for a channel of the settings.")
    disabled = serializers.BooleanField(help_text="Its receiver wants nothing more (410).")
    failing_since = Moment(allow_null=True)
    last_sent_at = Moment(allow_null=True)
    last_error = serializers.CharField()


class ChannelsSerializer(Answer):
    """The channels there are: those of the settings first."""

    count = serializers.IntegerField()
    results = ChannelSerializer(many=True)


class ChannelOutcomeSerializer(Answer):
    """What became of a test message."""

    ok = serializers.BooleanField()
    detail = serializers.CharField()
    latency_ms = serializers.FloatField(help_text="milliseconds")


class TestChannelsSerializer(Answer):
    """What became of each test message."""

    results = serializers.DictField(child=ChannelOutcomeSerializer(), help_text="By channel.")
