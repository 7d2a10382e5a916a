"""Links that choose what a page shows: one database or all, and how far back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

SPANS: Mapping[str, str] = {
    "1": "hour",
    "6": "6 hours",
    "24": "24 hours",
    "168": "7 days",
    "720": "30 days",
}
"""By the hours that an address names, in words that follow "the last"."""
SPAN = "24"


@dataclass(frozen=True, slots=True)
class Choice:
    """One link of a filter."""

    text: str
    address: str
    chosen: bool


def choices(asked: Mapping[str, str], name: str, values: Sequence[tuple[str, str]]) -> list[Choice]:
    """A link for each of `values` (value, text): the page as it was `asked` for, with `name` changed."""
    return [
        Choice(text, "?" + urlencode({**asked, name: value}), asked[name] == value) for value, text in values
    ]


def databases(asked: Mapping[str, str], known: Sequence[str]) -> tuple[str, list[Choice]]:
    return "Database", choices(asked, "database", [("", "all"), *((name, name) for name in known)])


def spans(asked: Mapping[str, str]) -> tuple[str, list[Choice]]:
    return "The last", choices(asked, "hours", list(SPANS.items()))
