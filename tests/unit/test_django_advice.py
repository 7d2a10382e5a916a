"""Advice as Django code: which model has a table, an index as its Meta has it, what made one, and statements as query sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from dbvigil.django_advice import (
    Advisor,
    NoDjangoCode,
    django_index,
    facts,
    migration,
    models_by_table,
    schema_of,
)
from dbvigil.django_advice.indexes import line, usable_name
from dbvigil.django_advice.places import Place, place_in
from dbvigil.django_advice.tables import ModelTable
from dbvigil.queries.rules.base import Subject
from dbvigil.queries.rules.ddl import add_index, drop_index, free_name, hide_index, quoted
from dbvigil.queries.rules.ddl_reading import read_ddl
from dbvigil.queries.schema import Column, Index, IndexPart, Schema, Table
from dbvigil.query import AdviceAction, Recommendation, SlowQuery
from dbvigil.targets import parse_url
from tests.support.shop_schema import index, table

SHOP = Place("shop", "shop", "store")
MYSQL = {"ENGINE": "django.db.backends.mysql", "NAME": "store", "HOST": "db", "USER": "u", "PASSWORD": "p"}
ORDERS = replace(
    table(
        "orders",
        "order_no varchar(12)!; buyer bigint!; placed datetime!; total int!; note text!; computed int",
        "PRIMARY(order_no)* ix_orders_total(total) ix_orders_buyer_placed(buyer,placed) once_a_customer(buyer,order_no)*"
        " placed_no(placed,order_no)* fk_buyer(buyer) by_hand(note)",
    ),
    schema="store",
)
CUSTOMER = replace(
    table("shop_app_customer", "id bigint!+; email varchar(80)!; land varchar(2)!; user_id int",
          "PRIMARY(id)* email(email)* land_123(land) land_twin(land,id)"), schema="store",
)  # fmt: skip
KNOWN = Schema.of((ORDERS, CUSTOMER), "store")


@pytest.fixture(autouse=True)
def shop_app(settings: Any) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.support.shop_app"]
    settings.SHOP_VISIT_MODEL = "shop_app.Tag"


def of(name: str, place: Place = SHOP, known: Schema = KNOWN, schema: str = "") -> ModelTable | None:
    return place.model(name, schema, known)


def orders() -> ModelTable:
    found = of("orders")
    assert found is not None
    return found


def advised(
    sql: str, rule: str = "full_table_scan", action: AdviceAction = "create_index", **evidence: Any
) -> Recommendation:
    return Recommendation(rule, "t", "d", action, sql, evidence=evidence)


def code(sql: str, known: Schema = KNOWN, place: Place = SHOP) -> str:
    return Advisor("shop", place).as_django(advised(sql), "SELECT 1", "store", known).django


def phrase(rule: str, sql: str) -> str:
    return Advisor("shop", SHOP).as_django(advised("", rule, "rewrite"), sql, "store").django


# -- which model has a table


def test_the_map_has_every_table_once_and_its_own_columns() -> None:
    found = {
        name: [one.name for one in ones]
        for name, ones in models_by_table().items()
        if ones[0].label == "shop_app"
    }
    assert found == {
        "shop_app_customer": ["Customer"],  # without its proxy
        "shop_app_wholesaler": ["Wholesaler"],
        "shop_app_tag": ["Tag"],
        "orders": ["Order"],
        "orders_tags": ["Order_tags"],
        "lines": ["Line"],  # of another schema, by a quoted db_table
        "ledger": ["Ledger"],
    }
    (wholesaler,) = models_by_table()["shop_app_wholesaler"]
    assert set(wholesaler.fields) == {"customer_ptr_id", "discount"}
    assert models_by_table() is models_by_table()


def test_the_map_is_made_anew_when_apps_change(settings: Any) -> None:
    assert "orders" in models_by_table()
    settings.INSTALLED_APPS = [one for one in settings.INSTALLED_APPS if one != "tests.support.shop_app"]
    assert "orders" not in models_by_table()


def test_a_quoted_table_is_in_its_own_schema_only() -> None:
    assert of("lines", schema="archive") is not None
    assert of("lines", schema="store") is None
    assert of("orders", schema="archive") is None
    assert of("ORDERS", schema="STORE") is not None


def test_the_routers_say_where_a_model_is(settings: Any) -> None:
    settings.DATABASE_ROUTERS = ["tests.support.shop_app.routers.OnlyShop"]
    assert of("orders") is not None
    assert of("orders", Place("other", "other", "store")) is None


def test_elsewhere_a_table_is_a_models_by_its_columns() -> None:
    elsewhere = Place("remote")
    assert of("orders", elsewhere, KNOWN, "store") is not None
    assert of("orders", elsewhere, Schema(), "store") is None
    less = Schema.of((replace(ORDERS, columns=ORDERS.columns[1:]),), "store")
    assert of("orders", elsewhere, less, "store") is None
    assert of("orders", elsewhere, schema_of(facts(KNOWN)), "store") is not None


def test_a_target_is_one_of_djangos_by_alias_or_by_address() -> None:
    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "x"}, "shop": MYSQL}
    assert place_in("shop", {}, databases) == Place("shop", "shop", "store")
    assert place_in("default", {}, databases) == Place("default")
    urls = {name: parse_url(name, url) for name, url in {
        "same": "mysql://mon:x@db:3306/store", "another": "mysql://mon:x@db:3306/archive", "shop": "mysql://mon:x@elsewhere:3306/store",
    }.items()}  # fmt: skip
    assert place_in("same", urls, databases) == Place("same", "shop", "store")
    assert place_in("another", urls, databases).alias is None
    assert place_in("shop", urls, databases).alias is None


# -- indexes


def test_an_index_is_told_by_fields_in_their_order() -> None:
    found = django_index(orders(), (("buyer", False), ("PLACED", True), ("order_no", False)), "ix_orders_x")
    assert found.fields == ["customer", "-placed", "number"]
    assert line(found) == 'models.Index(fields=["customer", "-placed", "number"], name="ix_orders_x")'
    assert models.Index(fields=["customer", "-placed", "number"], name="ix_orders_x") == found


@pytest.mark.parametrize(
    ("name", "columns", "reason"),
    [
        ("orders", (("computed", False),), "no field of Order has the column computed"),
        ("orders", None, "no expressions"),
        ("ledger", (("amount", False),), "managed = False"),
        ("orders_tags", (("tag_id", False),), "many-to-many field of Order"),
        ("shop_app_wholesaler", (("land", False),), "no field of Wholesaler has the column land"),
    ],
)
def test_what_is_no_index_of_a_model_says_why(name: str, columns: Any, reason: str) -> None:
    found = of(name)
    assert found is not None
    with pytest.raises(NoDjangoCode, match=reason):
        django_index(found, columns, "ix")


@pytest.mark.parametrize("name", ["x" * 31, "_x", "1x", "ü" * 40, "ix_orders_total"])
def test_a_name_that_django_refuses_becomes_one_that_it_takes(name: str) -> None:
    customer = of("shop_app_customer")
    assert customer is not None
    made = usable_name(customer, name)
    assert made != name
    assert len(made) <= 30
    assert made[0].isalpha()


@pytest.mark.parametrize(
    "columns", [("a",), ("a" * 64,), ("a" * 64, "b"), ("`x`y`", "z"), tuple("abcdefgh") * 3]
)
def test_a_made_name_is_djangos_already(columns: tuple[str, ...]) -> None:
    parts = tuple(map(quoted, columns))
    bare = Table("some_long_table_name", "shop", tuple(Column(one, "int") for one in columns))
    name = free_name(bare, parts)
    again = free_name(replace(bare, indexes=(Index(name, ()),)), parts)
    assert name != again
    assert max(len(name), len(again)) <= 30
    assert name.startswith("ix_some_long_table")
    assert name != free_name(replace(bare, name="some_long_table_nam"), parts)


@pytest.mark.parametrize("unique", [False, True])
def test_ddl_is_read_back(unique: bool) -> None:
    bare = Table("a`b", "s`c", (Column("x`, y", "int"),))
    found = read_ddl(add_index(bare, (f"{quoted('x`, y')} DESC", quoted("z")), "n`m", unique=unique))
    assert found is not None
    assert (found.kind, found.schema, found.table, found.index) == ("add", "s`c", "a`b", "n`m")
    assert (found.columns, found.unique) == ((("x`, y", True), ("z", False)), unique)
    assert found.anywhere.startswith("ALTER TABLE `a``b` ADD ")
    dropped, hidden = read_ddl(drop_index(bare, "n`m")), read_ddl(hide_index(Subject("", None), bare, "n`m"))
    assert dropped is not None
    assert hidden is not None
    assert (dropped.kind, hidden.kind, dropped.index, hidden.index) == ("drop", "hide", "n`m", "n`m")
    for no_column in ("(lower(`a`))", "`a`(20)"):
        found = read_ddl(add_index(bare, (no_column, "`z`")))
        assert found is not None
        assert found.columns is None
    assert read_ddl("ALTER TABLE `a` ADD COLUMN `b` INT") is None
    assert read_ddl("SELECT 1") is None


# -- migrations


def run(text: str) -> Any:
    """The Migration class of a file's text."""
    space: dict[str, Any] = {}
    exec(compile(text, "migration", "exec"), space)
    return space["Migration"]


def test_the_code_of_an_index_is_the_migrations_file() -> None:
    ddl = add_index(ORDERS, ("`buyer`", "`placed` DESC"))
    text = code(ddl)
    assert (
        '#         models.Index(fields=["customer", "-placed"], name="ix_orders_buyer_placed_desc"),' in text
    )
    assert (
        "# tests/support/shop_app/migrations/0002_ix_orders_buyer_placed_desc.py, instead of the DDL" in text
    )
    made = run(text)
    assert made.dependencies == [("shop_app", "0001_initial")]
    (operation,) = made.operations
    assert operation.model_name == "order"
    assert operation.index.deconstruct()[2] == {
        "fields": ["customer", "-placed"],
        "name": "ix_orders_buyer_placed_desc",
    }


def test_an_index_that_the_model_has_asks_for_its_migration() -> None:
    assert (
        code(add_index(ORDERS, ("`total`",)))
        == "# Order.Meta.indexes has it already, as ix_orders_total: run its migration here."
    )


def test_a_name_is_changed_everywhere_at_once() -> None:
    old = "ix_" + "x" * 40
    ddl, undo = add_index(ORDERS, ("`placed`",), old), drop_index(ORDERS, old)
    found = Advisor("shop", SHOP).as_django(advised(ddl, rollback=undo), "SELECT 1", "store", KNOWN)
    name = run(found.django).operations[0].index.name
    assert len(name) == 30
    assert found.sql == ddl.replace(old, name)
    assert found.evidence["rollback"] == undo.replace(old, name)


@pytest.mark.parametrize(
    ("ddl", "reason"),
    [
        (add_index(ORDERS, ("`computed`",)), "no field of Order has the column computed"),
        (add_index(ORDERS, ("(lower(`note`))",)), "no expressions"),
        (add_index(Table("ledger", "store"), ("`amount`",)), "managed = False"),
        (drop_index(ORDERS, "by_hand"), "no model asks for by_hand"),
    ],
)
def test_what_models_cannot_say_is_a_migration_with_sql(ddl: str, reason: str) -> None:
    text = code(ddl)
    assert reason in text.splitlines()[0]
    (operation,) = run(text).operations
    # The schema is that of whichever database it runs on.
    assert operation.sql == [ddl.replace("`store`.", "")]


def test_somebody_elses_app_gets_its_index_from_ones_own() -> None:
    user = table("auth_user", "id int!+; last_login datetime; username varchar(150)!", "PRIMARY(id)*")
    text = code(add_index(replace(user, schema="store"), ("`last_login`",)))
    assert "User is a model of django.contrib.auth, whose code is not this project's" in text
    assert "# tests/support/shop_app/migrations/0002_ix_auth_user_last_login.py" in text
    made = run(text)
    assert ("shop_app", "0001_initial") in made.dependencies
    assert {app for app, _name in made.dependencies} == {"auth", "shop_app"}
    assert made.operations[0].reverse_sql == ["ALTER TABLE `auth_user` DROP INDEX `ix_auth_user_last_login`"]


def test_without_migrations_the_line_is_given_and_the_reason(settings: Any) -> None:
    settings.MIGRATION_MODULES = {"shop_app": None}
    text = code(add_index(ORDERS, ("`placed`",)))
    assert 'models.Index(fields=["placed"], name="ix_orders_placed")' in text
    assert text.endswith(
        "# No migration is written here: the app shop_app has no migrations: makemigrations shop_app comes first."
    )
    with pytest.raises(NoDjangoCode):
        migration("shop_app", (), "x")


def test_line_breaks_in_a_name_stay_in_the_comment() -> None:
    bare = Table("ledger", "store")
    text = code(add_index(bare, ("`amount`",), "a\nimport os"))
    assert not any(one.startswith("import") for one in text.splitlines())
    assert run(text).operations[0].sql[0].count("\n") == 1


# -- what made an index


def test_an_index_of_meta_is_removed() -> None:
    text = code(drop_index(ORDERS, "ix_orders_total"))
    assert "# Take the index ix_orders_total out of Meta.indexes of Order." in text
    (operation,) = run(text).operations
    assert (operation.model_name, operation.name) == ("order", "ix_orders_total")
    hidden = code(hide_index(Subject("", None), ORDERS, "ix_orders_total"))
    assert hidden.startswith("# Hide it first, by the DDL;")
    assert run(hidden).operations[0].name == "ix_orders_total"


@pytest.mark.parametrize(
    ("of_table", "name", "said", "field"),
    [
        (ORDERS, "fk_buyer", "# It is there for the field Order.customer: give that db_index=False.", "customer"),
        (CUSTOMER, "land_123", "# It is there for db_index=True of Customer.country: take that away.", "country"),
        (CUSTOMER, "email", "# It is there for unique=True of Customer.email: take that away.", None),
        (ORDERS, "placed_no", "# It is there for unique_together of Order: take ('placed', 'number') out of it.", None),
        (ORDERS, "once_a_customer",
         "# Take it out only where another one promises the same; makemigrations then writes the RemoveConstraint.", None),
    ],
)  # fmt: skip
def test_an_index_of_a_field_says_what_to_change(
    of_table: Table, name: str, said: str, field: str | None
) -> None:
    text = code(drop_index(of_table, name))
    assert said in text.splitlines()
    if field is None:
        assert "class Migration" not in text
    else:
        (operation,) = run(text).operations
        assert (operation.name, operation.field.db_index) == (field, False)


def test_without_its_columns_an_index_is_not_guessed() -> None:
    text = code(drop_index(ORDERS, "fk_buyer"), Schema())
    assert text == (
        "# fk_buyer is not in Meta.indexes of Order: look for a field with db_index, unique or a foreign key over it."
    )


# -- statements


@pytest.mark.parametrize(
    ("rule", "sql", "expected"),
    [
        ("select_star", "SELECT * FROM orders WHERE total = ?", 'Order.objects.filter(total=...).only("number", ...)'),
        ("long_columns_in_star", "SELECT * FROM `orders`", 'Order.objects.defer("note")'),
        ("count_for_existence", "SELECT COUNT(*) FROM orders WHERE buyer = ? AND placed > ?",
         "Order.objects.filter(customer_id=..., placed__gt=...).exists()"),
        ("count_for_existence", "SELECT COUNT(*) FROM orders WHERE LENGTH(note) > ?", "Order.objects.filter(...).exists()"),
        ("deep_offset", "SELECT * FROM orders ORDER BY order_no LIMIT ? OFFSET ?", 'filter(pk__gt=last.pk).order_by("pk")[:n]'),
        ("deep_offset", "SELECT * FROM orders ORDER BY placed DESC LIMIT ?, ?",
         'filter(Q(placed__lt=last.placed) | Q(placed=last.placed, pk__lt=last.pk)).order_by("-placed", "-pk")[:n]'),
        ("single_row_inserts", "INSERT INTO orders (order_no, total) VALUES (?, ?)", "Order.objects.bulk_create(rows, batch_size=500)"),
        ("order_by_random", "SELECT * FROM shop_app_tag ORDER BY RAND() LIMIT 1", 'Tag.objects.aggregate(top=Max("pk"))["top"]'),
        ("or_over_columns", "SELECT * FROM orders WHERE total = ? OR buyer = ?",
         "Order.objects.filter(total=...).union(Order.objects.filter(customer_id=...))"),
        ("or_same_column", "SELECT * FROM orders WHERE total = ? OR total = ? OR total = ?", "Order.objects.filter(total__in=[...])"),
        ("not_in_nullable", "SELECT * FROM orders WHERE order_no NOT IN (SELECT order_id FROM gone)",
         'Order.objects.filter(~Exists(Other.objects.filter(field=OuterRef("number"))))'),
        ("function_on_column", "SELECT * FROM orders WHERE DATE(placed) = ?", "Order.objects.filter(placed__gte=start, placed__lt=end)"),
        ("function_on_column", "SELECT * FROM orders WHERE YEAR(placed) = ?", "Order.objects.filter(placed__gte=start, placed__lt=end)"),
        ("leading_wildcard", "SELECT * FROM shop_app_customer WHERE email LIKE '%x'", "Customer.objects.filter(email__startswith=...)"),
        ("equals_null", "SELECT * FROM shop_app_customer WHERE user_id = NULL", "Customer.objects.filter(user__isnull=True)"),
        ("whole_table", "SELECT order_no FROM orders", "for row in Order.objects.iterator(chunk_size=2000): ..."),
        ("small_auto_increment", "SELECT * FROM ledger", ""),  # its key is a BigAutoField
    ],
)  # fmt: skip
def test_a_statement_is_told_as_a_query_set(rule: str, sql: str, expected: str) -> None:
    found = phrase(rule, sql)
    assert expected in found
    assert (found == "") == (expected == "")
    if found:
        compile(found, rule, "exec")


@pytest.mark.parametrize(
    ("rule", "sql"),
    [
        ("deep_offset", "SELECT * FROM orders ORDER BY total, placed LIMIT ?, ?"),
        ("deep_offset", "SELECT * FROM orders ORDER BY total + 1 LIMIT ?, ?"),
        ("or_over_columns", "SELECT * FROM orders WHERE total = ? OR LENGTH(note) = ?"),
        ("select_star", "SELECT * FROM unknown"),
        ("select_star", "this is no statement"),
        ("insert_select_locks", "INSERT INTO orders SELECT * FROM orders"),
    ],
)
def test_what_cannot_be_told_for_certain_is_not_told(rule: str, sql: str) -> None:
    assert phrase(rule, sql) == ""


@pytest.mark.parametrize(
    ("sql", "opener", "expected"),
    [
        ("SELECT * FROM orders WHERE buyer = ?", "", 'Customer.objects.prefetch_related("orders")'),
        ("SELECT * FROM orders o WHERE o.buyer = ? ORDER BY placed LIMIT 21", "", 'Customer.objects.prefetch_related("orders")'),
        # Orders, their lines' gifts and a user's customers all point there: only the statement before can tell.
        ("SELECT * FROM shop_app_customer WHERE id = ?", "", ""),
        ("SELECT * FROM shop_app_customer WHERE id = ?", "SELECT * FROM orders WHERE total > ?",
         'Order.objects.select_related("customer")'),
        ("SELECT * FROM orders WHERE order_no = ?", "", 'Line.objects.select_related("order")'),
        ("SELECT * FROM shop_app_customer WHERE user_id = ?", "", 'User.objects.select_related("customer")'),
        ("SELECT t.* FROM shop_app_tag t JOIN orders_tags m ON t.id = m.tag_id WHERE m.order_id = ?", "",
         'Order.objects.prefetch_related("tags")'),
        ("SELECT o.* FROM orders o JOIN orders_tags m ON o.order_no = m.order_id WHERE m.tag_id = ?", "",
         'Tag.objects.prefetch_related("orders")'),
        ("SELECT * FROM orders WHERE buyer = ? AND total > ?", "", ""),
        ("SELECT * FROM orders WHERE total = ?", "", ""),
        ("UPDATE orders SET total = ? WHERE buyer = ?", "", ""),
    ],
)  # fmt: skip
def test_a_lookup_in_a_loop_is_a_relation(sql: str, opener: str, expected: str) -> None:
    assert Advisor("shop", SHOP).relation(sql, "store", opener=opener) == expected


def test_a_burst_gets_its_relation_as_advice() -> None:
    given = advised("", "n_plus_one", "application")
    found = Advisor("shop", SHOP).as_django(
        given, "SELECT * FROM shop_app_customer WHERE id = ?", "store", opener="SELECT * FROM orders"
    )
    assert found.django == 'Order.objects.select_related("customer")'


# -- the faces


def query(**changes: Any) -> SlowQuery:
    advice = (
        advised(add_index(ORDERS, ("`placed`",))),
        advised("", "select_star", "rewrite"),
        advised("", "lock_share", "application"),
    )
    return replace(
        SlowQuery("f", "A" * 16, "SELECT * FROM orders", "digest", schema="store", recommendations=advice),
        **changes,
    )


def test_each_recommendation_gets_its_own() -> None:
    found = Advisor("shop", SHOP).on(query())
    index_code, only, none = (one.django for one in found.recommendations)
    assert "migrations.AddIndex(" in index_code
    assert only.startswith("Order.objects.only(")
    assert none == ""
    assert found.gaps == ()


def test_a_fault_is_said_and_loses_no_advice(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.DATABASE_ROUTERS = ["tests.support.shop_app.routers.Broken"]
    given = query()
    found = Advisor("shop", SHOP).on(given)
    assert found.recommendations == given.recommendations
    (gap,) = found.gaps
    assert gap == "no Django code for the advice: ZeroDivisionError; the log has the details"
    assert "no Django code for the advice on" in caplog.text


def test_the_workloads_document_has_code_except_for_what_does_harm(settings: Any) -> None:
    ddl, drop = add_index(ORDERS, ("`placed`",)), drop_index(ORDERS, "ix_orders_total")
    one = {"ddl": ddl, "rollback": drop_index(ORDERS, "ix_orders_placed"), "proof": None}
    body = {
        "candidates": [one, {**one, "proof": {"outcome": "harmful"}}],
        "needless": [{"first": "", "then": drop, "rollback": ""}],
        "gaps": ["before"],
    }
    found = Advisor("shop", SHOP).workload(body, KNOWN)
    assert "migrations.AddIndex(" in found["candidates"][0]["django"]
    assert found["candidates"][1]["django"] == ""
    assert "migrations.RemoveIndex(" in found["needless"][0]["django"]
    assert found["gaps"] == ["before"]
    settings.DATABASE_ROUTERS = ["tests.support.shop_app.routers.Broken"]
    found = Advisor("shop", SHOP).workload(body, KNOWN)
    assert [one["ddl"] for one in found["candidates"]] == [ddl, ddl]
    assert found["candidates"][0]["django"] == ""
    assert found["gaps"] == [
        "before",
        "no Django code for the advice: ZeroDivisionError; the log has the details",
    ]


def test_facts_are_names_alone() -> None:
    kept = facts(KNOWN)
    again = schema_of(kept)
    assert facts(again) == kept
    assert again.table("orders", "store") is not None
    assert IndexPart("buyer") == again.tables["store", "orders"].indexes[2].parts[0]


def test_the_app_is_the_projects_own() -> None:
    assert apps.get_app_config("shop_app").name == "tests.support.shop_app"
    assert index("a(b)").columns == ("b",)
