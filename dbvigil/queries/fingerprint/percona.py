"""Fingerprints in pt-query-digest's dialect, byte for byte, except where that tool lets a literal through or loses part of a statement.

pt-query-digest 3.2 applies some twenty patterns to the whole statement, one after the other, blind to what is a text and what is not.
The result is the same here for statements in which that does no harm. Where it does, this reads the statement as a server would:

- `'a\\\\'`: an escaped backslash before the closing quote. The tool takes text and code for one another from there on, and prints literals.
- A quote inside a comment, a name, or a text in the other kind of quotes: likewise.
- An open quote, of a statement that was cut: the tool prints what follows it.
- `0xCAFE` in upper case: it prints the digits. So it does with what stands behind an open `/*`.
- `CALL p('a', f(1))`: it prints all up to the last parenthesis. Here the name alone.
- `/**/`: it takes everything up to the end of the next comment for a comment.
- `#`, `--` and `/*` inside `names`: it takes the rest for a comment.
- A row's end inside a text, `VALUES ('), (', 1)`: it cuts the INSERT there.
- `administrator command:` with more behind it than a command's name: it prints it.

Besides, it needs time that grows with the square or the cube of the length for repeated UNION, VALUES and open comments. Here it is linear.
"""

from __future__ import annotations

import re

from dbvigil.queries.fingerprint.scanner import DOUBLE, SINGLE, is_plain, without_literals

_NAME = rb"(?:[A-Za-z_$\x80-\xff][\w$\x80-\xff]*+|`[^`\s(]*+`)"
_CALL = re.compile(rb"\s*+(call\s++%b(?:\.%b)?+)\(" % (_NAME, _NAME), re.IGNORECASE)
ADMINISTRATOR = re.compile(rb"administrator command: [A-Za-z_ ]*+")
_TOOLKIT = re.compile(rb"/\*\w++\.\w++:[0-9]/[0-9]\*/")
_DUMP = b"SELECT /*!40001 SQL_NO_CACHE */ * FROM `"
_USE = re.compile(rb"use \S+\n?", re.IGNORECASE)

# These begin with one set of characters, so that the engine leaps from candidate to candidate. A lone x, b or point before a literal
# goes with it.
_LITERAL = re.compile(
    rb"""['"0-9+.xb-](?:
        (?<=')      [^'\\]*+(?:\\.[^'\\]*+)*+'
      | (?<=")      [^"\\]*+(?:\\.[^"\\]*+)*+"
      | (?<=[0-9+-])[0-9a-f.xb+-]*+
      | (?<=[xb.])  (?:\?|%b|%b|[0-9+-][0-9a-f.xb+-]*+)
    )"""
    % (SINGLE, DOUBLE),
    re.DOTALL | re.VERBOSE,
)
_NUMBER = re.compile(rb"[0-9+.xb-](?:(?<=[0-9+-])[0-9a-f.xb+-]*+|(?<=[xb.])(?:\?|[0-9+-][0-9a-f.xb+-]*+))")
_HEX = re.compile(rb"0x(?<![\w$]0x)[0-9A-Fa-f]++(?![\w$])")
_BOOLEAN = re.compile(rb"[tTfF](?<!\w.)(?:(?<=[tT])rue|(?<=[fF])alse)\b", re.IGNORECASE | re.DOTALL)

_INSERT = re.compile(rb"(?:insert|replace)(?: ignore)?\s++into(?=.)", re.IGNORECASE | re.DOTALL)
_FIRST_ROW = re.compile(
    rb"[^'\"`\\#/(-]*+(?:`[^'\"`]*+`[^'\"`\\#/(-]*+)*+(?:\([^'\"()\\#/-]*+\)\s*+)?+values\s*+"
    rb"\((?:[^'\"()\\#/-]++|" + SINGLE + rb"|" + DOUBLE + rb"|/(?!\*)|-(?!-))*+\)(?=\s*+,\s*+\()",
    re.IGNORECASE | re.DOTALL,
)
_VALUES = re.compile(rb"values ?\(")
_NEXT_ROW = re.compile(rb"\) ?, ?\(")

_NULL = re.compile(rb"null(?<=\bnull)\b")
_LIST = rb"(?:[\s,]*+\([\s?,]*+\))++"
_IN_LIST = re.compile(rb"in(?<=\bin)" + _LIST)
_VALUE_LIST = re.compile(rb"value(?<=\bvalue)" + _LIST)
_VALUES_LIST = re.compile(rb"values(?<=\bvalues)" + _LIST)
_LIMIT = re.compile(rb"limit \?(?<=\blimit \?)(?:, ?\?| offset \?)?")
_ORDER_BY = re.compile(rb"order by (?<=\border by )")
_ASC = re.compile(rb"(.)\s++asc", re.DOTALL)
_SPACE = b" \n\t\r\f"


def percona_bytes(statement: bytes) -> bytes:
    """The fingerprint's text. `statement` has no `;` at its end, as the slow log's parsers give it."""
    special = _special(statement)
    if special is not None:
        return special
    insert = _INSERT.match(statement)
    if insert is not None:
        row = _FIRST_ROW.match(statement, insert.end())
        if row is not None:
            # The other rows, which can be megabytes, are not even looked at.
            statement = statement[: row.end()]
    lower = statement.lower()
    if b"0x" in lower:
        statement = _HEX.sub(b"0", statement)
    booleans = b"true" in lower or b"false" in lower
    if not booleans and is_plain(statement):
        text = _LITERAL.sub(b"?", statement)
    else:
        text = without_literals(statement)
        if _USE.fullmatch(text):
            return b"use ?"
        if booleans:
            text = _BOOLEAN.sub(b"?", text)
        text = _NUMBER.sub(b"?", text)
    return _collapsed(_one_line(text), insert is not None)


def _special(statement: bytes) -> bytes | None:
    first = statement[:1]
    if first in b"Ss":
        pass
    elif first == b"a" and ADMINISTRATOR.fullmatch(statement):
        return statement
    elif first in b"uU" and _USE.fullmatch(statement):
        return b"use ?"
    elif first in b"cC \t\r\n\f\v":
        call = _CALL.match(statement)
        if call is not None:
            return call[1].lower()
    if b"/*" in statement:
        if statement.startswith(_DUMP):
            return b"mysqldump"
        if _TOOLKIT.search(statement):
            return b"percona-toolkit"
    return None


def _one_line(text: bytes) -> bytes:
    """Lower case; each run of white space is a space. One is left at the end where there is more there than a line's end."""
    text = text.lower()
    body = text[:-1] if text[-1:] == b"\n" else text
    if b"\v" in text:
        # White space to all but the tool's collapsing.
        body = body.lstrip().translate(_SPACES)
        return re.sub(rb"  +", b" ", body)
    line = b" ".join(body.split())
    return line + b" " if line and body[-1] in _SPACE else line


_SPACES = bytes.maketrans(_SPACE, b" " * len(_SPACE))


def _collapsed(text: bytes, insert: bool) -> bytes:
    """Lists, repeated arms, limits and default orders have one form each."""
    if insert:
        rows = _VALUES.search(text, text.index(b"into") + 5)
        end = _NEXT_ROW.search(text, rows.end()) if rows is not None else None
        if end is not None:
            text = text[: end.start() + 1]
    if b"null" in text:
        text = _NULL.sub(b"?", text)
    text = _IN_LIST.sub(b"in(?+)", text)
    if b"value" in text:
        text = _VALUE_LIST.sub(b"value(?+)", text)
        text = _VALUES_LIST.sub(b"values(?+)", text)
    if b" union" in text:
        text = _unions_collapsed(text)
    if b"limit ?" in text:
        text = _LIMIT.sub(b"limit ?", text, count=1)
    if b" asc" in text:
        text = _without_asc(text)
    return text


def _without_asc(text: bytes) -> bytes:
    """Behind the first ORDER BY, without ` asc`, also where it begins a longer word: so does the tool."""
    order = _ORDER_BY.search(text)
    if order is None:
        return text
    head, tail = text[: order.end()], text[order.end() :]
    if b" asc asc" in tail or b"\v" in tail or tail.startswith(b" "):
        # Of two in a row the second stays, as a character belongs to each.
        return head + _ASC.sub(rb"\1", tail)
    return head + tail.replace(b" asc", b"")


_SELECT = re.compile(rb"select\s(?<=\bselect\s)")
_UNION = re.compile(rb"\sunion(?:\sall)?\s")
_COMPARED = 8
"""How many bytes are compared for each byte of text before the rest is left as it is."""


def _unions_collapsed(text: bytes) -> bytes:
    """`select …` arms that repeat what stands before them become one and a note."""
    arms = [(found.start(), found.end()) for found in _UNION.finditer(text)]
    budget = _COMPARED * len(text) + 4096
    done, place, first = bytearray(), 0, 0
    view = memoryview(text)
    while (select := _SELECT.search(text, place)) is not None:
        start = select.start()
        while first < len(arms) and arms[first][0] < select.end():
            first += 1
        repeated = None
        for until, behind in arms[first:]:
            length = until - start
            budget -= 16
            if behind + length > len(text) or budget < 0:
                break
            if text[until - 1] == text[behind + length - 1]:
                budget -= length
                if view[start:until] == view[behind : behind + length]:
                    repeated = until
                    break
        if repeated is None:
            done += text[place : select.end()]
            place = select.end()
            if budget < 0:
                break
            continue
        arm = text[start:repeated]
        end, word = repeated, b""
        again = re.compile(rb"(\sunion(?:\sall)?)\s" + re.escape(arm))
        while (found := again.match(text, end)) is not None:
            end, word = found.end(), found[1]
        done += text[place:repeated] + b" /*repeat" + word + b"*/"
        place = end
        while first < len(arms) and arms[first][0] < end:
            first += 1
    return bytes(done) + text[place:]
