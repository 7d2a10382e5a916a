"""What a header says besides its four basic figures: Percona's and MariaDB's extra lines, MySQL's `log_slow_extra`."""

from __future__ import annotations

import re
from typing import NamedTuple

_FEW = 4096
_PAIR = re.compile(rb"([A-Z][A-Za-z_]+): ([^\s,]*)")

# MySQL's is one long line that is different each time; all of its pairs would take four times as long.
_MYSQL = re.compile(
    rb" Thread_id: \d+ Errno: (\d{1,10}) Killed: \d+ Bytes_received: \d+ Bytes_sent: \d+ Read_first: \d+ Read_last: \d+ Read_key: \d+"
    rb" Read_next: \d+ Read_prev: \d+ Read_rnd: \d+ Read_rnd_next: \d+ Sort_merge_passes: (\d{1,18}) Sort_range_count: \d+"
    rb" Sort_rows: (\d{1,18}) Sort_scan_count: \d+ Created_tmp_disk_tables: (\d{1,18}) Created_tmp_tables: (\d{1,18}) "
)


class Attributes(NamedTuple):
    """Of one execution; None is what the log does not say.

    `weight`: how many executions it stands for, where the server logs one in so many.
    """

    rows_affected: int | None = None
    full_scan: int | None = None
    full_join: int | None = None
    tmp_tables: int | None = None
    tmp_disk_tables: int | None = None
    sort_merge_passes: int | None = None
    sort_rows: int | None = None
    error: int | None = None
    weight: int = 1


NOTHING = Attributes()

_known: dict[bytes, Attributes] = {}


def attributes(rest: bytes) -> Attributes:
    """Those in the text that follows the basic figures, line ends included."""
    if rest == b"\n":
        return NOTHING
    extra = _MYSQL.match(rest)
    if extra:
        errno, merges, rows, disk, tables = map(int, extra.groups())
        return Attributes(None, None, None, tables, disk, merges, rows, 1 if errno else 0)
    known = _known.get(rest)
    if known is None:
        known = _read(rest)
        if len(_known) >= _FEW:
            _known.clear()
        _known[rest] = known
    return known


def _read(rest: bytes) -> Attributes:
    # The first of a name counts: rows of `# explain:` may repeat one in a client's identifier.
    pairs: dict[bytes, bytes] = {}
    for line in rest.split(b"\n"):
        if not line.startswith(b"# explain:"):
            for name, value in _PAIR.findall(line):
                pairs.setdefault(name, value)
    errno = _number(pairs, b"Last_errno", b"Errno")
    return Attributes(
        rows_affected=_number(pairs, b"Rows_affected"),
        full_scan=_flag(pairs, b"Full_scan"),
        full_join=_flag(pairs, b"Full_join"),
        tmp_tables=_number(pairs, b"Tmp_tables", b"Created_tmp_tables", or_flag=b"Tmp_table"),
        tmp_disk_tables=_number(
            pairs, b"Tmp_disk_tables", b"Created_tmp_disk_tables", or_flag=b"Tmp_table_on_disk"
        ),
        sort_merge_passes=_number(pairs, b"Merge_passes", b"Sort_merge_passes"),
        sort_rows=_number(pairs, b"Sort_rows"),
        error=None if errno is None else int(errno != 0),
        weight=max(1, _number(pairs, b"Log_slow_rate_limit") or 1),
    )


def _number(pairs: dict[bytes, bytes], *names: bytes, or_flag: bytes = b"") -> int | None:
    for name in names:
        value = pairs.get(name, b"")
        if value.isdigit() and len(value) <= 18:
            return int(value)
    return _flag(pairs, or_flag)


def _flag(pairs: dict[bytes, bytes], name: bytes) -> int | None:
    value = pairs.get(name)
    return None if value is None else int(value in (b"Yes", b"1"))
