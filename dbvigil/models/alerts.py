"""What alerting stores: episodes, what happened to them, what is to be sent, and what is kept quiet."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models


class Episode(models.Model):
    """One alert, from firing to resolved.

    `open_key` is unique while it is open and null afterwards, so that one trouble has one episode. `acknowledgements` counts them:
    a link that was signed under one count is worth nothing under the next.

    `origin` says who found it: "samples" (the engine), "dbvigil" (its watch over itself), or "program" (`send_alert`).

    Clocks: `next_step_at` is the next escalation, `next_repeat_at` the next repetition or reminder; both stand while `quiet_since` is
    set, which is while the episode is suppressed (`suppressed_until`) or follows from another (`inhibited_by`). `policy` holds the
    escalation steps as they were when it fired. `told` says whether anybody was sent that it fired.
    """

    id = models.BigIntegerField(primary_key=True)
    open_key = models.CharField(max_length=210, null=True, unique=True)  # noqa: DJ001 - null never equals null
    database = models.CharField(max_length=100)
    metric = models.CharField(max_length=100)
    origin = models.CharField(max_length=20, default="samples")
    severity = models.CharField(max_length=10)
    no_data = models.BooleanField(default=False)
    flapping = models.BooleanField(default=False)
    value = models.JSONField(null=True)
    threshold = models.FloatField(null=True)
    message = models.TextField()
    recommendations = models.JSONField(default=list)
    evidence = models.JSONField(default=dict)
    started_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    occurrences = models.BigIntegerField(default=1)

    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=150, default="")
    acknowledgements = models.PositiveIntegerField(default=0)
    note = models.TextField(default="")

    inhibited_by = models.CharField(max_length=100, default="")
    suppressed_until = models.DateTimeField(null=True)
    quiet_since = models.DateTimeField(null=True)
    told = models.BooleanField(default=False)

    policy = models.JSONField(default=list)
    escalation_level = models.PositiveSmallIntegerField(default=0)
    escalated_at = models.DateTimeField(null=True)
    next_step_at = models.DateTimeField(null=True)
    next_repeat_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "alert"
        indexes = [
            models.Index(fields=["resolved_at", "database"], name="dbvigil_episode_open"),
            models.Index(fields=["started_at"], name="dbvigil_episode_started"),
            models.Index(fields=["next_step_at"], name="dbvigil_episode_step"),
            models.Index(fields=["next_repeat_at"], name="dbvigil_episode_repeat"),
        ]

    def __str__(self) -> str:
        return f"{self.metric} on {self.database}"


class AppendOnlyError(Exception):
    """The audit trail is written once; nothing in it is changed or removed through the ORM."""


class AuditEvents(models.QuerySet["AuditEvent"]):
    """Rows that can be added and read."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("audit events are not updated")

    def delete(self) -> NoReturn:
        raise AppendOnlyError("audit events are not deleted")


class AuditEvent(models.Model):
    """One thing that happened: to an episode, or to alerting itself (`episode` null).

    Events are numbered without a gap. `hash` is over the event and `previous`, the hash of the event before: whoever
    changes one has to change all that follow. `detail` is JSON, and so is `alert`, the alert's body at that moment where messages tell
    of it: text, because a hash is over bytes.
    """

    id = models.BigIntegerField(primary_key=True)
    episode = models.ForeignKey(Episode, models.PROTECT, null=True, related_name="events")
    at = models.DateTimeField()
    event = models.CharField(max_length=30)
    actor = models.CharField(max_length=150)
    detail = models.TextField(default="{}")
    alert = models.TextField(default="")
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    objects = AuditEvents.as_manager()

    class Meta:
        verbose_name = "audit event"

    def __str__(self) -> str:
        return f"{self.event} at {self.at}"

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("audit events are written by dbvigil.alerting.audit alone")

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("audit events are not deleted")


class AuditHead(models.Model):
    """One row (id 1): the newest audit event, and the newest episode's number. Whoever writes either holds this row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    events = models.BigIntegerField(default=0)
    episodes = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="")

    class Meta:
        verbose_name = "head of the audit trail"

    def __str__(self) -> str:
        return f"{self.events} events"


class Delivery(models.Model):
    """One event that is to reach one channel: the outbox.

    `message_id` is given when it is first claimed, and is the same on every attempt; deliveries that share one go out as one message.
    A worker holds it until `claim_until`; whoever finds it later takes it over. `status` is one of `dbvigil.alert.DeliveryStatus`.
    """

    id = models.BigAutoField(primary_key=True)
    # Both are the first column of an index below.
    event = models.ForeignKey(AuditEvent, models.PROTECT, related_name="deliveries", db_index=False)
    episode = models.ForeignKey(Episode, models.PROTECT, null=True, related_name="deliveries", db_index=False)
    database = models.CharField(max_length=100)
    type = models.CharField(max_length=30)
    tier = models.PositiveSmallIntegerField(default=0)
    channel = models.CharField(max_length=100)
    status = models.CharField(max_length=10, default="pending")
    message_id = models.CharField(max_length=40, default="")
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    claimed_by = models.CharField(max_length=200, default="")
    claim_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    error = models.TextField(default="")

    class Meta:
        verbose_name = "delivery"
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event", "tier", "channel"], name="dbvigil_delivery_once")
        ]
        indexes = [
            models.Index(fields=["status", "channel", "due_at"], name="dbvigil_delivery_due"),
            models.Index(fields=["episode", "channel", "status"], name="dbvigil_delivery_order"),
            models.Index(fields=["message_id"], name="dbvigil_delivery_message"),
        ]

    def __str__(self) -> str:
        return f"{self.type} to {self.channel}"


class ChannelState(models.Model):
    """How a channel fares. `fingerprint` is of the configuration that the rest is about: a changed one starts afresh.

    `tokens` are the messages it may be sent at `tokens_at` before notices are bundled.
    """

    name = models.CharField(max_length=100, primary_key=True)
    fingerprint = models.CharField(max_length=64, default="")
    tokens = models.FloatField(default=0)
    tokens_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    last_error = models.TextField(default="")
    last_sent_at = models.DateTimeField(null=True)
    disabled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "channel state"

    def __str__(self) -> str:
        return self.name


class Suppression(models.Model):
    """A suppression: nothing is sent about `metric` of `database` (each "" for any) from `starts_at` until `until`."""

    id = models.BigAutoField(primary_key=True)
    database = models.CharField(max_length=100, default="", blank=True)
    metric = models.CharField(max_length=100, default="", blank=True)
    reason = models.TextField(default="", blank=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    starts_at = models.DateTimeField()
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, default="", blank=True)

    class Meta:
        verbose_name = "suppression"
        indexes = [models.Index(fields=["until"], name="dbvigil_suppression_until")]

    def __str__(self) -> str:
        return f"{self.metric or 'every metric'} of {self.database or 'every database'} until {self.until}"


class MaintenanceWindow(models.Model):
    """A suppression that comes back: `schedule` is a cron expression in `time_zone`, each lasting `minutes`."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    database = models.CharField(max_length=100, default="", blank=True)
    metric = models.CharField(max_length=100, default="", blank=True)
    schedule = models.CharField(max_length=100)
    time_zone = models.CharField(max_length=64, default="UTC")
    minutes = models.PositiveIntegerField()
    reason = models.TextField(default="", blank=True)
    active = models.BooleanField(default=True)
    created_by = models.CharField(max_length=150, default="", blank=True)

    class Meta:
        verbose_name = "maintenance window"

    def __str__(self) -> str:
        return self.name


class AlertWorker(models.Model):
    """One row a process that delivers: `seen_at` is renewed with each round, `delivered` counts messages."""

    identity = models.CharField(max_length=200, primary_key=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    delivered = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = "delivery process"
        verbose_name_plural = "delivery processes"

    def __str__(self) -> str:
        return self.identity
