"""What the API answers about deadlocks and waits for locks, as schema."""

from __future__ import annotations

from typing import get_args

from rest_framework import serializers

from dbvigil.api.shapes import Answer, Moment
from dbvigil.blocking.values import WaitKind
from dbvigil.queries.deadlocks.values import LockKind, LockRange


def _text(text: str) -> serializers.CharField:
    return serializers.CharField(allow_null=True, help_text=text)


def _count(text: str) -> serializers.IntegerField:
    return serializers.IntegerField(allow_null=True, help_text=text)


def _seconds(text: str) -> serializers.FloatField:
    return serializers.FloatField(allow_null=True, help_text=text)


class LockSerializer(Answer):
    """A lock that a transaction held or waited for."""

    kind = serializers.ChoiceField(choices=get_args(LockKind))
    table = serializers.CharField(help_text="`schema.table`, quoted as in SQL where a name needs it.")
    index = _text("null for a table lock.")
    mode = serializers.CharField(help_text="S, X, IS, IX, AUTO-INC, …")
    range = serializers.ChoiceField(
        choices=get_args(LockRange),
        allow_null=True,
        help_text="What of the index it covers; null for a table lock.",
    )


class DeadlockTransactionSerializer(Answer):
    """One transaction of a deadlock. What the server's report does not say is null."""

    number = serializers.IntegerField(help_text="Its place in the server's report.")
    id = serializers.IntegerField()
    active_seconds = _count("The age of the transaction.")
    thread_id = _count("The session's number in the process list.")
    user = _text("Who it was.")
    host = _text("A name or an address.")
    state = _text("What the session was doing.")
    statement = _text("The fingerprint of what it ran; no values.")
    query_id = _text(
        "Its 16 hexadecimal digits; null where the statement was cut or cannot be read with certainty."
    )
    row_locks = _count("Rows that it had locked.")
    undo_entries = _count("Rows that it had changed.")
    holds = LockSerializer(many=True)
    waits_for = LockSerializer(many=True)


class DeadlockAdviceSerializer(Answer):
    """What helps against a pattern of deadlocks."""

    rule = serializers.CharField()
    text = serializers.CharField()


class DeadlockSerializer(Answer):
    """Deadlocks of one pattern: of the same statements over the same indexes. Victim and transactions are those of the latest."""

    database = serializers.CharField()
    pattern = serializers.CharField(help_text="16 hexadecimal digits, the same for every such deadlock.")
    count = serializers.IntegerField(
        help_text="How many were seen; of several between two samples a server tells the last alone."
    )
    first_seen = Moment()
    last_seen = Moment()
    victim = _count("The `number` of the transaction that was undone.")
    transactions = DeadlockTransactionSerializer(many=True)
    advice = DeadlockAdviceSerializer(many=True, help_text="Most to the point first.")


class DeadlocksSerializer(Answer):
    """Patterns of deadlocks, the one seen last first."""

    count = serializers.IntegerField()
    results = DeadlockSerializer(many=True)


class BlockingNodeSerializer(Answer):
    """One session of a tree, right below the one it waits for. All fields of a blocker that nobody knows are null."""

    depth = serializers.IntegerField(help_text="0 for a root.")
    id = _count("The session's number in the process list.")
    user = _text("Who it is.")
    host = _text("A name or an address.")
    program = _text("What the client calls itself.")
    schema = _text("Its default schema.")
    command = _text("`Sleep` of one that runs nothing.")
    state = _text("What it is doing.")
    statement = _text("The fingerprint of what it runs, or ran last; no values.")
    idle_seconds = _seconds("How long it has run nothing; null while it runs something.")
    transaction_seconds = _seconds("The age of its transaction.")
    kind = serializers.ChoiceField(
        choices=get_args(WaitKind),
        allow_null=True,
        help_text="What it waits for; null for one that does not wait.",
    )
    locked = _text("The table, or whatever it is, that it waits for.")
    index = _text("The index whose rows it waits for.")
    mode = _text("The lock that it wants.")
    waits_seconds = _seconds("How long it has waited, at most.")
    blockers = serializers.ListField(
        child=serializers.IntegerField(), help_text="All whom it waits for, the one above it first."
    )
    victims = serializers.IntegerField(help_text="How many wait for it, through others too.")
    circular = serializers.BooleanField(help_text="It waits in a circle.")


class LockWaitSerializer(Answer):
    """One episode: from the first sample in which sessions wait to the first in which none does."""

    database = serializers.CharField()
    current = serializers.BooleanField(help_text="It goes on, and was seen just now.")
    started_at = Moment()
    seen_at = Moment(help_text="When it was looked at last.")
    ended_at = Moment(allow_null=True)
    seconds = serializers.FloatField(help_text="How long it lasted, until it was seen last.")
    longest_seconds = _seconds("The longest wait of one session.")
    most_waiting = serializers.IntegerField(help_text="Sessions that waited at once, at most.")
    depth = serializers.IntegerField(help_text="Of the deepest tree.")
    root_statement = _text("The fingerprint of its root's statement.")
    tree = BlockingNodeSerializer(many=True, help_text="The deepest tree, row by row, roots first.")
    left_out = serializers.IntegerField(help_text="How many more waited than `tree` shows.")
    latest = BlockingNodeSerializer(many=True, help_text="The newest tree of one that is current.")


class LockWaitsSerializer(Answer):
    """Episodes of waiting: those that go on first, then the newest."""

    count = serializers.IntegerField()
    results = LockWaitSerializer(many=True)
