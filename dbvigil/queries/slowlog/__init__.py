"""Slow logs, files and tables, of MySQL, MariaDB and Percona Server.

What tells a header from a client's text that only looks like one is in `grammar` (the header itself) and `closing` (whether the statement
before it has ended); `splitting` puts the two together. `digest` reads a whole file, `follow` what is new in one, `table` mysql.slow_log.
"""

from __future__ import annotations

from dbvigil.queries.slowlog.digest import Entry, LogDigest, digest_log
from dbvigil.queries.slowlog.events import Event, read
from dbvigil.queries.slowlog.follow import Position, follow
from dbvigil.queries.slowlog.table import TablePosition, read_table

__all__ = [
    "Entry",
    "Event",
    "LogDigest",
    "Position",
    "TablePosition",
    "digest_log",
    "follow",
    "read",
    "read_table",
]
