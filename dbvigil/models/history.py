"""What history stores: samples, and windows of them column by column."""

from __future__ import annotations

from django.db import models


class Sample(models.Model):
    """One raw sample whose hour is not closed yet: times in milliseconds since 1970, values packed by `history.packing`.

    `taken_at` alone is indexed too, so that the oldest row of all is found without asking for each database.
    """

    id = models.BigAutoField(primary_key=True)
    database = models.CharField(max_length=100)
    taken_at = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        indexes = [
            models.Index(fields=["database", "taken_at"], name="dbvigil_sample_time"),
            models.Index(fields=["taken_at"], name="dbvigil_sample_oldest"),
        ]

    def __str__(self) -> str:
        return f"{self.database} at {self.taken_at}"


class Chunk(models.Model):
    """A window of samples (`step` 0: as they came, else gathered into buckets of `step` seconds) of one database, column by column.

    `start` is in milliseconds since 1970; how long a window is follows from `step` (`history.tiers`). `history.packing` reads `data`.
    """

    id = models.BigAutoField(primary_key=True)
    database = models.CharField(max_length=100)
    step = models.PositiveIntegerField()
    start = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["database", "step", "start"], name="dbvigil_chunk_once")
        ]
        indexes = [models.Index(fields=["step", "start"], name="dbvigil_chunk_oldest")]

    def __str__(self) -> str:
        return f"{self.database}/{self.step} from {self.start}"
