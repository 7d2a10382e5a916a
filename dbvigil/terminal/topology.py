"""Who follows whom, and what is wrong about it, for the terminal. Takes it as the API answers with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from dbvigil.replication import words
from dbvigil.terminal.text import clean

Row = Mapping[str, Any]

_STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


def lines(body: Row) -> list[str]:
    """For a pipe, and for whoever reads it aloud: the tree, groups, findings with what to do."""
    return [text for text, _ in _told(body, ascii_only=True)]


def drawn(body: Row) -> RenderableType:
    """The same for a terminal."""
    return Group(*(Text(text, style, overflow="fold") for text, style in _told(body, ascii_only=False)))


def _told(body: Row, *, ascii_only: bool) -> Iterator[tuple[str, str]]:
    """Lines with their styles."""
    topology = body["topology"]
    if not topology["nodes"]:
        yield words.NOTHING, "dim"
        return
    channels = {
        (alias, channel["name"]): channel
        for alias, database in body["databases"].items()
        for channel in database["channels"]
    }
    for branch in words.tree(topology):
        yield _branch(branch, channels, body["databases"], ascii_only=ascii_only)
    for group in topology["groups"]:
        yield f"Group {clean(group['name'])}", "bold"
        for member in group["members"]:
            state = f"{member['state']} {member['role']}".strip()
            yield (
                f"  {clean(member['node'])}: {clean(state)}",
                "" if member["state"] == "ONLINE" else "bold red",
            )
    for circle in topology["circles"]:
        yield f"Circle: {clean(' -> '.join((*circle, circle[0])))}", ""
    yield "", ""
    yield f"Findings: {words.summary(body['findings'])}", "bold"
    for finding in body["findings"]:
        channel = f" ({finding['channel']})" if finding["channel"] else ""
        head = f"{finding['severity'].upper()} {finding['database']}{channel}: {finding['title']} [{finding['id']}]"
        yield clean(head), _STYLES[finding["severity"]]
        yield f"  {clean(finding['detail'])}", ""
        yield f"  {clean(finding['fix'])}", "dim"


def _branch(
    branch: words.Branch, channels: Mapping[tuple[str, str], Row], databases: Row, *, ascii_only: bool
) -> tuple[str, str]:
    tee, corner, bar = ("|-", "`-", "| ") if ascii_only else ("├─", "└─", "│ ")
    indent = "".join("   " if last else f"{bar} " for last in branch.last[:-1])
    if branch.last:
        indent += f"{corner if branch.last[-1] else tee} "
    node, edge = branch.node, branch.edge
    told = f"{indent}{clean(node['name'])}"
    if branch.again:
        told += " (above)"
    else:
        told += f" ({clean(words.server(node))})"
    if edge is None:
        return told, "bold red" if node["up"] is False else "bold"
    state = words.channel(edge, channels.get((node["name"], edge["channel"])))
    later = words.catching_up(databases.get(node["name"]) or _UNKNOWN)
    style = "bold red" if edge["running"] is False or node["up"] is False else ""
    return f"{told}: {clean(state)}{f', {later}' if later else ''}", style


_UNKNOWN: Row = {"lag": None, "lag_change": None, "catch_up_seconds": None}
