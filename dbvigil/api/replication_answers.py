"""What the API answers about replication, as schema."""

from __future__ import annotations

from typing import get_args

from rest_framework import serializers

from dbvigil.api.answers import ReplicationChannelSerializer
from dbvigil.api.shapes import Answer, Moment
from dbvigil.replication.causes import Kind
from dbvigil.replication.findings import SEVERITIES, FindingId
from dbvigil.replication.identity import MatchedBy
from dbvigil.replication.topology import Role


class TopologyNodeSerializer(Answer):
    """A server."""

    name = serializers.CharField(help_text="Its alias; its address where it is not monitored.")
    database = serializers.CharField(allow_null=True, help_text="Its alias; null where it is not monitored.")
    address = serializers.CharField(help_text="`host:port`.")
    role = serializers.ChoiceField(choices=get_args(Role))
    flavor = serializers.CharField(allow_null=True)
    version = serializers.CharField(allow_null=True)
    server_id = serializers.IntegerField(allow_null=True)
    server_uuid = serializers.CharField(allow_null=True)
    up = serializers.BooleanField(allow_null=True, help_text="null where nobody knows.")
    read_only = serializers.BooleanField(allow_null=True)  # type: ignore[assignment]  # every field has an attribute of this name


class TopologyEdgeSerializer(Answer):
    """One channel: `replica` follows `source`, both by the name of their node."""

    source = serializers.CharField()  # type: ignore[assignment]  # every field has an attribute of this name
    replica = serializers.CharField()
    matched_by = serializers.ChoiceField(
        choices=get_args(MatchedBy), allow_null=True, help_text="How the source was recognised."
    )
    running = serializers.BooleanField(allow_null=True, help_text="Receiver and applier both run.")
    channel = serializers.CharField(allow_blank=True, help_text="Empty for the only one.")
    lag = serializers.FloatField(allow_null=True, help_text="Seconds.")
    delay = serializers.FloatField(allow_null=True, help_text="Seconds that are meant.")


class GroupMemberSerializer(Answer):
    """A member of a group, as the group sees it."""

    node = serializers.CharField()
    state = serializers.CharField(help_text="ONLINE, RECOVERING, UNREACHABLE, ERROR, OFFLINE.")
    role = serializers.CharField(allow_blank=True, help_text="PRIMARY or SECONDARY.")


class ReplicationGroupSerializer(Answer):
    """A replication group."""

    name = serializers.CharField()
    members = GroupMemberSerializer(many=True)


class TopologySerializer(Answer):
    """Who follows whom."""

    nodes = TopologyNodeSerializer(many=True)
    edges = TopologyEdgeSerializer(many=True)
    groups = ReplicationGroupSerializer(many=True)
    circles = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))


class ReplicationFindingSerializer(Answer):
    """Something about replication that is wrong, or will be when it is needed."""

    id = serializers.ChoiceField(choices=get_args(FindingId))
    severity = serializers.ChoiceField(choices=SEVERITIES)
    database = serializers.CharField()
    channel = serializers.CharField(allow_null=True, allow_blank=True)
    title = serializers.CharField()
    detail = serializers.CharField()
    fix = serializers.CharField(help_text="What a person does about it; nothing runs it.")


class LagCauseSerializer(Answer):
    """Why a channel is behind."""

    kind = serializers.ChoiceField(choices=get_args(Kind))
    detail = serializers.CharField()


class ReplicaChannelSerializer(ReplicationChannelSerializer):  # type: ignore[misc, valid-type]
    """One channel of a replica."""

    source = serializers.CharField(
        allow_null=True, help_text="The alias of its source, where it is monitored."
    )
    io_error_number = serializers.IntegerField(allow_null=True)
    sql_error_number = serializers.IntegerField(allow_null=True)
    workers = serializers.IntegerField(allow_null=True, help_text="Threads that apply; null where unknown.")
    workers_busy = serializers.IntegerField(
        allow_null=True, help_text="How many of them work on something; null where unknown."
    )
    cause = LagCauseSerializer(allow_null=True)


class ReplicatingDatabaseSerializer(Answer):
    """One server that replicates."""

    role = serializers.ChoiceField(choices=get_args(Role))
    up = serializers.BooleanField(allow_null=True)
    as_of = Moment(help_text="When it was asked about its replication last.")
    lag = serializers.FloatField(
        allow_null=True, help_text="Seconds of its furthest channel, without its intended delay."
    )
    catch_up_seconds = serializers.FloatField(
        allow_null=True,
        help_text="In how many it will have caught up; null where it does not, or nobody knows.",
    )
    lag_change = serializers.FloatField(
        allow_null=True, help_text="Seconds of lag that are added each second, in the last ten minutes."
    )
    channels = ReplicaChannelSerializer(many=True)
    findings = serializers.ListField(child=serializers.CharField(), help_text="The ids of its findings.")


class ReplicationReportSerializer(Answer):
    """Everything about replication: who follows whom, findings (the gravest first), and each server that replicates, by alias."""

    topology = TopologySerializer()
    findings = ReplicationFindingSerializer(many=True)
    databases = serializers.DictField(child=ReplicatingDatabaseSerializer())
