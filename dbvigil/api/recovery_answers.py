"""What the API answers about recovery, as schema."""

from __future__ import annotations

from rest_framework import serializers

from dbvigil.api.shapes import Answer, Moment, ReadingField
from dbvigil.conf.recovery import MODES
from dbvigil.recovery.records import OUTCOMES


class RecoveryStepSerializer(Answer):
    """What became of one step."""

    text = serializers.CharField()
    done = serializers.BooleanField()
    detail = serializers.CharField(help_text="Why it was left; empty where it was done.")


class RecoveryChangeSerializer(Answer):
    """Something that was changed for a time."""

    name = serializers.CharField(help_text="The setting, or the channel.")
    kind = serializers.ChoiceField(
        choices=("setting", "applier"), help_text="`applier`: stopped for a moment, and started again."
    )
    to = serializers.CharField()
    undo_at = Moment(help_text="When it is put back at the latest.")
    closed_at = Moment(allow_null=True, help_text="When that was settled; null while it is not.")
    result = serializers.CharField(help_text="What became of it, or what hinders it.")

    def get_fields(self) -> dict[str, serializers.Field[object, object, object, object]]:
        """With `from`, which is no name in Python."""
        return {**super().get_fields(), "from": serializers.CharField()}


class RecoveryAttemptSerializer(Answer):
    """One attempt: what was planned, what was done, and what of it is to be put back."""

    attempt_id = serializers.IntegerField()
    action = serializers.CharField()
    database = serializers.CharField()
    alert_id = serializers.IntegerField(allow_null=True, help_text="The alert that it belongs to.")
    dry_run = serializers.BooleanField(help_text="Nothing was changed.")
    outcome = serializers.ChoiceField(
        choices=OUTCOMES,
        help_text="`planned`: a dry run; `nothing`: there was nothing to do; `interrupted`: whoever ran it was killed.",
    )
    actor = serializers.CharField(help_text="Who asked; `dbvigil` where it acted by itself.")
    reason = serializers.CharField()
    plan = serializers.ListField(
        child=serializers.DictField(), help_text="The steps, each with its `text` and what it is about."
    )
    nothing = serializers.CharField(help_text="Why there is nothing to do; else empty.")
    left = serializers.DictField(
        child=serializers.IntegerField(), help_text="How many were looked at and are not touched, by reason."
    )
    done = RecoveryStepSerializer(many=True)
    error = serializers.CharField(help_text="What went wrong; empty where nothing did.")
    verified = serializers.BooleanField(
        allow_null=True,
        help_text="Whether it was seen to have taken effect; null where that was not looked at.",
    )
    started_at = Moment()
    ended_at = Moment(allow_null=True)
    undo_at = Moment(
        allow_null=True, help_text="When what was changed is put back at the latest; null where nothing is."
    )
    changes = RecoveryChangeSerializer(many=True)


class RecoveryActionSerializer(Answer):
    """An action, and what it may do."""

    action = serializers.CharField()
    help = serializers.CharField()
    metrics = serializers.ListField(
        child=serializers.CharField(), help_text="It acts on alerts on these metrics."
    )
    mode = serializers.ChoiceField(choices=MODES, help_text="As the settings have it.")
    automatic = serializers.ChoiceField(
        choices=MODES, help_text="What it does by itself: nothing live while recovery is not enabled."
    )
    options = serializers.DictField(child=ReadingField(), help_text="Every option in effect.")


class RecoverySerializer(Answer):
    """The actions, and the newest attempts."""

    enabled = serializers.BooleanField(help_text="Whether anything is done that nobody asked for.")
    actions = RecoveryActionSerializer(many=True)
    attempts = RecoveryAttemptSerializer(many=True)
