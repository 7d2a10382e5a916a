"""Who may be ended: texts, tables, and ten thousand process lists made by chance against an oracle."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace

import pytest

from dbvigil.blocking import Session, Wait, forest
from dbvigil.recovery.policy import (
    Own,
    Row,
    Wanted,
    choose_blockers,
    choose_idle,
    choose_statements,
    protected,
)
from dbvigil.recovery.reading import first_word, kind_of
from dbvigil.recovery.sessions import same
from tests.support.processlists import LIMIT, OWN, poisoned, resting, running, select, texts

LISTS = 10_000
SEED = 2026 if os.environ.get("CI") else random.randrange(1_000_000)


def test_ten_thousand_process_lists_and_no_protected_session_is_ever_chosen() -> None:
    dice = random.Random(SEED)
    reads, others = texts(dice, 200)
    chosen, endable, marks = 0, 0, Counter[str]()
    for _ in range(LISTS):
        made = [running(dice, 100 + number, reads, others) for number in range(dice.randint(1, 20))]
        verdict = choose_statements([one.row for one in made], Wanted(LIMIT, at_most=100), OWN)
        may = {one.row.id for one in made if one.endable}
        ended = {one.row.id for one in verdict.chosen}
        assert ended <= may, (SEED, [one for one in made if one.row.id in ended - may])
        # In doubt nobody, but not nobody at all: what is plainly a read is found.
        assert ended == may, (SEED, [one for one in made if one.row.id in may - ended])
        assert sum(verdict.left.values()) == len(made) - len(ended)
        chosen, endable = chosen + len(ended), endable + len(may)
        marks.update(one.mark for one in made if not one.endable)
    assert chosen == endable > LISTS
    assert len(marks) > 100


def test_ten_thousand_process_lists_and_no_session_is_closed_that_is_more_than_idle() -> None:
    dice = random.Random(SEED + 1)
    for _ in range(LISTS):
        made = [resting(dice, 100 + number) for number in range(dice.randint(1, 20))]
        verdict = choose_idle([one.row for one in made], Wanted(LIMIT, at_most=100), OWN)
        may = {one.row.id for one in made if one.endable}
        assert {one.row.id for one in verdict.chosen} == may, (SEED, made)


def test_ten_thousand_trees_and_only_a_resting_root_in_a_transaction_is_ended() -> None:
    dice = random.Random(SEED + 2)
    ended = 0
    for _ in range(LISTS):
        made = [resting(dice, 100 + number) for number in range(dice.randint(2, 9))]
        # What made an idle connection more than idle is here what makes it a blocker.
        made = [replace(one, row=replace(one.row, transaction=True)) if one.endable else one for one in made]
        rows = {one.row.id: one for one in made}
        numbers = [one.row.id for one in made]
        waits = [
            Wait(
                number,
                dice.choice(numbers),
                "row",
                dice.choice(("shop.t", None, "global")),
                seconds=dice.choice((1.0, 10.0, None)),
            )
            for number in numbers
            if dice.random() < 0.6
        ]
        found = choose_blockers(
            [one.row for one in made],
            forest(waits, {n: Session(n) for n in numbers}),
            Wanted(LIMIT, at_most=100),
            OWN,
            5.0,
        )
        waiting = {wait.waiting for wait in waits if wait.blocking != wait.waiting}
        for one in found.chosen:
            number = one.row.id
            assert number not in waiting, SEED
            # Nothing else was done to it than to give it a transaction, which is what a blocker has.
            assert rows[number].endable or rows[number].mark == "transaction", (SEED, rows[number])
            behind = [wait for wait in waits if wait.blocking == number]
            assert any((wait.seconds or 0) >= 5 for wait in behind), SEED
            assert one.row.transaction is True
            ended += 1
    assert ended > 100


@pytest.mark.parametrize("number", range(1_500))
def test_nothing_that_is_more_than_a_read_is_taken_for_one(number: int) -> None:
    dice = random.Random(SEED + number)
    text = poisoned(dice)
    assert kind_of(text) != "read", (SEED, text)


def test_plain_reads_are_known_for_what_they_are() -> None:
    dice = random.Random(SEED)
    missed = [text for text in (select(dice) for _ in range(1_500)) if kind_of(text) != "read"]
    assert missed == [], SEED


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("INSERT INTO t (a, b) VALUES (1, 2)", "write"),
        ("insert into shop.t (a) select b from o", "write"),
        ("INSERT INTO `t` (`a`) VALUES (?)", "write"),
        ("REPLACE INTO t VALUES (1)", "write"),
        ("UPDATE t SET a = 1 WHERE id = 2", "write"),
        ("DELETE FROM t WHERE id = 2", "write"),
        ("UPDATE t SET a = pay(1)", None),
        ("INSERT INTO t VALUES (pay(1))", None),
        ("DELETE FROM t RETURNING id", None),
        ("SELECT 'a' FROM t WHERE b = 'it\\'s'", None),
        ("SELECT " + "1, " * 40_000 + "1", None),
    ],
)
def test_what_writes_rows_is_told_from_what_does_more(text: str, kind: str | None) -> None:
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("/* a */ (XA START 'a')", "XA"),
        ("-- b\nlock tables t read", "LOCK"),
        ("'x'", ""),
        ("", ""),
        ("((select", "SELECT"),
    ],
)
def test_first_words(text: str, word: str) -> None:
    assert first_word(text) == word


WRITES = Row(
    5, "app", command="Query", seconds=90, text="UPDATE t SET a = 1", outer="statement/sql/update", db="shop"
)


def test_writes_are_ended_only_where_that_is_wanted() -> None:
    assert choose_statements([WRITES], Wanted(60), Own()).chosen == ()
    (one,) = choose_statements([WRITES], Wanted(60, writes=True), Own()).chosen
    assert one.row is WRITES


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (Wanted(60, users=("app",), writes=True), 1),
        (Wanted(60, users=("web",), writes=True), 0),
        (Wanted(60, databases=("shop",), writes=True), 1),
        (Wanted(60, databases=("blog",), writes=True), 0),
        (Wanted(91, writes=True), 0),
    ],
)
def test_only_whom_the_policy_names(wanted: Wanted, chosen: int) -> None:
    assert len(choose_statements([WRITES], wanted, Own()).chosen) == chosen


def test_the_worst_first_and_no_more_than_at_once() -> None:
    rows = [replace(WRITES, id=number, seconds=60.0 + number) for number in range(1, 10)]
    verdict = choose_statements(rows, Wanted(60, at_most=2, writes=True), Own())
    assert [one.row.id for one in verdict.chosen] == [9, 8]
    assert verdict.left == {"more than are ended at once": 7}


def test_where_statements_hide_within_others_and_none_tells_nobody_is_chosen() -> None:
    row = replace(WRITES, text="SELECT SLEEP(100)", outer=None)
    assert choose_statements([row], Wanted(60), Own(hidden=True)).chosen == ()
    assert len(choose_statements([row], Wanted(60), Own(hidden=False)).chosen) == 1


def test_an_account_that_monitors_is_protected_whatever_its_case() -> None:
    assert (
        protected(Row(5, "DBVigil"), Own(frozenset({"dbvigil"})))
        == "of the account that monitors or recovers"
    )
    assert protected(Row(5, "app"), Own(frozenset({"dbvigil"}))) is None


BEFORE = Row(5, "app", "h:1", "shop", "Query", "executing", 90.0, "SELECT 1", None, "17", transaction=False)


@pytest.mark.parametrize(
    "now",
    [
        None,
        replace(BEFORE, user="web"),
        replace(BEFORE, host="h:2"),
        replace(BEFORE, text="SELECT 2"),
        replace(BEFORE, query="18"),
        replace(BEFORE, command="Sleep"),
        replace(BEFORE, seconds=3.0),
        replace(BEFORE, seconds=None),
        replace(BEFORE, transaction=True),
        replace(BEFORE, last="XA START 'a'"),
    ],
)
def test_a_session_that_is_not_what_it_was_is_left(now: Row | None) -> None:
    assert same(BEFORE, now) is not None


def test_a_session_that_goes_on_is_the_same() -> None:
    assert same(BEFORE, replace(BEFORE, seconds=91.0, state="Sending data")) is None
