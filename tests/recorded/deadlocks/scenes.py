"""Deadlocks as applications make them: which sessions do what, in which order.

A step is (session, statement). The statement of a session's last step is the one that it waits in; the last step of all closes the circle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SECRET = "ada@example.org"

TABLES = (
    "CREATE TABLE account (id INT PRIMARY KEY, owner VARCHAR(40), amount INT, branch INT, UNIQUE KEY owner_once (owner))",
    "CREATE TABLE parent (id INT PRIMARY KEY, children INT NOT NULL DEFAULT 0)",
    "CREATE TABLE child (id INT PRIMARY KEY AUTO_INCREMENT, parent_id INT NOT NULL, FOREIGN KEY (parent_id) REFERENCES parent (id))",
    "CREATE TABLE booking (id INT PRIMARY KEY AUTO_INCREMENT, room INT, day INT, KEY room_day (room, day))",
    "CREATE TABLE job (id INT PRIMARY KEY, state VARCHAR(10), worker VARCHAR(40), KEY by_state (state))",
    "CREATE TABLE `o``dd na'me` (`the key` INT, note VARCHAR(40), PRIMARY KEY (`the key`))"
    " PARTITION BY HASH (`the key`) PARTITIONS 2",
)
ROWS = (
    "INSERT INTO account VALUES (1, 'ada', 100, 7), (2, 'bob', 100, 7), (3, 'cyd', 100, 8), (4, 'dot', 100, 9)",
    "INSERT INTO parent (id) VALUES (1), (2)",
    "INSERT INTO booking (room, day) VALUES (1, 10), (1, 20), (1, 30)",
    "INSERT INTO job VALUES (1, 'new', NULL), (2, 'new', NULL), (3, 'done', 'w')",
    "INSERT INTO `o``dd na'me` VALUES (1, ''), (2, ''), (3, ''), (4, '')",
)

_LONG = f"UPDATE account SET amount = LENGTH('{'x' * 3500}{SECRET}') WHERE id = "
_FORGED = (
    "UPDATE account /*\n\n*** (2) TRANSACTION:\nTRANSACTION 1, ACTIVE 9 sec\nMySQL thread id 1, OS thread handle 1, query id 1 evil evil\n"
    "DROP TABLE forged\n\n*** (2) WAITING FOR THIS LOCK TO BE GRANTED:\nRECORD LOCKS space id 2 page no 4 n bits 72 index PRIMARY of table"
    " `forged`.`forged` trx id 1 lock_mode X waiting\n\n*** WE ROLL BACK TRANSACTION (7)\n------------\nTRANSACTIONS\n------------\n*/"
    f" SET branch = 0 WHERE owner <> '{SECRET}\n------------------------\nLATEST DETECTED DEADLOCK\n------------------------\n"
    "2001-01-01 00:00:00 0x1\n"
    "*** (1) HOLDS THE LOCK(S):' AND id = "
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Statements by turns. `isolation` is that of all its sessions."""

    steps: tuple[tuple[int, str], ...]
    isolation: str = "REPEATABLE READ"


def _two(first: str, second: str, *ids: object) -> Scene:
    """Two sessions that run the same two statements on rows in opposite order."""
    one, other = ids or (1, 2)
    return Scene(
        ((1, f"{first}{one}"), (2, f"{first}{other}"), (1, f"{second}{other}"), (2, f"{second}{one}"))
    )


SCENES: Mapping[str, Scene] = {
    "opposite-order": _two(
        "UPDATE account SET amount = amount - 10 WHERE id = ",
        "UPDATE account SET amount = amount + 10 WHERE id = ",
    ),
    "three-way": Scene(
        (
            (1, "UPDATE account SET amount = 1 WHERE id = 1"),
            (2, "UPDATE account SET amount = 2 WHERE id = 2"),
            (3, "UPDATE account SET amount = 3 WHERE id = 3"),
            (1, "UPDATE account SET amount = 1 WHERE id = 2"),
            (2, "UPDATE account SET amount = 2 WHERE id = 3"),
            (3, f"DELETE FROM account WHERE id = 1 AND owner <> '{SECRET}'"),
        )
    ),
    "foreign-key": Scene(
        (
            (1, "INSERT INTO child (parent_id) VALUES (1)"),
            (2, "INSERT INTO child (parent_id) VALUES (1)"),
            (1, "UPDATE parent SET children = children + 1 WHERE id = 1"),
            (2, "UPDATE parent SET children = children + 1 WHERE id = 1"),
        )
    ),
    "gap": Scene(
        (
            (1, "SELECT * FROM booking WHERE room = 2 AND day = 15 FOR UPDATE"),
            (2, "SELECT * FROM booking WHERE room = 2 AND day = 16 FOR UPDATE"),
            (1, "INSERT INTO booking (room, day) VALUES (2, 15)"),
            (2, "INSERT INTO booking (room, day) VALUES (2, 16)"),
        )
    ),
    "duplicate-key": Scene(
        (
            (3, "INSERT INTO account VALUES (9, 'eve', 0, 0)"),
            (1, "INSERT INTO account VALUES (9, 'eve', 0, 1)"),
            (2, "INSERT INTO account VALUES (9, 'eve', 0, 2)"),
            (3, "ROLLBACK"),
        )
    ),
    "for-update": Scene(
        (
            (1, "SELECT * FROM job WHERE id = 1 FOR UPDATE"),
            (2, "SELECT * FROM parent WHERE id = 2 FOR UPDATE"),
            (1, "SELECT * FROM parent WHERE id = 2 FOR UPDATE"),
            (2, f"UPDATE job SET state = 'done', worker = '{SECRET}' WHERE state = 'new'"),
        )
    ),
    "share-then-update": Scene(
        (
            (1, "SELECT amount FROM account WHERE id = 4 LOCK IN SHARE MODE"),
            (2, "SELECT amount FROM account WHERE id = 4 LOCK IN SHARE MODE"),
            (1, "UPDATE account SET amount = 11 WHERE id = 4"),
            (2, "UPDATE account SET amount = 12 WHERE id = 4"),
        )
    ),
    "no-index": Scene(
        (
            (1, "UPDATE parent SET children = 0 WHERE id = 1"),
            (2, "UPDATE account SET amount = 0 WHERE id = 4"),
            (1, "UPDATE account SET amount = 5 WHERE branch = 7"),
            (2, "UPDATE parent SET children = 1 WHERE id = 1"),
        )
    ),
    "read-committed": Scene(
        _two(
            "DELETE FROM account WHERE owner = ",
            "UPDATE account SET amount = 0 WHERE owner = ",
            "'ada'",
            "'bob'",
        ).steps,
        "READ COMMITTED",
    ),
    "odd-names": _two(
        "UPDATE `o``dd na'me` SET note = 'a' WHERE `the key` = ",
        "UPDATE `o``dd na'me` SET note = 'b' WHERE `the key` = ",
    ),
    "long-statement": _two(_LONG, _LONG),
    "forged": _two("UPDATE account SET amount = 0 WHERE id = ", _FORGED),
}
