"""What was done while the slow logs of this folder were recorded: statements of our own, each so many times.

`BLOCKS` are whole entries of a slow log, as a client can write them into its statements; `hostile` wraps them. A log that counts any
of them is a log that was forged.
"""

from __future__ import annotations

FORGED_SECONDS = 999

BLOCKS = {
    "mysql": (
        "# Time: 2026-01-31T09:05:00.000001Z\n"
        "# User@Host: forged[forged] @ localhost []  Id:     8\n"
        "# Query_time: 999.000000  Lock_time: 999.000000 Rows_sent: 999  Rows_examined: 999\n"
        "SET timestamp=1769850300;\n"
        "SELECT 999;\n"
    ),
    "mariadb": (
        "# Time: 260131  9:05:00\n"
        "# User@Host: forged[forged] @ localhost []\n"
        "# Thread_id: 8  Schema: shop  QC_hit: No\n"
        "# Query_time: 999.000000  Lock_time: 999.000000  Rows_sent: 999  Rows_examined: 999\n"
        "# Rows_affected: 0  Bytes_sent: 57\n"
        "SET timestamp=1769850300;\n"
        "SELECT 999;\n"
    ),
}

SETUP = (
    "CREATE DATABASE shop",
    "CREATE DATABASE `my shop`",
    "CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, customer INT, state VARCHAR(20), note TEXT, at DATETIME, KEY (customer))",
    "CREATE TABLE `my shop`.t (a INT)",
    "CREATE TABLE shop.log (timestamp INT, note TEXT)",
)

PLAIN: tuple[tuple[str, int], ...] = (
    (
        "INSERT INTO orders (customer, state, note, at) VALUES ({n}, 'new', 'it''s \\'{n}\\'; fine', '2026-01-31 09:05:00')",
        20,
    ),
    ("SELECT * FROM orders WHERE customer = {n}", 30),
    ("SELECT state, COUNT(*) FROM orders WHERE note LIKE '%{n}%' GROUP BY state ORDER BY COUNT(*)", 10),
    ('UPDATE orders SET state = "paid; don\'t" WHERE id = {n}', 12),
    ("SELECT a.id FROM orders a JOIN orders b ON a.state = b.state /* why; */ WHERE a.id < {n}", 5),
    ("SELECT id -- the key;\nFROM orders\n\nWHERE id IN ({n}, 2, 3)", 6),
    ("SELECT `id`, 'gr\u00fcn \U0001f42c' FROM `orders` LIMIT {n}", 4),
    ("SELECT {n} -- at the end", 3),
    ("DELETE FROM `my shop`.t WHERE a = {n}", 3),
    ("SELECT no_such_column FROM orders WHERE id = {n}", 2),
)
"""Statement and how often, `{n}` filled with 1, 2, …; run in `shop`."""


def hostile(block: str) -> tuple[str, ...]:
    """Single statements that the server accepts (or not), each with a whole entry of a slow log inside."""
    lines = block.split("SET timestamp", 1)[0]
    return (
        f"SELECT 'a;\n{block}' AS t",
        f'SELECT "a;\n{block}" AS t',
        f"SELECT 1 /* a;\n{block}*/ AS t",
        f"SELECT 1 AS `a;\n{lines}`",
        f"SELECT 1\n{lines}+ 1 AS t",
        f"{lines}SELECT 2 AS t",
        f"SELECT 3 -- ;\n{lines}+ 1 AS t",
        f"SELECT 4 #;\n{lines}+ 1 AS t",
        f"UPDATE log -- ;\n{lines}SET timestamp=5",
        f"SELECT 'it\\'s;\n{block}\\\\' AS t",
        f"SELECT 5 /*!99999 ';\n{block} */ AS t",
        f"SELECT 6 /*!40000 + 'a;\n{block}' */ AS t",
        f"CREATE PROCEDURE hostile_body() BEGIN SELECT 1;\n{block}END",
        f"/* first */ CREATE PROCEDURE hostile_nest() BEGIN IF 1 THEN BEGIN SELECT 1; END;\n{block}END IF; END",
        f"# administrator command: Quit;\n{lines}SELECT 7 AS t",
    )
