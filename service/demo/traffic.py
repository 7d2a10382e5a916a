"""A small shop's traffic: page views on the replica, checkouts on the source, a report without an index now and then."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

import pymysql
import pymysql.cursors
from pymysql.err import MySQLError

from dbvigil.sandbox import PrivateServer

logger = logging.getLogger("dbvigil.demo")

_SCHEMA = (
    "DROP DATABASE IF EXISTS shop",
    "CREATE DATABASE shop",
    # The seq_… tables below live in whatever database is current.
    "USE shop",
    """CREATE TABLE shop.customers (
        id INT UNSIGNED PRIMARY KEY AUTO_INCREMENT, email VARCHAR(120) NOT NULL, name VARCHAR(80) NOT NULL,
        country CHAR(2) NOT NULL, created DATETIME NOT NULL)""",
    """CREATE TABLE shop.products (
        id INT UNSIGNED PRIMARY KEY AUTO_INCREMENT, title VARCHAR(120) NOT NULL, price DECIMAL(8,2) NOT NULL,
        stock INT NOT NULL, category SMALLINT NOT NULL, KEY (category))""",
    """CREATE TABLE shop.orders (
        id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, customer_id INT UNSIGNED NOT NULL, placed DATETIME NOT NULL,
        status VARCHAR(12) NOT NULL, total DECIMAL(10,2) NOT NULL, KEY (customer_id))""",
    """CREATE TABLE shop.order_items (
        id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, order_id BIGINT UNSIGNED NOT NULL,
        product_id INT UNSIGNED NOT NULL, quantity SMALLINT NOT NULL, KEY (order_id))""",
    """INSERT INTO shop.customers (email, name, country, created)
        SELECT CONCAT('customer', seq, '@example.org'), CONCAT('Customer ', seq),
               ELT(1 + seq % 5, 'DE', 'FR', 'GB', 'NL', 'SE'), NOW() - INTERVAL seq MINUTE FROM seq_1_to_20000""",
    """INSERT INTO shop.products (title, price, stock, category)
        SELECT CONCAT('Product ', seq), 5 + seq % 90, 1000000, seq % 40 FROM seq_1_to_2000""",
    # With their numbers given: a bulk insert would reserve more of them than it needs.
    """INSERT INTO shop.orders (id, customer_id, placed, status, total)
        SELECT seq, 1 + seq * 7919 % 20000, NOW() - INTERVAL seq MINUTE, ELT(1 + seq % 4, 'paid', 'paid', 'sent', 'open'),
               10 + seq % 190 FROM seq_1_to_40000""",
    """INSERT INTO shop.order_items (id, order_id, product_id, quantity)
        SELECT seq, 1 + seq % 40000, 1 + seq * 31 % 2000, 1 + seq % 3 FROM seq_1_to_80000""",
)

# Neither has an index that helps: the report is the slow query of this shop, the address look-up its careless one.
_REPORT = """
SELECT c.country, COUNT(*), SUM(i.quantity * p.price) FROM shop.orders o
JOIN shop.customers c ON c.id = o.customer_id JOIN shop.order_items i ON i.order_id = o.id
JOIN shop.products p ON p.id = i.product_id WHERE o.status = 'paid' GROUP BY c.country
"""
_BY_ADDRESS = "SELECT id, name FROM shop.customers WHERE email = %s"
_CATEGORY = "SELECT id, title, price FROM shop.products WHERE category = %s ORDER BY price LIMIT 20"
_PRODUCT = "SELECT id, title, price, stock FROM shop.products WHERE id = %s"
_HISTORY = "SELECT id, placed, total FROM shop.orders WHERE customer_id = %s ORDER BY id DESC LIMIT 10"
_ORDER = "INSERT INTO shop.orders (customer_id, placed, status, total) VALUES (%s, NOW(), 'open', %s)"
_ITEM = "INSERT INTO shop.order_items (order_id, product_id, quantity) VALUES (%s, %s, %s)"
_STOCK = "UPDATE shop.products SET stock = stock - %s WHERE id = %s"
_TRIM_ORDERS = "DELETE FROM shop.orders WHERE id <= %s LIMIT 500"
_TRIM_ITEMS = "DELETE FROM shop.order_items WHERE id <= %s LIMIT 1000"

_EXISTS = "SELECT 1 AS yes FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'order_items'"

_BEST_SELLERS = 5
_KEPT_ORDERS = 60_000


def ensure_schema(server: PrivateServer) -> None:
    """The shop's tables with their first rows; takes about two seconds the first time."""
    if server.execute(_EXISTS):
        return
    with server.connect() as connection, connection.cursor() as cursor:
        for statement in _SCHEMA:
            cursor.execute(statement)


class Traffic:
    """Visitors and customers as two threads, each a few statements a second. `seed` makes a run repeatable."""

    def __init__(
        self, source: PrivateServer, replica: PrivateServer, user: str, password: str, seed: int
    ) -> None:
        self._user, self._password = user, password
        self._ended = threading.Event()
        self._random = random.Random(seed)
        self._threads = [
            threading.Thread(target=self._work, args=(replica, self._visit, 0.12), daemon=True),
            threading.Thread(target=self._work, args=(source, self._buy, 0.25), daemon=True),
            threading.Thread(target=self._work, args=(source, self._buy, 0.4), daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends it; returns when no statement is under way."""
        self._ended.set()
        for thread in self._threads:
            thread.join(5)

    def _work(
        self, server: PrivateServer, step: Callable[[pymysql.cursors.Cursor], None], pause: float
    ) -> None:
        while not self._ended.is_set():
            try:
                with pymysql.connect(
                    host=server.host,
                    port=server.port,
                    user=self._user,
                    password=self._password,
                    autocommit=True,
                ) as connection:
                    while not self._ended.wait(self._random.uniform(0.3, 1.7) * pause):
                        step(connection.cursor())
            except MySQLError as error:
                # Whoever tries the demo may kill or pause its servers: the visitors come back by themselves.
                logger.debug("the demo's traffic pauses: %s", error)
                self._ended.wait(1)

    def _visit(self, cursor: pymysql.cursors.Cursor) -> None:
        dice = self._random.random()
        if dice < 0.004:
            cursor.execute(_REPORT)
        elif dice < 0.08:
            cursor.execute(_BY_ADDRESS, (f"customer{self._random.randrange(20_000)}@example.org",))
        elif dice < 0.5:
            cursor.execute(_CATEGORY, (self._random.randrange(40),))
        else:
            cursor.execute(_PRODUCT, (self._random.randrange(1, 2001),))
        cursor.fetchall()

    def _buy(self, cursor: pymysql.cursors.Cursor) -> None:
        customer = self._random.randrange(1, 20_001)
        cursor.execute(_HISTORY, (customer,))
        cursor.fetchall()
        cursor.execute("BEGIN")
        cursor.execute(_ORDER, (customer, self._random.randrange(10, 200)))
        order = cursor.lastrowid
        # Everybody wants the same few things, so two customers sometimes wait for one row.
        for _ in range(self._random.randrange(1, 4)):
            product, quantity = self._random.randrange(1, _BEST_SELLERS + 1), self._random.randrange(1, 3)
            cursor.execute(_ITEM, (order, product, quantity))
            cursor.execute(_STOCK, (quantity, product))
        self._ended.wait(self._random.uniform(0, 0.03))
        cursor.execute("COMMIT" if self._random.random() < 0.98 else "ROLLBACK")
        if self._random.random() < 0.02:
            cursor.execute(_TRIM_ORDERS, (max(0, order - _KEPT_ORDERS),))
            cursor.execute(_TRIM_ITEMS, (max(0, 2 * (order - _KEPT_ORDERS)),))
