"""A server's digest text as a statement that somebody might have written, so that it can be shown and fingerprinted like one.

    SELECT `a` FROM `t` WHERE `b` IN (...) LIMIT ?, ...      SELECT `a` FROM `t` WHERE `b` IN (?) LIMIT ?
    INSERT INTO `t` ( `a` , `b` ) VALUES (...) /* , ... */   INSERT INTO `t` (`a`, `b`) VALUES (?)

What a server leaves out stays out: spaces as they were written, names without quotes. Its fingerprint is therefore rarely that of the
statement: figures are joined by `pair_key`.
"""

from __future__ import annotations

import re

# Names are kept whole: what looks like a mark inside one is none.
_MARK = re.compile(
    r"(?P<name>`[^`]*+`)|(?P<rows> /\* , \.\.\. \*/)|(?P<more>, \.\.\.)|(?P<list>\(\.\.\.\))"
    r"|(?P<charset>\(_charset\) )|(?P<unknown>\(unknown\))"
)
_MEANT = {"rows": "", "more": "", "list": "(?)", "charset": "", "unknown": "?"}
_TIGHT = re.compile(r"(`[^`]*+`)| ?(\.) ?| (,)|(\( )| (\))|(@@?) ")
_CALLED = re.compile(
    r"(`[^`]*+` )|\b(COUNT|SUM|AVG|MIN|MAX|NOW|CURDATE|CURTIME|IF|COALESCE|SUBSTRING|LEFT|RIGHT|REPLACE|CAST) \("
)
_MARIADB_KEYWORDS = re.compile(r"(`[^`]*+`)|\bID\b")


def server_text(digest_text: str) -> str:
    """`digest_text` as MySQL and MariaDB print it, in usual spacing and without their marks for lists."""
    text = _MARK.sub(lambda mark: _MEANT.get(mark.lastgroup or "", mark[0]), digest_text.strip())
    text = _TIGHT.sub(lambda mark: mark[1] or (mark[0].strip()), text)
    text = _CALLED.sub(lambda call: call[1] or f"{call[2]}(", text)
    return _MARIADB_KEYWORDS.sub(lambda word: word[1] or "`id`", text)


def digest_cut(digest_text: str) -> bool:
    """Whether the server has left out the end of a digest: then its key is no statement's.

    `max_digest_length` is 1024 bytes by default; what is longer ends in three points.
    """
    text = digest_text.rstrip()
    return text.endswith("...") and not text.endswith("?, ...")
