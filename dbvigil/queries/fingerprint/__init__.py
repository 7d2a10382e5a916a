"""What makes two statements the same query: the field's two dialects of fingerprint, and a key that a server's digest shares.

    fingerprint("SELECT * FROM t WHERE id = 5")              ("select * from t where id = ?", "35FC3906162972DA")
    fingerprint(sql, "go-mysql")                             the same in the dialect of Percona's PMM
    pair_key(sql) == pair_key(its DIGEST_TEXT)               figures of a log and of performance_schema meet
    certain(text)                                            the fingerprint of a text that may be cut or of an unknown sql_mode
    percona_bytes(statement)                                 the text alone, for who keeps IDs by text

Literals never survive: not those of a statement that was cut inside one, nor those in comments. Names and what stands in `/*! … */` do.
"""

from __future__ import annotations

from typing import Literal

from dbvigil.errors import ConfigurationError
from dbvigil.queries.fingerprint.certain import certain
from dbvigil.queries.fingerprint.digest import digest_cut, server_text
from dbvigil.queries.fingerprint.go_mysql import go_mysql_bytes
from dbvigil.queries.fingerprint.pairs import canonical, pair_key
from dbvigil.queries.fingerprint.percona import percona_bytes
from dbvigil.queries.fingerprint.query_id import query_id

__all__ = [
    "DIALECTS", "Dialect", "canonical", "certain", "digest_cut", "fingerprint", "go_mysql_bytes", "pair_key", "percona_bytes", "query_id",
    "server_text",
]  # fmt: skip

Dialect = Literal["percona", "go-mysql"]
DIALECTS = {"percona": percona_bytes, "go-mysql": go_mysql_bytes}


def fingerprint(sql: str | bytes, dialect: str = "percona") -> tuple[str, str]:
    """The fingerprint's text and its query ID, 16 hexadecimal digits.

    `sql` is one statement; a `;` at its end is no part of it. The ID is of the bytes; in the text, bytes that are no UTF-8 are replaced.
    Raises `ConfigurationError` for another dialect than `percona` and `go-mysql`.
    """
    if dialect not in DIALECTS:
        raise ConfigurationError("dialect", dialect, "percona or go-mysql")
    data = sql.encode("utf-8", "surrogatepass") if isinstance(sql, str) else sql
    text = DIALECTS[dialect](_without_end(data))
    return text.decode("utf-8", "replace"), query_id(text)


def _without_end(statement: bytes) -> bytes:
    """The log's parsers hand on what stands before the `;` and a line's end."""
    bare = statement.rstrip()
    return bare[:-1] if bare.endswith(b";") else statement
