"""Which monitored server a channel's source is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dbvigil.types import ServerInfo

MatchedBy = Literal["uuid", "address", "server_id"]

_LOOPBACK = ("localhost", "::1", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server is known by: a monitored one by its alias."""

    database: str
    flavor: str
    server_id: int | None
    server_uuid: str | None
    addresses: frozenset[tuple[str, int]]


def identity(database: str, host: str, port: int, info: ServerInfo, own_port: int | None = None) -> Identity:
    """Of a target at `host` and `port`; `own_port` is the one that the server itself names."""
    return known_by(
        database, host, port, info.flavor, info.server_id, info.server_uuid, info.hostname, own_port
    )


def known_by(
    database: str,
    host: str,
    port: int,
    flavor: str,
    server_id: int | None,
    server_uuid: str | None,
    hostname: str | None,
    own_port: int | None,
) -> Identity:
    """An identity with every address that is known for it: the target's, and the server's own host name and port."""
    addresses = {(_host(host), port)}
    if hostname:
        addresses.add((_host(hostname), own_port or port))
    return Identity(database, flavor, server_id, server_uuid or None, frozenset(addresses))


def source_of(
    row: Mapping[str, Any], servers: Iterable[Identity], *, certain: bool = False
) -> tuple[str, MatchedBy] | None:
    """The alias of the server that a channel follows, and what told; None where it is not monitored, or where several could be it.

    By UUID; else by server id and address; else, unless it has to be `certain`, by a server id that one server alone has, or by an address
    where the receiver has not yet connected and knows no id.
    """
    known = list(servers)
    if uuid := row.get("source_uuid"):
        return _only((one for one in known if one.server_uuid == uuid), "uuid")
    address = (_host(row.get("source_host") or ""), row.get("source_port"))
    at_address = [one for one in known if address in one.addresses]
    server_id = row.get("source_server_id")
    if not server_id:
        return None if certain else _only(at_address, "address")
    same_id = [one for one in known if one.server_id == server_id]
    found = _only((one for one in at_address if one in same_id), "address")
    if found is not None or certain:
        return found
    return _only(same_id, "server_id")


def _only(found: Iterable[Identity], told: MatchedBy) -> tuple[str, MatchedBy] | None:
    aliases = [one.database for one in found]
    return (aliases[0], told) if len(aliases) == 1 else None


def _host(name: str) -> str:
    name = name.lower().strip("[]")
    return "127.0.0.1" if name in _LOOPBACK else name
