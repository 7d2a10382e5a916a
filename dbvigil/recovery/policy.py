"""Who may be ended: rows of a process list in, the chosen with their reasons out. Pure, and in doubt nobody.

The worst is chosen first: who has run, been idle or held others up for longest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dbvigil.blocking import Forest
from dbvigil.recovery.reading import first_word, kind_of

LONGEST_TEXT = 60_000
"""Characters of a statement that are read from a server; one that has as many may go on, and is not judged."""

_SYSTEM_USERS = frozenset(
    {"system user", "event_scheduler", "unauthenticated user", "mariadb.sys", "mysql.sys", "mysql.session"}
    | {"mysql.infoschema", "rdsadmin", "rdsrepladmin", "cloudsqladmin", "azure_superuser"}
)
_TELLING_NAMES = ("backup", "dump", "repl", "slave", "orchestrator", "gh-ost", "ghost", "xtra")
"""Accounts whose name has one of these do what nobody should end."""
_PROGRAMS = (
    "dump",
    "backup",
    "mydumper",
    "mysqlpump",
    "mysqlsh",
    "gh-ost",
    "online-schema-change",
    "pt-archiver",
    "orchestrator",
)
_STATES = (
    "slave",
    "replica",
    "master",
    "source",
    "binlog",
    "group replication",
    "wsrep",
    "backup",
    "rolling back",
    "committing",
)
_TAKES = ("XA", "LOCK", "FLUSH", "BACKUP", "HANDLER", "CALL", "EXECUTE")
"""First words of a last statement after which a session that rests may hold more than a transaction of its own."""
_CLIENTS = ("one_connection", "thread/mysqlx/")
_WHOLE_SERVER = ("global", "backup lock", "commit", "schema", "tablespace")
"""What metadata locks are shown as that are not of a table: whoever holds one takes a backup or changes a schema."""


@dataclass(frozen=True, slots=True)
class Row:
    """One session. `query` names its present statement, where the server numbers them; `outer` is the kind of the statement which it sent
    itself, as `performance_schema` has it (`statement/sql/select`), None where nobody knows. `last` is what a session that rests
    has sent last.

    `transaction`: whether it has one open in InnoDB. `thread` is the thread's name on MySQL. What is not known is None.
    """

    id: int
    user: str | None = None
    host: str | None = None
    db: str | None = None
    command: str | None = None
    state: str | None = None
    seconds: float | None = None
    text: str | None = None
    program: str | None = None
    query: str | None = None
    outer: str | None = None
    last: str | None = None
    thread: str | None = None
    transaction: bool | None = None
    transaction_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Own:
    """Whose sessions are ours: the accounts of monitor and recovery, and the connections that are known.

    `hidden` says that statements run within others on this server, or transactions across servers: where a row does not tell its own, a
    procedure's SELECT looks like any other.
    """

    users: frozenset[str] = frozenset()
    ids: frozenset[int] = frozenset()
    hidden: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom an action may choose: `limit` seconds and more, of these users and schemas (none: any), at most so many."""

    limit: float
    users: Collection[str] = ()
    databases: Collection[str] = ()
    at_most: int = 5
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """A session to be ended, and why in words."""

    row: Row
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who is to be ended, the worst first; and how many were looked at and left, by reason."""

    chosen: tuple[Chosen, ...] = ()
    left: Mapping[str, int] = field(default_factory=dict)


_Judged = tuple[str | None, str]
"""Why not; else, why."""
_Judge = Callable[[Row, Wanted, Own], _Judged]


def protected(row: Row, own: Own) -> str | None:
    """Why a session must not be touched, whatever it does; None where nothing speaks against it."""
    user = (row.user or "").strip().lower()
    if row.id <= 0 or row.id in own.ids:
        return "one of our own connections"
    if not user:
        return "whose it is, is not known"
    if user in _SYSTEM_USERS or user.startswith(("mysql.", "mariadb.")):
        return "the server's own"
    if user in {name.lower() for name in own.users}:
        return "of the account that monitors or recovers"
    if any(part in user for part in _TELLING_NAMES):
        return "an account for backups or replication, by its name"
    if any(part in (row.program or "").lower() for part in _PROGRAMS):
        return "a backup or a schema change, by its program"
    if any(part in (row.state or "").lower() for part in _STATES):
        return "replication, a backup, or a transaction that is ending"
    if row.thread is not None and not any(part in row.thread for part in _CLIENTS):
        return "a thread of the server"
    return None


def choose_statements(rows: Iterable[Row], wanted: Wanted, own: Own) -> Verdict:
    """The statements that run for too long and only read (or write, where that is wanted)."""
    return _choose(rows, wanted, own, _statement)


def choose_idle(rows: Iterable[Row], wanted: Wanted, own: Own) -> Verdict:
    """The connections that have rested for too long and hold nothing."""
    return _choose(rows, wanted, own, _idle)


def choose_blockers(
    rows: Iterable[Row], forest: Forest, wanted: Wanted, own: Own, waits_seconds: float
) -> Verdict:
    """The roots of trees of waits that rest in an open transaction while others wait for them; never one that waits itself."""
    known = {row.id: row for row in rows}
    roots: dict[int, tuple[int, str]] = {}
    left: Counter[str] = Counter()
    nodes = forest.nodes
    for place, node in enumerate(nodes):
        if node.depth or node.session is None:
            continue
        below = []
        for other in nodes[place + 1 :]:
            if not other.depth:
                break
            below.append(other)
        waits = [other.wait for other in below if other.wait is not None and other.depth == 1]
        longest = max((wait.seconds for wait in waits if wait.seconds is not None), default=None)
        if node.wait is not None or node.circular:
            left["it waits itself"] += 1
        elif longest is None or longest < waits_seconds:
            left["nobody has waited for it for long"] += 1
        elif any(_of_the_server(wait.locked) for wait in waits):
            left["it holds more than rows and tables"] += 1
        else:
            roots[node.session.id] = (
                node.victims,
                f"{node.victims} wait for it, the longest for {longest:.0f} s",
            )
    found = _choose([known[number] for number in roots if number in known], wanted, own, _blocker)
    chosen = [Chosen(one.row, f"{one.reason}; {roots[one.row.id][1]}") for one in found.chosen]
    return Verdict(tuple(chosen), dict(left + Counter(found.left)))


def _choose(rows: Iterable[Row], wanted: Wanted, own: Own, judge: _Judge) -> Verdict:
    found: list[Chosen] = []
    left: Counter[str] = Counter()
    for row in rows:
        reason = protected(row, own) or _not_wanted(row, wanted)
        if reason is None:
            reason, said = judge(row, wanted, own)
            if reason is None:
                found.append(Chosen(row, said))
                continue
        left[reason] += 1
    found.sort(key=lambda one: (-(one.row.seconds or 0), one.row.id))
    if len(found) > wanted.at_most:
        left["more than are ended at once"] += len(found) - wanted.at_most
    return Verdict(tuple(found[: wanted.at_most]), dict(left))


def _statement(row: Row, wanted: Wanted, own: Own) -> _Judged:
    if row.command != "Query":
        return "it runs nothing, or nothing that is shown", ""
    if row.seconds is None or row.seconds < wanted.limit:
        return "it has not run for so long", ""
    if not row.text or not row.text.strip():
        return "its statement is not known", ""
    if len(row.text) >= LONGEST_TEXT:
        return "its statement is not seen to its end", ""
    kind = kind_of(row.text)
    if kind is None or (kind == "write" and not wanted.writes):
        return "it does not only read, or that cannot be told", ""
    if row.outer is None and own.hidden:
        return "it may run within a procedure, which this server does not tell", ""
    if row.outer is not None and row.outer.rpartition("/")[2] not in _OUTER[kind]:
        return "it runs within another statement", ""
    return (
        None,
        f"a statement that only {'reads' if kind == 'read' else 'writes rows'}, for {row.seconds:.0f} s",
    )


_OUTER: Mapping[str, Sequence[str]] = {
    "read": ("select",),
    "write": (
        "insert",
        "insert_select",
        "update",
        "update_multi",
        "delete",
        "delete_multi",
        "replace",
        "replace_select",
    ),
}


def _resting(row: Row, wanted: Wanted) -> str | None:
    if row.command != "Sleep" or (row.text or "").strip():
        return "it runs something"
    if row.seconds is None or row.seconds < wanted.limit:
        return "it has not rested for so long"
    if row.last is not None and first_word(row.last) in _TAKES:
        return "by what it did last it may hold locks, or a transaction across servers"
    return None


def _idle(row: Row, wanted: Wanted, own: Own) -> _Judged:
    reason = _resting(row, wanted)
    if reason is None and row.transaction is not False:
        reason = "it has a transaction open, or that is not known"
    return reason, f"idle for {row.seconds or 0:.0f} s, without a transaction"


def _blocker(row: Row, wanted: Wanted, own: Own) -> _Judged:
    reason = _resting(row, wanted)
    if reason is None and row.transaction is not True:
        reason = "it has no transaction open, or that is not known"
    if reason is None and row.last is None and own.hidden:
        reason = "whether it works in XA this server does not tell"
    return reason, f"idle for {row.seconds or 0:.0f} s in an open transaction"


def _not_wanted(row: Row, wanted: Wanted) -> str | None:
    if wanted.users and row.user not in wanted.users:
        return "not of the users that may be ended"
    if wanted.databases and row.db not in wanted.databases:
        return "not in a schema where any may be ended"
    return None


def _of_the_server(locked: str | None) -> bool:
    return locked is None or locked.split(" ")[0] in {name.split(" ")[0] for name in _WHOLE_SERVER}
