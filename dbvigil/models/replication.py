"""What is kept of replication."""

from __future__ import annotations

from django.db import models


class ReplicationFacts(models.Model):
    """What one server last told of its replication, as JSON (`dbvigil.replication.facts.Facts`).

    `at` is when it was read. One that does not answer keeps what it told last, so that the topology stays whole.
    """

    database = models.CharField(max_length=100, primary_key=True)
    at = models.DateTimeField()
    facts = models.JSONField()

    class Meta:
        verbose_name = "facts of replication"
        verbose_name_plural = "facts of replication"

    def __str__(self) -> str:
        return f"replication of {self.database}"
