"""One key for a statement and for the server's digest of it, so that figures of a log and of performance_schema meet.

A digest text is the server's parser speaking: names quoted, keywords in capitals and by their first synonym, values and lists folded, each
flavour in its own way. Neither side can be turned into the other, so both are turned into a third: names bare and in lower case,
one word for each family of synonyms, `?` for a value, a list of values, or NULL.

What cannot meet: a digest that the server has cut (`digest_cut`: longer than `max_digest_length`); strings in double quotes that are names
(ANSI_QUOTES); texts where a backslash is no escape (NO_BACKSLASH_ESCAPES); statements that differ in what only one side keeps, as
code in `/*!99999 … */`. What meets though it is not the same: names that differ in case, or that are synonyms of functions (`mid` and
`substring`); one value and several; `NOW()` and `CURTIME()`, as the flavours do not agree whose synonym LOCALTIME is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbvigil.queries.fingerprint.query_id import query_id
from dbvigil.queries.fingerprint.scanner import pieces
from dbvigil.types import Flavor

# What a digest text prints for all words of a family is one of them, in either flavour.
_FAMILIES = (
    "!= <>", "rlike regexp", "now current_timestamp localtime localtimestamp curtime current_time", "curdate current_date",
    "substring substr mid", "databases schemas", "database schema", "columns fields", "integer int int4", "bigint int8", "smallint int2",
    "tinyint int1", "mediumint int3 middleint", "character char", "varchar varcharacter", "decimal dec", "double float8", "float float4",
    "explain describe", "stddev std stddev_pop", "variance var_pop", "distinct distinctrow", "user session_user system_user", "some any",
    "year sql_tsi_year", "quarter sql_tsi_quarter", "month sql_tsi_month", "week sql_tsi_week", "day sql_tsi_day", "hour sql_tsi_hour",
    "minute sql_tsi_minute", "second sql_tsi_second", "session local",
)  # fmt: skip
_FIRST = {word: family.split()[0] for family in _FAMILIES for word in family.split()}

# An exponent without digits is a number's too where the statement was cut there.
_NUMBER = (
    r"(?:0x[0-9a-f]++|0b[01]++|(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:e[+-]?+(?:[0-9]++|\Z))?+)(?![\w$])"
)
_TOKEN = re.compile(
    r"`[^`]*+`|"
    + _NUMBER
    + r"|[\w$]++|\(unknown\)|\(_charset\)|\.\.\.|<=>|<>|[!<>:]=|<<|>>|&&|\|\||->>?|@@|\S"
)
_VALUE = re.compile(_NUMBER + r"|null|\(unknown\)|\.\.\.|\?")
_PLAIN_NAME = re.compile(r"`([\w$]++)`")
_OPERAND = re.compile(r"[\w$]|[`?)]\Z")
# Words that a value follows: a sign behind one of them belongs to the value.
_NO_OPERANDS = frozenset(
    {
        "select", "where", "and", "or", "not", "in", "between", "like", "then", "else", "when", "on", "having", "by", "limit",
        "offset", "set", "case", "interval", "distinct", "all", "xor", "div", "mod", "is", "rlike", "values", "value", "return",
        "do", "some", "binary", "escape", "if", "default",
    }
)  # fmt: skip

_CODE = re.compile(rb"/\*!([0-9]{5,6})?")
_PREFIX = re.compile(rb"(?<![\w$])(?:[xXbBnN]|_\w+\s*)\Z")
_LONGEST_PREFIX = 64

_ADJACENT = re.compile(r"\?(?: \?)+")
_VALUES = re.compile(r"\?(?: , \?)+")
_ROWS = re.compile(r"\( \? \)(?: , \( \? \))+")


def canonical(statement: str | bytes, flavor: Flavor = "mysql") -> str:
    """The third text: of a statement, or of a digest's text. `flavor` decides which `/*! … */` code was run."""
    data = statement.encode("utf-8", "surrogateescape") if isinstance(statement, str) else statement
    code = b"".join(_code(data, flavor)).decode("utf-8", "replace").lower()
    text = " ".join(_tokens(code.rstrip(" ;\t\r\n")))
    return _ROWS.sub("( ? )", _VALUES.sub("?", _ADJACENT.sub("?", text)))


def pair_key(statement: str | bytes, flavor: Flavor = "mysql") -> str:
    """16 hexadecimal digits, the same for a statement and for the text of its digest on a server of `flavor`."""
    return query_id(canonical(statement, flavor))


def _tokens(code: str) -> list[str]:
    found: list[str] = []
    for part in _TOKEN.findall(code):
        if part == "(_charset)":
            continue
        if _VALUE.fullmatch(part) or (found and found[-1] == "@"):
            while found and found[-1] in {"-", "+"} and not _is_operand(found[-2:-1]):
                found.pop()
            found.append("?")
            continue
        name = _PLAIN_NAME.fullmatch(part)
        word = name[1] if name is not None else part
        found.append(_FIRST.get(word, word))
    return found


def _is_operand(token: list[str]) -> bool:
    return bool(token) and token[0] not in _NO_OPERANDS and _OPERAND.match(token[0]) is not None


def _code(data: bytes, flavor: Flavor) -> Iterator[bytes]:
    """What the server's parser has seen: no comments, `?` for a text, and the code of versioned comments as far as it was run."""
    held = b""
    skipping = False
    for kind, piece in pieces(data):
        if kind in {"comment", "open_comment"}:
            yield held
            held = b" "
            if kind == "comment" and flavor == "mariadb" and piece.startswith(b"/*M!"):
                yield from _code(b"/*" + piece[3:], flavor)
            continue
        if skipping:
            ending = piece.find(b"*/") if kind == "plain" else -1
            if ending >= 0:
                yield held
                held, skipping = _unwrapped(piece[ending + 2 :], flavor)
            continue
        if kind == "string":
            if len(held) > _LONGEST_PREFIX:
                yield held[:-_LONGEST_PREFIX]
                held = held[-_LONGEST_PREFIX:]
            yield _PREFIX.sub(b"", held) + b" ? "
            held = b""
            continue
        yield held
        held = piece
        if kind == "plain" and (b"*/" in piece or b"/*!" in piece):
            held, skipping = _unwrapped(piece, flavor)
    yield held


def _unwrapped(piece: bytes, flavor: Flavor) -> tuple[bytes, bool]:
    """A plain piece without the marks of versioned comments and what was not run, and whether that goes on behind it."""
    done: list[bytes] = []
    place = 0
    while (mark := _CODE.search(piece, place)) is not None:
        done.append(piece[place : mark.start()].replace(b"*/", b" "))
        place = mark.end()
        if not _was_run(int(mark[1] or 0), flavor):
            ending = piece.find(b"*/", place)
            if ending < 0:
                return b" ".join(done), True
            place = ending + 2
    done.append(piece[place:].replace(b"*/", b" "))
    return b" ".join(done), False


def _was_run(version: int, flavor: Flavor) -> bool:
    """MariaDB leaves out what is meant for the versions that only MySQL has."""
    if flavor == "mariadb":
        return version < 50_700 or 100_000 <= version < 200_000
    return version < 99_000
