"""What is kept of connections: each process's own count, and what each server sees."""

from __future__ import annotations

from django.db import models


class ConnectionProcess(models.Model):
    """One row a process of the project, renewed by it. `databases` (JSON) has its figures by alias, `pools` those of watched pools."""

    identity = models.CharField(max_length=300, primary_key=True)
    host = models.CharField(max_length=255)
    pid = models.BigIntegerField()
    program = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    databases = models.JSONField()
    pools = models.JSONField(default=list)

    class Meta:
        verbose_name = "process with connections"
        verbose_name_plural = "processes with connections"
        indexes = [models.Index(fields=["seen_at"], name="dbvigil_connprocess_seen")]

    def __str__(self) -> str:
        return self.identity


class ServerConnections(models.Model):
    """One row a database: who holds its connections (`groups`, JSON), and the figures that advice stands on (`figures`, JSON)."""

    database = models.CharField(max_length=100, primary_key=True)
    seen_at = models.DateTimeField()
    groups = models.JSONField()
    figures = models.JSONField()

    class Meta:
        verbose_name = "connections of a server"
        verbose_name_plural = "connections of servers"

    def __str__(self) -> str:
        return f"connections of {self.database}"
