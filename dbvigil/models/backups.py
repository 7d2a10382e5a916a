"""What is kept of backups."""

from __future__ import annotations

from django.db import models


class BackupPlan(models.Model):
    """The schedule of one database as a monitor first saw it at `since`: what was due before is nobody's debt."""

    database = models.CharField(max_length=100, primary_key=True)
    cron = models.CharField(max_length=100)
    since = models.DateTimeField()

    class Meta:
        verbose_name = "backup plan"

    def __str__(self) -> str:
        return f"backups of {self.database}"


class Backup(models.Model):
    """One backup of one database's server, from the wish to its removal.

    `status`: waiting, running (the dump), verifying (the file is whole and kept), done, failed. While it is one of the first three,
    `active` is the database's name, of which there is one alone. `slot` is the scheduled time that it serves, one backup each; null where
    somebody asked for it. `runner` is the process at work and `beat` grows while that lives; what has stood still is given up by whoever
    sees it. `source` is the alias of the server that was read, `file` the path below the folder of backups.

    `verification`: "" (not yet), verified, failed, skipped. `facts` (JSON) is what is known of server, position, tables and warnings,
    `report` what the restore showed. `removed_at` is when the file was removed, and `removed_why`.
    """

    id = models.BigAutoField(primary_key=True)
    database = models.CharField(max_length=100)
    slot = models.DateTimeField(null=True)
    active = models.CharField(max_length=100, null=True, unique=True)  # noqa: DJ001 - null is what may be there often
    status = models.CharField(max_length=10, default="waiting")
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=150, default="", blank=True)
    runner = models.CharField(max_length=200, default="", blank=True)
    beat = models.BigIntegerField(default=0)

    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    source = models.CharField(max_length=100, default="", blank=True)
    file = models.CharField(max_length=300, default="", blank=True)
    size_bytes = models.BigIntegerField(null=True)
    plain_bytes = models.BigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, default="", blank=True)
    key_id = models.CharField(max_length=16, default="", blank=True)
    error = models.TextField(default="", blank=True)
    facts = models.JSONField(default=dict)

    verification = models.CharField(max_length=10, default="", blank=True)
    verified_at = models.DateTimeField(null=True)
    report = models.JSONField(null=True)

    removed_at = models.DateTimeField(null=True)
    removed_why = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        verbose_name = "backup"
        constraints = [models.UniqueConstraint(fields=["database", "slot"], name="dbvigil_backup_slot")]
        indexes = [models.Index(fields=["database", "asked_at"], name="dbvigil_backup_asked")]

    def __str__(self) -> str:
        return f"backup {self.id} of {self.database}"
