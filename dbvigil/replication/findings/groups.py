"""Members of a replication group that are not with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dbvigil.replication.findings.finding import Finding, View
from dbvigil.replication.topology import Group, Member

_TOGETHER = ("ONLINE", "RECOVERING")


def groups(view: View) -> Iterator[Finding]:
    for group in view.topology.groups:
        yield from _lost(view, group)
        yield from _quorum(group)
        for member in group.members:
            if member.state == "RECOVERING":
                yield _recovering(view, group, member)
    yield from _nobody(view)


def _lost(view: View, group: Group) -> Iterator[Finding]:
    alone = [member for member in group.members if member.state not in _TOGETHER]
    for member in alone:
        yield Finding(
            "member_lost",
            "critical",
            member.node,
            f"A member of the group is {member.state}",
            f"{member.node} is not with the group {group.name}: {len(group.members) - len(alone)} of {len(group.members)} members are."
            + _told(view, member.node),
            "See whether the server runs and reaches the others; its error log says why it left. START GROUP_REPLICATION; brings it"
            " back.",
        )
    for name in _left(view, group):
        yield Finding(
            "member_lost",
            "critical",
            name,
            "A server has left its group",
            f"{name} is set up for the group {group.name}, whose members no longer name it."
            + _told(view, name),
            "Its error log says why it left or was expelled. Mend that (where it has rows of its own: compare, or build it anew by"
            " CLONE), then START GROUP_REPLICATION; brings it back, and where it went into offline mode SET"
            " GLOBAL offline_mode = OFF;",
        )


def _nobody(view: View) -> Iterator[Finding]:
    """Servers that are set up for a group which no monitored server is in."""
    known = {group.name for group in view.topology.groups}
    for one in view.answering:
        name = one.text("group_replication_group_name")
        if name and name not in known:
            yield Finding(
                "member_lost",
                "critical",
                one.database,
                "A server is not in its group",
                f"{one.database} is set up for the group {name}, and no monitored server is in it."
                + _told(view, one.database),
                "START GROUP_REPLICATION; joins it. Where the whole group has stopped, the member that has most of gtid_executed begins it"
                " anew (group_replication_bootstrap_group = ON for that one start), then the others join.",
            )


def _quorum(group: Group) -> Iterator[Finding]:
    lost = sum(member.state == "UNREACHABLE" for member in group.members)
    if lost * 2 < len(group.members):
        return
    left = [member for member in group.members if member.state != "UNREACHABLE"] or list(group.members)
    yield Finding(
        "no_quorum",
        "critical",
        left[0].node,
        "The group has no majority",
        f"{lost} of {len(group.members)} members of {group.name} cannot be reached: the rest accept no writes.",
        "Bring members back. Only if they are gone for good: group_replication_force_members on one that is left.",
    )


def _recovering(view: View, group: Group, member: Member) -> Finding:
    if told := _told(view, member.node):
        return Finding(
            "member_recovery_failing",
            "critical",
            member.node,
            "A member cannot fetch what it lacks",
            f"{member.node} has joined {group.name} and gets no further.{told}",
            "Mend the account of the channel group_replication_recovery (CHANGE REPLICATION SOURCE TO SOURCE_USER = …, SOURCE_PASSWORD = …"
            " FOR CHANNEL 'group_replication_recovery';), or the way to the other members; where their binary logs no longer go back so"
            " far, build it anew by CLONE. Then STOP GROUP_REPLICATION; START GROUP_REPLICATION;",
        )
    return Finding(
        "member_recovering",
        "info",
        member.node,
        "A member is catching up with its group",
        f"{member.node} has joined {group.name} and fetches what it lacks.",
        "Wait; it is ONLINE by itself afterwards.",
    )


def _told(view: View, name: str) -> str:
    """What the member's own threads stopped on, or why it does not answer; begins with a space."""
    one = view.servers.get(name)
    if one is None:
        return ""
    if one.up is False:
        return f" It does not answer the monitor: {one.trouble}." if one.trouble else ""
    return "".join(f" Error {row['number']}: {row['message']}" for row in one.member_errors[:1])


def _left(view: View, group: Group) -> list[str]:
    members = {member.node for member in group.members}
    return sorted(
        one.database
        for one in view.servers.values()
        if one.text("group_replication_group_name") == group.name and one.database not in members
    )
