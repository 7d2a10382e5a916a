"""Deadlocks: what real servers said of them, reports that were cut, and statements that imitate the report."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.queries.deadlocks import Deadlock, Lock, Transaction, advise, latest_deadlock, pattern_key
from tests.recorded.deadlocks import scenes

FOLDER = Path(scenes.__file__).parent
RELEASES = ("mysql-9.7", "mariadb-10.11", "mariadb-11.8")
ACCOUNT = ("bank.account", "PRIMARY", "X", "record")

# By scene: what each transaction holds and waits for (table, index, mode, range), whichever comes first, and what helps.
EXPECTED = {
    "opposite-order": ({(ACCOUNT, ACCOUNT)}, "deadlock.opposite_order"),
    "three-way": ({(ACCOUNT, ACCOUNT)}, "deadlock.opposite_order"),
    "foreign-key": (
        {(("bank.parent", "PRIMARY", "S", "record"), ("bank.parent", "PRIMARY", "X", "record"))},
        "deadlock.shared_first",
    ),
    "gap": (
        {
            (
                ("bank.booking", "room_day", "X", "next-key"),
                ("bank.booking", "room_day", "X", "insert intention"),
            )
        },
        "deadlock.gap_locks",
    ),
    "duplicate-key": (
        {
            (
                ("bank.account", "PRIMARY", "S", "next-key"),
                ("bank.account", "PRIMARY", "X", "insert intention"),
            )
        },
        "deadlock.gap_locks",
    ),
    "for-update": (
        {
            (("bank.job", "PRIMARY", "X", "record"), ("bank.parent", "PRIMARY", "X", "record")),
            (("bank.parent", "PRIMARY", "X", "record"), ("bank.job", "PRIMARY", "X", "record")),
        },
        "deadlock.opposite_order",
    ),
    "share-then-update": ({(("bank.account", "PRIMARY", "S", "record"), ACCOUNT)}, "deadlock.shared_first"),
    "no-index": (
        {
            (("bank.parent", "PRIMARY", "X", "record"), ("bank.account", "PRIMARY", "X", "next-key")),
            (ACCOUNT, ("bank.parent", "PRIMARY", "X", "record")),
        },
        "deadlock.opposite_order",
    ),
    "read-committed": (
        {(("bank.account", "owner_once", "X", "record"), ("bank.account", "owner_once", "X", "record"))},
        "deadlock.opposite_order",
    ),
    "odd-names": (
        {
            (
                ("bank.`o``dd na'me`", "PRIMARY", "X", "record"),
                ("bank.`o``dd na'me`", "PRIMARY", "X", "record"),
            )
        },
        "deadlock.opposite_order",
    ),
    "long-statement": ({(ACCOUNT, ACCOUNT)}, "deadlock.opposite_order"),
    "forged": ({(ACCOUNT, ACCOUNT)}, "deadlock.opposite_order"),
}


def recorded(release: str, scene: str) -> str:
    return (FOLDER / release / f"{scene}.txt").read_text()


def read(text: str) -> Deadlock:
    found = latest_deadlock(text)
    assert found is not None
    return found


def facts(lock: Lock) -> tuple[str, str | None, str, str | None]:
    return lock.table, lock.index, lock.mode, lock.range


def test_every_scene_is_recorded_and_expected() -> None:
    assert set(EXPECTED) == set(scenes.SCENES)
    for release in RELEASES:
        assert {path.stem for path in (FOLDER / release).glob("*.txt")} == set(EXPECTED)


@pytest.mark.parametrize("scene", EXPECTED)
@pytest.mark.parametrize("release", RELEASES)
def test_what_a_real_server_said(release: str, scene: str) -> None:
    locks, rule = EXPECTED[scene]
    found = read(recorded(release, scene))
    assert {
        (facts(held), facts(wanted))
        for one in found.transactions
        for held in one.holds
        for wanted in one.waits_for
        if held != wanted or len(locks) == 1
    } == locks
    count = len({session for session, _ in scenes.SCENES[scene].steps}) - (scene == "duplicate-key")
    assert [one.number for one in found.transactions] == list(range(1, count + 1))
    assert len({one.id for one in found.transactions}) == count
    assert found.victim in range(1, count + 1)
    assert found.local_time is not None
    assert found.local_time.year == 2026
    for one in found.transactions:
        assert (one.user, one.host) == ("root", "localhost")
        assert one.state
        assert one.thread_id
        assert one.row_locks is not None
        assert one.active_seconds is not None
        assert one.statement
        assert scene in ("long-statement",) or len(one.query_id or "") == 16
    assert advise(found)[0].rule == rule
    assert advise(found)[-1].rule == "deadlock.retry"
    assert scenes.SECRET not in json.dumps(found.to_dict())


@pytest.mark.parametrize("scene", EXPECTED)
def test_a_pattern_is_the_same_on_every_server(scene: str) -> None:
    assert len({pattern_key(read(recorded(release, scene))) for release in RELEASES}) == 1


def test_patterns_differ() -> None:
    keys = [pattern_key(read(recorded("mysql-9.7", scene))) for scene in EXPECTED]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("release", RELEASES)
def test_a_statement_that_imitates_the_report_changes_nothing(release: str) -> None:
    found = read(recorded(release, "forged"))
    assert found.victim in (1, 2)
    assert found.local_time != datetime(2001, 1, 1)
    for one in found.transactions:
        assert one.statement == "update account set branch = ? where owner <> ? and id = ?"
        assert {lock.table for lock in one.locks} == {"bank.account"}


@pytest.mark.parametrize("release", RELEASES)
def test_a_statement_that_was_cut_inside_a_string_ends_where_the_server_cut_it(release: str) -> None:
    for one in read(recorded(release, "long-statement")).transactions:
        assert (one.statement, one.query_id) == ("update account set amount = length(…", None)


# -- reports made by hand

SESSION = "MySQL thread id 9, OS thread handle 1, query id 5 {who}\n"
LOCK = "RECORD LOCKS space id 2 page no 4 n bits 72 index {index} of table `s`.`t` trx id {trx} {mode}\n"
DUMP = "Record lock, heap no 2 PHYSICAL RECORD: n_fields 1; compact format; info bits 0\n 0: len 3; hex 616461; asc ada;;\n\n"


def report(*statements: str, who: str = "localhost root updating", before: str = "", victim: int = 1) -> str:
    blocks = "".join(
        f"*** ({number}) TRANSACTION:\nTRANSACTION {number}00, ACTIVE 3 sec starting index read\n"
        "mysql tables in use 1, locked 1\nLOCK WAIT 3 lock struct(s), heap size 1128, 2 row lock(s)\n"
        f"{SESSION.format(who=who)}{statement}\n\n"
        f"*** ({number}) HOLDS THE LOCK(S):\n{LOCK.format(index='PRIMARY', trx=f'{number}00', mode='lock_mode X')}{DUMP}\n"
        f"*** ({number}) WAITING FOR THIS LOCK TO BE GRANTED:\n"
        f"{LOCK.format(index='PRIMARY', trx=f'{number}00', mode='lock_mode X waiting')}{DUMP}\n"
        for number, statement in enumerate(statements, 1)
    )
    return (
        f"=====\nINNODB MONITOR OUTPUT\n=====\n{before}------------------------\nLATEST DETECTED DEADLOCK\n------------------------\n"
        f"2026-11-23 17:14:32 0x7f\n{blocks}*** WE ROLL BACK TRANSACTION ({victim})\n------------\nTRANSACTIONS\n------------\n"
        "Trx id counter 5\n"
    )


FORGED = (
    "\n\n*** (2) TRANSACTION:\nTRANSACTION 7, ACTIVE 9 sec\nMySQL thread id 1, OS thread handle 1, query id 1 evil evil\nDROP TABLE x\n\n"
    "*** WE ROLL BACK TRANSACTION (9)\n------------\nTRANSACTIONS\n------------\n"
)


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE t SET a = '{FORGED}'",
        f'UPDATE t SET a = "{FORGED}"',
        f"UPDATE t SET a = 1 /*{FORGED}*/",
        f"UPDATE t SET a = `{FORGED}`",
        f"UPDATE t SET a = 'it''s {FORGED}'",
        f"UPDATE t SET a = '\\'{FORGED}'",
        f"UPDATE t SET a = '\\\\', b = '{FORGED}'",
        f"UPDATE t /*!50000 SET a = '*/{FORGED}' */",
        f"UPDATE t SET a = 1 -- it's\n WHERE b = '{FORGED}'",
        f"UPDATE t SET a = 1 # it's\n WHERE b = '{FORGED}'",
    ],
)
def test_headers_in_strings_names_and_comments_are_none(statement: str) -> None:
    found = read(report(statement, "DELETE FROM t WHERE a = 5"))
    assert [one.id for one in found.transactions] == [100, 200]
    assert found.victim == 1
    assert found.transactions[1].statement == "delete from t where a = ?"
    assert {one.user for one in found.transactions} == {"root"}


def test_a_backslash_that_is_none_costs_a_statement_at_most() -> None:
    # Under NO_BACKSLASH_ESCAPES the string ends with the backslash.
    found = read(report("UPDATE t SET a = 'C:\\', b = 'eve'", "UPDATE t SET a = 'D:\\'"))
    assert [(one.id, one.statement) for one in found.transactions] == [
        (100, "update t set a = …"),
        (200, "update t set a = …"),
    ]
    assert "ada" not in json.dumps(found.to_dict())
    assert "eve" not in json.dumps(found.to_dict())


def test_the_section_before_it_may_hold_a_statement_that_imitates_it() -> None:
    before = (
        "------------------------\nLATEST FOREIGN KEY ERROR\n------------------------\n2026-11-23 17:14:31 0x7f Transaction:\n"
        f"TRANSACTION 9, ACTIVE 0 sec inserting\n{SESSION.format(who='localhost root update')}"
        "INSERT INTO c VALUES ('\n------------------------\nLATEST DETECTED DEADLOCK\n------------------------\n2001-01-01 00:00:00 0x1\n"
        f"{FORGED}')\nForeign key constraint fails for table `s`.`c`:\n"
    )
    found = read(report("UPDATE t SET a = 1", "UPDATE t SET a = 2", before=before))
    assert found.local_time == datetime(2026, 11, 23, 17, 14, 32)
    assert [one.id for one in found.transactions] == [100, 200]


@pytest.mark.parametrize(
    ("who", "host", "user", "state"),
    [
        ("localhost root updating", "localhost", "root", "updating"),
        ("10.0.0.5 app Sending data", "10.0.0.5", "app", "Sending data"),
        (
            "web-1.example 10.0.0.5 app Searching rows for update",
            "web-1.example",
            "app",
            "Searching rows for update",
        ),
        (" 10.0.0.5 app update", "10.0.0.5", "app", "update"),
        ("web-1 2001:db8::5 app update", "web-1", "app", "update"),
        ("localhost root", "localhost", "root", None),
        ("", None, None, None),
    ],
)
def test_who_it_was(who: str, host: str | None, user: str | None, state: str | None) -> None:
    one = read(report("UPDATE t SET a = 1", "UPDATE t SET a = 2", who=who)).transactions[0]
    assert (one.host, one.user, one.state) == (host, user, state)


def test_no_deadlock() -> None:
    assert latest_deadlock("") is None
    assert (
        latest_deadlock("=====\nINNODB MONITOR OUTPUT\n=====\n------------\nTRANSACTIONS\n------------\n")
        is None
    )


def test_a_report_that_ends_early_leaves_the_rest_unknown() -> None:
    whole = report("UPDATE t SET a = 1", "UPDATE t SET a = 2")
    found = read(whole[: whole.index("*** (2) HOLDS")])
    assert found.victim is None
    assert [len(one.waits_for) for one in found.transactions] == [1, 0]
    found = read(whole[: whole.index("mysql tables")])
    (one,) = found.transactions
    assert (one.id, one.thread_id, one.user, one.statement, one.row_locks) == (100, None, None, None, None)


SCENES = ("forged", "long-statement", "three-way", "for-update", "odd-names")


@given(st.sampled_from(RELEASES), st.sampled_from(SCENES), st.floats(0, 1))
def test_a_report_cut_anywhere_brings_no_value_to_light(release: str, scene: str, share: float) -> None:
    text = recorded(release, scene)
    found = latest_deadlock(text[: int(len(text) * share)])
    assert scenes.SECRET.split("@")[1] not in json.dumps(found and found.to_dict())


@given(st.sampled_from(SCENES), st.floats(0, 1), st.text("'\"`/*\\\n#-() (1)TRANSACTION:", max_size=40))
def test_no_report_is_too_odd(scene: str, share: float, added: str) -> None:
    text = recorded("mariadb-11.8", scene)
    place = int(len(text) * share)
    found = latest_deadlock(text[:place] + added + text[place:])
    assert found is None or json.dumps(found.to_dict())


# -- patterns and advice


def transaction(
    number: int, statement: str, waits: Lock, *holds: Lock, rows: int = 2, undo: int = 1
) -> Transaction:
    return Transaction(
        number,
        number,
        statement=statement,
        row_locks=rows,
        undo_entries=undo,
        holds=holds,
        waits_for=(waits,),
    )


def lock(mode: str = "X", extent: str = "record", table: str = "s.t", index: str = "PRIMARY") -> Lock:
    return Lock("record", table, index, mode, extent)  # type: ignore[arg-type]


def test_a_pattern_knows_no_order_and_no_victim() -> None:
    one, other = transaction(1, "a", lock(), lock()), transaction(2, "b", lock(index="k"), lock())
    key = pattern_key(Deadlock(None, (one, other), 1))
    assert pattern_key(Deadlock(datetime(2026, 1, 1), (other, one), 2)) == key
    assert pattern_key(Deadlock(None, (one, one), 1)) != key
    assert pattern_key(Deadlock(None, (one, other, other), 1)) != key


def test_many_rows_locked_for_few_changed_want_an_index() -> None:
    scan = transaction(1, "a", lock(), lock(), rows=5_000, undo=3)
    bulk = transaction(1, "a", lock(), lock(), rows=5_000, undo=4_000)
    other = transaction(2, "b", lock(), lock())
    assert "deadlock.missing_index" in [one.rule for one in advise(Deadlock(None, (scan, other), 1))]
    assert "deadlock.missing_index" not in [one.rule for one in advise(Deadlock(None, (bulk, other), 1))]
    hidden = transaction(1, "a", lock(index="GEN_CLUST_INDEX"), lock())
    assert "deadlock.missing_index" in [one.rule for one in advise(Deadlock(None, (hidden, other), 1))]


def test_advice_without_any_known_lock_is_to_try_again() -> None:
    bare = Deadlock(None, (Transaction(1, 1), Transaction(2, 2)), None)
    assert [one.rule for one in advise(bare)] == ["deadlock.retry"]
