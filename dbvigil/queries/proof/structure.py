"""A table of the monitored server made again in the sandbox: its columns and indexes, without what binds it to its old place."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from dbvigil.queries.rules.ddl import quoted

_COLUMN = re.compile(r"^  `")
_PRIMARY = re.compile(r"^  PRIMARY KEY ")
_UNIQUE = re.compile(r"^  UNIQUE KEY ")
_KEY = re.compile(r"^  (?:FULLTEXT |SPATIAL )?KEY ")
_QUOTED = re.compile(r"`(?:[^`]|``)*`|'(?:[^'\\]|\\.|'')*'")
_CODE = re.compile(r"/\*M?!\d* [\w ]*\*/")
_OWN_COLLATION = re.compile(r"\bCOLLATE=(\w+)")
_OWN_CHARSET = re.compile(r"\bCHARSET=(\w+)")


@dataclass(frozen=True, slots=True)
class Structure:
    """`create` makes the table before the rows are there, `keys` are added when they are: both for the current schema of a session."""

    create: str
    keys: str = ""


def structure(name: str, shown: str, plain: Collection[str] = ()) -> Structure:
    """What to run, from what SHOW CREATE TABLE shows. Left out: foreign keys, checks, partitions, auto-increment, other options.

    `name` is quoted. The unique indexes in `plain` become ordinary ones. Raises ValueError for a text that is no such table.
    """
    lines = shown.splitlines()
    inner: list[str] = []
    later: list[str] = []
    ordinary = tuple(f"  UNIQUE KEY {quoted(one)} " for one in plain)
    has_primary = any(_PRIMARY.match(line) for line in lines)
    for line in lines[1:]:
        text = _CODE.sub("", line.rstrip().removesuffix(",")).rstrip()
        if text.startswith(")"):
            break
        if not _contained(text):
            raise ValueError("the server shows no plain table")
        if text.startswith(ordinary):
            text = text.replace("UNIQUE KEY", "KEY", 1)
        if _COLUMN.match(text):
            inner.append(re.sub(r" AUTO_INCREMENT\b", "", text))
        elif _PRIMARY.match(text) or _UNIQUE.match(text):
            inner.append(_plain(text))
        elif _KEY.match(text):
            (later if has_primary else inner).append(_plain(text))
    if not lines or not lines[0].startswith("CREATE TABLE") or not inner:
        raise ValueError("the server shows no plain table")
    end = next((line for line in lines if line.startswith(")")), "")
    charset, collation = _OWN_CHARSET.search(end), _OWN_COLLATION.search(end)
    options = "ENGINE=InnoDB"
    options += f" DEFAULT CHARSET={charset.group(1)}" if charset else ""
    options += f" COLLATE={collation.group(1)}" if collation else ""
    keys = f"ALTER TABLE {name} " + ", ".join(f"ADD {key.strip()}" for key in later) if later else ""
    return Structure(f"CREATE TABLE {name} (\n" + ",\n".join(inner) + f"\n) {options}", keys)


def _plain(text: str) -> str:
    """An index without a parser or comment of its own."""
    return re.sub(r" COMMENT '(?:[^'\\]|\\.|'')*'", "", text)


def _contained(text: str) -> bool:
    """Whether a line stays within the brackets of the table: what a monitored server shows is run elsewhere, and not believed blindly."""
    bare = _QUOTED.sub("", text)
    depth = 0
    for character in bare:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0 and not any(mark in bare for mark in ("'", "`", '"', ";", "/*", "--", "#"))
