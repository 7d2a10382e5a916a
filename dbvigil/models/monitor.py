"""What the monitor stores: targets and their newest figures, wishes, processes, thresholds."""

from __future__ import annotations

from django.db import models


class TargetState(models.Model):
    """One row a monitored database: what it is, who samples it, and its newest figures.

    `address` is for people and never holds a secret. `metrics` (JSON) and `snapshot` (JSON, compressed) are
    the newest sample's figures and raw counters, so that every process shows the same truth and a restarted
    monitor can difference counters across the restart. `samples` counts the samples written, `asked` those
    that were asked for outside the schedule. `alert_states` is what the alert engine remembers between samples.

    Lease: `holder` is the monitor that samples it (empty: none), `token` grows with every change of holder
    and fences late writes, `beat` grows with every renewal. A contender trusts no clock but its own: it takes
    over when it has seen `beat` stand still for a lease time.
    """

    alias = models.CharField(max_length=100, primary_key=True)
    address = models.CharField(max_length=300, default="")
    fingerprint = models.CharField(max_length=64, default="")
    active = models.BooleanField(default=True)

    holder = models.CharField(max_length=200, default="", blank=True)
    token = models.BigIntegerField(default=0)
    beat = models.BigIntegerField(default=0)
    renewed_at = models.DateTimeField(null=True)

    asked = models.BigIntegerField(default=0)
    samples = models.BigIntegerField(default=0)
    sampled_at = models.DateTimeField(null=True)
    metrics = models.JSONField(null=True)
    snapshot = models.BinaryField(null=True)
    alert_states = models.JSONField(default=dict)

    class Meta:
        verbose_name = "monitored database"

    def __str__(self) -> str:
        return self.alias


class MonitorControl(models.Model):
    """One row (id 1): what has been said to the monitors. Each counter grows with a wish; a monitor obeys
    those newer than its own start.

    `changes` grows when thresholds or the interval change. `interval` overrides the setting (seconds; null:
    the setting holds).
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    stops = models.BigIntegerField(default=0)
    restarts = models.BigIntegerField(default=0)
    collects = models.BigIntegerField(default=0)
    changes = models.BigIntegerField(default=0)
    interval = models.FloatField(null=True)

    class Meta:
        verbose_name = "monitor control"

    def __str__(self) -> str:
        return "monitor control"


class MonitorProcess(models.Model):
    """One row a monitor that runs, on any host, the one that samples and those that stand by.

    `seen_at` is renewed with its leases.
    """

    identity = models.CharField(max_length=200, primary_key=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name = "monitor process"
        verbose_name_plural = "monitor processes"

    def __str__(self) -> str:
        return self.identity


class StoredThreshold(models.Model):
    """A threshold set at run time; `database` empty means every database."""

    metric = models.CharField(max_length=100)
    database = models.CharField(max_length=100, default="", blank=True)
    warning = models.FloatField(null=True)
    critical = models.FloatField(null=True)
    changed_by = models.CharField(max_length=150, default="", blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = "threshold"
        constraints = [
            models.UniqueConstraint(fields=["metric", "database"], name="dbvigil_threshold_once"),
        ]

    def __str__(self) -> str:
        return f"{self.metric} on {self.database or 'every database'}"
