"""Members of a replication group that are not with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dbvigil.replication.findings.finding import Finding, View

_TOGETHER = ("ONLINE", "RECOVERING")


def groups(view: View) -> Iterator[Finding]:
    for group in view.topology.groups:
        alone = [member for member in group.members if member.state not in _TOGETHER]
        for member in alone:
            yield Finding(
                "member_lost",
                "critical",
                member.node,
                f"A member of the group is {member.state}",
                f"{member.node} is not with the group {group.name}: {len(group.members) - len(alone)} of {len(group.members)} members are.",
                "See whether the server runs and reaches the others; its error log says why it left. START GROUP_REPLICATION; brings it"
                " back.",
            )
        lost = sum(member.state == "UNREACHABLE" for member in group.members)
        if lost * 2 >= len(group.members):
            yield Finding(
                "no_quorum",
                "critical",
                group.members[0].node,
                "The group has no majority",
                f"{lost} of {len(group.members)} members of {group.name} cannot be reached: the rest accept no writes.",
                "Bring members back. Only if they are gone for good: group_replication_force_members on one that is left.",
            )
        left = _left_alone(view, group.name, {member.node for member in group.members})
        for name in left:
            yield Finding(
                "member_lost",
                "critical",
                name,
                "A server has left its group",
                f"{name} is set up for the group {group.name}, whose members no longer name it.",
                "Its error log says why it left or was expelled. START GROUP_REPLICATION; brings it back.",
            )
        for member in group.members:
            if member.state == "RECOVERING":
                yield Finding(
                    "member_recovering",
                    "info",
                    member.node,
                    "A member is catching up with its group",
                    f"{member.node} has joined {group.name} and fetches what it lacks.",
                    "Wait; it is ONLINE by itself afterwards.",
                )


def _left_alone(view: View, group: str, members: set[str]) -> list[str]:
    return sorted(
        one.database
        for one in view.servers.values()
        if one.text("group_replication_group_name") == group and one.database not in members
    )
