"""Keeps values of an application's rows out of what is stored and shown: server messages quote them freely."""

from __future__ import annotations

import re

# What may stay of a server's message: names, which say where the trouble is. All other quoted text may be somebody's data.
_NAMED = (
    "key",
    "index",
    "constraint",
    "table",
    "column",
    "field",
    "database",
    "schema",
    "host",
    "file",
    "log",
    "channel",
    "partition",
)
_QUOTED = re.compile(
    r"""(?P<word>\b\w+)?(?P<gap>:?\s*)(?<!\w)(?P<quote>['"])(?P<text>(?:\\.|(?!(?P=quote)).|(?P=quote){2})*)(?:(?P=quote)|$)""",
    re.DOTALL,
)
# MariaDB puts the whole message of a failed statement between quotes of its own.
_WRAPPED = re.compile(r"^Error '(.*)'(?= the statement is left out$|$)", re.DOTALL)
_STATEMENT = re.compile(r"\bon query\b.*$|\b(?:query|statement):.*$", re.IGNORECASE | re.DOTALL)


def server_message(text: str | None) -> str | None:
    """A server's error message in one line without the statement and the values it quotes; names of tables, keys and columns stay.

    >>> server_message("Duplicate entry 'ada@example.org' for key 'users.email'")
    "Duplicate entry '?' for key 'users.email'"
    """
    if not text:
        return text
    text = _STATEMENT.sub("the statement is left out", text)
    text = _WRAPPED.sub(r"Error: \1,", text)

    def keep_names(found: re.Match[str]) -> str:
        word = found["word"] or ""
        shown = found["text"] if word.lower() in _NAMED else "?"
        return f"{word}{found['gap']}{found['quote']}{shown}{found['quote']}"

    return " ".join(_QUOTED.sub(keep_names, text).split())
