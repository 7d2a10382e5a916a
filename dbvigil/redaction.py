"""Keeps values of an application's rows out of what is stored and shown: server messages and statements are full of them."""

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
    # First of all: on a long run of spaces the patterns would try each as the beginning of a gap.
    text = " ".join(text.split())
    text = _STATEMENT.sub("the statement is left out", text)
    text = _WRAPPED.sub(r"Error: \1,", text)

    def keep_names(found: re.Match[str]) -> str:
        word = found["word"] or ""
        shown = found["text"] if word.lower() in _NAMED else "?"
        return f"{word}{found['gap']}{found['quote']}{shown}{found['quote']}"

    return " ".join(_QUOTED.sub(keep_names, text).split())


LONGEST_STATEMENT = 500
"""Characters of a statement that are shown."""

# Read from left to right as the servers do. Where versions or sql_modes read differently, the statement ends: after a wrong guess what
# stands between two strings would be taken for a string, and the strings for names.
_TOKEN = re.compile(
    r"""
      (?P<string> (?:\b(?:[xXbBnN]|_\w+))? (?P<mark>['"]) (?:(?!(?P=mark))[^\\] | \\\\ | \\(?!(?P=mark)|\\) | (?P=mark){2})*+ (?P=mark) )
    | (?P<name> `(?:[^`]|``)*+` )
    | (?P<comment> --(?=[\x00-\x20\x7f]|$)[^\n]* | \#[^\n]* | /\*(?!M?!|\+).*?(?:\*/|$)
                | /\*(?:M?!|\+)(?:[\w\s,()=.:@?]|`[^`*]*`)*(?:\*/|$) )
    | (?P<unclear> ['"`] | /\* | \$\w*\$ )
    | (?P<number> \.?\d[\w$]*(?:\.\d[\w$]*)? (?:(?<=[eE])[+-]\d+)? )
    | (?P<word> [\w$]+ )
    """,
    re.DOTALL | re.VERBOSE,
)
_LIST = re.compile(r"\?(?:\s*,\s*\?)+")


def is_clear(text: str) -> bool:
    """Whether a statement can be read with certainty: where strings begin and end depends on no setting of the server."""
    return all(token.lastgroup != "unclear" for token in _TOKEN.finditer(text))


def statement(text: str | None) -> str | None:
    """An SQL statement in one line of bounded length, without comments and with ? for every literal; names stay.

    It may be cut short. What cannot be read with certainty is left out to the end: an unterminated string, a quote after a backslash,
    which is part of the string or its end by sql_mode, a comment that some servers execute, a $$ string.

    >>> statement("SELECT name FROM users WHERE email = 'ada@example.org' AND age IN (36, 37) -- Ada")
    'SELECT name FROM users WHERE email = ? AND age IN (?, …)'
    """
    if not text:
        return text
    parts: list[str] = []
    position = 0
    for token in _TOKEN.finditer(text):
        parts.append(text[position : token.start()])
        position = token.end()
        match token.lastgroup:
            case "unclear":
                parts.append("…")
                position = len(text)
                break
            case "string" | "number":
                parts.append("?")
            case "comment":
                parts.append(" ")
            case _:
                parts.append(token[0])
    parts.append(text[position:])
    shown = " ".join(_LIST.sub("?, …", "".join(parts)).split())
    return shown if len(shown) <= LONGEST_STATEMENT else shown[: LONGEST_STATEMENT - 1] + "…"
