"""Which statements may be sent for EXPLAIN: one SELECT that can do nothing but read, judged before anything is sent.

The scanner reads a statement as both flavours do with the session's empty sql_mode (backslash escapes, `"` quotes text), and what it is not
sure of is refused. Comments do not travel on, so that nothing hides in one; code comments may hold a few harmless words only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from dbvigil.errors import NotExplainable
from dbvigil.queries.explain.functions import HARMLESS

LONGEST = 256 * 1024
"""Characters of a statement; a longer one is data more than question."""

# White space and names are the server's: every character beyond ASCII is a letter, and what is in no group is refused.
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\n\r\f\v]+)
  | (?P<hint>/\*\+.*?\*/)
  | (?P<code>/\*M?!.*?\*/)
  | (?P<comment>/\*.*?\*/ | \#[^\n]*(?:\n|\Z) | --(?=[\x01-\x20]|\Z)[^\n]*(?:\n|\Z))
  | (?P<text>'(?:[^'\\]|\\.|'')*+' | "(?:[^"\\]|\\.|"")*+")
  | (?P<quoted>`(?:[^`]|``)*+`)
  | (?P<word>[\w$\x80-\U0010ffff]++)
  | (?P<assign>:=)
  | (?P<open>\() | (?P<close>\)) | (?P<end>;) | (?P<placeholder>\?)
  | (?P<other>(?!/\*)[-+*/%=<>!&|^~,.:@])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_CODE_WORDS = frozenset(
    {
        "STRAIGHT_JOIN", "SQL_NO_CACHE", "SQL_CACHE", "SQL_BUFFER_RESULT", "SQL_SMALL_RESULT", "SQL_BIG_RESULT", "HIGH_PRIORITY",
    }
)  # fmt: skip
# Hints with quotes may end elsewhere for the server; the named ones change the session or lift its limits.
_PLAIN_HINT = re.compile(r"/\*\+[\w\s@,().$]*\*/", re.ASCII)
_DROPPED_HINTS = re.compile(r"SET_VAR|MAX_EXECUTION_TIME|RESOURCE_GROUP", re.IGNORECASE)
_REFUSED_WORDS = {
    "INTO": "INTO writes a file or a variable",
    "OUTFILE": "INTO OUTFILE writes a file",
    "DUMPFILE": "INTO DUMPFILE writes a file",
    "DELETE": "only a SELECT is explained",
    "UPDATE": "only a SELECT without FOR UPDATE is explained",
    "PROCEDURE": "PROCEDURE runs code on the server",
    "CALL": "CALL runs a stored procedure",
    "NEXTVAL": "a sequence would move on",
}
_REFUSED_RUNS = {
    ("FOR", "SHARE"): "FOR SHARE locks rows",
    ("LOCK", "IN"): "LOCK IN SHARE MODE locks rows",
    ("NEXT", "VALUE"): "a sequence would move on",
}
_WRITES = frozenset({"INSERT", "REPLACE"})
_REFUSED_KINDS = {
    "placeholder": "its values are placeholders (?); a plan needs a statement with its values, as a slow log has it",
    "assign": "the assignment := changes a variable",
}

Kind = Literal["word", "quoted", "open", "close", "other", "text"]
_KINDS: dict[str, Kind] = {
    "word": "word", "quoted": "quoted", "open": "open", "close": "close", "text": "text",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Kind
    text: str
    depth: int

    @property
    def upper(self) -> str:
        """A word of ASCII in upper case; "" for everything else."""
        return self.text.upper() if self.kind == "word" and self.text.isascii() else ""


@dataclass(frozen=True, slots=True)
class Explainable:
    """A statement that may be sent: `sql` is what to send, `warnings` what was left out of it."""

    sql: str
    warnings: tuple[str, ...] = ()


def explainable(sql: str) -> Explainable:
    """The statement as it may be sent; raises `NotExplainable` with the reason."""
    if len(sql) > LONGEST:
        raise NotExplainable(f"the statement has more than {LONGEST} characters")
    if "\0" in sql:
        raise NotExplainable("the statement has a NUL byte")
    written: list[str] = []
    warnings: list[str] = []
    tokens = list(_tokens(sql, written, warnings))
    _check_start(tokens)
    for place, token in enumerate(tokens):
        _check(tokens, place, token)
    return Explainable("".join(written).strip(), tuple(dict.fromkeys(warnings)))


def _tokens(sql: str, written: list[str], warnings: list[str]) -> Iterator[_Token]:
    """The tokens that say something; `written` gets the text that travels on."""
    depth, ended, before = 0, False, ""
    for kind, found in _lexemes(sql):
        # A word right after @ is a variable's name; with a space between, the name is empty and the word is a word.
        named, before = before == "@", found
        if kind in {"space", "comment"}:
            written.append(" ")
        elif ended:
            raise NotExplainable("there is more than one statement")
        elif kind == "end":
            ended = True
        elif kind in {"hint", "code"}:
            written.append(_inside(kind, found, warnings))
        else:
            depth -= kind == "close"
            if depth < 0:
                raise NotExplainable("its parentheses do not match")
            written.append(found)
            yield _Token("other" if named and kind == "word" else _KINDS.get(kind, "other"), found, depth)
            depth += kind == "open"
    if depth:
        raise NotExplainable("its parentheses do not match; the statement is cut off")


def _lexemes(sql: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(sql):
        match = _TOKEN.match(sql, place)
        if match is None:
            raise NotExplainable(
                "a quote or comment is left open, or it is no SQL; the statement may be cut off"
            )
        kind, found, place = match.lastgroup or "", match[0], match.end()
        if "/*" in found[2:] and kind in {"comment", "hint", "code"}:
            raise NotExplainable("a comment inside a comment")
        if kind in _REFUSED_KINDS:
            raise NotExplainable(_REFUSED_KINDS[kind])
        yield kind, found


def _inside(kind: str, found: str, warnings: list[str]) -> str:
    """What travels on of a comment that the server reads."""
    if kind == "hint":
        if not _PLAIN_HINT.fullmatch(found):
            raise NotExplainable("its optimizer hint has quotes, and may end elsewhere than it seems")
        if _DROPPED_HINTS.search(found):
            warnings.append(
                "an optimizer hint was left out, because it would change the session or its limits"
            )
            return " "
        return found
    body = found[found.index("!") + 1 : -2].lstrip("0123456789").split()
    if not all(word.upper() in _CODE_WORDS for word in body):
        raise NotExplainable("it has code inside a comment (/*! … */)")
    return f" {' '.join(body)} "


def _check_start(tokens: list[_Token]) -> None:
    first = next((token for token in tokens if token.kind != "open"), None)
    if first is None:
        raise NotExplainable("there is no statement")
    if first.upper not in {"SELECT", "WITH"}:
        raise NotExplainable("only a SELECT is explained")


def _check(tokens: list[_Token], place: int, token: _Token) -> None:
    before = tokens[place - 1] if place else None
    after = tokens[place + 1] if place + 1 < len(tokens) else None
    qualified = before is not None and before.text == "."
    called = after is not None and after.kind == "open"
    if token.kind == "word" and not qualified:
        upper = token.upper
        if upper in _REFUSED_WORDS:
            raise NotExplainable(_REFUSED_WORDS[upper])
        run = _REFUSED_RUNS.get((upper, after.upper)) if after is not None else None
        if run is not None:
            raise NotExplainable(run)
        if upper in _WRITES and not called:
            raise NotExplainable("only a SELECT is explained")
    if not called or token.kind not in {"word", "quoted"}:
        return
    if not qualified and token.upper in HARMLESS:
        return
    if _names_columns(tokens, place, before):
        return
    raise NotExplainable(
        f"it calls {token.text.strip('`')[:64]}(), which is not known to do nothing but read"
    )


def _names_columns(tokens: list[_Token], place: int, before: _Token | None) -> bool:
    """Whether the name before this parenthesis is that of a derived table or CTE, and what follows are its columns."""
    if before is None or before.text == ".":
        return False
    if before.upper == "AS" or before.kind == "close":
        return _names_only(tokens, place + 1)
    if before.upper in {"WITH", "RECURSIVE"} or before.text == ",":
        end = _closing(tokens, place + 1)
        return (
            _names_only(tokens, place + 1)
            and tokens[end + 1 : end + 2] != []
            and tokens[end + 1].upper == "AS"
            and tokens[end + 2 : end + 3] != []
            and tokens[end + 2].kind == "open"
        )
    # WINDOW w AS (…) and OVER w have no parenthesis after a name; an index hint has: FORCE INDEX FOR JOIN (a).
    return False


def _names_only(tokens: list[_Token], opening: int) -> bool:
    inner = tokens[opening + 1 : _closing(tokens, opening)]
    return bool(inner) and all(token.kind in {"word", "quoted"} or token.text == "," for token in inner)


def _closing(tokens: list[_Token], opening: int) -> int:
    depth = tokens[opening].depth
    for place in range(opening + 1, len(tokens)):
        if tokens[place].kind == "close" and tokens[place].depth == depth:
            return place
    return len(tokens)
