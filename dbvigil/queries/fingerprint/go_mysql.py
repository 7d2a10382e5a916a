"""Fingerprints in the dialect of Percona's go-mysql, which PMM's agent uses.

That library reads a statement once, character by character, and copies a stretch of it when something ends the stretch. Its results
depend on where stretches end, so this has its turning points and leaps from one to the next. It differs where the library prints a literal:

- a number behind `* % | & ^ ~` is `?` (there: `a*5` as it is), and so is one behind `/*! … */` (there: the first is kept as a version);
- a quote behind a backslash begins a text, and a backslash inside a back-quoted name is a character;
- inside a list of values, names and comments are seen: a quote or parenthesis in one ends nothing;
- a comment right before a text, number or name is left out (there: printed);
- `administrator command:` is kept only with nothing but a command's name behind it.

Kept, though they lose something: `a-b` becomes `b`, `a=x'1F'` becomes `?`, a comment that touches a word takes it along, `values(?+)  on`
has two spaces where the library writes two. What is no SQL may differ: IN and VALUES without a list, two spaces behind them.
"""

from __future__ import annotations

import re

from dbvigil.queries.fingerprint.percona import ADMINISTRATOR
from dbvigil.queries.fingerprint.scanner import DOUBLE, SINGLE

_SPACE = frozenset(b" \t\r\n")
_LISTS = frozenset({b"in", b"value", b"values"})
_LONGEST_LIST_WORD = 6

_SPACES = re.compile(rb"[ \t\r\n]*+")
# What a word goes on over. A digit behind a comma or an operator begins a number: there these do not go along.
_WORD = re.compile(rb"(?:[^ \t\r\n'\"`=<>!/+\-(#,*%|&^~]++|[,*%|&^~](?![0-9]))++")
_BEFORE_NUMBER = frozenset(b"(,*%|&^~")
_NUMBER = re.compile(rb"[0-9a-f.x-]*+")
_NO_NUMBER = frozenset(b"ghijklmnopqrstuvwyz_")
_TEXT = re.compile(SINGLE + rb"|" + DOUBLE, re.DOTALL)
_IN_LIST = re.compile(
    rb"""[()]|%b|%b|(?P<open>['"])|`[^`]*+`|/\*(?!!).*?(?:\*/|\Z)|(?:\#|--[ \t\r\n])[^\n]*+"""
    % (SINGLE, DOUBLE),
    re.DOTALL,
)
_DEEPEST = 8
"""Subqueries inside lists are read as deep as this: each is read once more for each list round it."""

# Where the reader is. Plain numbers: in this loop members of an enumeration would take as long as all the rest.
(
    _AT_NOTHING,
    _AT_WORD,
    _AT_SPACE,
    _AT_OPERATOR,
    _AT_SIGN,
    _AT_SLASH,
    _AT_DASHES,
    _AT_LIST_WORD,
    _AT_LIST_END,
) = range(9)
_AT_TEXT = frozenset({_AT_WORD, _AT_OPERATOR})
_AT_LIST_SPACE = frozenset({_AT_SPACE, _AT_LIST_END})
# The clause that it is in.
_IN_NONE, _IN_VALUES, _IN_ORDER_BY, _IN_ON_DUPLICATE = range(4)


def go_mysql_bytes(statement: bytes) -> bytes:
    """The fingerprint's text. `statement` has no `;` at its end, as the slow log's parsers give it."""
    if ADMINISTRATOR.fullmatch(statement):
        return statement
    return _Reader(statement, 1).fingerprint()


class _Reader:
    """One reading. `start` and `until` are the stretch to copy: nothing is due while it ends before it starts."""

    __slots__ = (
        "at", "before", "clause", "depth", "last", "lists", "out", "result", "source", "space_due", "start", "text", "until", "where",
    )  # fmt: skip

    def __init__(self, statement: bytes, depth: int) -> None:
        self.source = statement + b" "
        self.text = _lower(self.source)
        self.depth = depth
        self.out = bytearray()
        self.where = _AT_NOTHING
        self.clause = _IN_NONE
        self.at = self.start = self.until = 0
        self.before = 0  # the character before this one; of a text or number its first
        self.last = b""  # the stretch copied last
        self.lists = 0  # since the last word
        self.space_due = False
        self.result: bytes | None = None

    def fingerprint(self) -> bytes:
        text, end, turns = self.text, len(self.text), _TURNS
        while self.at < end:
            if self.where == _AT_LIST_WORD:
                self._list_word()
            else:
                turns[text[self.at]](self)
        if self.result is not None:
            return self.result
        return bytes(self.out).rstrip(b" \t\r\n").replace(b"\0", b"")

    def _go_on(self, char: int, after: int) -> None:
        """Copies what is due, seen from `char`, and goes to `after`."""
        if self.until > self.start:
            self.last = last = self.text[self.start : self.until]
            self.out += last
            self.start = self.until
            if last in _LISTS and self.clause != _IN_ON_DUPLICATE:
                self.space_due = False
                if char in _SPACE and self.text[self.at + 1 : self.at + 2] in {b"(", b" "}:
                    self.where, self.clause = _AT_LIST_WORD, _IN_VALUES
                else:
                    self.out += b" "
                    self.start += 1
            elif self.space_due:
                self.out += b" "
                self.start += 1
                self.space_due = False
        self.before = char
        self.at = after

    def _finish(self, result: bytes | None = None) -> None:
        self.result = result
        self.at = len(self.text)

    def _space(self) -> None:
        at, text = self.at, self.text
        after = at + 1
        if self.before in _SPACE:
            self.at = self.start = _end(_SPACES, text, at)
            return
        char = text[at]
        if self.where == _AT_NOTHING:
            if self.out and self.out[-1] not in _SPACE:
                self.out += b" "
            self.start = after
        elif self.where == _AT_LIST_END:
            if self.lists == 1:
                self.out += b" "
        elif self.where == _AT_DASHES:
            if self.until > 2:
                self.until = at - 2
            self._comment(char, _line_end(text, after))
            return
        else:
            word = text[self.start : at]
            if word == b"use" and not self.last:
                self._finish(b"use ?")
                return
            self._word_ends(word, at)
            self.where, self.until, self.space_due = _AT_SPACE, at, True
        self._go_on(char, after)

    def _word_ends(self, word: bytes, at: int) -> None:
        if (word == b"null" and self.last not in {b"is", b"not"}) or word == b"null,":
            self.out += b"?, " if word == b"null," else b"? "
            self.start = at + 1
        elif word == b"by" and self.last == b"order":
            self.clause = _IN_ORDER_BY
        elif self.clause == _IN_ORDER_BY and word in {b"asc", b"asc,"}:
            self.start = at
            if word == b"asc,":
                self.out[-1:] = b", "
        elif word == b"update" and self.last == b"key":
            self.clause = _IN_ON_DUPLICATE

    def _digit(self) -> None:
        if self.where == _AT_WORD and self.before not in _BEFORE_NUMBER:
            self._run_on()
        else:
            self._number(self.at - 1 if self.where == _AT_SIGN else self.at)

    def _point(self) -> None:
        if self.where == _AT_OPERATOR:
            self._number(self.at)
        elif self.where == _AT_WORD:
            self._run_on()
        else:
            self._go_on(ord("."), self.at + 1)

    def _number(self, until: int) -> None:
        at, text = self.at, self.text
        version = text[max(0, at - 3) : at] == b"/*!"
        self.until = until
        behind = _end(_NUMBER, text, at + 1)
        self._go_on(text[at], behind)
        self.where = _AT_WORD
        if version or text[behind] in _NO_NUMBER:
            # So it is a word that begins with digits.
            self.until = behind
            return
        self.out += b"?"
        self.start = self.until = behind
        self.where = _AT_NOTHING

    def _quote(self) -> None:
        at = self.at
        self.until = -2 if self.source[max(0, at - 1) : at] in {b"x", b"b"} else at
        self._go_on(self.text[at], at)
        text = _TEXT.match(self.text, at)
        if text is None:
            self._finish()
            return
        self.out += b"?"
        self.where = _AT_NOTHING
        self.at = self.start = text.end()

    def _name(self) -> None:
        closing = self.text.find(b"`", self.at + 1)
        if closing < 0:
            self._finish()
            return
        self._go_on(ord("`"), closing + 1)
        self.until = closing + 1
        self.where = _AT_WORD

    def _operator(self) -> None:
        if self.where not in _AT_TEXT:
            self.start = self.at
        self.where = _AT_OPERATOR
        self._go_on(self.text[self.at], self.at + 1)

    def _sign(self) -> None:
        char = self.text[self.at]
        self.where = _AT_DASHES if char == ord("-") == self.before else _AT_SIGN
        self._go_on(char, self.at + 1)

    def _slash(self) -> None:
        self.where = _AT_SLASH
        self._go_on(ord("/"), self.at + 1)

    def _star(self) -> None:
        at, text = self.at, self.text
        if self.where != _AT_SLASH:
            self._letter()
        elif text[at + 1] == ord("!"):
            self._go_on(ord("*"), at + 1)
            self._go_on(ord("!"), at + 2)
            self.where, self.clause = _AT_OPERATOR, _IN_NONE
        else:
            closing = text.find(b"*/", at + 1)
            self._comment(ord("*"), len(text) if closing < 0 else closing + 2)

    def _hash(self) -> None:
        self.space_due = False
        self._comment(ord("#"), _line_end(self.text, self.at + 1))

    def _comment(self, char: int, behind: int) -> None:
        self._go_on(char, behind)
        self.where = _AT_NOTHING
        self.start = max(self.start, behind)

    def _comma(self) -> None:
        if self.where == _AT_LIST_END:
            self._go_on(ord(","), self.at + 1)
        else:
            self._letter()

    def _letter(self) -> None:
        if self.where not in _AT_TEXT:
            self.lists = 0
            self.start = self.at
            if self.clause == _IN_VALUES:
                self.clause = _IN_NONE
        self.where = _AT_WORD
        self._run_on()

    def _run_on(self) -> None:
        """A word to its end. It is read from its first character, and `before` is its last."""
        at, text = self.at, self.text
        run = _WORD.match(text, at)
        after = run.end() if run is not None else at + 1
        if self.until > self.start:
            self._go_on(text[at], after)
        self.at = after
        self.before = text[after - 1]

    def _parenthesis(self) -> None:
        at = self.at
        if self.last == b"call":
            self._finish(b"call " + self.source[self.start : at])
        elif self._opens_list():
            if not self.lists:
                self.until = at
            self._go_on(ord("("), at)
            self._list()
        else:
            if self.where != _AT_WORD:
                self.lists = 0
                self.start = at
                self.where = _AT_WORD
            self._go_on(ord("("), at + 1)

    def _opens_list(self) -> bool:
        if self.clause == _IN_ON_DUPLICATE:
            return False
        if self.where in _AT_LIST_SPACE and self.last in _LISTS:
            return True
        return self.at - self.start <= _LONGEST_LIST_WORD and self.text[self.start : self.at] in _LISTS

    def _list_word(self) -> None:
        """Behind IN or VALUES and a space."""
        char = self.text[self.at]
        if char == ord("("):
            self._list()
        elif char in _SPACE:
            self.at += 1
        else:
            self.where = _AT_SPACE if char in b"0123456789'\"" else _AT_WORD

    def _list(self) -> None:
        opening = self.at
        closing = _closing(self.text, opening)
        if closing < 0:
            self._finish()
            return
        if self.out.endswith(b" ") and self.last in _LISTS and not self.lists:
            del self.out[-1:]
        self.lists += 1
        if self.lists == 1:
            self.out += self._values(self.source[opening + 1 : closing])
        self.where, self.clause = _AT_LIST_END, _IN_VALUES
        self.before = ord(")")
        self.at = self.start = self.until = closing + 1

    def _values(self, inside: bytes) -> bytes:
        if not inside:
            return b"()"
        if self.depth < _DEEPEST and inside.lstrip()[:6].lower() == b"select":
            return b"(" + _Reader(inside, self.depth + 1).fingerprint() + b")"
        return b"(?+)"


_TURNS = [_Reader._letter] * 256
for _chars, _turn in (
    (b" \t\r\n", _Reader._space), (b"0123456789", _Reader._digit), (b".", _Reader._point), (b"'\"", _Reader._quote),
    (b"`", _Reader._name), (b"=<>!", _Reader._operator), (b"+-", _Reader._sign), (b"/", _Reader._slash), (b"*", _Reader._star),
    (b"#", _Reader._hash), (b",", _Reader._comma), (b"(", _Reader._parenthesis),
):  # fmt: skip
    for _char in _chars:
        _TURNS[_char] = _turn


def _lower(source: bytes) -> bytes:
    """Letters of all alphabets, byte for byte: what changes its length, or is no UTF-8, stays as it is."""
    if not source.isascii():
        lower = source.decode("utf-8", "replace").lower().encode()
        if len(lower) == len(source):
            return lower
    return source.lower()


def _end(what: re.Pattern[bytes], text: bytes, at: int) -> int:
    found = what.match(text, at)
    return at if found is None else found.end()


def _line_end(text: bytes, at: int) -> int:
    """Behind the next line's end, or the end."""
    end = text.find(b"\n", at)
    return len(text) if end < 0 else end + 1


def _closing(text: bytes, opening: int) -> int:
    """Where the parenthesis at `opening` closes; -1 where it does not."""
    depth = 0
    for found in _IN_LIST.finditer(text, opening):
        char = text[found.start()]
        if char == ord("("):
            depth += 1
        elif char == ord(")"):
            depth -= 1
            if not depth:
                return found.start()
        elif found["open"] is not None:
            return -1
    return -1
