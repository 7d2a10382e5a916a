"""The page of recovery: what may be done by itself, what was done, and what is still to be put back; for everyone who is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dbvigil.pages.base import for_readers, page
from dbvigil.pages.facts import Moment, moment
from dbvigil.recovery.by_hand import overview

_WELL = ("planned", "nothing", "succeeded", "running")


@dataclass(frozen=True, slots=True)
class Shown:
    """One attempt, with its moments for people. `lines` are its steps, (what became of it, text)."""

    body: Mapping[str, Any]
    at: Moment
    lines: tuple[tuple[str, str], ...]
    left: tuple[tuple[str, int], ...]
    changes: tuple[tuple[Mapping[str, Any], Moment], ...]
    well: bool


@require_safe
@for_readers
def recovery_page(request: HttpRequest) -> HttpResponse:
    body = overview()
    attempts = [_shown(one) for one in body["attempts"]]
    actions = [
        (
            one,
            one["automatic"].replace("_", " "),
            [(name, _text(value)) for name, value in one["options"].items()],
        )
        for one in body["actions"]
    ]
    context = {"enabled": body["enabled"], "actions": actions, "attempts": attempts}
    return page(request, "recovery.html", context)


def _shown(one: Mapping[str, Any]) -> Shown:
    done = tuple(
        ("done" if step["done"] else "left", step["text"] + (f": {step['detail']}" if step["detail"] else ""))
        for step in one["done"]
    )
    return Shown(
        one,
        moment(datetime.fromisoformat(one["started_at"])),
        done or tuple(("planned", step["text"]) for step in one["plan"]),
        tuple(one["left"].items()),
        tuple((change, moment(datetime.fromisoformat(change["undo_at"]))) for change in one["changes"]),
        one["outcome"] in _WELL,
    )


def _text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case list():
            return ", ".join(map(str, value)) or "any"
        case _:
            return str(value)
