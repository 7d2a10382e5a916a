"""Verdicts on index candidates from a sample, beside what executions on all rows say.

    python benchmarks/index_proof.py [--server mysql-9.7] [--rows 40000]

A table of 300,000 orders with skewed and correlated columns and one of 30,000 customers; twenty statements, each with a candidate that
looks natural for it. They are tried in a sandbox with a sample of `--rows` rows, then in one with all of them, which is the truth here.
A decision is right where the sample says verified and all rows say so too, or neither does. The goal: nothing verified by the sample is
harmful or useless on all rows.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from dbvigil.queries.proof import Budget, verify
from dbvigil.queries.schema_reader import read_schema
from dbvigil.queries.workload import Candidate, Proof, WorkloadQuery
from dbvigil.sandbox import PrivateServer
from dbvigil.sandbox.server import random_password
from dbvigil.server import Server
from dbvigil.targets import parse_url

SCHEMA = "trial"
_DIGITS = "(SELECT 0 AS d" + "".join(f" UNION ALL SELECT {digit}" for digit in range(1, 10)) + ")"
_NUMBERS = (
    "SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d AS n"
    f" FROM {_DIGITS} a, {_DIGITS} b, {_DIGITS} c, {_DIGITS} e, {_DIGITS} f"
)
SET_UP = (
    "CREATE TABLE customers (id INT PRIMARY KEY, region VARCHAR(20) NOT NULL, tier INT NOT NULL, name VARCHAR(60) NOT NULL)",
    """CREATE TABLE orders (id INT PRIMARY KEY, customer_id INT NOT NULL, status VARCHAR(12) NOT NULL, code INT NOT NULL,
        amount INT NOT NULL, day DATE NOT NULL, flag TINYINT NOT NULL, note CHAR(120) NOT NULL, KEY customer (customer_id))""",
    f"""INSERT INTO customers
        SELECT n + 1, CONCAT('r', FLOOR(POW(RAND(1), 3) * 20)), FLOOR(POW(RAND(2), 2) * 6), CONCAT('customer ', n)
          FROM ({_NUMBERS}) x WHERE n < 30000""",
    *(
        f"""INSERT INTO orders
        SELECT n + 1 + {part}00000, 1 + FLOOR(POW(RAND({part}), 2) * 30000),
               ELT(1 + FLOOR(POW(RAND(3 + {part}), 4) * 6), 'done', 'paid', 'sent', 'open', 'held', 'lost'),
               FLOOR(RAND(6 + {part}) * 50000),
               FLOOR(POW(RAND(9 + {part}), 3) * 10000), DATE_ADD('2022-01-01', INTERVAL FLOOR((n + {part}00000) / 300) DAY),
               RAND(12 + {part}) < 0.02, REPEAT('x', 100)
          FROM ({_NUMBERS}) x"""
        for part in range(3)
    ),
    "ANALYZE TABLE orders, customers",
)
_JOINED = "FROM customers c JOIN orders o ON o.customer_id = c.id WHERE"
CASES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("SELECT id, amount FROM orders WHERE code = ?", "orders", ("code",)),
    ("SELECT SUM(amount) FROM orders WHERE status = ?", "orders", ("status",)),
    ("SELECT SUM(amount) FROM orders WHERE status = ?", "orders", ("status", "amount")),
    ("SELECT id, note FROM orders WHERE amount > ? ORDER BY code LIMIT 20", "orders", ("code",)),
    ("SELECT id, note FROM orders WHERE status = ? ORDER BY day DESC LIMIT 20", "orders", ("status", "day")),
    ("SELECT id, note FROM orders WHERE status = ? ORDER BY day DESC LIMIT 20", "orders", ("day",)),
    ("SELECT COUNT(*) FROM orders WHERE day BETWEEN ? AND ?", "orders", ("day",)),
    ("SELECT SUM(amount) FROM orders WHERE day >= ?", "orders", ("day",)),
    ("SELECT id, note FROM orders WHERE flag = ? AND amount > ?", "orders", ("flag",)),
    ("SELECT id, note FROM orders WHERE flag = ? AND amount > ?", "orders", ("flag", "amount")),
    (f"SELECT c.region, SUM(o.amount) {_JOINED} c.region = ? GROUP BY c.region", "customers", ("region",)),
    (f"SELECT c.name, o.amount {_JOINED} c.tier = ? AND o.status = ?", "orders", ("status",)),
    (f"SELECT c.name, o.amount {_JOINED} c.tier = ? AND o.status = ?", "orders", ("customer_id", "status")),
    ("SELECT customer_id, MAX(day) FROM orders GROUP BY customer_id", "orders", ("customer_id", "day")),
    ("SELECT status, COUNT(*) FROM orders GROUP BY status", "orders", ("status",)),
    (
        "SELECT id, note FROM orders WHERE customer_id = ? AND status = ? ORDER BY day DESC LIMIT 20",
        "orders",
        ("customer_id", "status", "day"),
    ),
    ("SELECT id, note FROM orders WHERE customer_id = ? ORDER BY day DESC LIMIT 20", "orders", ("customer_id", "day")),
    ("SELECT SUM(amount) FROM orders WHERE amount > ?", "orders", ("amount",)),
    ("SELECT id, note FROM orders WHERE status IN (?) AND day > ?", "orders", ("status", "day")),
    ("SELECT SUM(LENGTH(note)) FROM orders WHERE amount < ? AND code > ?", "orders", ("code",)),
)  # fmt: skip


async def decided(server: Server, budget: Budget) -> list[Proof]:
    """One proof a case: each candidate with its own statement alone, in a sandbox of its own."""
    schema = await read_schema(server, {("", "orders"), ("", "customers")}, default=SCHEMA)
    # All in one sandbox would be quicker, and would judge each index by the other nineteen statements too.
    found: list[Proof] = []
    for number, (sql, table, columns) in enumerate(CASES):
        workload = [WorkloadQuery(str(number), sql, SCHEMA)]
        index = Candidate(SCHEMA, table, tuple((name, False) for name in columns), (str(number),), "", "")
        found += await verify(server, workload, [index], schema, budget=budget)
    return found


def show(sample: Sequence[Proof], full: Sequence[Proof]) -> None:
    """One line a case, then the sums."""
    for (sql, _, columns), ours, truth in zip(CASES, sample, full, strict=True):
        words = f"{ours.outcome:10}{ours.speed_up or 0:10.1f}  {truth.outcome:10}{truth.speed_up or 0:10.1f}"
        print(f"{words}  ({', '.join(columns)}) {sql}")
    pairs = [(ours.outcome, truth.outcome) for ours, truth in zip(sample, full, strict=True)]
    right = sum((ours == "verified") == (truth == "verified") for ours, truth in pairs)
    wrong = sum(ours == "verified" and truth in ("harmful", "no_gain") for ours, truth in pairs)
    print(f"right decisions {right} of {len(pairs)}; verified, but harmful or useless on all rows: {wrong}")
    print("goal 0: " + ("met" if wrong == 0 else "MISSED"))


async def compared(server: PrivateServer, rows: int) -> None:
    password = random_password()
    server.create_user("prover", password, (f"SELECT ON {SCHEMA}.*",))
    source = Server(parse_url("shop", server.url("prover", password)), read_timeout=60)
    results = []
    try:
        for budget in (Budget(rows, 600, 100), Budget(1_000_000, 600, 100)):
            began = time.monotonic()
            results.append(await decided(source, budget))
            print(f"at most {budget.rows:,} rows: {time.monotonic() - began:.0f} s")
    finally:
        await source.close()
    show(*results)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", nargs="*", default=["mysql-9.7", "mariadb-10.11"])
    parser.add_argument("--rows", type=int, default=40_000)
    chosen = parser.parse_args()
    for name in chosen.server:
        print(f"-- {name}")
        with tempfile.TemporaryDirectory() as folder, PrivateServer(name, Path(folder) / "server") as server:
            server.execute(f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4")
            with server.connect(database=SCHEMA) as connection, connection.cursor() as cursor:
                for text in SET_UP:
                    cursor.execute(text)
            asyncio.run(compared(server, chosen.rows))


if __name__ == "__main__":
    main()
