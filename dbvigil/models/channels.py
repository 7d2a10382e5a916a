"""Channels that people made in the service, beside those of the settings."""

from __future__ import annotations

from django.db import models


class AlertChannel(models.Model):
    """One channel: `kind` is webhook or slack. `url` and `secret` are sealed (see `alerting.sealed`): nothing shows them again."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=20)
    url = models.TextField()
    secret = models.TextField(default="", blank=True)
    active = models.BooleanField(default=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    changed_by = models.CharField(max_length=150, default="", blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "alert channel"

    def __str__(self) -> str:
        return self.name
