"""Fingerprints a second on one core, against sqlglot's tokenizer and Percona's pt-fingerprint.

    python benchmarks/fingerprint.py [--statements 30000]

Statements as a shop's log has them, no two alike, about 150 bytes long: an ORM's and hand-written ones, short and with lists, one
in fifty with a comment. The tokenizer only splits a statement, so it does less than any fingerprint. All take turns, `ROUNDS` times,
and the best round counts. pt-fingerprint is a process: what it needs for one statement is taken off. It is left out where Percona
Toolkit is not installed.

Besides: a bulk INSERT of a megabyte, and 64 KB of two texts that are hard for patterns.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlglot import tokenize

from dbvigil.queries.fingerprint import fingerprint, go_mysql_bytes, pair_key, percona_bytes

ROUNDS = 5
SLOW_SHARE = 10
"""The tokenizer and the keys of pairs are given one statement in so many."""

SHAPES = (
    "SELECT `shop_order`.`id`, `shop_order`.`customer_id`, `shop_order`.`total` FROM `shop_order` WHERE (`shop_order`.`status` = '{word}'"
    " AND `shop_order`.`id` > {number}) ORDER BY `shop_order`.`id` ASC LIMIT 21",
    "SELECT c.id, c.name, o.total FROM customer c JOIN orders o ON o.customer_id = c.id WHERE o.created > '{date}' AND c.country = '{word}'"
    " LIMIT {number}, 20",
    "UPDATE account SET balance = balance - {number}.50, changed = '{date}' WHERE id = {number} AND version = 17",
    "INSERT INTO event (kind, at, body) VALUES ('{word}', '{date}', 'what {word} has written, {number} times, and it\\'s no secret')",
    "DELETE FROM session WHERE expires < '{date}' AND user_id IN ({number}, {number}1, {number}2, {number}3) LIMIT 1000",
    "SELECT COUNT(*) AS `__count` FROM `catalog_product` INNER JOIN `catalog_stock`"
    " ON (`catalog_product`.`id` = `catalog_stock`.`product_id`)"
    " WHERE (`catalog_stock`.`level` >= {number} AND `catalog_product`.`name` LIKE '%{word}%')",
    "SELECT * FROM orders WHERE id = {number}",
)  # fmt: skip
COMMENTED = (
    "SELECT a.id, a.title FROM article a /* view=shop.views.article, user={number} */"
    " WHERE a.slug = '{word}' AND a.published IS NOT NULL"
)
LONG = {
    "INSERT of 1 MB": b"INSERT INTO event (kind, at) VALUES "
    + b", ".join([b"('login', '2026-11-23')"] * 42_000),
    "unions, 64 KB": b"".join(
        b"SELECT %d FROM t%s UNION " % (number, b"ab"[number % 2 :]) for number in range(2_500)
    ),
    "VALUES, 64 KB": b"INSERT INTO t SELECT " + b"VALUES (1) + " * 5_000,
}


def statements(count: int) -> list[bytes]:
    """The same for the same count."""
    dice = random.Random(7)
    found = []
    for _ in range(count):
        shape = COMMENTED if dice.random() < 0.02 else dice.choice(SHAPES)
        found.append(
            shape.format(
                word="".join(dice.choices("abcdefghij", k=dice.randint(3, 12))),
                number=dice.randint(1, 9_999_999),
                date=f"2026-{dice.randint(1, 12):02}-{dice.randint(1, 28):02} {dice.randint(0, 23):02}:00:00",
            ).encode()
        )
    return found


def seconds(work: Callable[[bytes], object], data: Sequence[bytes]) -> float:
    gc.collect()
    start = time.process_time()
    for statement in data:
        work(statement)
    return time.process_time() - start


def tool_seconds(tool: str, data: Sequence[bytes], folder: Path) -> float:
    """Processor seconds of the tool for these statements, its start among them."""
    path = folder / "statements.sql"
    path.write_bytes(b"".join(statement + b";\n" for statement in data))
    before = os.times()
    subprocess.run([tool, str(path)], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--statements", type=int, default=30_000)
    data = statements(parser.parse_args().statements)
    few = data[::SLOW_SHARE]
    texts = [statement.decode() for statement in few]
    text_of = dict(zip(few, texts, strict=True))
    readers: dict[str, tuple[Callable[[bytes], object], Sequence[bytes]]] = {
        "percona, text": (percona_bytes, data),
        "percona, text and ID": (fingerprint, data),
        "go-mysql, text": (go_mysql_bytes, data),
        "key of pairs": (pair_key, few),
        "sqlglot, tokens only": (lambda statement: tokenize(text_of[statement], read="mysql"), few),
    }
    best = dict.fromkeys(readers, float("inf"))
    tool = shutil.which("pt-fingerprint")
    if tool:
        best["pt-fingerprint"] = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name, (work, some) in readers.items():
                best[name] = min(best[name], seconds(work, some) / len(some))
            if tool:
                idle = tool_seconds(tool, data[:1], Path(folder))
                spent = tool_seconds(tool, data, Path(folder)) - idle
                best["pt-fingerprint"] = min(best["pt-fingerprint"], spent / len(data))
    size = sum(map(len, data)) / len(data)
    print(f"{len(data)} statements, {size:.0f} bytes on average\n")
    print(f"{'':24}{'statements/s':>14}{'MB/s':>8}{'ratio':>8}")
    for name, each in best.items():
        print(f"{name:24}{1 / each:14,.0f}{size / each / 1e6:8.1f}{best['percona, text'] / each:8.2f}")
    print(f"\n{'one statement, ms':24}{'percona':>14}{'go-mysql':>10}{'pt-fingerprint':>16}")
    for name, statement in LONG.items():
        ours = [
            min(seconds(work, [statement]) for _ in range(ROUNDS)) for work in (percona_bytes, go_mysql_bytes)
        ]
        theirs = f"{_tool_once(tool, statement) * 1000:16,.1f}" if tool else ""
        print(f"{name:24}{ours[0] * 1000:14,.1f}{ours[1] * 1000:10,.1f}{theirs}")


def _tool_once(tool: str, statement: bytes) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return tool_seconds(tool, [statement], Path(folder))


if __name__ == "__main__":
    main()
