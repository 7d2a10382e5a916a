"""What is kept of deadlocks and of waits for locks."""

from __future__ import annotations

from django.db import models


class Deadlock(models.Model):
    """Deadlocks of one pattern on one database: of the same statements over the same indexes.

    `count` is how many were seen: of several between two samples a server tells the last alone. `example` (JSON) is the latest, without
    values; `last_event` its identity, by which it is not counted twice.
    """

    id = models.BigAutoField(primary_key=True)
    database = models.CharField(max_length=100)
    pattern = models.CharField(max_length=16)
    count = models.PositiveBigIntegerField(default=0)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    last_event = models.CharField(max_length=16)
    example = models.JSONField()

    class Meta:
        verbose_name = "pattern of deadlocks"
        verbose_name_plural = "patterns of deadlocks"
        constraints = [models.UniqueConstraint(fields=["database", "pattern"], name="dbvigil_deadlock_once")]
        indexes = [models.Index(fields=["last_seen"], name="dbvigil_deadlock_seen")]

    def __str__(self) -> str:
        return f"{self.pattern} on {self.database}"


class LockWait(models.Model):
    """One episode on one database, from the first sample in which sessions wait to the first in which none does.

    `latest` (JSON: `{"nodes", "left_out"}`) is the tree as it was seen last, empty once the episode is over; `tree` is the deepest, and
    among equals the one in which most wait, and `root_statement` its root's. `most_waiting` and `longest_seconds` are of the whole
    episode. `ended_at` is null while it goes on.
    """

    id = models.BigAutoField(primary_key=True)
    database = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    observations = models.PositiveIntegerField(default=1)
    depth = models.PositiveIntegerField()
    most_waiting = models.PositiveIntegerField()
    longest_seconds = models.FloatField(null=True)
    root_statement = models.TextField(null=True)  # noqa: DJ001 - what is not known is no empty statement
    tree = models.JSONField()
    latest = models.JSONField(default=dict)

    class Meta:
        verbose_name = "wait for locks"
        verbose_name_plural = "waits for locks"
        indexes = [
            models.Index(fields=["database", "ended_at"], name="dbvigil_lockwait_open"),
            models.Index(fields=["seen_at"], name="dbvigil_lockwait_seen"),
        ]

    def __str__(self) -> str:
        return f"waits on {self.database} from {self.started_at}"
