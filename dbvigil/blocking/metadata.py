"""Who stands in the way of whom at metadata locks: the servers tell what is granted and asked for, not who waits for whom.

The tables are those of the servers' own lock manager (sql/mdl.cc). A request waits for what is granted and does not go with it, and for
those asked for before it that the server lets pass first: a SELECT behind an ALTER TABLE that waits itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dbvigil.blocking.values import Wait

_S, _SH, _SR, _SW, _SWLP = (
    "SHARED",
    "SHARED_HIGH_PRIO",
    "SHARED_READ",
    "SHARED_WRITE",
    "SHARED_WRITE_LOW_PRIO",
)
_SU, _SRO, _SNW, _SNRW, _X = (
    "SHARED_UPGRADABLE",
    "SHARED_READ_ONLY",
    "SHARED_NO_WRITE",
    "SHARED_NO_READ_WRITE",
    "EXCLUSIVE",
)
_IX = "INTENTION_EXCLUSIVE"

# By what is asked for: the granted locks that it does not go with.
_GRANTED: Mapping[str, frozenset[str]] = {
    _S: frozenset({_X}),
    _SH: frozenset({_X}),
    _SR: frozenset({_SNRW, _X}),
    _SW: frozenset({_SRO, _SNW, _SNRW, _X}),
    _SWLP: frozenset({_SRO, _SNW, _SNRW, _X}),
    _SU: frozenset({_SU, _SNW, _SNRW, _X}),
    _SRO: frozenset({_SW, _SWLP, _SNRW, _X}),
    _SNW: frozenset({_SW, _SWLP, _SU, _SNW, _SNRW, _X}),
    _SNRW: frozenset({_SR, _SW, _SWLP, _SU, _SRO, _SNW, _SNRW, _X}),
    _X: frozenset({_S, _SH, _SR, _SW, _SWLP, _SU, _SRO, _SNW, _SNRW, _X}),
}
# By what is asked for: the requests that go before it.
_PENDING: Mapping[str, frozenset[str]] = {
    _S: frozenset({_X}),
    _SR: frozenset({_SNRW, _X}),
    _SW: frozenset({_SNW, _SNRW, _X}),
    _SWLP: frozenset({_SRO, _SNW, _SNRW, _X}),
    _SU: frozenset({_X}),
    _SRO: frozenset({_SW, _SNRW, _X}),
    _SNW: frozenset({_X}),
    _SNRW: frozenset({_X}),
}
# Of the whole server, a schema, or commits.
_SCOPED_GRANTED: Mapping[str, frozenset[str]] = {
    _IX: frozenset({_S, _X}),
    _S: frozenset({_IX, _X}),
    _X: frozenset({_IX, _S, _X}),
}
_SCOPED_PENDING: Mapping[str, frozenset[str]] = {_IX: frozenset({_S, _X}), _S: frozenset({_X})}
_SCOPED = frozenset(
    {"GLOBAL", "SCHEMA", "COMMIT", "TABLESPACE", "BACKUP LOCK", "RESOURCE_GROUPS", "FOREIGN KEY"}
)


@dataclass(frozen=True, slots=True)
class Ticket:
    """One metadata lock that `session` holds (`granted`) or asks for: of the object `type` and `name`, in the servers' own words.

    `seconds` is how long the session's statement runs.
    """

    session: int
    type: str
    name: str
    mode: str
    granted: bool
    seconds: float | None = None


def metadata_waits(tickets: Iterable[Ticket]) -> list[Wait]:
    """Every request with those in its way. One that nobody of them explains has `blocking` None."""
    by_object: dict[tuple[str, str], list[Ticket]] = defaultdict(list)
    for ticket in tickets:
        by_object[ticket.type, ticket.name].append(ticket)
    waits: list[Wait] = []
    for around in by_object.values():
        for ticket in around:
            if not ticket.granted:
                waits += _waits(ticket, around)
    return waits


def _waits(asked: Ticket, around: Sequence[Ticket]) -> list[Wait]:
    granted, pending = (_SCOPED_GRANTED, _SCOPED_PENDING) if asked.type in _SCOPED else (_GRANTED, _PENDING)
    others = [one for one in around if one.session != asked.session]
    if asked.mode in granted:
        holders = {one.session for one in others if one.granted and one.mode in granted[asked.mode]}
        before = {
            one.session for one in others if not one.granted and one.mode in pending.get(asked.mode, ())
        }
    else:
        # A mode of another release: whoever holds the object may be in the way.
        holders, before = {one.session for one in others if one.granted}, set()
    wait = Wait(asked.session, None, "metadata", _shown(asked), None, asked.mode, asked.seconds)
    found = [
        Wait(
            wait.waiting,
            other,
            wait.kind,
            wait.locked,
            wait.index,
            wait.mode,
            wait.seconds,
            queued=other not in holders,
        )
        for other in sorted(holders | before)
    ]
    return found or [wait]


def _shown(ticket: Ticket) -> str:
    if ticket.type == "TABLE":
        return ticket.name
    return f"{ticket.type.lower()} {ticket.name}".strip()
