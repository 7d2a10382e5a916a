"""A small shop whose plans are recorded: tables, rows, and statements that bring out each kind of step."""

from __future__ import annotations

TABLES = (
    "CREATE TABLE customer (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, email VARCHAR(80) NOT NULL, country CHAR(2) NOT NULL,"
    " name VARCHAR(60), created DATETIME NOT NULL, UNIQUE KEY email (email), KEY country (country))",
    "CREATE TABLE orders (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, customer_id INT UNSIGNED NOT NULL, status TINYINT NOT NULL,"
    " placed DATETIME NOT NULL, total DECIMAL(10,2) NOT NULL, note TEXT, KEY customer (customer_id), KEY status (status),"
    " KEY placed (placed))",
    "CREATE TABLE item (order_id INT UNSIGNED NOT NULL, line SMALLINT NOT NULL, product_id INT UNSIGNED NOT NULL,"
    " quantity SMALLINT NOT NULL, sku VARCHAR(20), PRIMARY KEY (order_id, line))",
    "CREATE TABLE product (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, title VARCHAR(80) NOT NULL, price DECIMAL(8,2) NOT NULL,"
    " category SMALLINT NOT NULL, FULLTEXT KEY title (title))",
)

# A recursive CTE that both flavours have would be bounded by cte_max_recursion_depth; digits joined are not.
_NUMBERS = " CROSS JOIN ".join(
    f"(SELECT 0 AS d UNION ALL {' UNION ALL '.join(f'SELECT {n}' for n in range(1, 10))}) AS d{place}"
    for place in range(4)
)
_N = "(d0.d + 10 * d1.d + 100 * d2.d + 1000 * d3.d)"

ROWS = (
    f"INSERT INTO customer (email, country, name, created)"
    f" SELECT CONCAT('c', n, '@example.net'), ELT(1 + n % 5, 'de', 'fr', 'us', 'it', 'pl'),"
    f" CONCAT('Customer ', n), '2026-01-01' + INTERVAL n MINUTE FROM (SELECT {_N} AS n FROM {_NUMBERS}) AS one WHERE n < 2000",
    f"INSERT INTO orders (customer_id, status, placed, total, note)"
    f" SELECT 1 + n % 2000, IF(n % 50, 1, 2), '2026-01-01' + INTERVAL n MINUTE,"
    f" n % 700, REPEAT('x', 50) FROM (SELECT {_N} AS n FROM {_NUMBERS}) AS one",
    f"INSERT INTO item SELECT 1 + n, line, 1 + (n * 7 + line) % 300, 1, CONCAT('s', n % 400)"
    f" FROM (SELECT {_N} AS n FROM {_NUMBERS}) AS one CROSS JOIN (SELECT 1 AS line UNION ALL SELECT 2) AS two",
    f"INSERT INTO product (title, price, category) SELECT CONCAT('Thing number ', n), n % 90, n % 12"
    f" FROM (SELECT {_N} AS n FROM {_NUMBERS}) AS one WHERE n < 300",
    "ANALYZE TABLE customer, orders, item, product",
)

STATEMENTS: dict[str, str] = {
    "no-table": "SELECT 1",
    "const": "SELECT name FROM customer WHERE id = 7",
    "impossible": "SELECT name FROM customer WHERE id = 1 AND id = 2",
    "full-scan": "SELECT id FROM orders WHERE total > 600",
    "full-index-scan": "SELECT country FROM customer",
    "range": "SELECT total FROM orders WHERE placed BETWEEN '2026-01-02' AND '2026-01-02 06:00:00'",
    "ref": "SELECT total FROM orders WHERE customer_id = 12",
    "filesort": "SELECT id, total FROM orders WHERE total > 100 ORDER BY total DESC LIMIT 20",
    "group": "SELECT total, COUNT(*) FROM orders GROUP BY total ORDER BY COUNT(*) DESC",
    "distinct": "SELECT DISTINCT total FROM orders",
    "join": "SELECT c.name, o.total FROM customer c JOIN orders o ON o.customer_id = c.id WHERE c.country = 'de' AND o.total > 650",
    "join-without-index": "SELECT p.title, i.quantity FROM product p JOIN item i ON i.product_id = p.id WHERE p.category = 3",
    "join-on-text": "SELECT a.sku FROM item a JOIN item b ON a.sku = b.sku WHERE a.quantity > 0",
    "left-join": "SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE o.id IS NULL",
    "cartesian": "SELECT COUNT(*) FROM product a, product b WHERE a.price > 10",
    "dependent": "SELECT id, (SELECT COUNT(*) FROM item i WHERE i.product_id = p.id) AS sold FROM product p",
    "dependent-where": "SELECT id FROM customer c WHERE 3 < (SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id)",
    "exists": "SELECT id FROM customer c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id AND o.status = 2)",
    "in-subquery": "SELECT id FROM orders WHERE customer_id IN (SELECT id FROM customer WHERE country = 'fr')",
    "not-in-subquery": "SELECT id FROM product WHERE id NOT IN (SELECT product_id FROM item WHERE quantity > 3)",
    "derived": "SELECT c.name, t.n FROM customer c JOIN (SELECT customer_id, COUNT(*) AS n FROM orders GROUP BY customer_id) t"
    " ON t.customer_id = c.id WHERE t.n > 2",
    "cte": "WITH big AS (SELECT * FROM orders WHERE total > 690) SELECT a.id FROM big a JOIN big b ON a.id = b.id + 1",
    "recursive": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n",
    "union": "SELECT id FROM customer WHERE country = 'de' UNION SELECT id FROM product WHERE category = 2 ORDER BY 1 LIMIT 5",
    "union-all": "SELECT id FROM customer UNION ALL SELECT id FROM product",
    "index-merge": "SELECT id FROM orders WHERE customer_id = 12 OR status = 2",
    "intersect": "SELECT note FROM orders WHERE status = 2 AND customer_id = 51",
    "window": "SELECT id, RANK() OVER (PARTITION BY status ORDER BY total) AS place FROM orders",
    "fulltext": "SELECT id FROM product WHERE MATCH (title) AGAINST ('number')",
    "having": "SELECT customer_id, SUM(total) AS s FROM orders GROUP BY customer_id HAVING s > 3000 ORDER BY s",
    "min": "SELECT MIN(placed) FROM orders",
    "parenthesised": "(SELECT id FROM customer LIMIT 3)",
    "range-checked": "SELECT c.id FROM customer c JOIN orders o ON o.id > c.id AND o.customer_id < c.id",
    "subquery-from": "SELECT * FROM (SELECT id, total FROM orders ORDER BY total DESC LIMIT 100) t WHERE t.id > 5",
}  # fmt: skip
