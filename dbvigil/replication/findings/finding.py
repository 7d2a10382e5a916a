"""A finding, and what it is found in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dbvigil.replication.facts import Facts
from dbvigil.replication.topology import Topology

Severity = Literal["critical", "warning", "info"]
FindingId = Literal[
    "account_differs",
    "applier_error",
    "applier_stopped",
    "binlog_format",
    "binlog_gone",
    "binlog_not_synced",
    "duplicate_key",
    "errant_transactions",
    "few_retries",
    "flavors_differ",
    "gave_up_waiting",
    "gtid_modes_differ",
    "gtid_off",
    "member_lost",
    "member_recovering",
    "member_recovery_failing",
    "no_primary_key",
    "no_quorum",
    "object_exists",
    "position_by_file",
    "receiver_connecting",
    "receiver_error",
    "receiver_silent",
    "receiver_stopped",
    "relay_log_damaged",
    "relay_log_recovery",
    "replica_writable",
    "retention_short",
    "row_missing",
    "same_server_id",
    "same_server_identity",
    "semisync_degraded",
    "source_newer",
    "source_unreachable",
    "table_missing",
    "updates_not_logged",
    "wrong_password",
]
"""Every one is described in docs/reference/replication-findings.md."""
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about replication that is wrong, or will be when it is needed.

    `fix` is what to do: a sentence, and SQL that a person runs; nothing runs it. `channel` is None where it is not about one.
    """

    id: FindingId
    severity: Severity
    database: str
    title: str
    detail: str
    fix: str
    channel: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "severity": self.severity,
            "database": self.database,
            "channel": self.channel,
            "title": self.title,
            "detail": self.detail,
            "fix": self.fix,
        }


@dataclass(frozen=True, slots=True)
class View:
    """All that findings are found in: every server that replicates and that is monitored, and who follows whom."""

    servers: Mapping[str, Facts]
    topology: Topology

    @property
    def replicas(self) -> Sequence[Facts]:
        """Servers with channels that answer; what one said that has not answered since is no ground for a finding."""
        return [one for one in self.answering if one.followed]

    @property
    def answering(self) -> Sequence[Facts]:
        return [one for one in self.servers.values() if one.up is not False]

    @property
    def followed(self) -> Sequence[Facts]:
        """Servers that answer and that others follow."""
        return [one for one in self.answering if one.replicas or self.topology.replicas(one.database)]

    def source(self, replica: Facts, row: Mapping[str, Any]) -> Facts | None:
        """The monitored server that a channel follows."""
        for edge in self.topology.sources(replica.database):
            if edge.channel.name == (row.get("name") or ""):
                return self.servers.get(edge.source)
        return None


def start(replica: Facts, row: Mapping[str, Any]) -> str:
    """How a channel's threads are started."""
    name = row.get("name") or ""
    if replica.is_mariadb:
        return f"START SLAVE '{name}';" if name else "START SLAVE;"
    return f"START REPLICA FOR CHANNEL '{name}';" if name else "START REPLICA;"


def source_address(row: Mapping[str, Any]) -> str:
    return f"{row.get('source_host')}:{row.get('source_port')}"
