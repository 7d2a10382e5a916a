"""Statements for the rules on text: what each rule finds, and what it must leave in peace. The tables are the shop's, or unknown."""

from __future__ import annotations

from dataclasses import dataclass

TWELVE = " ".join(f"JOIN t{place} ON t{place}.a = t0.a" for place in range(1, 12))
LONG = ", ".join(str(number) for number in range(1_000))


@dataclass(frozen=True)
class Cases:
    """`known`: the tables of the shop are known, where else nothing is but the text."""

    found: tuple[str, ...]
    quiet: tuple[str, ...]
    known: bool = False


CASES: dict[str, Cases] = {
    "write_without_where": Cases(
        ("DELETE FROM session", "UPDATE orders SET total = total * 1.1", "UPDATE shop.orders SET total = 1"),
        (
            "DELETE FROM session WHERE expires < NOW()", "UPDATE product SET price = 1 WHERE id = 5",
            "DELETE FROM session ORDER BY id LIMIT 10", "UPDATE a JOIN b ON a.id = b.id SET a.x = b.x", "SELECT id FROM session",
            "DELETE a FROM a JOIN b ON a.id = b.id", "DELETE FROM tiny_log", "INSERT INTO session (id) VALUES (1)",
        ),
        known=True,
    ),
    "write_with_unordered_limit": Cases(
        (
            "DELETE FROM session WHERE expires < NOW() LIMIT 1000", "UPDATE job SET worker = 'a' WHERE worker IS NULL LIMIT 1",
            "DELETE FROM session LIMIT 10",
        ),
        (
            "DELETE FROM session WHERE expires < NOW() ORDER BY id LIMIT 1000", "DELETE FROM session WHERE id = 5",
            "UPDATE job SET worker = 'a' WHERE id = 1", "SELECT id FROM session LIMIT 5", "UPDATE job SET a = 1 ORDER BY id LIMIT 1",
        ),
    ),
    "insert_without_columns": Cases(
        ("INSERT INTO log VALUES (1, 'x')", "INSERT INTO log SELECT id, name FROM source", "INSERT INTO shop.log VALUES (1), (2)"),
        (
            "INSERT INTO log (id, text) VALUES (1, 'x')", "INSERT INTO log (id) SELECT id FROM source", "INSERT INTO log SET id = 1",
            "REPLACE INTO log (id) VALUES (1)", "SELECT 1", "INSERT INTO log (id) VALUES (1) ON DUPLICATE KEY UPDATE id = 2",
        ),
    ),
    "insert_select_locks": Cases(
        (
            "INSERT INTO archive (id) SELECT id FROM orders WHERE placed < '2020-01-01'", "INSERT INTO archive SELECT * FROM orders",
            "INSERT INTO total (n) SELECT COUNT(*) FROM a JOIN b ON a.id = b.id",
        ),
        (
            "INSERT INTO archive (id) SELECT id FROM orders ORDER BY id LIMIT 1000", "INSERT INTO archive (id) VALUES (1)",
            "INSERT INTO archive (id) SELECT 1", "SELECT id FROM orders", "UPDATE orders SET id = 1 WHERE id = 2",
        ),
    ),
    "cross_join": Cases(
        (
            "SELECT a.id FROM a, b WHERE a.id = 5", "SELECT a.id FROM a JOIN b", "SELECT a.id FROM a, b, c WHERE a.id = b.a_id",
            "SELECT a.id FROM a INNER JOIN b ON a.x > 5",
        ),
        (
            "SELECT a.id FROM a, b WHERE a.id = b.a_id", "SELECT a.id FROM a CROSS JOIN b", "SELECT a.id FROM a JOIN b USING (id)",
            "SELECT a.id FROM a JOIN b ON 1 = 1",
            "SELECT a.id FROM a JOIN b ON b.a_id = a.id", "SELECT a.id FROM a, b WHERE id = a_id", "SELECT a.id FROM a NATURAL JOIN b",
            "SELECT a.id FROM a, b WHERE b.id = 7 AND a.x = 3", "SELECT id FROM a", "SELECT a.id FROM a, (SELECT 1 AS n) AS d",
            "SELECT a.id FROM a JOIN b ON b.a_id = a.id JOIN c ON c.b_id = b.id",
        ),
    ),
    "mixed_joins": Cases(
        (
            "SELECT a.id FROM a, b JOIN c ON c.b_id = b.id WHERE a.id = b.a_id",
            "SELECT a.id FROM a JOIN c ON c.a_id = a.id, b WHERE b.id = a.id",
            "SELECT a.id FROM a, b LEFT JOIN c USING (id)",
        ),
        (
            "SELECT a.id FROM a, b WHERE a.id = b.a_id", "SELECT a.id FROM a JOIN b ON a.id = b.id", "SELECT a.id FROM a CROSS JOIN b",
            "SELECT a.id FROM a CROSS JOIN b JOIN c ON c.id = b.id", "SELECT id FROM a",
        ),
    ),
    "subquery_in_select_list": Cases(
        (
            "SELECT c.id, (SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id) FROM customer c",
            "SELECT c.id, (SELECT MAX(o.placed) FROM orders AS o WHERE o.customer_id = c.id) AS latest FROM customer c WHERE c.id > 5",
            "SELECT IFNULL((SELECT SUM(o.total) FROM orders o WHERE o.customer_id = c.id), 0) FROM customer c",
        ),
        (
            "SELECT c.id, (SELECT COUNT(*) FROM orders o) FROM customer c",
            "SELECT c.name, (SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id) FROM customer c WHERE c.id = 5",
            "SELECT c.id, (SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id) FROM customer c ORDER BY c.id LIMIT 20",
            "SELECT c.id FROM customer c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)",
            "SELECT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id) FROM customer c", "SELECT (SELECT 1)",
            "SELECT c.id, d.n FROM customer c"
            " JOIN (SELECT customer_id, COUNT(*) AS n FROM orders GROUP BY customer_id) d ON d.customer_id = c.id",
        ),
    ),
    "many_joins": Cases(
        (
            f"SELECT t0.a FROM t0 {TWELVE}", f"SELECT t0.a FROM t0 {TWELVE} WHERE t0.a = 5",
            f"DELETE FROM x WHERE id IN (SELECT t0.a FROM t0 {TWELVE})",
        ),
        (
            "SELECT a.id FROM a JOIN b ON a.id = b.id", "SELECT id FROM a", f"SELECT t0.a FROM t0 {TWELVE.rsplit(' JOIN', 1)[0]}",
            "SELECT 1", "UPDATE a SET b = 1 WHERE id = 1",
        ),
    ),
    "index_hint": Cases(
        (
            "SELECT id FROM orders FORCE INDEX (status) WHERE status = 1", "SELECT id FROM orders USE INDEX (status) WHERE status = 1",
            "SELECT a.id FROM a STRAIGHT_JOIN b ON a.id = b.id",
        ),
        (
            "SELECT id FROM orders WHERE status = 1", "SELECT id FROM orders IGNORE INDEX (status) WHERE status = 1",
            "SELECT a.id FROM a JOIN b ON a.id = b.id", "SELECT 'FORCE INDEX' FROM a", "DELETE FROM a WHERE id = 1",
        ),
    ),
    "equals_null": Cases(
        ("SELECT id FROM c WHERE r = NULL", "SELECT id FROM c WHERE a = 1 AND r <> NULL", "DELETE FROM c WHERE r != NULL"),
        (
            "SELECT id FROM c WHERE r IS NULL", "SELECT id FROM c WHERE r IS NOT NULL", "SELECT id FROM c WHERE r <=> NULL",
            "UPDATE c SET r = NULL WHERE id = 1", "SELECT id FROM c WHERE r = 'NULL'",
        ),
    ),
    "not_in_null": Cases(
        ("SELECT id FROM c WHERE r NOT IN (1, NULL)", "SELECT id FROM c WHERE r NOT IN (NULL)", "DELETE FROM c WHERE NOT r IN (1, NULL)"),
        (
            "SELECT id FROM c WHERE r IN (1, NULL)", "SELECT id FROM c WHERE r NOT IN (1, 2)", "SELECT id FROM c WHERE r IS NOT NULL",
            "SELECT id FROM c WHERE r NOT IN (SELECT x FROM y)", "SELECT id FROM c WHERE r NOT IN ('NULL')",
        ),
    ),
    "reversed_between": Cases(
        (
            "SELECT id FROM o WHERE id BETWEEN 20 AND 10", "SELECT id FROM o WHERE d BETWEEN '2024-12-31' AND '2024-01-01'",
            "DELETE FROM o WHERE id BETWEEN 2.5 AND 1",
        ),
        (
            "SELECT id FROM o WHERE id BETWEEN 10 AND 20", "SELECT id FROM o WHERE id BETWEEN 10 AND 10",
            "SELECT id FROM o WHERE d BETWEEN '2024-01-01' AND '2024-12-31'", "SELECT id FROM o WHERE name BETWEEN 'z' AND 'a'",
            "SELECT id FROM o WHERE id BETWEEN ? AND ?", "SELECT id FROM o WHERE id BETWEEN a AND b",
        ),
    ),
    "unquoted_date": Cases(
        (
            "SELECT id FROM o WHERE d > 2024-01-31", "SELECT id FROM o WHERE d BETWEEN 2024-1-1 AND 2024-12-31",
            "UPDATE o SET d = 1999-12-31 WHERE id = 1",
        ),
        (
            "SELECT id FROM o WHERE d > '2024-01-31'", "SELECT id FROM o WHERE n = 100 - 1 - 1", "SELECT 2024 - 50 - 40",
            "SELECT id FROM o WHERE a - b - c = 0", "SELECT id FROM o WHERE d > ? - ? - ?",
        ),
    ),
    "leading_wildcard": Cases(
        ("SELECT id FROM c WHERE name LIKE '%smith'", "SELECT id FROM c WHERE name LIKE '_mith%' AND id > 5",
         "SELECT id FROM c WHERE (name LIKE '%x%' OR email LIKE 'x%')", "SELECT id FROM c WHERE name LIKE BINARY '%x%'",
         "DELETE FROM c WHERE name LIKE '%x%'"),
        (
            "SELECT id FROM c WHERE name NOT LIKE '%x%'", "SELECT id FROM c WHERE name LIKE 'smith%'",
            "SELECT id FROM c WHERE name LIKE '%'", "SELECT id FROM c WHERE name LIKE ?",
            "SELECT id FROM c WHERE 'x' LIKE '%y'", "SELECT id FROM c WHERE name = '%smith'",
            "SELECT id FROM c WHERE name LIKE CONCAT('%', x)", "SELECT name FROM c WHERE id = 5 AND name LIKE '%x%'",
        ),
    ),
    "like_without_wildcard": Cases(
        ("SELECT id FROM c WHERE name LIKE 'smith'", "DELETE FROM c WHERE name LIKE 'x'",
         "SELECT id FROM c WHERE a = 1 AND name LIKE 'a b'"),
        (
            "SELECT id FROM c WHERE name LIKE 'smith%'", "SELECT id FROM c WHERE name LIKE 's_ith'",
            "SELECT id FROM c WHERE name = 'smith'",
            "SELECT id FROM c WHERE name LIKE ?", "SELECT id FROM c WHERE name LIKE 'a\\\\%b'",
            "SELECT id FROM c WHERE name LIKE BINARY 'x%'", "SELECT `id` FROM `c` WHERE `name` LIKE 'smith'",
        ),
    ),
    "function_on_column": Cases(
        (
            "SELECT id FROM orders WHERE YEAR(placed) = 2024", "SELECT id FROM orders WHERE DATE(placed) >= '2024-01-01'",
            "SELECT id FROM customer WHERE LOWER(email) = 'a@b.c'", "SELECT id FROM orders WHERE '2024-01-01' < DATE(placed)",
            "SELECT id FROM orders WHERE DATE(placed) = CURDATE()", "DELETE FROM orders WHERE DATE_ADD(placed, INTERVAL 7 DAY) < NOW()",
        ),
        (
            "SELECT id FROM orders WHERE placed >= DATE('2024-01-01')", "SELECT YEAR(placed) FROM orders WHERE id = 5",
            "SELECT id FROM orders WHERE placed > NOW()", "SELECT status FROM orders GROUP BY status HAVING COUNT(*) > 5",
            "SELECT id FROM orders WHERE COALESCE(note, '') = 'x'", "SELECT a.id FROM a JOIN b ON LOWER(a.x) = LOWER(b.x)",
            "SELECT id FROM orders WHERE CONCAT(a, b) = 'x'", "SELECT status FROM orders WHERE id = 5 AND YEAR(placed) = 2024",
        ),
    ),
    "arithmetic_on_column": Cases(
        ("SELECT id FROM i WHERE q * 2 > 10", "SELECT id FROM i WHERE q + 1 = 5", "DELETE FROM i WHERE 10 < (q - 3)",
         "SELECT id FROM i WHERE d + INTERVAL 7 DAY > NOW()"),
        (
            "SELECT id FROM i WHERE q > 10 / 2", "SELECT id FROM i WHERE a + b > 10", "SELECT q * 2 FROM i WHERE q > 5",
            "SELECT id FROM i WHERE q = -1", "UPDATE i SET q = q + 1 WHERE id = 5",
            "SELECT a.id FROM a JOIN b ON a.id = b.id WHERE a.d + INTERVAL b.n DAY < NOW()", "SELECT id FROM i WHERE q + 1 = p",
        ),
    ),
    "or_same_column": Cases(
        (
            "SELECT id FROM o WHERE s = 1 OR s = 2 OR s = 3", "SELECT id FROM o WHERE k = 5 AND (s = 'a' OR s = 'b' OR s = 'c')",
            "DELETE FROM o WHERE s = ? OR s = ? OR s = ?",
        ),
        (
            "SELECT id FROM o WHERE s = 1 OR s = 2", "SELECT id FROM o WHERE s = 1 OR t = 2 OR u = 3",
            "SELECT id FROM o WHERE s IN (1, 2, 3)",
            "SELECT id FROM o WHERE s = 1 OR s = 2 OR s = t", "SELECT id FROM o WHERE s = 1 OR s > 2 OR s = 3",
        ),
    ),
    "or_over_columns": Cases(
        (
            "SELECT id FROM c WHERE email = 'a' OR phone = 'b'", "SELECT id FROM c WHERE k > 5 AND (a = 1 OR b IN (1, 2))",
            "DELETE FROM c WHERE a = ? OR b = ? OR d = ?",
        ),
        (
            "SELECT id FROM c WHERE a = 1 OR a = 2", "SELECT id FROM c WHERE a = 1 AND b = 2", "SELECT id FROM c WHERE a = 1 OR b > 5",
            "SELECT id FROM c WHERE a IS NULL OR b = 1", "SELECT a = 1 OR b = 2 FROM c",
            "SELECT id FROM c WHERE k = 5 AND (a = 1 OR b IN (1, 2))", "SELECT id FROM customer WHERE email = 'a' OR phone = 'b'",
        ),
        known=True,
    ),
    "long_in_list": Cases(
        (f"SELECT id FROM c WHERE id IN ({LONG})", f"DELETE FROM c WHERE id IN ({LONG})", f"SELECT id FROM c WHERE id NOT IN ({LONG})"),
        (
            "SELECT id FROM c WHERE id IN (1, 2, 3)", f"SELECT id FROM c WHERE id IN ({LONG[:500].rsplit(',', 1)[0]})",
            "SELECT id FROM c WHERE id IN (SELECT x FROM y)", "INSERT INTO c (id) VALUES (1), (2)", "SELECT id FROM c WHERE id IN (?)",
        ),
    ),
    "regular_expression": Cases(
        ("SELECT id FROM c WHERE name REGEXP '^smith'", "SELECT id FROM c WHERE name RLIKE 'a|b'", "DELETE FROM c WHERE name REGEXP 'x$'"),
        (
            "SELECT id FROM c WHERE name LIKE 'smith%'", "SELECT id FROM c WHERE 'x' REGEXP name", "SELECT name REGEXP 'x' FROM c",
            "SELECT id FROM c WHERE name = 'REGEXP'", "SELECT id FROM c WHERE id = 5",
        ),
    ),
    "json_in_where": Cases(
        (
            "SELECT id FROM e WHERE data->>'$.kind' = 'login'", "SELECT id FROM e WHERE JSON_EXTRACT(data, '$.n') > 5",
            "SELECT id FROM e WHERE JSON_UNQUOTE(JSON_EXTRACT(data, '$.kind')) IN ('a', 'b')",
        ),
        (
            "SELECT data->>'$.kind' FROM e WHERE id = 5", "SELECT id FROM e WHERE kind = 'login'", "SELECT id FROM e WHERE data IS NULL",
            "SELECT id FROM e ORDER BY data->>'$.n'", "UPDATE e SET data = JSON_SET(data, '$.a', 1) WHERE id = 1",
        ),
    ),
    "select_star": Cases(
        ("SELECT * FROM orders WHERE id = 5", "SELECT o.* FROM orders o JOIN c ON c.id = o.c_id", "SELECT id, o.* FROM orders o"),
        (
            "SELECT COUNT(*) FROM orders", "SELECT id FROM orders",
            "SELECT id FROM c WHERE EXISTS (SELECT * FROM orders o WHERE o.c_id = c.id)",
            "SELECT 2 * 3", "DELETE o FROM orders o WHERE o.id = 5",
            "SELECT * FROM (SELECT id FROM orders) AS x", "WITH x AS (SELECT id FROM orders) SELECT * FROM x",
        ),
    ),
    "order_by_random": Cases(
        ("SELECT id FROM p ORDER BY RAND() LIMIT 5", "SELECT id FROM p ORDER BY a, RAND()",
         "SELECT id FROM (SELECT id FROM p ORDER BY RAND() LIMIT 1) x"),
        (
            "SELECT RAND() FROM p ORDER BY id", "SELECT id FROM p WHERE RAND() < 0.01", "SELECT id FROM p ORDER BY rand",
            "SELECT id FROM p",
            "UPDATE p SET r = RAND() WHERE id = 5",
        ),
    ),
    "limit_without_order": Cases(
        ("SELECT id FROM o WHERE s = 1 LIMIT 20", "SELECT id FROM o LIMIT 10 OFFSET 20", "SELECT id, name FROM o LIMIT 5, 10",
         "SELECT `id` FROM `o` LIMIT ? OFFSET ?"),
        (
            "SELECT id FROM o ORDER BY id LIMIT 20", "SELECT 1 AS a FROM o WHERE s = 1 LIMIT 1", "SELECT COUNT(*) FROM o LIMIT 5",
            "SELECT 1 LIMIT 5", "SELECT `id` FROM `o` WHERE `s` = 1 LIMIT 21",
            "SELECT id FROM job WHERE state = 0 LIMIT 10 FOR UPDATE SKIP LOCKED", "SELECT id FROM (SELECT id FROM o LIMIT 21) AS sub",
            "SELECT id FROM o",
        ),
    ),
    "deep_offset": Cases(
        ("SELECT id FROM o ORDER BY id LIMIT 20 OFFSET 100000", "SELECT id FROM o ORDER BY id LIMIT 100000, 20",
         "SELECT id FROM o LIMIT 5 OFFSET 10000"),
        (
            "SELECT id FROM o ORDER BY id LIMIT 20 OFFSET 40", "SELECT id FROM o ORDER BY id LIMIT 100000",
            "SELECT id FROM o ORDER BY id LIMIT ? OFFSET ?",
            "SELECT id FROM o ORDER BY id LIMIT 20 OFFSET 5000", "SELECT id FROM o", "SELECT id FROM o ORDER BY id LIMIT 20",
        ),
    ),
    "calc_found_rows": Cases(
        (
            "SELECT SQL_CALC_FOUND_ROWS id FROM o ORDER BY id LIMIT 20", "SELECT SQL_CALC_FOUND_ROWS * FROM o LIMIT 5",
            "SELECT SQL_CALC_FOUND_ROWS a.id FROM a JOIN b ON a.id = b.id LIMIT 1",
        ),
        (
            "SELECT id FROM o LIMIT 20", "SELECT FOUND_ROWS()", "SELECT 'SQL_CALC_FOUND_ROWS' FROM o", "SELECT SQL_NO_CACHE id FROM o",
            "DELETE FROM o WHERE id = 1",
        ),
    ),
    "having_as_where": Cases(
        (
            "SELECT s, COUNT(*) FROM o GROUP BY s HAVING s > 1", "SELECT s, COUNT(*) FROM o GROUP BY s HAVING COUNT(*) > 5 AND s = 2",
            "SELECT s, t, SUM(n) FROM o GROUP BY s, t HAVING t = 'x'",
        ),
        (
            "SELECT s, COUNT(*) FROM o GROUP BY s HAVING COUNT(*) > 5", "SELECT s, COUNT(*) AS n FROM o GROUP BY s HAVING n > 5",
            "SELECT s FROM o WHERE s > 1 GROUP BY s", "SELECT MAX(d) AS s FROM o GROUP BY s HAVING s > 1",
            "SELECT s, COUNT(*) FROM o GROUP BY s WITH ROLLUP HAVING s IS NULL", "SELECT s, MAX(d) AS d FROM o GROUP BY s HAVING d > 5",
            "SELECT s AS x FROM o HAVING x > 1",
        ),
    ),
    "distinct_with_group": Cases(
        (
            "SELECT DISTINCT s, COUNT(*) FROM o GROUP BY s", "SELECT DISTINCT s FROM o GROUP BY s",
            "SELECT DISTINCT a, b, MAX(c) FROM o GROUP BY a, b",
        ),
        (
            "SELECT DISTINCT COUNT(*) FROM o GROUP BY s", "SELECT s, COUNT(*) FROM o GROUP BY s", "SELECT DISTINCT s FROM o",
            "SELECT COUNT(DISTINCT s) FROM o GROUP BY t", "SELECT DISTINCT a FROM o GROUP BY a, b",
        ),
    ),
    "ordinals": Cases(
        ("SELECT id, placed FROM o ORDER BY 2", "SELECT id FROM o ORDER BY id, 1", "SELECT a, b FROM o ORDER BY 1 DESC LIMIT 5"),
        (
            "SELECT id FROM o ORDER BY id", "SELECT id FROM o ORDER BY id + 1", "SELECT id FROM o ORDER BY '2'",
            "SELECT `id`, `placed` FROM `o` ORDER BY 2", "SELECT id FROM o LIMIT 2",
            "SELECT 2 FROM o",
        ),
    ),
    "order_in_subquery": Cases(
        (
            "SELECT id FROM c WHERE EXISTS (SELECT 1 FROM o WHERE o.c_id = c.id ORDER BY o.placed)",
            "SELECT id FROM c WHERE id IN (SELECT c_id FROM o ORDER BY placed)",
            "SELECT a.id FROM a JOIN (SELECT id FROM b ORDER BY n) AS b ON a.id = b.id",
        ),
        (
            "SELECT id FROM (SELECT id FROM o ORDER BY placed LIMIT 5) AS x", "SELECT id FROM (SELECT id FROM o ORDER BY placed) AS x",
            "SELECT GROUP_CONCAT(id) FROM (SELECT id FROM o ORDER BY placed) AS x", "SELECT id FROM o ORDER BY placed",
            "SELECT id FROM (SELECT id FROM o) AS x ORDER BY id", "SELECT GROUP_CONCAT(id ORDER BY id) FROM o",
            "SELECT id FROM c WHERE id IN (SELECT c_id FROM o)",
        ),
    ),
    "contradiction": Cases(
        (
            "SELECT id FROM o WHERE s = 1 AND s = 2", "DELETE FROM o WHERE kind = 'a' AND n > 5 AND kind = 'b'",
            "SELECT o.id FROM o JOIN c ON c.id = o.c_id WHERE o.s = 1 AND o.s = 3",
        ),
        (
            "SELECT id FROM o WHERE s = 1 OR s = 2", "SELECT id FROM o WHERE s = 1 AND t = 2", "SELECT id FROM o WHERE s = 1 AND s = 1",
            "SELECT a.id FROM a JOIN b ON a.id = b.id WHERE a.s = 1 AND b.s = 2", "SELECT id FROM o WHERE k = 'a' AND k = 'A'",
            "SELECT id FROM o WHERE k = 'a' AND k = 'a '", "SELECT id FROM o WHERE k = 1 AND k = '1'",
            "SELECT id FROM o WHERE s = 1 AND id IN (SELECT id FROM o WHERE s = 2)", "SELECT id FROM o WHERE s = ? AND s = ?",
        ),
    ),
    "always_true": Cases(
        (
            "SELECT id FROM o WHERE s <> 1 OR s <> 2", "DELETE FROM o WHERE n > 5 AND (kind != 'a' OR kind != 'b')",
            "SELECT id FROM o WHERE s <> 1 OR s <> 2 OR s <> 3",
        ),
        (
            "SELECT id FROM o WHERE s <> 1 AND s <> 2", "SELECT id FROM o WHERE s <> 1 OR t <> 2", "SELECT id FROM o WHERE s = 1 OR s = 2",
            "SELECT id FROM o WHERE s <> 1 OR s <> 1", "SELECT id FROM o WHERE k <> 'a' OR k <> 'A'",
            "SELECT id FROM o WHERE s <> ? OR s <> ?",
        ),
    ),
    "chained_comparison": Cases(
        (
            "SELECT id FROM p WHERE 10 < price < 20", "SELECT id FROM p WHERE a = b = c", "DELETE FROM p WHERE n > 5 AND 1 <= price <= ?",
        ),
        (
            "SELECT id FROM p WHERE 10 < price AND price < 20", "SELECT id FROM p WHERE price BETWEEN 10 AND 20",
            "SELECT id FROM p WHERE (price > 10) = active", "SELECT id FROM p WHERE price > 10", "SELECT 1 < 2 < 3",
            "SELECT id FROM p WHERE NOT price > 10",
        ),
    ),
    "self_comparison": Cases(
        (
            "SELECT c.id FROM c JOIN o ON o.c_id = o.c_id", "SELECT id FROM p WHERE price > price", "DELETE FROM p WHERE `a` <> `a`",
        ),
        (
            "SELECT c.id FROM c JOIN o ON o.c_id = c.id", "SELECT a.id FROM c a JOIN c b ON a.id = b.id", "SELECT id FROM p WHERE a = b",
            "SELECT id FROM p WHERE 1 = 1", "SELECT id FROM p WHERE a <=> a", "SELECT id FROM p WHERE ? = ?",
        ),
    ),
    "pipes_as_or": Cases(
        (
            "SELECT 'Ms ' || name FROM c", "SELECT id FROM c WHERE name = 'Ms ' || nickname",
            "UPDATE c SET name = name || ', PhD' WHERE id = 5",
        ),
        (
            "SELECT CONCAT('Ms ', name) FROM c", "SELECT id FROM c WHERE a || b", "SELECT '||' FROM c",
            "SELECT id FROM c WHERE a = 1 OR b = 2",
            "SELECT id FROM c WHERE a = 1 || b = 2", "SELECT 'unclosed || FROM c",
        ),
    ),
    "address_as_text": Cases(
        (
            "SELECT id FROM visit WHERE visitor BETWEEN '10.0.0.1' AND '10.0.0.20'", "SELECT id FROM visit v WHERE v.visitor > '10.0.0.1'",
            "DELETE FROM visit WHERE '192.168.1.1' <= visitor",
        ),
        (
            "SELECT id FROM visit WHERE visitor = '10.0.0.1'", "SELECT id FROM visit WHERE INET_ATON(visitor) > INET_ATON('10.0.0.1')",
            "SELECT id FROM visit WHERE visitor > '10.0'", "SELECT id FROM visit WHERE visitor BETWEEN ? AND ?",
            "SELECT id FROM visit WHERE at > '2024-01-01'", "SELECT id FROM visit WHERE visitor IN ('10.0.0.1', '10.0.0.2')",
        ),
        known=True,
    ),
    "case_folded_twice": Cases(
        (
            "SELECT id FROM customer WHERE LOWER(email) = 'ada@example.net'", "SELECT id FROM customer c WHERE 'ADA' = UPPER(c.name)",
            "DELETE FROM customer WHERE LCASE(nickname) = 'x'", "SELECT id FROM customer WHERE LOWER(email) = ?",
        ),
        (
            "SELECT id FROM customer WHERE email = 'ada@example.net'", "SELECT LOWER(email) FROM customer WHERE name = 'Ada'",
            "SELECT id FROM unknown WHERE LOWER(email) = 'x'", "SELECT id FROM customer WHERE LOWER(email) LIKE 'ada%'",
            "SELECT name FROM customer WHERE id = 5 AND LOWER(email) = 'x'", "SELECT id FROM orders WHERE LOWER(status) = 'x'",
        ),
        known=True,
    ),
    "union_of_distinct": Cases(
        (
            "SELECT 'open' AS kind, id FROM orders UNION SELECT 'item', order_id FROM item", "SELECT 1, a FROM x UNION SELECT 2, a FROM y",
            "SELECT z.k FROM (SELECT id, 'a' AS k FROM orders UNION SELECT id, 'b' FROM product) AS z",
        ),
        (
            "SELECT 'a', id FROM orders UNION ALL SELECT 'b', id FROM product", "SELECT id FROM a UNION SELECT id FROM b",
            "SELECT 'a', id FROM x UNION SELECT 'A', id FROM y", "SELECT 1, id FROM x UNION SELECT '2', id FROM y",
            "SELECT ?, id FROM x UNION SELECT ?, id FROM y", "SELECT 1, a FROM x UNION SELECT 2, a FROM y UNION SELECT 1, a FROM z",
            "SELECT 1, id FROM x UNION SELECT 01, id FROM y",
        ),
    ),
    "union_without_inner_limit": Cases(
        (
            "SELECT id, d FROM a UNION ALL SELECT id, d FROM b ORDER BY d DESC LIMIT 20",
            "(SELECT id FROM a) UNION ALL (SELECT id FROM b) LIMIT 5",
            "SELECT id FROM a WHERE x = 1 UNION ALL SELECT id FROM b UNION ALL SELECT id FROM c ORDER BY id LIMIT ?",
        ),
        (
            "SELECT id FROM a UNION ALL SELECT id FROM b", "SELECT id FROM a UNION SELECT id FROM b ORDER BY id LIMIT 20",
            "(SELECT id FROM a ORDER BY id LIMIT 20) UNION ALL (SELECT id FROM b ORDER BY id LIMIT 20) ORDER BY id LIMIT 20",
            "SELECT COUNT(*) FROM a UNION ALL SELECT COUNT(*) FROM b LIMIT 1", "SELECT 1 UNION ALL SELECT 2 LIMIT 1",
            "SELECT id FROM a LIMIT 20",
        ),
    ),
    "count_for_existence": Cases(
        (
            "SELECT id FROM c WHERE (SELECT COUNT(*) FROM o WHERE o.c_id = c.id) > 0",
            "DELETE FROM c WHERE (SELECT COUNT(*) FROM o WHERE o.c_id = c.id) = 0",
            "SELECT id FROM c WHERE k = 5 AND 1 <= (SELECT COUNT(1) FROM o WHERE o.c_id = c.id)",
            "SELECT id, (SELECT COUNT(*) FROM o WHERE o.c_id = c.id) > 0 AS some FROM c WHERE c.id < 9",
        ),
        (
            "SELECT id FROM c WHERE (SELECT COUNT(*) FROM o WHERE o.c_id = c.id) > 1",
            "SELECT id FROM c WHERE (SELECT COUNT(o.note) FROM o WHERE o.c_id = c.id) > 0",
            "SELECT id FROM c WHERE (SELECT COUNT(*) FROM o GROUP BY o.x LIMIT 1) > 0",
            "SELECT id FROM c WHERE EXISTS (SELECT 1 FROM o WHERE o.c_id = c.id)",
            "SELECT s, COUNT(*) FROM o GROUP BY s HAVING COUNT(*) > 0",
            "SELECT id FROM c WHERE (SELECT COUNT(*) FROM o WHERE o.c_id = c.id) > ?",
        ),
    ),
    "sort_over_tables": Cases(
        (
            "SELECT o.id FROM orders o JOIN item i ON i.order_id = o.id ORDER BY o.placed, i.quantity LIMIT 20",
            "SELECT o.id FROM orders o, item i WHERE i.order_id = o.id ORDER BY i.sku DESC, o.id LIMIT 20 OFFSET 40",
            "SELECT placed FROM orders JOIN item ON order_id = id ORDER BY placed, quantity LIMIT ?",
        ),
        (
            "SELECT o.id FROM orders o JOIN item i ON i.order_id = o.id ORDER BY o.placed, o.id LIMIT 20",
            "SELECT o.id FROM orders o JOIN item i ON i.order_id = o.id ORDER BY o.placed, i.quantity",
            "SELECT o.id FROM orders o JOIN customer c ON c.id = o.customer_id ORDER BY c.name, o.id LIMIT 20",
            "SELECT o.id FROM orders o JOIN item i ON i.order_id = o.id WHERE o.id = 5 ORDER BY o.placed, i.quantity LIMIT 20",
            "SELECT a.id FROM a JOIN b ON a.id = b.id ORDER BY a.x, b.y LIMIT 20", "SELECT id FROM orders ORDER BY placed, id LIMIT 20",
        ),
        known=True,
    ),
    "lock_whole_table": Cases(
        (
            "SELECT id FROM orders FOR UPDATE", "SELECT o.id FROM shop.orders AS o ORDER BY o.id FOR UPDATE",
            "SELECT * FROM job FOR UPDATE NOWAIT",
        ),
        (
            "SELECT id FROM orders WHERE id = 5 FOR UPDATE", "SELECT id FROM job ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
            "SELECT id FROM orders",
            "SELECT level FROM tiny_log FOR UPDATE", "SELECT id FROM orders LOCK IN SHARE MODE", "DELETE FROM orders WHERE id = 5",
        ),
        known=True,
    ),
    "whole_table": Cases(
        (
            "SELECT id, note FROM orders", "SELECT id FROM shop.orders AS o", "SELECT quantity FROM item ORDER BY quantity",
        ),
        (
            "SELECT id FROM orders WHERE id = 5", "SELECT id FROM orders LIMIT 5", "SELECT COUNT(*) FROM orders", "SELECT id FROM customer",
            "SELECT id FROM unknown", "SELECT DISTINCT status FROM orders", "INSERT INTO archive (id) SELECT id FROM orders",
        ),
        known=True,
    ),
}  # fmt: skip
