"""What the API answers about connections, as schema."""

from __future__ import annotations

from typing import get_args

from rest_framework import serializers

from dbvigil.api.shapes import Answer, Moment
from dbvigil.connections.advice import Rule
from dbvigil.connections.findings import Name


def _count(text: str) -> serializers.IntegerField:
    return serializers.IntegerField(allow_null=True, help_text=text)


def _seconds(text: str) -> serializers.FloatField:
    return serializers.FloatField(allow_null=True, help_text=text)


class ConnectionGroupSerializer(Answer):
    """Sessions of one user, host and program, as the server sees them."""

    user = serializers.CharField(allow_null=True)
    host = serializers.CharField(allow_null=True)
    program = serializers.CharField(
        allow_null=True, help_text="What the client calls itself; null where the server does not keep it."
    )
    connections = serializers.IntegerField()
    active = serializers.IntegerField(help_text="They run a statement.")
    idle = serializers.IntegerField(help_text="They run nothing and have no transaction open.")
    idle_in_transaction = serializers.IntegerField(help_text="They run nothing inside an open transaction.")
    oldest_idle_seconds = _seconds("How long the one that rests longest has run nothing.")
    oldest_idle_in_transaction_seconds = _seconds("The same of those inside a transaction.")
    pids = serializers.DictField(
        child=serializers.IntegerField(), help_text="Connections by the client's process number, at most 50."
    )


class ServerConnectionsSerializer(Answer):
    """What a server told of its connections, once a minute."""

    seen_at = Moment()
    current = serializers.BooleanField(help_text="It was told within the last minute and a half.")
    connections = _count("Open now.")
    max_connections = _count("The server's limit.")
    max_used_connections = _count("The peak since its start.")
    wait_timeout = _count("Seconds after which it ends an idle connection.")
    thread_cache_size = _count("Threads that it keeps for the next connection.")
    groups = ConnectionGroupSerializer(many=True, help_text="The 20 largest.")


class WatchedPoolSerializer(Answer):
    """A pool that was given to `dbvigil.connections.watch`."""

    name = serializers.CharField()
    database = serializers.CharField(allow_null=True)
    open = serializers.IntegerField()
    in_use = serializers.IntegerField()
    size = _count("What it keeps; null where it does not say.")
    limit = _count("The most that it gives out at a time; null where there is none.")
    checkouts = _count(
        "How often a connection was asked for since the process began; null where that is not measured."
    )
    waits = _count("How many of them found as many in use as the limit allows, and waited.")
    refused = _count("How many of those got none.")
    highest = _count("The most that were in use at a time.")
    wait_seconds_mean = _seconds("Of those that waited.")
    wait_seconds_longest = _seconds("Of those that waited.")


class ConnectionProcessSerializer(Answer):
    """One process of the project, as it sees itself."""

    identity = serializers.CharField()
    host = serializers.CharField()
    pid = serializers.IntegerField()
    program = serializers.CharField()
    started_at = Moment()
    seen_at = Moment(help_text="Its newest report.")
    seconds = serializers.FloatField(help_text="From its start to that report.")
    open = serializers.IntegerField(help_text="Django's connections that are open.")
    in_use = serializers.IntegerField(help_text="Of them: inside a request, an atomic block or a statement.")
    opened = serializers.IntegerField(help_text="Since its start.")
    closed = serializers.IntegerField(help_text="Since its start.")
    oldest_seconds = _seconds("The age of its oldest open connection.")
    outlived = serializers.IntegerField(help_text="Idle ones that CONN_MAX_AGE should have closed.")
    max_age = _seconds("CONN_MAX_AGE; null for no limit, and while none is open.")
    health_checks = serializers.BooleanField(
        allow_null=True, help_text="CONN_HEALTH_CHECKS; null while none is open."
    )
    connect_errors = serializers.DictField(
        child=serializers.IntegerField(), help_text="How often connecting failed, by kind."
    )
    connect_seconds_mean = _seconds("How long connecting took.")
    connect_seconds_longest = _seconds("How long it took at most.")
    past = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()),
        help_text="The last half hour: [Unix time, open, in use].",
    )
    highest = serializers.IntegerField(help_text="Most open in that time, pools included.")
    pools = WatchedPoolSerializer(many=True)
    server_connections = _count("How many the server sees of this process; null where it cannot tell.")


class ConnectionFindingSerializer(Answer):
    """A leak, or what becomes one."""

    name = serializers.ChoiceField(choices=get_args(Name))
    text = serializers.CharField(help_text="What was found, with its figures, and what to do.")
    process = serializers.CharField(allow_null=True, help_text="The `identity` of the process it is about.")
    evidence = serializers.DictField()


class ConnectionAdviceSerializer(Answer):
    """What to set, with the arithmetic."""

    rule = serializers.ChoiceField(choices=get_args(Rule))
    text = serializers.CharField()


class DatabaseConnectionsSerializer(Answer):
    """The connections to one database from both sides."""

    server = ServerConnectionsSerializer(allow_null=True, help_text="null until the server has told.")
    processes = ConnectionProcessSerializer(many=True, help_text="Those that report now.")
    findings = ConnectionFindingSerializer(many=True)
    advice = ConnectionAdviceSerializer(many=True)


class ConnectionsSerializer(Answer):
    """Connections by database."""

    databases = serializers.DictField(child=DatabaseConnectionsSerializer())
