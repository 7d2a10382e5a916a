"""The recorded shop's tables, and some made to be wrong, as the schema reader gives them."""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from dbvigil.queries.schema import Column, ForeignKey, Index, IndexPart, Schema, Table

COLLATION = "utf8mb4_unicode_ci"


def column(text: str) -> Column:
    """`name type`, with `!` behind for NOT NULL, `+` for AUTO_INCREMENT, and `@collation` for another than the shop's."""
    name, _, rest = text.partition(" ")
    rest, _, collation = rest.partition("@")
    kind = rest.rstrip("!+")
    textual = "char" in kind or "text" in kind
    return Column(
        name, kind, "!" not in rest, (collation or COLLATION) if textual else None, auto_increment="+" in rest
    )


def index(text: str, *, visible: bool = True) -> Index:
    """`name(a,b-)`, with `*` behind for UNIQUE and `-` behind a column for DESC."""
    name, _, parts = text.rstrip("*)").partition("(")
    made = tuple(IndexPart(part.rstrip("-"), descending=part.endswith("-")) for part in parts.split(","))
    return Index(name, made, text.endswith("*"), visible=visible)


def table(name: str, columns: str, indexes: str = "", rows: int | None = 10_000, **rest: object) -> Table:
    """A table of `;`-separated columns and blank-separated indexes."""
    return Table(
        name,
        "shop",
        tuple(column(one.strip()) for one in columns.split(";")),
        tuple(index(one) for one in indexes.split()),
        rows=rows,
        **rest,  # type: ignore[arg-type]
    )


CUSTOMER = table(
    "customer",
    "id int unsigned!+; email varchar(80)!; country char(2)!; name varchar(60); created datetime!; phone varchar(20); code varchar(10);"
    " nickname varchar(30); referrer_id int unsigned",
    "PRIMARY(id)* email(email)* country(country) phone(phone) code(code)",
    2_000,
)
ORDERS = table(
    "orders",
    "id int unsigned!+; customer_id int unsigned!; status tinyint!; placed datetime!; total decimal(10,2)!; note text",
    "PRIMARY(id)* customer(customer_id) status(status) placed(placed)",
)
ITEM = table(
    "item",
    "order_id int unsigned!; line smallint!; product_id int unsigned!; quantity smallint!; sku varchar(20)",
    "PRIMARY(order_id,line)*",
    20_000,
)
PRODUCT = table(
    "product",
    "id int unsigned!+; title varchar(80)!; price decimal(8,2)!; category smallint!",
    "PRIMARY(id)*",
    300,
)

WRONG = (
    table("log", "level tinyint; message text"),
    table("tiny_log", "level tinyint; message text", "level(level)", 3),
    table("basket", "id char(36)!; total int", "PRIMARY(id)*"),
    table("page", "site varchar(40)!; path varchar(80)!; id int; n int", "PRIMARY(site,path)* id(id) n(n)"),
    table("narrow", "a int!; b bigint!; id int; n int", "PRIMARY(a,b)* id(id) n(n)"),
    table("doubled", "id int!; a int; b int; c int", "PRIMARY(id)* a1(a) a2(a) b(b) bc(b,c) uniq(c)* cb(c,b)"),
    table("suffixed", "id int!; a int; b int", "PRIMARY(id)* a(a) a_id(a,id) b_id(b,id)"),
    table(
        "invoice",
        "id int!; customer_id int unsigned!",
        "PRIMARY(id)*",
        foreign_keys=(ForeignKey("to_customer", ("customer_id",), "customer", ("id",), "shop"),),
    ),
    table("counted", "id smallint!+; n int", "PRIMARY(id)*", 30_000),
    table("counted_unsigned", "id smallint unsigned!+; n int", "PRIMARY(id)*", 30_000),
    table("visit", "id int!; visitor varchar(30); email varchar(80)@utf8mb4_general_ci; at datetime", "PRIMARY(id)*", 50_000),
    table("import", "id int!; customer_no varchar(20); n int", "PRIMARY(id)* no(customer_no)"),
    table("composite", "id int!; a int!; b int; note text", "PRIMARY(id)* ab(a,b)"),
    table("descending", "id int!; a int!; b int", "PRIMARY(id)* ab(a-,b)"),
    table("busy", "id int!+; " + "; ".join(f"c{n} int" for n in range(9)), "PRIMARY(id)* " + " ".join(f"k{n}(c{n})" for n in range(9))),
)  # fmt: skip

SHOP = Schema.of((CUSTOMER, ORDERS, ITEM, PRODUCT, *WRONG), "shop")


def parsed(sql: str) -> exp.Expression:
    tree = sqlglot.parse_one(sql, read="mysql")
    assert isinstance(tree, exp.Expression)
    return tree
