"""Reads "LATEST DETECTED DEADLOCK" of SHOW ENGINE INNODB STATUS, as MySQL 5.7 to 9.7 and MariaDB 10.5 to 11.8 write it.

MySQL names the locks that a transaction held; MariaDB names those that were in the way of each wait. Both name the transaction in each
lock's own line, and that is what is gone by.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from dbvigil.queries.deadlocks.ends import statement_end
from dbvigil.queries.deadlocks.values import Deadlock, Lock, LockRange, Transaction
from dbvigil.queries.fingerprint import certain

MOST_TRANSACTIONS = 50
MOST_LOCKS = 50
"""Of one transaction."""
_LONGEST_TEXT = 10_000

_HEADER = re.compile(r"^-{5,}\nLATEST DETECTED DEADLOCK\n-{5,}\n", re.MULTILINE)
_SESSION = re.compile(
    r"^(?:MySQL|MariaDB) thread id (?P<thread>\d+), .*?\bquery id \d+ ?(?P<who>.*)\n?", re.MULTILINE
)
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)\b")
_BLOCK = re.compile(r"\*\*\* \((?P<number>\d+)\) TRANSACTION:$", re.MULTILINE)
_TRANSACTION = re.compile(r"TRANSACTION (?P<id>\d+), (?:.*?\b(?P<seconds>\d+) sec)?", re.MULTILINE)
_ROWS = re.compile(
    r"(?:LOCK WAIT )?\d+ lock struct\(s\), heap size \d+, (?P<rows>\d+) row lock\(s\)(?:, undo log entries (?P<undo>\d+))?"
)
_VICTIM = re.compile(r"\*\*\* WE ROLL BACK TRANSACTION \((?P<number>\d+)\)")
_SECTION = re.compile(r"-{5,}\n[A-Z][A-Z ]+\n-{5,}$", re.MULTILINE)
_NAME = r"`(?:[^`]|``)*`"
_LOCK = re.compile(
    rf"(?:RECORD LOCKS .*?\bindex (?P<index>.+?) of table|TABLE LOCK table) (?P<table>{_NAME}(?:\.{_NAME})?)"
    r"(?: /\* Partition .*?\*/)? trx id (?P<trx>\d+) lock[_ ]mode (?P<mode>[A-Z_-]+)(?P<rest>.*)$",
    re.MULTILINE,
)
_PLAIN_NAME = re.compile(r"[\w$]+")


def latest_deadlock(status: str) -> Deadlock | None:
    """The deadlock that `status` (of SHOW ENGINE INNODB STATUS) tells of; None where there was none since the server's start.

    Statements are fingerprints: no value of theirs is in what is returned.
    """
    status = status.replace("\r\n", "\n")
    start = _section(status)
    if start is None:
        return None
    found = _Reading(status, start).read()
    return found if found.transactions else None


def _section(status: str) -> int | None:
    """Where the section begins. The one before it, of foreign keys, may hold a statement that imitates it."""
    position = 0
    while (header := _HEADER.search(status, position)) is not None:
        session = _SESSION.search(status, position, header.start())
        if session is None:
            return header.end()
        position = statement_end(status, session.end(), session[0].rstrip("\n")).position
    return None


@dataclass(slots=True)
class _Reading:
    """The section read from top to bottom."""

    text: str
    position: int
    transactions: list[Transaction] = field(default_factory=list)
    locks: dict[int, list[tuple[Lock, bool]]] = field(default_factory=dict)
    victim: int | None = None
    ended: bool = False

    def read(self) -> Deadlock:
        time = _time(self._line())
        while not self.ended and self.position < len(self.text):
            self._step()
        transactions = tuple(
            replace(
                one,
                holds=_distinct(lock for lock, waits in self.locks.get(one.id, ()) if not waits),
                waits_for=_distinct(lock for lock, waits in self.locks.get(one.id, ()) if waits),
            )
            for one in self.transactions
        )
        victim = self.victim if self.victim in {one.number for one in transactions} else None
        return Deadlock(time, transactions, victim)

    def _line(self) -> str:
        """The next line, taken."""
        end = self.text.find("\n", self.position)
        end = len(self.text) if end < 0 else end
        line = self.text[self.position : end]
        self.position = end + 1
        return line

    def _step(self) -> None:
        if (lock := _LOCK.match(self.text, self.position)) is not None:
            self.position = lock.end() + 1
            held = self.locks.setdefault(int(lock["trx"]), [])
            if len(held) < MOST_LOCKS:
                held.append((_lock(lock), lock["rest"].rstrip().endswith(" waiting")))
        elif (block := _BLOCK.match(self.text, self.position)) is not None:
            self.position = block.end() + 1
            self._transaction(int(block["number"]))
        elif (victim := _VICTIM.match(self.text, self.position)) is not None:
            # The verdict is the last line of the report.
            self.victim, self.ended = int(victim["number"]), True
        elif _SECTION.match(self.text, self.position) is not None:
            self.ended = True
        else:
            self._line()

    def _transaction(self, number: int) -> None:
        """A transaction's own lines, up to the end of its statement."""
        head = _TRANSACTION.match(self.text, self.position)
        if head is None or len(self.transactions) >= MOST_TRANSACTIONS:
            return
        seconds = head["seconds"]
        one = Transaction(number, int(head["id"]), active_seconds=None if seconds is None else int(seconds))
        self._line()
        while self.position < len(self.text) and not self.text.startswith(("***", "---"), self.position):
            if (session := _SESSION.match(self.text, self.position)) is not None:
                host, user, state = _who(session["who"])
                one = replace(one, thread_id=int(session["thread"]), host=host, user=user, state=state)
                end = statement_end(self.text, session.end(), session[0].rstrip("\n"))
                text, query_id = certain(end.text)
                one = replace(one, statement=text and text[:_LONGEST_TEXT], query_id=query_id)
                self.position = end.position
                break
            if (rows := _ROWS.match(self.text, self.position)) is not None:
                one = replace(one, row_locks=int(rows["rows"]), undo_entries=int(rows["undo"] or 0))
            self._line()
        self.transactions.append(one)


def _time(line: str) -> datetime | None:
    found = _TIME.match(line)
    if found is None:
        return None
    try:
        return datetime(*(int(part) for part in found.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None


def _who(text: str) -> tuple[str | None, str | None, str | None]:
    """Host, user and state of "host address user state", in which host or address may be missing, and the state of several words."""
    words = text.split(" ")
    if words == [""]:
        return None, None, None
    host = words.pop(0)
    if words and _is_address(words[0]):
        address = words.pop(0)
        host = host or address
    user = words.pop(0) if words else None
    return host or None, user or None, " ".join(words) or None


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True


def _lock(found: re.Match[str]) -> Lock:
    rest, index = found["rest"], found["index"]
    extent: LockRange | None = None
    if index is not None:
        index = _unquoted(index)
        if "insert intention" in rest:
            extent = "insert intention"
        elif "gap before rec" in rest:
            extent = "gap"
        elif "but not gap" in rest:
            extent = "record"
        else:
            extent = "next-key"
    table = ".".join(_shown(_unquoted(name)) for name in re.findall(_NAME, found["table"]))
    return Lock("table" if index is None else "record", table, index, found["mode"], extent)


def _unquoted(name: str) -> str:
    return name[1:-1].replace("``", "`") if name[:1] == "`" == name[-1:] else name


def _shown(name: str) -> str:
    """As it is written in SQL."""
    return name if _PLAIN_NAME.fullmatch(name) else "`" + name.replace("`", "``") + "`"


def _distinct(locks: Iterable[Lock]) -> tuple[Lock, ...]:
    return tuple(dict.fromkeys(locks))
