"""What is kept of recovery: attempts, what has to be put back, and who may act next."""

from __future__ import annotations

from django.db import models


class RecoveryAttempt(models.Model):
    """One attempt: written when it begins, and once more when it has ended.

    `mode` is dry_run or live. `outcome`: running, planned (a dry run), nothing (nothing to do), succeeded, failed, or interrupted (whoever
    ran it was killed). `holder` is the monitor that ran it, empty by hand; `actor` the person, or dbvigil. `plan` and `done` are JSON that
    holds no values of statements.
    """

    id = models.BigAutoField(primary_key=True)
    action = models.CharField(max_length=200)
    database = models.CharField(max_length=100)
    episode = models.ForeignKey(
        "dbvigil.Episode", models.PROTECT, null=True, related_name="recoveries", db_index=False
    )
    mode = models.CharField(max_length=10)
    outcome = models.CharField(max_length=12)
    actor = models.CharField(max_length=150)
    reason = models.TextField(default="")
    holder = models.CharField(max_length=200, default="")
    plan = models.JSONField(default=dict)
    done = models.JSONField(default=list)
    error = models.TextField(default="")
    verified = models.BooleanField(null=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "attempt at recovery"
        verbose_name_plural = "attempts at recovery"
        permissions = [("recover_database", "Can run recovery actions by hand")]
        indexes = [
            models.Index(fields=["action", "database", "started_at"], name="dbvigil_recovery_guard"),
            models.Index(fields=["started_at"], name="dbvigil_recovery_started"),
            models.Index(fields=["episode", "action"], name="dbvigil_recovery_episode"),
            models.Index(fields=["outcome"], name="dbvigil_recovery_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.action} on {self.database}"


class RecoveryChange(models.Model):
    """Something that an attempt changes on a server and that has to be put back: written before it is done.

    `kind` is setting or applier, `name` the setting or the channel. `server` is what the server calls itself, `uptime` how long it had run
    (seconds): another server at the address is left alone, and one that was restarted has forgotten. `holder` is the monitor that looks
    after it, empty by hand. `result` says what became of it once `closed_at` is set, and what hinders it until then.
    """

    id = models.BigAutoField(primary_key=True)
    attempt = models.ForeignKey(RecoveryAttempt, models.PROTECT, related_name="changes")
    database = models.CharField(max_length=100)
    server = models.CharField(max_length=100, default="")
    kind = models.CharField(max_length=10)
    name = models.CharField(max_length=100)
    old = models.CharField(max_length=100)
    new = models.CharField(max_length=100)
    uptime = models.FloatField()
    holder = models.CharField(max_length=200, default="")
    created_at = models.DateTimeField()
    undo_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    result = models.TextField(default="")

    class Meta:
        verbose_name = "change to be put back"
        verbose_name_plural = "changes to be put back"
        indexes = [models.Index(fields=["closed_at", "database"], name="dbvigil_recovery_open")]

    def __str__(self) -> str:
        return f"{self.name} on {self.database}"


class RecoveryGuard(models.Model):
    """One row an action: whoever begins a live attempt holds it while the earlier ones are counted, so that two cannot both be the last."""

    action = models.CharField(max_length=200, primary_key=True)
    begun = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = "guard of recovery"
        verbose_name_plural = "guards of recovery"

    def __str__(self) -> str:
        return self.action
