"""What the API answers about backups, as schema, and what clients may send."""

from __future__ import annotations

from rest_framework import serializers

from dbvigil.api.fields import QueryWhole, Strict, Text
from dbvigil.api.requests import MAX_ALIAS
from dbvigil.api.shapes import Answer, Moment

MOST = 500
STATUSES = ("waiting", "running", "verifying", "done", "failed")
VERIFICATIONS = ("verified", "failed", "skipped")


class BackupsQuery(Strict):
    database = Text(required=False, max_length=MAX_ALIAS, help_text="Only this database's.")
    limit = QueryWhole(
        required=False, default=50, min_value=1, max_value=MOST, help_text="At most so many, the newest."
    )


class BackupBody(Strict):
    """Which database is to be backed up."""

    database = Text(max_length=MAX_ALIAS, help_text="A monitored database.")


class BackupPositionSerializer(Answer):
    """Where the server stood in its log, for following it from there on."""

    exact = serializers.BooleanField(
        help_text="It is the backup's own; otherwise the backup lies between `gtids_before` and `gtids_after`."
    )
    gtids = serializers.CharField(allow_null=True)
    gtids_before = serializers.CharField(allow_null=True)
    gtids_after = serializers.CharField(allow_null=True)
    file = serializers.CharField(allow_null=True)
    offset = serializers.IntegerField(allow_null=True)


class BackupTableSerializer(Answer):
    """A table that was not simply equal."""

    table = serializers.CharField()
    outcome = serializers.ChoiceField(choices=("between", "differs", "missing", "not compared"))
    detail = serializers.CharField(allow_blank=True)


class BackupReportSerializer(Answer):
    """What the restore has shown; of one that did not come to its end only `summary`."""

    summary = serializers.CharField()
    equal = serializers.IntegerField(required=False, help_text="Tables with the same rows and checksum.")
    between = serializers.IntegerField(
        required=False,
        help_text="Tables that were written to at the backup's moment, whose rows lie between.",
    )
    not_compared = serializers.IntegerField(required=False)
    wrong = serializers.IntegerField(
        required=False, help_text="Tables, views, routines, triggers and events that differ or lack."
    )
    tables = BackupTableSerializer(
        many=True, required=False, help_text="Those that were not equal, at most 50."
    )
    server = serializers.CharField(required=False, help_text="The version that it was restored into.")
    seconds = serializers.FloatField(required=False)


class BackupSerializer(Answer):
    """One backup."""

    id = serializers.IntegerField()
    database = serializers.CharField()
    status = serializers.ChoiceField(
        choices=STATUSES, help_text="From `verifying` on the file is whole and kept."
    )
    scheduled_for = Moment(allow_null=True, help_text="null where somebody asked for it.")
    asked_at = Moment()
    asked_by = serializers.CharField(allow_null=True)
    started_at = Moment(
        allow_null=True,
        help_text="When it began: a dump holds this moment, a copy of files that of its end.",
    )
    finished_at = Moment(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    source = serializers.CharField(  # type: ignore[assignment]  # every field has an attribute of this name
        allow_null=True, help_text="The monitored server that was read."
    )
    chosen = serializers.CharField(allow_null=True, help_text="Why that one.")
    file = serializers.CharField(allow_null=True, help_text="Below the folder of backups.")
    size_bytes = serializers.IntegerField(allow_null=True)
    plain_bytes = serializers.IntegerField(
        allow_null=True, help_text="Before compression; grows while it is made."
    )
    sha256 = serializers.CharField(allow_null=True)
    key = serializers.CharField(
        allow_null=True, help_text="The name of the key that it is sealed under; null: not encrypted."
    )
    error = serializers.CharField(allow_null=True, help_text="Why it failed.")
    server_version = serializers.CharField(allow_null=True)
    tool = serializers.CharField(allow_null=True)
    databases = serializers.ListField(child=serializers.CharField(), allow_null=True)
    tables = serializers.IntegerField(allow_null=True)
    position = BackupPositionSerializer(allow_null=True)
    warnings = serializers.ListField(child=serializers.CharField())
    verification = serializers.ChoiceField(
        choices=VERIFICATIONS, allow_null=True, help_text="null until it is judged."
    )
    verified_at = Moment(allow_null=True)
    report = BackupReportSerializer(allow_null=True)
    removed_at = Moment(allow_null=True)
    removed_why = serializers.CharField(allow_null=True)


class DatabaseBackupsSerializer(Answer):
    """How the backups of one database stand."""

    schedule = serializers.DictField(allow_null=True, help_text="As the settings have it; null without one.")
    next_due = Moment(allow_null=True)
    last_good = Moment(allow_null=True)
    last_verified = Moment(allow_null=True)
    under_way = serializers.IntegerField(
        allow_null=True, help_text="The number of the one that waits or is made."
    )
    backup_age_seconds = serializers.FloatField(allow_null=True)
    backup_overdue_seconds = serializers.FloatField(allow_null=True)
    backup_ok = serializers.BooleanField(allow_null=True)
    backup_verified = serializers.BooleanField(allow_null=True)
    backup_size_change = serializers.FloatField(allow_null=True)


class BackupsSerializer(Answer):
    """The newest backups, and how each database stands."""

    scheduler = serializers.BooleanField(help_text="BACKUP_SCHEDULER_ENABLED.")
    encrypted = serializers.BooleanField(help_text="Whether new ones are.")
    key = serializers.CharField(allow_null=True, help_text="The name of the present key.")
    databases = serializers.DictField(child=DatabaseBackupsSerializer(), help_text="By alias.")
    count = serializers.IntegerField()
    results = BackupSerializer(many=True, help_text="The newest first.")
