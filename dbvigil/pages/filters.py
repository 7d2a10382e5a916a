"""Links that choose what a page shows: one database or all, and how far back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest

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


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page was asked for: `hours` is one of `SPANS`; `values` are all its filters as its address has them."""

    known: Sequence[str]
    database: str
    hours: str
    values: Mapping[str, str]

    @property
    def chosen(self) -> Sequence[str]:
        """The databases that are shown."""
        return (self.database,) if self.database else self.known

    @property
    def span(self) -> str:
        return SPANS[self.hours]

    def filters(self) -> list[tuple[str, list[Choice]]]:
        """The two filters that every page has, with their names."""
        names = [("", "all"), *((name, name) for name in self.known)]
        return [
            ("Database", self.choices("database", names)),
            ("The last", self.choices("hours", list(SPANS.items()))),
        ]

    def choices(self, name: str, values: Sequence[tuple[str, str]]) -> list[Choice]:
        """A link for each of `values` (value, text): the page as it was asked for, with `name` changed."""
        return [
            Choice(text, "?" + urlencode({**self.values, name: value}), self.values[name] == value)
            for value, text in values
        ]


def asked(request: HttpRequest, known: Sequence[str], **more: str) -> Asked | None:
    """`more` are filters of the page's own. None for a database that is not `known`; another odd value is the usual one."""
    database, hours = request.GET.get("database", ""), request.GET.get("hours", "")
    if database and database not in known:
        return None
    hours = hours if hours in SPANS else SPAN
    return Asked(known, database, hours, {"database": database, "hours": hours, **more})
