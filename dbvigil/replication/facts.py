"""What is known of one server that replicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dbvigil.analysis.gtids import BadPosition, covers
from dbvigil.collectors.values import number, switched_on

Row = Mapping[str, Any]

GROUP_CHANNELS = ("group_replication_applier", "group_replication_recovery")
"""Channels of MySQL that belong to a group: members stand for them."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One monitored server, as it was read at `at`; JSON-ready by `to_dict`, and what could not be read is None.

    `channels` are rows of the collector `replication`, each with `unreceived`: for how many seconds at least the source has had something
    that the receiver has not got, None where that is not known. `settings` and `status` have the server's own names and words. `replicas`
    are the servers that follow this one, as it tells itself: {server_id, uuid, host, port}. `members` are those of its group: {uuid, host,
    port, state, role, version}; `member_errors` is what its own threads in the group stopped on: {channel, number, message}. `keyless` is
    {count, names} of tables without a primary key. `appliers` are the applier's threads that work: {channel, state, seconds, verb, tables,
    blocked}. `executed` is the position that it has come to, `executed_before` the one that it had at the visit before. `up` and
    `trouble`, the reason why it does not answer, are those of its newest sample, and not kept.
    """

    database: str
    host: str
    port: int
    at: datetime
    flavor: str
    version: tuple[int, ...]
    version_text: str
    server_id: int | None = None
    server_uuid: str | None = None
    hostname: str | None = None
    settings: Row = field(default_factory=dict)
    status: Row = field(default_factory=dict)
    channels: Sequence[Row] = ()
    replicas: Sequence[Row] | None = None
    members: Sequence[Row] = ()
    member_errors: Sequence[Row] = ()
    keyless: Row | None = None
    appliers: Sequence[Row] = ()
    executed: str | None = None
    executed_before: str | None = None
    up: bool | None = True
    trouble: str | None = None

    @property
    def is_mariadb(self) -> bool:
        return self.flavor == "mariadb"

    @property
    def followed(self) -> Sequence[Row]:
        """The channels that follow a source; those of a group do not."""
        return [row for row in self.channels if row.get("name") not in GROUP_CHANNELS]

    def text(self, *names: str) -> str | None:
        """The first of these settings that the server has: versions and flavors name them differently."""
        return next((str(self.settings[name]) for name in names if self.settings.get(name) is not None), None)

    def flag(self, *names: str) -> bool | None:
        return switched_on(self.text(*names))

    def number(self, *names: str) -> float | None:
        return number(self.text(*names))

    def has(self, position: str, own: str | None = None) -> bool:
        """Whether it has come to `position`, now or where it stood at `own`."""
        stands = self.executed if own is None else own
        if stands is None:
            return False
        try:
            return covers(stands, position, mariadb=self.is_mariadb)
        except BadPosition:
            return False

    def to_dict(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "port": self.port,
            "at": self.at.isoformat(),
            "flavor": self.flavor,
            "version": list(self.version),
            "version_text": self.version_text,
            "server_id": self.server_id,
            "server_uuid": self.server_uuid,
            "hostname": self.hostname,
            "settings": dict(self.settings),
            "status": dict(self.status),
            "channels": [dict(row) for row in self.channels],
            "replicas": None if self.replicas is None else [dict(row) for row in self.replicas],
            "members": [dict(row) for row in self.members],
            "member_errors": [dict(row) for row in self.member_errors],
            "keyless": None if self.keyless is None else dict(self.keyless),
            "appliers": [dict(row) for row in self.appliers],
            "executed": self.executed,
            "executed_before": self.executed_before,
        }

    @classmethod
    def from_dict(cls, database: str, data: Mapping[str, Any], up: bool | None = True) -> Facts:
        """The inverse of `to_dict`; `up` says whether the server answers now. Raises KeyError, TypeError, ValueError."""
        values = dict(data)
        values["at"] = datetime.fromisoformat(values["at"])
        values["version"] = tuple(values["version"])
        return cls(database=database, up=up, **values)
