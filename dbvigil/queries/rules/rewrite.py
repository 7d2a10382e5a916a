"""A statement written anew with parts of it replaced, or nothing where it cannot be told that all else stays what it was."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from sqlglot import exp
from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import SqlglotError

from dbvigil.queries.rules.base import Subject

_NOISE = {"AS", "INNER", "OUTER", "ASC", ";"}
_SAME = {
    "!=": "<>",
    "&&": "AND",
    "CURDATE": "CURRENT_DATE",
    "LCASE": "LOWER",
    "UCASE": "UPPER",
    "SUBSTR": "SUBSTRING",
}


def rewritten(subject: Subject, *changes: tuple[exp.Expression, exp.Expression | None]) -> str:
    """The whole statement with each node of `changes` replaced by another one, or left out (None).

    Empty where literals are missing, or where the tree does not hold all that the text says (a version comment, a clause that the parser
    drops, a word that it changes): then nothing but the text itself is sure to mean the same.
    """
    tree = subject.tree
    if tree is None or subject.redacted or not faithful(subject):
        return ""
    wanted = {id(node): other for node, other in changes}
    copy = tree.copy()
    # Before anything moves: both trees are walked in the same order.
    pairs = [
        (twin, wanted[id(node)])
        for node, twin in zip(tree.walk(), copy.walk(), strict=True)
        if id(node) in wanted
    ]
    for twin, other in pairs:
        if other is None:
            twin.pop()
        else:
            # What stood in parentheses as an OR needs them no more.
            place = twin if isinstance(other, exp.Connector) else _with_parentheses(twin)
            place.replace(other.copy())
    return copy.sql(dialect="mysql", comments=False)


def _with_parentheses(node: Any) -> exp.Expression:
    found = node
    while isinstance(found.parent, exp.Paren):
        found = found.parent
    return cast("exp.Expression", found)


def faithful(subject: Subject) -> bool:
    """Whether the tree, written out, has the same words as the text."""
    if subject.tree is None or "/*!" in subject.sql or "/*M!" in subject.sql:
        return False
    try:
        return _words(subject.sql) == _words(subject.tree.sql(dialect="mysql", comments=False))
    except (SqlglotError, ValueError, RecursionError):
        return False


def _words(sql: str) -> Counter[str]:
    # How often each word is there, not in which order: `a NOT IN (1)` is written out as `NOT a IN (1)`.
    texts = [
        token.text if token.token_type.name in ("STRING", "IDENTIFIER") else token.text.upper()
        for token in MySQL().tokenize(sql)
    ]
    found = Counter(_SAME.get(text, text) for text in texts)
    for place, text in enumerate(texts[:-1]):
        if text == "(" and texts[place + 1] == ")":
            found.subtract("()")
    return Counter({word: number for word, number in found.items() if number and word not in _NOISE})
