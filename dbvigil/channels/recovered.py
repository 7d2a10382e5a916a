"""What recovery did, in words of a message: what was tried, which steps were done, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dbvigil.channels.evidence import clip

STATES: Mapping[str, str] = {
    "alert.recovery_succeeded": "RECOVERY DONE",
    "alert.recovery_failed": "RECOVERY FAILED",
}
"""What a message about recovery begins with, by its type."""
INTROS: Mapping[str, str] = {
    "alert.recovery_succeeded": "Something was done about this. Whether it helped, the alert itself will tell.",
    "alert.recovery_failed": "Something was tried about this and did not work. It needs a person.",
}
_LONGEST_STEP = 300


def summary(found: Any) -> str:
    """One paragraph of a `recovery` as it stands beside an alert's body; "" where there is none."""
    if not isinstance(found, Mapping):
        return ""
    done = found.get("done") or ()
    by = clip(found.get("actor") or "dbvigil", 80)
    parts = [f"{clip(found.get('action') or 'recovery', 100)} by {by}:"]
    parts += [f"{clip(one, _LONGEST_STEP)}." for one in done]
    if not done:
        parts.append("nothing was changed.")
    if found.get("error"):
        parts.append(f"{clip(found['error'], _LONGEST_STEP)}.")
    if found.get("reason"):
        parts.append(f"Reason: {clip(found['reason'], _LONGEST_STEP)}.")
    return " ".join(parts)
