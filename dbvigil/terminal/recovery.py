"""What recovery may do and has done, for the terminal. Takes it as the API answers with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from dbvigil.terminal.plain import aligned
from dbvigil.terminal.text import clean, clock

_ACTIONS = ("ACTION", "MODE", "BY ITSELF", "ON ALERTS OF", "WHAT IT DOES")
_ATTEMPTS = ("ATTEMPT", "WHEN", "ACTION", "DATABASE", "OUTCOME", "BY", "REASON")
_STYLES = {"failed": "bold red", "interrupted": "bold red", "succeeded": "green"}

Body = Mapping[str, Any]


def lines(found: Body, now: datetime) -> list[str]:
    """For a pipe, and for whoever reads it aloud. Moments are in the time zone of `now`."""
    return [text for text, _ in _told(found, now)]


def drawn(found: Body, now: datetime) -> RenderableType:
    """The same for a terminal."""
    return Group(*(Text(text, style, overflow="fold") for text, style in _told(found, now)))


def attempt(done: Body) -> list[str]:
    """One attempt: its plan, or what was done of it."""
    kind = " (dry run: nothing was changed)" if done["dry_run"] else ""
    said = [f"{done['action']} on {done['database']}: {done['outcome']}{kind}, attempt {done['attempt_id']}"]
    if done["done"]:
        said += [f"  {'done' if one['done'] else 'left'}: {one['text']}" + _why(one) for one in done["done"]]
    else:
        said += [f"  {step['text']}" for step in done["plan"]]
    if done["nothing"]:
        said.append(f"  {done['nothing']}")
    said += [f"  {count} left: {reason}" for reason, count in done["left"].items()]
    if done["undo_at"]:
        said.append(f"  put back at {done['undo_at']} at the latest")
    if done["error"]:
        said.append(f"  {done['error']}")
    return [clean(line) for line in said]


def _why(step: Body) -> str:
    return f" ({step['detail']})" if step["detail"] else ""


def _told(found: Body, now: datetime) -> Iterator[tuple[str, str]]:
    enabled = (
        "recovery is enabled" if found["enabled"] else "recovery is not enabled: nothing is done by itself"
    )
    yield enabled, "bold"
    rows = [
        (one["action"], one["mode"], one["automatic"], ", ".join(one["metrics"]), one["help"])
        for one in found["actions"]
    ]
    yield from ((clean(line), "") for line in aligned([_ACTIONS, *rows]))
    yield "", ""
    if not found["attempts"]:
        yield "nothing was tried yet", "dim"
        return
    shown = aligned([_ATTEMPTS, *(_row(one, now) for one in found["attempts"])])
    yield shown[0], ""
    for line, one in zip(shown[1:], found["attempts"], strict=True):
        yield clean(line), _STYLES.get(one["outcome"], "")
    for one in found["attempts"]:
        for change in one["changes"]:
            if change["closed_at"] is None:
                until = clock(datetime.fromisoformat(change["undo_at"]), now)
                hindered = f" ({change['result']})" if change["result"] else ""
                yield (
                    clean(
                        f"! {one['database']}: {change['name']} is {change['to']} and becomes {change['from']} again by {until}{hindered}"
                    ),
                    "yellow",
                )


def _row(one: Body, now: datetime) -> tuple[str, ...]:
    return (
        str(one["attempt_id"]),
        clock(datetime.fromisoformat(one["started_at"]), now),
        clean(one["action"]),
        clean(one["database"]),
        one["outcome"],
        clean(one["actor"]),
        clean(one["reason"]),
    )
