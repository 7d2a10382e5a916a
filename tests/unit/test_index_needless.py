"""Indexes that may go: which another makes needless, which nobody reads, and what is said about the promises that they keep."""

from __future__ import annotations

from dataclasses import replace

from dbvigil.queries.indexes import redundant_indexes, unused
from dbvigil.queries.indexes.redundant import Needless
from dbvigil.queries.rules.statistics_history import IndexUse
from dbvigil.queries.schema import ForeignKey, Index, IndexPart, Schema, Table
from dbvigil.types import Flavor
from tests.support.shop_schema import CUSTOMER, SHOP, table

MYSQL: tuple[Flavor, tuple[int, int, int]] = ("mysql", (8, 4, 0))
MARIADB: tuple[Flavor, tuple[int, int, int]] = ("mariadb", (10, 11, 0))
OLD_MARIADB: tuple[Flavor, tuple[int, int, int]] = ("mariadb", (10, 5, 0))
WEEKS = 30 * 86_400.0


def of(*tables: Table) -> Schema:
    return Schema.of(tables, "shop")


def shown(found: tuple[Needless, ...]) -> list[tuple[str, str, str, str]]:
    return [(one.table, one.index, one.why, one.kept) for one in found]


def test_what_another_does_as_well() -> None:
    assert sorted(shown(redundant_indexes(SHOP))) == [
        ("doubled", "a1", "duplicate", "a2"),
        ("doubled", "b", "prefix", "bc"),
        ("suffixed", "a_id", "primary_key", "a"),
    ]


def test_what_is_kept_is_not_on_the_list() -> None:
    chain = table("chain", "id int!; a int; b int; c int", "PRIMARY(id)* one(a) two(a,b) three(a,b,c)")
    assert sorted(shown(redundant_indexes(of(chain)))) == [
        ("chain", "one", "prefix", "three"),
        ("chain", "two", "prefix", "three"),
    ]
    ordered = table("ordered", "id int!; a int; b int", "PRIMARY(id)* a(a) a_id(a,id) ab(a,b)")
    assert shown(redundant_indexes(of(ordered))) == [("ordered", "a_id", "primary_key", "a")]


def test_a_promise_is_told() -> None:
    twice = table("twice", "id int!; a int!", "PRIMARY(id)* one(a)* two(a)*")
    (found,) = redundant_indexes(of(twice))
    assert (found.index, found.kept, found.note) == ("two", "one", "it is unique; one keeps that promise")
    alone = table("alone", "id int!; a int!; b int", "PRIMARY(id)* one(a)* two(a,b)")
    assert redundant_indexes(of(alone)) == ()
    child = replace(
        table("child", "id int!; a int!; b int", "PRIMARY(id)* a(a) ab(a,b)"),
        foreign_keys=(ForeignKey("up", ("a",), "twice", ("a",), "shop"),),
    )
    (found,) = redundant_indexes(of(child))
    assert found.note == "it serves the foreign key up; ab serves it as well"
    parent = table("parent", "id int!; a int!; b int", "PRIMARY(id)* a(a) ab(a,b)")
    below = replace(child, indexes=(), foreign_keys=(ForeignKey("up", ("a",), "parent", ("a",), "shop"),))
    (found,) = redundant_indexes(of(parent, below))
    assert found.note == "a foreign key of another table points to its columns; ab has them first as well"


def test_it_is_hidden_first_where_that_can_be() -> None:
    doubled = SHOP.table("doubled")
    assert doubled is not None
    mysql, mariadb, old = (
        redundant_indexes(of(doubled), *server)[0] for server in (MYSQL, MARIADB, OLD_MARIADB)
    )
    assert mysql.first == "ALTER TABLE `shop`.`doubled` ALTER INDEX `a1` INVISIBLE"
    assert mysql.rollback == "ALTER TABLE `shop`.`doubled` ALTER INDEX `a1` VISIBLE"
    assert mariadb.first == "ALTER TABLE `shop`.`doubled` ALTER INDEX `a1` IGNORED"
    assert mariadb.rollback == "ALTER TABLE `shop`.`doubled` ALTER INDEX `a1` NOT IGNORED"
    assert old.first == ""
    assert old.rollback.startswith("ALTER TABLE `shop`.`doubled` ADD INDEX `a1` (`a`), ")
    assert {one.then for one in (mysql, mariadb, old)} == {
        "ALTER TABLE `shop`.`doubled` DROP INDEX `a1`, ALGORITHM=INPLACE, LOCK=NONE"
    }


def test_what_cannot_be_hidden_is_made_anew_as_it_was() -> None:
    odd = Index("odd", (IndexPart("name", 10), IndexPart("country", descending=True)))
    customer = replace(CUSTOMER, indexes=(*CUSTOMER.indexes, odd))
    (found,) = unused(of(customer), [use("odd")], ["source"], *OLD_MARIADB)
    assert "ADD INDEX `odd` (`name`(10), `country` DESC), " in found.rollback


# -- read by nobody


def use(
    index: str, reads: int | None = 0, server: str = "source", seconds: float = WEEKS, table: str = "customer"
) -> IndexUse:
    return IndexUse(server, reads, seconds, "shop", table, index)


def idle(*uses: IndexUse, servers: tuple[str, ...] = ("source",), schema: Schema | None = None) -> list[str]:
    return [one.index for one in unused(schema or of(CUSTOMER), uses, servers, *MYSQL)]


def test_every_server_must_say_that_nobody_reads_it() -> None:
    assert idle(use("phone")) == ["phone"]
    both = ("source", "replica")
    assert idle(use("phone"), use("phone", server="replica"), servers=both) == ["phone"]
    assert idle(use("phone"), use("phone", 1, "replica"), servers=both) == []
    assert idle(use("phone"), use("phone", None, "replica"), servers=both) == []
    assert idle(use("phone"), servers=both) == []
    assert idle(use("phone"), use("phone", 0, "replica", 3_600.0), servers=both) == []
    assert idle(use("phone", table="other")) == []
    assert idle() == []


def test_promises_stay() -> None:
    assert idle(use("PRIMARY"), use("email")) == []
    pointing = replace(
        table("pointing", "id int!; code varchar(10)", "PRIMARY(id)* code(code)"),
        foreign_keys=(ForeignKey("to", ("code",), "customer", ("code",), "shop"),),
    )
    schema = of(CUSTOMER, pointing)
    assert idle(use("code"), use("code", table="pointing"), use("country"), schema=schema) == ["country"]


def test_a_view_has_none() -> None:
    assert idle(use("phone"), schema=of(replace(CUSTOMER, view=True))) == []
    doubled = SHOP.table("doubled")
    assert doubled is not None
    assert redundant_indexes(of(replace(doubled, view=True))) == ()
