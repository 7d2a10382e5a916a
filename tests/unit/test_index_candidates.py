"""The indexes that statements ask for: tables of statements, in order, and what must hold of any."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from dbvigil.queries.figures import Figures
from dbvigil.queries.indexes import build_seconds, candidates, online_ddl
from dbvigil.queries.indexes.layout import full_parts, own_parts, starts
from dbvigil.queries.schema import Column, Index, IndexPart, Schema, Table
from dbvigil.queries.workload import Candidate, WorkloadQuery
from dbvigil.types import Flavor
from tests.support.shop_schema import ORDERS, SHOP, parsed, table

MYSQL: tuple[Flavor, tuple[int, int, int]] = ("mysql", (8, 4, 0))
MARIADB: tuple[Flavor, tuple[int, int, int]] = ("mariadb", (10, 11, 0))
OLD_MARIADB: tuple[Flavor, tuple[int, int, int]] = ("mariadb", (10, 6, 0))

# A statement, and `table(columns)` of each index in order; `>` before what an existing one becomes, `+` where all that is read is in it.
ASKED: dict[str, tuple[str, ...]] = {
    # Equality, range, sort.
    "SELECT note FROM orders WHERE total = ?": ("orders(total)",),
    "SELECT id FROM orders WHERE total = ?": ("orders(total)+",),
    "SELECT note FROM orders WHERE total > ? AND customer_id = ?": ("orders(customer_id,total) >customer",),
    "SELECT note FROM orders WHERE customer_id = ? AND status = ? ORDER BY placed DESC LIMIT ?": (
        "orders(customer_id,status,placed) >customer",
    ),
    "SELECT note FROM orders WHERE customer_id = ? AND total > ? ORDER BY placed LIMIT ?": (
        "orders(customer_id,total) >customer",
        "orders(customer_id,placed) >customer",
    ),
    "SELECT note FROM orders ORDER BY total LIMIT ?": ("orders(total)",),
    "SELECT note FROM orders WHERE total BETWEEN ? AND ?": ("orders(total)",),
    "SELECT note FROM orders WHERE total <=> ?": ("orders(total)",),
    "SELECT note FROM orders WHERE total IS NULL": ("orders(total)",),
    "SELECT note FROM orders WHERE ? = total": ("orders(total)",),
    "SELECT note FROM orders WHERE total IN (...)": ("orders(total)",),
    "SELECT note FROM orders WHERE (total, customer_id) = (?, ?)": ("orders(customer_id,total) >customer",),
    "SELECT note FROM orders WHERE total >= NOW() - INTERVAL ? DAY": ("orders(total)",),
    "SELECT note FROM orders WHERE total > (SELECT AVG(total) FROM orders)": ("orders(total)",),
    "SELECT name FROM customer WHERE nickname LIKE 'a%'": ("customer(nickname)",),
    # Grouping, MIN and MAX, DISTINCT.
    "SELECT b, COUNT(*) FROM composite GROUP BY b": ("composite(b)+",),
    "SELECT DISTINCT b FROM composite": ("composite(b)+",),
    "SELECT MAX(total) FROM orders WHERE customer_id = ?": ("orders(customer_id,total) >customer+",),
    # Joins by each order; what the other side's key finds asks for nothing.
    "SELECT c.name FROM orders o JOIN customer c ON c.id = o.customer_id WHERE o.total = ?": (
        "orders(total,customer_id)+",
        "orders(total)",
    ),
    "SELECT c.id FROM customer c JOIN visit v ON v.visitor = c.nickname": (
        "visit(visitor)+",
        "customer(nickname)+",
    ),
    "SELECT c.name FROM customer c LEFT JOIN visit v ON v.visitor = c.nickname": ("visit(visitor)+",),
    # Subqueries, and statements that change rows.
    "SELECT id FROM orders WHERE id IN (SELECT order_id FROM item WHERE sku = ?)": ("item(sku)+",),
    "SELECT id, (SELECT COUNT(*) FROM item i WHERE i.product_id = p.id) FROM product p": ("item(product_id)+",),
    "UPDATE item SET quantity = ? WHERE product_id = ?": ("item(product_id)",),
    "DELETE FROM item WHERE product_id = ? ORDER BY quantity LIMIT ?": ("item(product_id,quantity)",),
    "DELETE i FROM item i JOIN product p ON p.id = i.product_id WHERE p.price > ?": ("item(product_id)",),
    "INSERT INTO log SELECT quantity, sku FROM item WHERE product_id = ?": ("item(product_id,quantity,sku)+", "item(product_id)"),
    # OR by its arms.
    "SELECT note FROM orders WHERE total = ? OR customer_id = ?": ("orders(total)",),
}  # fmt: skip

QUIET = (
    "SELECT * FROM orders WHERE id = ?",
    "SELECT * FROM orders WHERE customer_id = ?",
    "SELECT * FROM orders WHERE customer_id = ? ORDER BY id DESC LIMIT ?",
    "SELECT note FROM orders WHERE note = ?",
    "SELECT title FROM product WHERE category = ?",
    "SELECT note FROM orders WHERE YEAR(total) = ?",
    "SELECT note FROM orders WHERE total <> ?",
    "SELECT i.sku FROM item i, product WHERE quantity < (SELECT AVG(status) FROM orders WHERE id = price)",
    "SELECT note FROM orders WHERE total = customer_id",
    "SELECT note FROM orders WHERE total = RAND()",
    "SELECT note FROM orders WHERE total = ? OR LENGTH(note) > ?",
    "SELECT name FROM customer WHERE nickname LIKE '%a'",
    "SELECT name FROM customer WHERE nickname = 7",
    "SELECT note FROM orders ORDER BY total",
    "SELECT note FROM orders",
    "SELECT total FROM nowhere WHERE total = ?",
    "SELECT customer_id FROM",
    "INSERT INTO orders (total) VALUES (?)",
)


def shown(one: Candidate) -> str:
    columns = ",".join(name + ("-" if down else "") for name, down in one.columns)
    replaces = "".join(f" >{name}" for name in one.replaces)
    return f"{one.table}({columns}){replaces}{'+' if one.covering else ''}"


def asked(
    *statements: str, server: tuple[Flavor, tuple[int, int, int]] = MYSQL, schema: Schema = SHOP
) -> list[str]:
    workload = [WorkloadQuery(f"q{place}", sql) for place, sql in enumerate(statements)]
    return [shown(one) for one in candidates(workload, schema, *server)]


@pytest.mark.parametrize("server", [MYSQL, MARIADB], ids=["mysql", "mariadb"])
@pytest.mark.parametrize(("sql", "wanted"), ASKED.items(), ids=list(ASKED))
def test_what_a_statement_asks_for(
    sql: str, wanted: tuple[str, ...], server: tuple[Flavor, tuple[int, int, int]]
) -> None:
    assert asked(sql, server=server) == list(wanted)


@pytest.mark.parametrize("sql", QUIET)
def test_what_asks_for_nothing(sql: str) -> None:
    assert asked(sql) == []


def test_a_digest_asks_as_its_statement_does() -> None:
    digest = "SELECT `note` FROM `orders` WHERE `total` IN (...) AND `customer_id` = ? LIMIT ?"
    percona = "select note from orders where total in(?+) and customer_id = ? limit ?"
    assert asked(digest) == asked(percona) == ["orders(customer_id,total) >customer"]


def test_directions_are_mixed_only_where_the_server_keeps_them() -> None:
    sql = "SELECT id FROM composite ORDER BY b DESC, a LIMIT ?"
    assert asked(sql, server=MYSQL) == asked(sql, server=MARIADB) == ["composite(b-,a)+"]
    assert asked(sql, server=OLD_MARIADB) == []
    (found,) = candidates([WorkloadQuery("q", sql)], SHOP, *MYSQL)
    assert "(`b` DESC, `a`)" in found.ddl


def test_statements_share_an_index() -> None:
    found = candidates(
        [
            WorkloadQuery("one", "SELECT note FROM orders WHERE total = ?"),
            WorkloadQuery("both", "SELECT note FROM orders WHERE placed = ? AND total = ?"),
            WorkloadQuery("later", "SELECT note FROM orders WHERE total = ? AND placed > ?"),
        ],
        SHOP,
        *MYSQL,
    )
    assert [shown(one) for one in found] == ["orders(total,placed)"]
    assert set(found[0].serves) == {"one", "both", "later"}


def test_what_sorts_by_the_key_behind_an_index_keeps_it() -> None:
    longer = "SELECT note FROM orders WHERE customer_id = ? AND total = ?"
    by_key = "SELECT note FROM orders WHERE customer_id = ? ORDER BY id LIMIT ?"
    assert asked(longer) == ["orders(customer_id,total) >customer"]
    assert asked(longer, by_key) == ["orders(customer_id,total)"]


def test_one_that_is_there_is_extended() -> None:
    assert asked("SELECT note FROM orders WHERE total = ? AND status = ?") == ["orders(status,total) >status"]


def test_a_hidden_index_is_not_made_twice() -> None:
    hidden = replace(ORDERS, indexes=(*ORDERS.indexes, Index("hidden", (IndexPart("total"),), visible=False)))
    assert asked("SELECT note FROM orders WHERE total = ?", schema=Schema.of((hidden,), "shop")) == []


def test_prefixes_and_other_kinds_serve_nothing() -> None:
    for index in (
        Index("p", (IndexPart("title", 10),)),
        Index("f", (IndexPart("title"),), kind="fulltext"),
        Index("h", (IndexPart("title"),), kind="hash"),
    ):
        book = table("book", "id int!; title varchar(80)!")
        schema = Schema.of((replace(book, indexes=(index,)),), "shop")
        assert asked("SELECT id FROM book WHERE title = ?", schema=schema)[-1] == "book(title)"


def test_small_tables_views_and_long_columns_get_none() -> None:
    wide = table("wide", "id int!; a varchar(300); b int; d json", "PRIMARY(id)*")
    for one, sql in (
        (replace(wide, rows=999), "SELECT id FROM wide WHERE b = ?"),
        (replace(wide, rows=None), "SELECT id FROM wide WHERE b = ?"),
        (replace(wide, view=True), "SELECT id FROM wide WHERE b = ?"),
        (wide, "SELECT id FROM wide WHERE a = ?"),
        (wide, "SELECT id FROM wide WHERE d = ?"),
    ):
        assert asked(sql, schema=Schema.of((one,), "shop")) == []
    assert asked("SELECT id FROM wide WHERE b = ?", schema=Schema.of((wide,), "shop")) == ["wide(b)+"]


def test_what_costs_most_comes_first() -> None:
    dear, cheap = Figures(10, 100.0), Figures(1_000, 1.0)
    found = candidates(
        [
            WorkloadQuery("cheap", "SELECT note FROM orders WHERE total = ?", figures=cheap),
            WorkloadQuery("dear", "SELECT order_id FROM item WHERE quantity = ?", figures=dear),
        ],
        SHOP,
        *MYSQL,
        limit=1,
    )
    assert [one.serves for one in found] == [("dear",)]


def test_a_limit_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="limit is -1; allowed: 0 or more"):
        candidates([], SHOP, *MYSQL, limit=-1)


def test_schemas_of_statements_are_their_own() -> None:
    other = replace(ORDERS, schema="archive")
    schema = Schema.of((ORDERS, other), "shop")
    workload = [
        WorkloadQuery("here", "SELECT note FROM orders WHERE total = ?"),
        WorkloadQuery("there", "SELECT note FROM orders WHERE total = ?", "archive"),
    ]
    found = {one.schema: one.serves for one in candidates(workload, schema, *MYSQL)}
    assert found == {"shop": ("here",), "archive": ("there",)}


# -- the DDL


def only(sql: str, server: tuple[Flavor, tuple[int, int, int]], one: Table) -> Candidate:
    (found,) = candidates([WorkloadQuery("q", sql)], Schema.of((one,), "shop"), *server)
    return found


def test_the_ddl_says_how_it_is_built_and_undone() -> None:
    sql = "SELECT note FROM orders WHERE total = ?"
    mysql, mariadb = only(sql, MYSQL, ORDERS), only(sql, MARIADB, ORDERS)
    start = "ALTER TABLE `shop`.`orders` ADD INDEX `ix_orders_total` (`total`), "
    assert mysql.ddl == start + "ALGORITHM=INPLACE, LOCK=NONE"
    assert mariadb.ddl == start + "ALGORITHM=NOCOPY, LOCK=NONE"
    assert (
        mysql.rollback
        == "ALTER TABLE `shop`.`orders` DROP INDEX `ix_orders_total`, ALGORITHM=INPLACE, LOCK=NONE"
    )
    for found, server in ((mysql, MYSQL), (mariadb, MARIADB)):
        algorithm, lock, note = online_ddl(ORDERS, found, *server)
        assert found.ddl.endswith(f"ALGORITHM={algorithm}, LOCK={lock}")
        assert "writes go on" in note


def test_other_engines_copy() -> None:
    found = only("SELECT note FROM orders WHERE total = ?", MYSQL, replace(ORDERS, engine="MyISAM"))
    assert found.ddl.endswith("ALGORITHM=COPY, LOCK=SHARED")
    assert found.rollback.endswith("ALGORITHM=COPY, LOCK=SHARED")


def test_names_are_quoted_and_free() -> None:
    odd = Table(
        "a`b", "shop", (Column("x`y", "int"), Column("z", "text")), (Index("ix_a_b_x__y", (IndexPart("z", 5),)),), rows=10_000
    )  # fmt: skip
    found = only("SELECT z FROM `a``b` WHERE `x``y` = ?", MYSQL, odd)
    assert found.ddl.startswith("ALTER TABLE `shop`.`a``b` ADD INDEX `ix_a_b_x__y_2` (`x``y`), ")


def test_building_takes_as_long_as_there_are_rows() -> None:
    assert build_seconds(ORDERS, 5_000.0) == 2.0
    assert build_seconds(replace(ORDERS, rows=None), 5_000.0) is None
    with pytest.raises(ValueError, match="allowed: above 0"):
        build_seconds(ORDERS, 0)


# -- statements that people and programs write

FOLDER = Path(__file__).parents[1] / "recorded" / "statements"


def unindexed(statements: list[str]) -> Schema:
    """Every table that the statements name, with every column that they may mean, as numbers."""
    columns: dict[str, set[str]] = defaultdict(set)
    for sql in statements:
        tree = parsed(sql)
        names = {one.alias_or_name.lower(): one.name for one in tree.find_all(exp.Table)}
        for node in tree.find_all(exp.Column):
            for name in [names.get(node.table.lower(), "")] if node.table else set(names.values()):
                columns[name].add(node.name.lower())
    return Schema.of(
        tuple(
            table(name, "; ".join(f"{one} int" for one in sorted(found)), rows=100_000)
            for name, found in columns.items()
            if name and found
        ),
        "shop",
    )


@pytest.mark.parametrize("corpus", ["django", "rental", "tpch"])
def test_any_statement_is_read(corpus: str) -> None:
    statements = (FOLDER / f"{corpus}.sql").read_text().splitlines()
    schema = unindexed(statements)
    workload = [WorkloadQuery(str(place), sql) for place, sql in enumerate(statements)]
    found = candidates(workload, schema, *MYSQL, limit=1_000)
    assert len(found) > len(statements) / 5
    for one in found:
        target = schema.table(one.table)
        assert target is not None
        assert all(target.column(name) for name, _ in one.columns)
    served = {name for one in found for name in one.serves}
    assert len(served) > len(statements) / 3


# -- whatever is asked

COLUMNS = {one.name: [column.name for column in one.columns] for one in SHOP.tables.values()}


@st.composite
def statements(draw: st.DrawFn) -> str:
    name = draw(
        st.sampled_from(["orders", "item", "customer", "composite", "suffixed", "descending", "page"])
    )
    column = st.sampled_from(COLUMNS[name])
    condition = st.one_of(
        st.tuples(column, st.sampled_from([" = ?", " > ?", " IN (?, ?)", " IS NULL", " LIKE ?"])).map(
            "".join
        ),
        st.tuples(column, column).map(lambda pair: f"({pair[0]} = ? OR {pair[1]} = ?)"),
    )
    text = (
        f"SELECT {draw(st.sampled_from(['*', 'COUNT(*)', COLUMNS[name][0], COLUMNS[name][-1]]))} FROM {name}"
    )
    conditions = draw(st.lists(condition, max_size=4))
    if conditions:
        text += " WHERE " + " AND ".join(conditions)
    keys = draw(st.lists(st.tuples(column, st.sampled_from(["", " DESC"])).map("".join), max_size=3))
    if keys:
        text += " ORDER BY " + ", ".join(keys)
    return text + draw(st.sampled_from(["", " LIMIT ?"]))


@given(st.lists(statements(), max_size=6), st.integers(0, 12), st.sampled_from([MYSQL, MARIADB, OLD_MARIADB]))
def test_candidates_are_new_real_and_few(
    texts: list[str], limit: int, server: tuple[Flavor, tuple[int, int, int]]
) -> None:
    workload = [WorkloadQuery(str(place), sql) for place, sql in enumerate(texts)]
    found = candidates(workload, SHOP, *server, limit=limit)
    assert len(found) <= limit
    assert len({(one.schema, one.table, one.columns) for one in found}) == len(found)
    for one in found:
        target = SHOP.table(one.table, one.schema)
        assert target is not None
        names = [name for name, _ in one.columns]
        assert len(set(names)) == len(names) <= 8
        assert all(target.column(name) is not None for name in names)
        assert one.serves
        assert set(one.serves) <= {query.query_id for query in workload}
        parts = tuple((name.lower(), down) for name, down in one.columns)
        for index in target.indexes:
            own = own_parts(index)
            assert own is None or not starts(parts, full_parts(target, own))
        replaced = [target.index(name) for name in one.replaces]
        assert all(index is not None and not index.unique for index in replaced)
    assert found == candidates(workload, SHOP, *server, limit=limit)
