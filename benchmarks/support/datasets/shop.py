"""A shop: 300,000 orders with skewed and correlated columns, 600,000 items, 30,000 customers. The same rows each time."""

from __future__ import annotations

from benchmarks.support.datasets.base import NUMBERS, DataSet, Natural, run
from dbvigil.sandbox import PrivateServer

_SET_UP = (
    "CREATE TABLE customers (id INT PRIMARY KEY, region VARCHAR(20) NOT NULL, tier INT NOT NULL, name VARCHAR(60) NOT NULL)",
    """CREATE TABLE orders (id INT PRIMARY KEY, customer_id INT NOT NULL, status VARCHAR(12) NOT NULL, code INT NOT NULL,
        amount INT NOT NULL, day DATE NOT NULL, flag TINYINT NOT NULL, note CHAR(120) NOT NULL, KEY customer (customer_id))""",
    """CREATE TABLE items (id INT PRIMARY KEY, order_id INT NOT NULL, product_id INT NOT NULL, amount INT NOT NULL, price INT NOT NULL,
        KEY (order_id))""",
    f"""INSERT INTO customers
        SELECT n + 1, CONCAT('r', FLOOR(POW(RAND(1), 3) * 20)), FLOOR(POW(RAND(2), 2) * 6), CONCAT('customer ', n)
          FROM ({NUMBERS}) x WHERE n < 30000""",
    *(
        f"""INSERT INTO orders
        SELECT n + 1 + {part}00000, 1 + FLOOR(POW(RAND({part}), 2) * 30000),
               ELT(1 + FLOOR(POW(RAND(3 + {part}), 4) * 6), 'done', 'paid', 'sent', 'open', 'held', 'lost'),
               FLOOR(RAND(6 + {part}) * 50000),
               FLOOR(POW(RAND(9 + {part}), 3) * 10000), DATE_ADD('2022-01-01', INTERVAL FLOOR((n + {part}00000) / 300) DAY),
               RAND(12 + {part}) < 0.02, REPEAT('x', 100)
          FROM ({NUMBERS}) x"""
        for part in range(3)
    ),
    *(
        f"""INSERT INTO items
        SELECT n + 1 + {part}00000, 1 + FLOOR((n + {part}00000) / 2), 1 + FLOOR(POW(RAND(20 + {part}), 3) * 5000),
               1 + FLOOR(RAND(30 + {part}) * 5), FLOOR(POW(RAND(40 + {part}), 2) * 20000)
          FROM ({NUMBERS}) x"""
        for part in range(6)
    ),
    "ANALYZE TABLE customers, orders, items",
)

_JOINED = "FROM customers c JOIN orders o ON o.customer_id = c.id WHERE"
_STATEMENTS = (
    "SELECT id, amount FROM orders WHERE code = ?",
    "SELECT SUM(amount) FROM orders WHERE status = ?",
    "SELECT id, note FROM orders WHERE amount > ? ORDER BY code LIMIT 20",
    "SELECT id, note FROM orders WHERE status = ? ORDER BY day DESC LIMIT 20",
    "SELECT COUNT(*) FROM orders WHERE day BETWEEN ? AND ?",
    "SELECT SUM(amount) FROM orders WHERE day >= ?",
    "SELECT id, note FROM orders WHERE flag = ? AND amount > ?",
    f"SELECT c.region, SUM(o.amount) {_JOINED} c.region = ? GROUP BY c.region",
    f"SELECT c.name, o.amount {_JOINED} c.tier = ? AND o.status = ?",
    "SELECT customer_id, MAX(day) FROM orders GROUP BY customer_id",
    "SELECT status, COUNT(*) FROM orders GROUP BY status",
    "SELECT id, note FROM orders WHERE customer_id = ? AND status = ? ORDER BY day DESC LIMIT 20",
    "SELECT id, note FROM orders WHERE customer_id = ? ORDER BY day DESC LIMIT 20",
    "SELECT SUM(amount) FROM orders WHERE amount > ?",
    "SELECT id, note FROM orders WHERE status IN (?) AND day > ?",
    "SELECT SUM(LENGTH(note)) FROM orders WHERE amount < ? AND code > ?",
    "SELECT i.product_id, i.amount FROM items i WHERE i.order_id = ?",
    "SELECT SUM(price * amount) FROM items WHERE product_id = ?",
    "SELECT o.id, SUM(i.price) FROM orders o JOIN items i ON i.order_id = o.id WHERE o.customer_id = ? GROUP BY o.id",
    "SELECT product_id, SUM(amount) FROM items WHERE price > ? GROUP BY product_id ORDER BY SUM(amount) DESC LIMIT 10",
    "UPDATE orders SET flag = 1 WHERE code = ? AND day < ?",
)
_NATURAL = (
    Natural(0, "orders", ("code",)), Natural(1, "orders", ("status",)), Natural(1, "orders", ("status", "amount")),
    Natural(2, "orders", ("code",)), Natural(3, "orders", ("status", "day")), Natural(3, "orders", ("day",)),
    Natural(4, "orders", ("day",)), Natural(5, "orders", ("day",)), Natural(6, "orders", ("flag",)),
    Natural(6, "orders", ("flag", "amount")), Natural(7, "customers", ("region",)), Natural(8, "orders", ("status",)),
    Natural(8, "orders", ("customer_id", "status")), Natural(9, "orders", ("customer_id", "day")),
    Natural(10, "orders", ("status",)), Natural(11, "orders", ("customer_id", "status", "day")),
    Natural(12, "orders", ("customer_id", "day")), Natural(13, "orders", ("amount",)), Natural(14, "orders", ("status", "day")),
    Natural(15, "orders", ("code",)), Natural(16, "items", ("order_id",)), Natural(17, "items", ("product_id",)),
    Natural(18, "items", ("order_id",)), Natural(19, "items", ("price",)), Natural(19, "items", ("product_id",)),
)  # fmt: skip


def _load(server: PrivateServer, seed: int) -> None:
    run(server, _SET_UP, seed)


SHOP = DataSet("shop", _load, ("customers", "orders", "items"), _STATEMENTS, _NATURAL)
