"""What a proof says and reads, without a server: verdicts, the plan of a sample, structures, the forms that rows may have."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from dbvigil.errors import ConfigurationError
from dbvigil.queries.parse import parse
from dbvigil.queries.proof import Budget
from dbvigil.queries.proof.budget import Purse, Spent
from dbvigil.queries.proof.columns import is_row, literal
from dbvigil.queries.proof.copying import Copied, blocks_of
from dbvigil.queries.proof.costs import Facts, Pair, Trial
from dbvigil.queries.proof.growing import times
from dbvigil.queries.proof.literals import moved
from dbvigil.queries.proof.measure import REFERENCE, Run, Weights, weights_of
from dbvigil.queries.proof.sampling import Part, growable, plan_sample, repeated
from dbvigil.queries.proof.statements import readers
from dbvigil.queries.proof.structure import structure
from dbvigil.queries.proof.trials import build_seconds, hinted
from dbvigil.queries.proof.verdict import judge
from dbvigil.queries.schema import Column, ForeignKey, Index, IndexPart, Schema, Table
from dbvigil.queries.workload import WorkloadQuery
from dbvigil.server import Server
from dbvigil.targets import Target

FACTS = Facts(1_000_000, Weights(0.2, 0.5))
FULL = replace(FACTS, full_rows=42_000)
TIMED = replace(FULL, timed=True)


def run(rows: int, pages: int, milliseconds: float, **other: Any) -> Run:
    return Run(rows, pages, milliseconds, least=milliseconds, **other)


SCAN_SMALL, SCAN = run(10_000, 100, 2.0), run(40_000, 400, 8.0)
FOUND = run(10, 30, 0.2)
# Nearly every row by the index: several pages each.
ABSURD = run(4_000_000, 12_000_000, 4_000.0)
MISLED_SMALL, MISLED = run(9_000, 27_000, 9.0), run(36_000, 108_000, 36.0)


def trial(
    small: tuple[Run, Run], big: tuple[Run, Run], *, name: str = "q1", used: bool = True, **other: Any
) -> Trial:
    return Trial(name, "hot", (Pair(10_000, *small, used), Pair(40_000, *big, used)), **other)


GOOD = trial((SCAN_SMALL, FOUND), (SCAN, FOUND))
BAD = trial((SCAN_SMALL, MISLED_SMALL), (SCAN, MISLED), name="q2")
QUICK = trial((SCAN_SMALL, run(9_000, 27_000, 1.9)), (SCAN, run(36_000, 108_000, 7.5)), name="q2")
ENDLESS = trial((SCAN_SMALL, SCAN_SMALL), (run(9, 9, 1e4, complete=False), run(9, 9, 1e4, complete=False)))
SAME = trial((SCAN_SMALL, SCAN_SMALL), (SCAN, SCAN), name="q2", used=False)


def passed_over(forced: Run) -> Trial:
    small, big = SAME.pairs
    return replace(SAME, pairs=(small, replace(big, forced=forced)))


@pytest.mark.parametrize(
    ("served", "others", "facts", "outcome", "words"),
    [
        ([GOOD], [], FACTS, "verified", "times as fast"),
        ([GOOD], [SAME], FACTS, "verified", "nothing slower"),
        ([GOOD], [BAD], FACTS, "harmful", "q2"),
        ([GOOD, replace(BAD, query_id="q1", weight=0.01)], [], FACTS, "harmful", "q1"),
        ([replace(SAME, query_id="q1")], [], FACTS, "no_gain", "does not use it"),
        ([trial((SCAN_SMALL, run(8_000, 80, 1.6)), (SCAN, run(32_000, 320, 6.4)))], [], FACTS, "no_gain", "less than 1.5"),
        ([], [SAME], FACTS, "untested", "could be executed"),
        ([GOOD], [], replace(FACTS, doubts=("statement q9 could not be tried",)), "estimated", "q9"),
        ([replace(GOOD, alike=False)], [], FACTS, "estimated", "other rows"),
        ([trial((SCAN_SMALL, FOUND), (SCAN, run(10, 30, 7.9)))], [], FACTS, "estimated", "clock"),
        # Much less is read, yet the clock says slower: that is no proof of either.
        ([GOOD], [trial((SCAN_SMALL, FOUND), (SCAN, run(10, 30, 20.0)), name="q2")], FACTS, "estimated", "slower"),
        # The other way round: the clock of the sample sees no harm that what was read promises for the real table.
        ([GOOD], [QUICK], FACTS, "estimated", "slower"),
        # Ended by the time limit without the index, and quick with it.
        ([trial((SCAN_SMALL, FOUND), (run(40_000, 400, 10_000.0, complete=False), FOUND))], [], FACTS, "verified", "times as fast"),
        ([GOOD], [trial((SCAN_SMALL, SCAN_SMALL), (SCAN, run(40_000, 400, 10_000.0, complete=False)))], FACTS, "harmful", "slower"),
        ([GOOD], [ENDLESS], FACTS, "estimated", "time limit"),
        # Twice as fast in the smaller sample, and by the larger one the lead is gone.
        ([trial((SCAN_SMALL, run(1_000, 3_000, 0.4)), (SCAN, run(20_000, 9_000, 4.0)))], [], FACTS, "no_gain", ""),
        # One that the server leaves alone is not judged by the clock.
        ([GOOD], [trial((SCAN_SMALL, SCAN_SMALL), (SCAN, run(40_000, 400, 16.0)), name="q2", used=False)], FACTS, "verified", ""),
        # Used for one class of values without any gain: on the real table that may as well be a loss.
        ([GOOD, trial((SCAN_SMALL, SCAN_SMALL), (SCAN, run(40_000, 390, 7.9)))], [], FACTS, "estimated", "gains little"),
        # The same of a statement that did not ask for it.
        ([GOOD], [trial((SCAN_SMALL, SCAN_SMALL), (SCAN, run(40_000, 390, 7.9)), name="q2")], FACTS, "estimated", "statement q2"),
        # Where one size is as large as the real table, a plan that gains nothing does no harm there either, and fewer rows say nothing.
        ([GOOD], [trial((SCAN_SMALL, SCAN_SMALL), (SCAN, run(40_000, 390, 7.9)), name="q2")], FULL, "verified", ""),
        # But for the first rows of an order: other values may have to be looked for until the end.
        ([GOOD], [trial((SCAN_SMALL, SCAN_SMALL), (SCAN, run(30_000, 300, 5.9)), lured=True)], FULL, "estimated", "gains little"),
        ([GOOD], [trial((SCAN_SMALL, FOUND), (SCAN, FOUND), name="q2", lured=True)], FULL, "verified", ""),
        ([GOOD], [trial((SCAN_SMALL, MISLED_SMALL), (SCAN, SCAN), name="q2")], FACTS, "harmful", "q2"),
        ([GOOD], [trial((SCAN_SMALL, MISLED_SMALL), (SCAN, SCAN), name="q2")], FULL, "verified", ""),
        ([GOOD], [BAD], FULL, "harmful", "q2"),
        # More is read in as much time: no harm in memory, and no proof for a disk. Where it takes longer too, it is harm.
        ([GOOD], [replace(BAD, pairs=tuple(replace(one, after=replace(one.after, least=one.before.least)) for one in BAD.pairs))], TIMED,
         "estimated", "may become"),
        ([GOOD], [BAD], TIMED, "harmful", "q2"),
        # Over the limit by too little for a sample; with all rows there is nothing to doubt.
        ([trial((SCAN_SMALL, run(6_400, 64, 1.2)), (SCAN, run(25_600, 256, 4.8)))], [], FACTS, "estimated", "too near to 1.5"),
        ([trial((SCAN_SMALL, run(6_400, 64, 1.2)), (SCAN, run(25_600, 256, 4.8)))], [], replace(FACTS, full_rows=0), "verified", ""),
        # Of what takes no time there is nothing to gain.
        ([GOOD, trial((FOUND, FOUND), (FOUND, FOUND))], [], Facts(40_000, FACTS.weights), "verified", ""),
        # Passed over in the sample, where it would do harm: on the real table the server may choose otherwise.
        ([GOOD], [passed_over(MISLED)], FACTS, "estimated", "if it chose it on the real table, that would be"),
        ([GOOD, replace(passed_over(MISLED), query_id="q1")], [], FACTS, "estimated", "rightly passes it over for hot values"),
        ([GOOD], [passed_over(run(40_000, 410, 8.1))], FACTS, "verified", ""),
        # Nobody's estimate is as wrong as that, but for what a LIMIT promises.
        ([GOOD], [passed_over(ABSURD)], FACTS, "verified", ""),
        ([GOOD], [replace(passed_over(ABSURD), lured=True)], FACTS, "estimated", "times slower"),
        # Among as many rows as there are it would choose the same, but for what depends on where in an order the rows lie.
        ([GOOD], [passed_over(MISLED)], FULL, "verified", ""),
        ([GOOD], [replace(passed_over(MISLED), lured=True)], FULL, "estimated", "times slower"),
        ([GOOD], [replace(passed_over(ABSURD), lured=True)], FULL, "verified", ""),
        # A server that believes its table to be several times as large may choose otherwise among as many rows.
        ([GOOD], [passed_over(MISLED)], replace(FULL, believed=50_000), "verified", ""),
        ([GOOD], [passed_over(MISLED)], replace(FULL, believed=160_000), "estimated", "times slower"),
        ([GOOD], [passed_over(MISLED)], replace(FULL, believed=10_000), "estimated", "times slower"),
        # With all rows there is nothing that the sample does not show.
        ([GOOD], [passed_over(MISLED)], replace(FACTS, full_rows=0), "verified", ""),
    ],
)  # fmt: skip
def test_verdicts(served: list[Trial], others: list[Trial], facts: Facts, outcome: str, words: str) -> None:
    verdict = judge(served, others, facts)
    assert verdict.outcome == outcome, verdict
    assert words in verdict.reason


def test_a_gain_grows_with_the_table() -> None:
    small = judge([GOOD], [], Facts(40_000, FACTS.weights))
    large = judge([GOOD], [], FACTS)
    assert small.speed_up is not None and large.speed_up is not None
    # The scan grows with the rows, the look-up stays: 25 times the rows, 25 times the gain.
    assert large.speed_up == pytest.approx(25 * small.speed_up, rel=0.01)


def test_a_speed_up_is_of_the_processors_time_where_that_is_seen() -> None:
    verdict = judge([GOOD], [], TIMED)
    assert verdict.outcome == "verified"
    assert verdict.speed_up == pytest.approx(8.0 / 0.2, rel=0.1)
    assert judge([GOOD], [], FULL).speed_up != verdict.speed_up


def test_the_speed_up_is_of_all_classes_by_weight() -> None:
    heavy = trial((SCAN_SMALL, SCAN_SMALL), (SCAN, SCAN), weight=3.0)
    verdict = judge([GOOD, heavy], [], Facts(40_000, FACTS.weights))
    assert verdict.speed_up == pytest.approx(4 / 3, rel=0.01)
    assert verdict.interval is not None
    assert verdict.interval[0] == 1.0 and verdict.interval[1] > 300


def test_weights_are_those_of_two_measurements_or_of_the_reference() -> None:
    scan, lookups = run(20_000, 200, 20_000 * 0.2e-3 + 0.1), run(20_000, 60_000, 4.0 + 30.0)
    found = weights_of(scan, lookups, REFERENCE["mysql"])
    assert found.row == pytest.approx(0.2, rel=0.01)
    assert found.page == pytest.approx(0.5, rel=0.01)
    for odd in (run(20_000, 60_000, 4.0), run(20_000, 10, 34.0), run(20_000, 60_000, 3_400.0)):
        assert weights_of(scan, odd, REFERENCE["mysql"]) == REFERENCE["mysql"]


def test_an_index_is_forced_or_ignored_wherever_its_table_is_read() -> None:
    orders = Table("orders", "shop")
    text = "SELECT 1 FROM `big`.`orders` AS o WHERE EXISTS(SELECT 1 FROM big.`Orders` WHERE id > o.id)"
    assert hinted(text, orders, "x", "FORCE").count("FORCE INDEX (x)") == 2
    assert hinted(text, orders, "x", "IGNORE").count("IGNORE INDEX (x)") == 2
    assert hinted(text, Table("other", "shop"), "x", "FORCE").count("INDEX (x)") == 0
    assert hinted("SELECT 1 FROM other", orders, "x", "FORCE") == "SELECT 1 FROM other"
    assert hinted("no statement (", orders, "x", "FORCE") == ""


def test_a_real_table_takes_longer_than_by_its_rows() -> None:
    found = build_seconds((2.0, 1_000), 1_000_000)
    assert found is not None and found == pytest.approx(4_000)
    assert build_seconds((2.0, 1_000), None) is None
    assert build_seconds((2.0, 0), 5) is None


# -- the sample


def table(name: str, rows: int | None, *columns: str, indexed: tuple[str, ...] = (), **other: Any) -> Table:
    keys = tuple(Index(one, (IndexPart(one),)) for one in indexed)
    primary = Index("PRIMARY", (IndexPart("id"),), unique=True)
    return Table(
        name,
        "shop",
        (Column("id", "int", False), *(Column(one, "int") for one in columns)),
        (primary, *keys),
        rows=rows,
        **other,
    )


CUSTOMERS = table("customers", 100_000, "region")
ORDERS = table("orders", 900_000, "customer_id", indexed=("customer_id",))
ITEMS = table("items", 3_000_000, "order_id", "product_id", indexed=("order_id", "product_id"))
PRODUCTS = table("products", 2_000, "kind")
JOIN = "SELECT 1 FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.region = ?"


def sample(workload: str, rows: int, *tables: Table) -> Any:
    return plan_sample([WorkloadQuery("q", workload, "shop")], tables, Schema.of(tables, "shop"), rows)


def test_small_tables_are_whole() -> None:
    plan = sample(JOIN, 10_000_000, CUSTOMERS, PRODUCTS)
    assert {group.share for group in plan.groups} == {1.0}


def test_joined_tables_are_read_by_the_same_blocks() -> None:
    (group,) = sample(JOIN, 200_000, CUSTOMERS, ORDERS).groups
    assert {(part.table.name, part.key, part.hashed) for part in group.parts} == {
        ("customers", "id", ("id",)),
        ("orders", "customer_id", ("customer_id",)),
    }
    assert 0.15 < group.share < 0.2


def test_a_foreign_key_is_a_join() -> None:
    bound = replace(ORDERS, foreign_keys=(ForeignKey("f", ("customer_id",), "customers", ("id",)),))
    (group,) = sample("SELECT 1 FROM orders", 200_000, CUSTOMERS, bound).groups
    assert len(group.parts) == 2


def test_what_is_joined_by_another_key_is_whole_where_it_can_be() -> None:
    joined = "SELECT 1 FROM orders o JOIN items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id"
    plan = sample(joined, 200_000, ORDERS, ITEMS, PRODUCTS)
    whole = [part for group in plan.groups for part in group.parts if not part.key]
    assert [(part.table.name, part.hashed, part.loose) for part in whole] == [("products", (), False)]
    # The heavier join is the one that is kept.
    large = replace(PRODUCTS, rows=5_000_000)
    plan = sample(joined, 200_000, ORDERS, ITEMS, large)
    assert [part.table.name for group in plan.groups for part in group.parts if part.loose] == ["orders"]


@pytest.mark.parametrize("share", [1.0, 0.3, 0.001])
def test_blocks_lie_in_strides_that_leave_nothing_out(share: float) -> None:
    blocks = blocks_of(-50, 10_000, 40, share)
    assert blocks[0].first == -50 and blocks[-1].after == 10_001
    assert all(one.after == other.first for one, other in itertools.pairwise(blocks))
    assert all(one.first <= one.low < one.high <= one.after for one in blocks)
    assert len({one.high - one.low for one in blocks[:-1]}) == 1
    assert sum(one.high - one.low for one in blocks) == pytest.approx(10_051 * share, rel=0.02, abs=40)


def test_a_sample_grows_within_the_limits() -> None:
    plan = sample(JOIN, 200_000, CUSTOMERS, ORDERS)
    shares = {("shop", "customers"): 0.18, ("shop", "orders"): 0.18}
    copied = Copied({("shop", "customers"): 18_000, ("shop", "orders"): 162_000}, shares)
    assert times(plan, copied) == 5
    # As many bytes as fit into the sandbox's memory.
    wide = sample(JOIN, 200_000, CUSTOMERS, replace(ORDERS, data_bytes=900_000 * 400, index_bytes=0))
    assert times(wide, copied) == 2
    assert times(sample(JOIN, 10_000_000, CUSTOMERS, ORDERS), Copied(copied.rows)) == 1


def test_rows_stand_beside_their_copies_where_the_key_tells_them_apart() -> None:
    pair = replace(ORDERS, indexes=(Index("PRIMARY", (IndexPart("code"), IndexPart("id")), unique=True),))
    named = replace(ORDERS, columns=(Column("id", "char(36)", False, "ascii_bin"),))
    for part, can in (
        (Part(ORDERS, "id"), True),
        (Part(ORDERS, "customer_id"), True),
        (Part(pair, "code"), True),
        (Part(pair, "customer_id"), False),
        (Part(named, "customer_id"), False),
        (Part(replace(ORDERS, indexes=()), "customer_id"), True),
        (Part(ORDERS), False),
    ):
        assert growable(part) is can, part
    unique = replace(
        ORDERS,
        indexes=(
            *ORDERS.indexes,
            Index("a", (IndexPart("code"),), unique=True),
            Index("b", (IndexPart("code"), IndexPart("customer_id")), unique=True),
        ),
    )
    assert repeated(Part(unique, "customer_id")) == ("a",)


def test_what_cannot_be_sampled_is_refused_with_a_reason() -> None:
    text_key = replace(CUSTOMERS, columns=(Column("id", "char(36)", False, "ascii_bin"),), name="uuids")
    tables = (
        text_key,
        table("v", None),
        table("m", 10, engine="MyISAM"),
        replace(CUSTOMERS, name="w", view=True),
    )
    plan = sample("SELECT 1 FROM uuids", 50_000, *tables)
    assert plan.groups == ()
    assert {name: next(w for w in ("budget", "known", "MyISAM", "view") if w in why) for (_, name), why in plan.refused.items()} == {
        "uuids": "budget", "v": "known", "m": "MyISAM", "w": "view",
    }  # fmt: skip


# -- statements


def test_a_statement_moves_to_the_sandbox() -> None:
    tree = parse(
        "WITH recent AS (SELECT * FROM orders) SELECT shop.customers.id FROM shop.customers JOIN recent r ON r.id = customers.id FOR UPDATE"
    )
    assert tree is not None
    schema = Schema.of((replace(ORDERS, name="Orders"), CUSTOMERS), "shop")
    found = moved(tree.copy(), schema, {"shop": "proof_1"})
    assert "`proof_1`.`Orders` AS `orders`" in found
    assert "`proof_1`.`customers` AS `customers`" in found
    assert "JOIN recent" in found and "shop." not in found and "FOR UPDATE" not in found


def test_of_a_change_the_looking_is_executed() -> None:
    schema = Schema.of((ORDERS, CUSTOMERS), "shop")
    workload = [
        WorkloadQuery(
            "u",
            "UPDATE orders SET customer_id = ? WHERE id > ? LIMIT ?",
            "shop",
            samples=("UPDATE orders SET id = 1",),
        ),
        WorkloadQuery("d", "DELETE FROM orders WHERE customer_id = ?", "shop"),
        WorkloadQuery("i", "INSERT INTO orders VALUES (?)", "shop"),
        WorkloadQuery("x", "SELECT 1 FROM customers WHERE id = ?", "shop"),
    ]
    found = readers(workload, schema, {("shop", "orders")})
    assert [(one.query.query_id, one.query.sql) for one in found] == [
        ("u", "SELECT 1 FROM orders WHERE id > ? LIMIT ?"),
        ("d", "SELECT 1 FROM orders WHERE customer_id = ?"),
    ]
    assert found[0].query.samples == ()


# -- what a monitored server answers


def test_a_row_has_one_form() -> None:
    for row in (
        "(1,NULL,X'00FF')",
        "(-1.5e-10,'2024-01-01 10:00:00.5',0x05)",
        "(CONVERT(X'7B7D' USING utf8mb4))",
    ):
        assert is_row(row), row
    for other in (
        "(1),(2)",
        "(SLEEP(9))",
        "(1",
        "('a')",
        "(1) ON DUPLICATE KEY UPDATE a = 1",
        "((SELECT 1))",
        "",
        None,
        "(X'0')--",
        5,
    ):
        assert not is_row(other), other


def test_a_table_is_made_again_without_what_binds_it() -> None:
    shown = """CREATE TABLE `t` (
  `id` int NOT NULL AUTO_INCREMENT COMMENT 'it''s (;',
  `p` int DEFAULT NULL /*!80023 INVISIBLE */,
  `sum` int GENERATED ALWAYS AS ((`id` + 1)) STORED,
  PRIMARY KEY (`id`),
  UNIQUE KEY `u` (`p`),
  KEY `k` (`p`,`id`) COMMENT 'x',
  FULLTEXT KEY `f` (`p`),
  CONSTRAINT `c` FOREIGN KEY (`p`) REFERENCES `other` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=latin1 COLLATE=latin1_bin DATA DIRECTORY='/x'
/*!50100 PARTITION BY HASH (`id`) */"""
    made = structure("`s`.`t`", shown)
    assert made.create.startswith(
        "CREATE TABLE `s`.`t` (\n  `id` int NOT NULL COMMENT 'it''s (;',\n  `p` int DEFAULT NULL,\n"
    )
    assert made.create.endswith(
        "UNIQUE KEY `u` (`p`)\n) ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_bin"
    )
    assert made.keys == "ALTER TABLE `s`.`t` ADD KEY `k` (`p`,`id`), ADD FULLTEXT KEY `f` (`p`)"
    # Where values are there several times, what was unique is an index like others.
    made = structure("`s`.`t`", shown, ("u",))
    assert "`u`" not in made.create and "ADD KEY `u` (`p`), ADD KEY `k`" in made.keys


@pytest.mark.parametrize(
    "line",
    [
        "  `a` int) SELECT * FROM other.t -- ",
        "  `a` int; DROP TABLE x",
        "  `a` int DEFAULT 'x",
        "  `a` int /* x",
        "  `a` int # x",
    ],
)
def test_a_table_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="no plain table"):
        structure("`t`", f"CREATE TABLE `t` (\n{line}\n) ENGINE=InnoDB")


def test_other_things_are_no_tables() -> None:
    for shown in ("", "CREATE VIEW `v` AS SELECT 1", "CREATE TABLE `t` AS SELECT 1"):
        with pytest.raises(ValueError, match="no plain table"):
            structure("`t`", shown)


def test_literals_are_built_by_the_kind_of_column() -> None:
    assert "HEX(`a``b`)" in literal(Column("a`b", "varchar(10)"))
    assert "0e0" in literal(Column("f", "float"))
    assert "USING utf8mb4" in literal(Column("j", "json"))


# -- the budget


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"rows": 0}, "rows"),
        ({"seconds": float("nan")}, "seconds"),
        ({"load_share": 101}, "load_share"),
        ({"rows": True}, "rows"),
    ],
)
def test_a_budget_that_is_none(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"budget\.{field}"):
        Budget(**given)


def test_rows_are_allowed_up_to_the_budget() -> None:
    purse = Purse(Server(Target("t")), Budget(rows=10))
    assert purse.allowed(5) == 5
    assert purse.allowed(50) == 9
    purse.rows_read = 9
    with pytest.raises(Spent, match="rows"):
        purse.allowed(1)
