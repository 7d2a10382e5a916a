"""What the actions share that end statements or sessions: how those are told, and whether they have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from dbvigil import redaction
from dbvigil.conf.recovery import ActionSettings
from dbvigil.recovery import sessions
from dbvigil.recovery.plan import Scene, Step
from dbvigil.recovery.policy import Chosen, Row, Wanted

_LOOKS = 20
_PAUSE = 0.1


def wanted(settings: ActionSettings, limit: str) -> Wanted:
    """Whom the settings allow to be ended; `limit` is the option that says how long is too long."""
    return Wanted(
        settings[limit],
        settings["users"],
        settings["databases"],
        settings["at_most"],
        bool(settings.values.get("writes", False)),
    )


def step(what: str, chosen: Chosen) -> Step:
    """The step that ends `chosen`. Of its statement nothing is told but its shape."""
    row = chosen.row
    where = f" in {row.db}" if row.db else ""
    return Step(
        f"{what} session {row.id} of {row.user}{where}: {chosen.reason}",
        {
            "session": row.id,
            "user": row.user,
            "database": row.db,
            "seconds": row.seconds,
            "statement": redaction.statement(row.text or row.last),
        },
        row,
    )


async def ended(
    scene: Scene, done: Sequence[Step], otherwise: str, over: Callable[[Row, Row | None], bool]
) -> str | None:
    """None once all are over; a statement may take a moment to notice that it was ended."""
    left = [step.given for step in done if isinstance(step.given, Row)]
    for _ in range(_LOOKS):
        left = [row for row in left if not over(row, await sessions.read_one(scene.server, row.id))]
        if not left:
            return None
        await asyncio.sleep(_PAUSE)
    return f"session {', '.join(str(row.id) for row in left)} {otherwise} after {_LOOKS * _PAUSE:g} s"


def is_gone(row: Row, now: Row | None) -> bool:
    """Whether the session has ended: its number is nobody's, or somebody else's."""
    return now is None or now.user != row.user or now.host != row.host or now.command == "Killed"
