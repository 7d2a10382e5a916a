"""What is kept of slow queries: kinds of statement, what they cost by windows of time, their plans, and how far each server was read."""

from __future__ import annotations

from django.db import models


class QueryKind(models.Model):
    """One kind of statement on one database, as one source knows it: `source` is digest or slow_log, `key` the server's digest or the
    query ID.

    `query` holds no values. `pair` is what a digest and a log's fingerprint of the same statement have in common. `advice` (JSON) is the
    newest analysis: `{"recommendations", "gaps"}`, of `analyzed_at`; `proofs` what was proved about indexes for it. `facts` (JSON) is what
    a log told of it, by day: `slow_queries.facts` reads it. `seen_on` is the day on which it was last seen, for pruning.
    """

    id = models.BigAutoField(primary_key=True)
    database = models.CharField(max_length=100)
    source = models.CharField(max_length=10)
    schema = models.CharField(max_length=64, default="", blank=True)
    key = models.CharField(max_length=64)
    query_id = models.CharField(max_length=16)
    pair = models.CharField(max_length=16)
    fingerprint = models.TextField()
    query = models.TextField()
    first_seen = models.DateTimeField()
    seen_on = models.DateField()
    advice = models.JSONField(null=True)
    analyzed_at = models.DateTimeField(null=True)
    proofs = models.JSONField(default=list)
    facts = models.JSONField(default=dict)

    class Meta:
        verbose_name = "kind of statement"
        verbose_name_plural = "kinds of statement"
        constraints = [
            models.UniqueConstraint(
                fields=["database", "source", "schema", "key"], name="dbvigil_querykind_once"
            ),
        ]
        indexes = [models.Index(fields=["seen_on"], name="dbvigil_querykind_seen")]

    def __str__(self) -> str:
        return f"{self.query_id} on {self.database}"


class QueryWindow(models.Model):
    """What the statements of one database cost in `step` seconds from `start` (seconds since 1970), all kinds together in `data`.

    `slow_queries.packing` reads `data`.
    """

    id = models.BigAutoField(primary_key=True)
    database = models.CharField(max_length=100)
    source = models.CharField(max_length=10)
    step = models.PositiveIntegerField()
    start = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        verbose_name = "window of statements"
        verbose_name_plural = "windows of statements"
        constraints = [
            models.UniqueConstraint(
                fields=["database", "source", "step", "start"], name="dbvigil_querywindow_once"
            )
        ]
        indexes = [models.Index(fields=["step", "start"], name="dbvigil_querywindow_oldest")]

    def __str__(self) -> str:
        return f"{self.source} of {self.database} from {self.start}"


class QueryPlan(models.Model):
    """A plan that a kind of statement had, by its shape: `plan` (JSON) holds no values. The newest by `last_seen` is the present one.

    `changes` (JSON): what differed from the plan before it, a sentence each.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.ForeignKey(QueryKind, on_delete=models.CASCADE, related_name="plans")
    hash = models.CharField(max_length=16)
    plan = models.JSONField()
    changes = models.JSONField(default=list)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:
        verbose_name = "query plan"
        constraints = [models.UniqueConstraint(fields=["kind", "hash"], name="dbvigil_queryplan_once")]

    def __str__(self) -> str:
        return f"plan {self.hash} of {self.kind_id}"


class QueryProgress(models.Model):
    """How far the statements of one database were read: `data` is the last reading of the server's counters and the place in its log.

    `trouble` (JSON): what could not be read and why, by source; `running` (JSON): the long statements that ran at `read_at`.
    """

    database = models.CharField(max_length=100, primary_key=True)
    read_at = models.DateTimeField(null=True)
    data = models.BinaryField(null=True)
    trouble = models.JSONField(default=dict)
    running = models.JSONField(default=list)

    class Meta:
        verbose_name = "progress of reading statements"
        verbose_name_plural = "progress of reading statements"

    def __str__(self) -> str:
        return self.database


class ProvedIndex(models.Model):
    """An index that was proved to help a database's statements, and what became of it once it was really built.

    `key` is of schema, table and columns, `columns` (JSON) `[[name, descending], …]`. `serves` (JSON): the query IDs that it is for.
    `absent_at`: when it was last seen not to be there. While `built_at` is set it is there, under the name `index`. `judged_at` is when
    `promises` (JSON: what each kind of statement gained, by its id) and `slower` (JSON: the query ID of each other one on the table that
    became slower, with the reason) were written.
    """

    id = models.BigAutoField(primary_key=True)
    database = models.CharField(max_length=100)
    key = models.CharField(max_length=16)
    schema = models.CharField(max_length=64)
    table = models.CharField(max_length=64)
    columns = models.JSONField()
    serves = models.JSONField()
    speed_up = models.FloatField(null=True)
    proved_at = models.DateTimeField()
    absent_at = models.DateTimeField()
    built_at = models.DateTimeField(null=True)
    index = models.CharField(max_length=64, default="")
    judged_at = models.DateTimeField(null=True)
    promises = models.JSONField(default=dict)
    slower = models.JSONField(default=dict)

    class Meta:
        verbose_name = "proved index"
        verbose_name_plural = "proved indexes"
        constraints = [models.UniqueConstraint(fields=["database", "key"], name="dbvigil_provedindex_once")]

    def __str__(self) -> str:
        return f"{self.schema}.{self.table} ({', '.join(name for name, _down in self.columns)}) on {self.database}"


class Deployment(models.Model):
    """A moment at which what runs against a database changed; `database` empty means every database."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100)
    database = models.CharField(max_length=100, default="", blank=True)
    at = models.DateTimeField()
    by = models.CharField(max_length=150, default="", blank=True)

    class Meta:
        indexes = [models.Index(fields=["at"], name="dbvigil_deployment_at")]

    def __str__(self) -> str:
        return self.name
