"""A film rental in the manner of the sakila sample database, larger: 200,000 rentals and payments, 20,000 copies of 4,000 films.

Foreign keys are not declared, and their columns have the index that they would have.
"""

from __future__ import annotations

from benchmarks.support.datasets.base import NUMBERS, DataSet, Natural, run
from dbvigil.sandbox import PrivateServer

_SET_UP = (
    """CREATE TABLE film (film_id INT PRIMARY KEY, title VARCHAR(80) NOT NULL, release_year INT NOT NULL, rating VARCHAR(6) NOT NULL,
        length INT NOT NULL, rental_rate DECIMAL(4,2) NOT NULL, description VARCHAR(200) NOT NULL)""",
    "CREATE TABLE film_actor (actor_id INT NOT NULL, film_id INT NOT NULL, PRIMARY KEY (actor_id, film_id), KEY (film_id))",
    "CREATE TABLE inventory (inventory_id INT PRIMARY KEY, film_id INT NOT NULL, store_id INT NOT NULL, KEY (film_id))",
    """CREATE TABLE customer (customer_id INT PRIMARY KEY, store_id INT NOT NULL, last_name VARCHAR(40) NOT NULL,
        email VARCHAR(60) NOT NULL, active TINYINT NOT NULL, city VARCHAR(30) NOT NULL)""",
    """CREATE TABLE rental (rental_id INT PRIMARY KEY, rental_date DATETIME NOT NULL, inventory_id INT NOT NULL, customer_id INT NOT NULL,
        return_date DATETIME NULL, staff_id INT NOT NULL, KEY (inventory_id), KEY (customer_id), KEY (staff_id))""",
    """CREATE TABLE payment (payment_id INT PRIMARY KEY, customer_id INT NOT NULL, rental_id INT NULL, staff_id INT NOT NULL,
        amount DECIMAL(5,2) NOT NULL, payment_date DATETIME NOT NULL, KEY (customer_id), KEY (rental_id), KEY (staff_id))""",
    f"""INSERT INTO film SELECT n + 1, CONCAT(CHAR(65 + n % 26 USING utf8mb4), 'cademy ', n), 1980 + FLOOR(SQRT(RAND(1)) * 45),
            ELT(1 + FLOOR(RAND(2) * 5), 'G', 'PG', 'PG-13', 'R', 'NC-17'), 60 + FLOOR(RAND(3) * 120), 0.99 + FLOOR(RAND(4) * 3) * 2,
            REPEAT('a tale of ', 12) FROM ({NUMBERS}) x WHERE n < 4000""",
    f"""INSERT IGNORE INTO film_actor SELECT 1 + FLOOR(POW(RAND(5), 2) * 800), 1 + n % 4000 FROM ({NUMBERS}) x WHERE n < 22000""",
    f"""INSERT INTO inventory SELECT n + 1, 1 + FLOOR(POW(RAND(6), 2) * 4000), 1 + n % 2 FROM ({NUMBERS}) x WHERE n < 20000""",
    f"""INSERT INTO customer SELECT n + 1, 1 + n % 2, CONCAT('name', FLOOR(POW(RAND(7), 2) * 3000)), CONCAT('c', n, '@example.org'),
            RAND(8) < 0.97, CONCAT('city', FLOOR(POW(RAND(9), 3) * 600)) FROM ({NUMBERS}) x WHERE n < 12000""",
    *(
        f"""INSERT INTO rental SELECT n + 1 + {part}00000, DATE_ADD('2024-01-01', INTERVAL (n + {part}00000) * 4 MINUTE),
            1 + FLOOR(RAND(10 + {part}) * 20000), 1 + FLOOR(POW(RAND(12 + {part}), 2) * 12000),
            IF(RAND(14 + {part}) < 0.03, NULL, DATE_ADD('2024-01-03', INTERVAL (n + {part}00000) * 4 MINUTE)), 1 + n % 4
          FROM ({NUMBERS}) x"""
        for part in range(2)
    ),
    "INSERT INTO payment SELECT rental_id, customer_id, rental_id, staff_id, 0.99 + rental_id % 9, rental_date FROM rental",
    "ANALYZE TABLE film, film_actor, inventory, customer, rental, payment",
)
_STATEMENTS = (
    "SELECT title, rating FROM film WHERE title LIKE ?",
    "SELECT film_id, title FROM film WHERE rating = ? AND length > ? ORDER BY title LIMIT 20",
    "SELECT f.title FROM film f JOIN film_actor a ON a.film_id = f.film_id WHERE a.actor_id = ?",
    "SELECT a.actor_id FROM film_actor a WHERE a.film_id = ?",
    "SELECT inventory_id FROM inventory WHERE film_id = ? AND store_id = ?",
    """SELECT f.title, COUNT(*) FROM rental r JOIN inventory i ON i.inventory_id = r.inventory_id JOIN film f ON f.film_id = i.film_id
        WHERE r.customer_id = ? GROUP BY f.title""",
    "SELECT customer_id, email FROM customer WHERE last_name = ?",
    "SELECT customer_id, last_name FROM customer WHERE email = ?",
    "SELECT COUNT(*) FROM customer WHERE active = ? AND store_id = ?",
    "SELECT rental_id, rental_date FROM rental WHERE customer_id = ? ORDER BY rental_date DESC LIMIT 10",
    "SELECT rental_id, customer_id FROM rental WHERE return_date IS NULL AND rental_date < ?",
    "SELECT rental_id FROM rental WHERE inventory_id = ? AND return_date IS NULL",
    "SELECT SUM(amount) FROM payment WHERE customer_id = ?",
    "SELECT staff_id, SUM(amount) FROM payment WHERE payment_date BETWEEN ? AND ? GROUP BY staff_id",
    "SELECT p.amount FROM payment p WHERE p.rental_id = ?",
    "SELECT c.city, SUM(p.amount) FROM customer c JOIN payment p ON p.customer_id = c.customer_id WHERE c.city = ? GROUP BY c.city",
    "SELECT payment_id, amount FROM payment WHERE staff_id = ? ORDER BY payment_date DESC LIMIT 20",
    "SELECT DISTINCT city FROM customer WHERE store_id = ? ORDER BY city",
)
_NATURAL = (
    Natural(0, "film", ("title",)), Natural(1, "film", ("rating",)), Natural(1, "film", ("rating", "title")),
    Natural(3, "film_actor", ("film_id",)), Natural(4, "inventory", ("film_id", "store_id")), Natural(4, "inventory", ("store_id",)),
    Natural(5, "rental", ("customer_id",)), Natural(6, "customer", ("last_name",)), Natural(7, "customer", ("email",)),
    Natural(8, "customer", ("active",)), Natural(8, "customer", ("store_id", "active")),
    Natural(9, "rental", ("customer_id", "rental_date")),
    Natural(9, "rental", ("rental_date",)), Natural(10, "rental", ("return_date",)), Natural(10, "rental", ("rental_date",)),
    Natural(11, "rental", ("inventory_id",)), Natural(12, "payment", ("customer_id",)), Natural(13, "payment", ("payment_date",)),
    Natural(14, "payment", ("rental_id",)), Natural(15, "customer", ("city",)), Natural(16, "payment", ("payment_date",)),
    Natural(16, "payment", ("staff_id", "payment_date")), Natural(16, "payment", ("staff_id",)), Natural(17, "customer", ("store_id",)),
)  # fmt: skip


def _load(server: PrivateServer, seed: int) -> None:
    run(server, _SET_UP, seed)


RENTAL = DataSet(
    "rental",
    _load,
    ("film", "film_actor", "inventory", "customer", "rental", "payment"),
    _STATEMENTS,
    _NATURAL,
)
