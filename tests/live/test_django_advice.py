"""Advice as Django code on real servers: a project takes the migration's text as it is, and its models and its tables then agree."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dbvigil.sandbox import PrivateServer
from tests.support.service import ROOT

SCHEMA, USER, PASSWORD = "dj_shop", "dj_shop", "dj-shop-1"

MODELS = """
from django.conf import settings
from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=40, db_index=True)
    country = models.CharField(max_length=2)

    class Meta:
        indexes = [models.Index(fields=["name", "country"], name="by_name_country")]


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, db_column="buyer")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True)
    placed = models.DateTimeField(db_column="placed_at")
    total = models.IntegerField()
    status = models.IntegerField()
    tags = models.ManyToManyField("Tag")

    class Meta:
        db_table = "orders"
        indexes = [
            models.Index(fields=["status"], name="by_status"),
            models.Index(fields=["status", "total"], name="by_status_total"),
            models.Index(fields=["customer", "status"], name="by_customer_status"),
        ]


class Tag(models.Model):
    word = models.CharField(max_length=20)
"""
SETTINGS = """
import pymysql
pymysql.install_as_MySQLdb()
INSTALLED_APPS += ["dbvigil", "sales"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES["shop"] = {json}
DATABASE_ROUTERS = ["site_router.Router"]
"""
# The monitor's own tables stay in SQLite; those of the project are on the server.
ROUTER = """
class Router:
    def db_for_read(self, model, **hints):
        return "default" if model._meta.app_label in ("dbvigil", "knox") else "shop"
    db_for_write = db_for_read
    def allow_relation(self, one, other, **hints):
        return True
    def allow_migrate(self, db, app_label, **hints):
        return (db == "default") == (app_label in ("dbvigil", "knox"))
"""
ROWS = (
    "INSERT INTO sales_customer (name, country) VALUES ('a', 'de')",
    *["INSERT INTO sales_customer (name, country) SELECT CONCAT(name, id), country FROM sales_customer"] * 9,
    "INSERT INTO orders (buyer, placed_at, total, status) SELECT c.id, '2026-01-01' + INTERVAL (c.id * 7919 + n.n) MINUTE,"
    " (c.id * 31 + n.n) % 997, c.id % 5 FROM sales_customer c JOIN (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) n",
    "ANALYZE TABLE orders, sales_customer",
)
ASK = """
import json, os, sys, django
django.setup()
from dbvigil.django_advice import Advisor, schema_of
from dbvigil.query import Recommendation
from dbvigil.queries.schema_reader import read_schema
from dbvigil.queries.rules.ddl import add_index, drop_index
from dbvigil.slow_queries.asking import on_server
from dbvigil import conf

table_name, kind, *parts = sys.argv[1:]
async def read(server):
    return await read_schema(server, [("{schema}", table_name)], default="{schema}")
known = on_server(conf.load().targets["shop"], read)
table = known.table(table_name)
sql = add_index(table, tuple(parts)) if kind == "add" else drop_index(table, *parts)
advice = Advisor("shop").as_django(Recommendation("r", "t", "d", "schema", sql), "SELECT 1", "{schema}", known)
print(json.dumps([advice.sql, advice.django]))
""".replace("{schema}", SCHEMA)


class Project:
    """A project with the app `sales`, whose tables are on a real server."""

    def __init__(self, folder: Path, server: PrivateServer) -> None:
        self.folder, self.server = folder, server
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "DB_", "DBVIGIL_"))
        } | {"PYTHONPATH": f"{folder}:{ROOT}", "DJANGO_SETTINGS_MODULE": "mysite.settings"}  # fmt: skip
        database = {
            "ENGINE": "django.db.backends.mysql", "NAME": SCHEMA, "HOST": "127.0.0.1", "PORT": server.port, "USER": USER,
            "PASSWORD": PASSWORD,
        }  # fmt: skip
        self.python("-m", "django", "startproject", "mysite", ".", settings=False)
        with (folder / "mysite" / "settings.py").open("a") as settings:
            settings.write(SETTINGS.replace("{json}", repr(database)))
        (folder / "site_router.py").write_text(ROUTER)
        (folder / "sales" / "migrations").mkdir(parents=True)
        for name in ("sales", "sales/migrations"):
            (folder / name / "__init__.py").touch()
        (folder / "sales" / "models.py").write_text(MODELS)
        self.manage("makemigrations", "sales")
        self.manage("migrate", "--database=shop")
        self.manage("migrate")

    def python(self, *arguments: str, settings: bool = True) -> str:
        environment = dict(self.environment)
        if not settings:
            del environment["DJANGO_SETTINGS_MODULE"]
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def manage(self, *arguments: str) -> str:
        return self.python("manage.py", *arguments)

    def ask(self, table: str, kind: str, *parts: str) -> tuple[str, str]:
        """The DDL and the Django code of one change."""
        sql, code = json.loads(self.python("-c", ASK, table, kind, *parts))
        return sql, code

    def take(self, code: str) -> str:
        """Writes the migration where its text says, and runs it; the file's name."""
        (path,) = re.findall(r"^# (\S+/migrations/\S+\.py), instead of", code, re.MULTILINE)
        file = self.folder / str(path)
        assert not file.exists()
        file.write_text(code)
        self.manage("migrate", "--database=shop")
        return file.stem

    def change_models(self, old: str, new: str) -> None:
        file = self.folder / "sales" / "models.py"
        text = file.read_text()
        assert text.count(old) == 1, old
        file.write_text(text.replace(old, new))

    def is_settled(self) -> None:
        """Models and migrations say the same, and the models are sound."""
        assert "No changes detected" in self.manage("makemigrations", "--check", "--dry-run")
        self.manage("check", "--database=shop")

    def index(self, table: str, name: str) -> list[tuple[str, bool]]:
        rows = self.server.execute(
            "SELECT COLUMN_NAME AS name, COLLATION AS way FROM information_schema.STATISTICS"
            " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND INDEX_NAME = %s ORDER BY SEQ_IN_INDEX",
            SCHEMA, table, name,
        )  # fmt: skip
        return [(row["name"], row["way"] == "D") for row in rows]

    def names(self, table: str) -> set[str]:
        rows = self.server.execute(
            "SELECT INDEX_NAME AS name FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
            SCHEMA,
            table,
        )
        return {row["name"] for row in rows}


@pytest.fixture
def project(any_server: PrivateServer, tmp_path: Path) -> Iterator[Project]:
    any_server.execute(f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4")
    any_server.create_user(
        USER, PASSWORD, (f"ALL ON {SCHEMA}.*", "PROCESS ON *.*", "SELECT ON performance_schema.*")
    )
    try:
        yield Project(tmp_path, any_server)
    finally:
        any_server.execute(f"DROP DATABASE {SCHEMA}")
        any_server.execute(f"DROP USER '{USER}'@'%'")


def meta_line(code: str) -> str:
    (line,) = re.findall(r"^#\s+(models\.Index\(.*\)),$", code, re.MULTILINE)
    return str(line)


# Some thirty processes of Django, one after the other: on a busy machine they take minutes.
@pytest.mark.timeout(600)
def test_indexes_come_and_go_by_migrations_alone(project: Project) -> None:
    project.is_settled()

    # A foreign key's column, one with another name, and a descending one.
    sql, code = project.ask("orders", "add", "`buyer`", "`placed_at` DESC")
    assert "ix_orders_buyer_" in sql
    assert project.take(code).startswith("0002_ix_orders_buyer_")
    line = meta_line(code)
    assert 'fields=["customer", "-placed"]' in line
    name = line.split('name="')[1].split('"')[0]
    assert f"ADD INDEX `{name}`" in sql
    assert project.index("orders", name) == [("buyer", False), ("placed_at", True)]
    # There and back: by then the server has given up the index that it had made for the key.
    project.manage("migrate", "--database=shop", "sales", "0001")
    assert project.index("orders", name) == []
    project.manage("migrate", "--database=shop")
    assert project.index("orders", name) == [("buyer", False), ("placed_at", True)]
    project.change_models("        indexes = [\n", f"        indexes = [\n            {line},\n")
    project.is_settled()
    assert "has it already" in project.ask("orders", "add", "`buyer`", "`placed_at` DESC")[1]

    # One of Meta.
    code = project.ask("orders", "drop", "by_status")[1]
    project.take(code)
    assert "by_status" not in project.names("orders")
    project.change_models('            models.Index(fields=["status"], name="by_status"),\n', "")
    project.is_settled()

    # One of db_index=True.
    (named,) = [one for one in project.names("sales_customer") if one.startswith("sales_customer_name_")]
    code = project.ask("sales_customer", "drop", named)[1]
    assert "# It is there for db_index=True of Customer.name: take that away." in code
    project.take(code)
    assert project.names("sales_customer") == {"PRIMARY", "by_name_country"}
    project.change_models("max_length=40, db_index=True", "max_length=40")
    project.is_settled()

    # One of a foreign key, which others begin like.
    code = project.ask("orders", "drop", of_key(project))[1]
    assert "give that db_index=False" in code
    project.take(code)
    assert [
        one for one in project.names("orders") if project.index("orders", one) == [("buyer", False)]
    ] == []
    project.change_models('db_column="buyer"', 'db_column="buyer", db_index=False')
    project.is_settled()
    keys = project.server.execute(
        "SELECT COLUMN_NAME AS name FROM information_schema.KEY_COLUMN_USAGE"
        " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = 'orders' AND REFERENCED_TABLE_NAME = 'sales_customer'",
        SCHEMA,
    )
    assert [row["name"] for row in keys] == ["buyer"]


def of_key(project: Project) -> str:
    """Django's own for the key's column, or the one that the server made."""
    names = [one for one in project.names("orders") if project.index("orders", one) == [("buyer", False)]]
    if not names:
        # InnoDB takes back the one it made by itself, once another begins with the column.
        project.server.execute(f"ALTER TABLE {SCHEMA}.orders ADD INDEX orders_buyer_again (buyer)")
        return "orders_buyer_again"
    return names[0]


def test_what_models_cannot_say_is_sql_in_a_migration(project: Project) -> None:
    # Somebody else's model, and the table of a many-to-many field.
    for table, parts in (("auth_user", ("last_login", "id")), ("orders_tags", ("id", "tag_id"))):
        sql, code = project.ask(table, "add", *(f"`{one}`" for one in parts))
        assert "migrations.RunSQL(" in code
        (name,) = re.findall(r"ADD INDEX `(\w+)`", sql)
        assert project.take(code).endswith(f"_{name}")
        assert project.index(table, name) == [(one, False) for one in parts]
        project.is_settled()
    project.manage("migrate", "--database=shop", "sales", "0001")
    assert not [
        one for table in ("auth_user", "orders_tags") for one in project.names(table) if one.startswith("ix_")
    ]


def test_the_commands_tell_it(project: Project) -> None:
    with project.server.connect(database=SCHEMA) as connection, connection.cursor() as cursor:
        for statement in ROWS:
            cursor.execute(statement)
        connection.commit()
        # Other tests have kept the server busier than this one does.
        cursor.execute("TRUNCATE performance_schema.events_statements_summary_by_digest")
        for number in range(40):
            cursor.execute("SELECT status FROM orders WHERE total = %s ORDER BY placed_at", (number,))
            cursor.execute("SELECT * FROM orders WHERE total = %s", (number,))
    body = json.loads(project.manage("database_monitor", "advise", "--database", "shop", "--json"))
    codes = {one["index"]: one["django"] for one in body["needless"]}
    assert "migrations.RemoveIndex(" in codes["by_status"]
    wanted = [
        one for one in body["candidates"] if one["table"] == "orders" and one["columns"][0]["name"] == "total"
    ]
    assert wanted, body["gaps"]
    best: dict[str, Any] = wanted[0]
    project.take(best["django"])
    line = meta_line(best["django"])
    name = line.split('name="')[1].split('"')[0]
    assert f"`{name}`" in best["ddl"]
    assert f"`{name}`" in best["rollback"]
    assert project.index("orders", name) == [(one["name"], one["descending"]) for one in best["columns"]]
    project.change_models("        indexes = [\n", f"        indexes = [\n            {line},\n")
    project.is_settled()

    text = project.manage("database_monitor", "advise", "--database", "shop")
    assert "as Django code:" in text
    assert "migrations.RemoveIndex(" in text
    found = json.loads(
        project.manage(
            "database_monitor", "slow-queries", "--now", "--limit", "1000", "--database", "shop", "--json"
        )
    )
    told = [
        advice["django"]
        for one in found["results"]
        for advice in one["recommendations"]
        if advice["rule"] == "select_star"
    ]
    assert 'Order.objects.filter(total=...).only("id", ...)' in told[0]
