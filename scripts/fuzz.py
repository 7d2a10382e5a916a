"""Runs the property tests of what reads other people's texts, on ever new examples, until the time is over or one fails.

    python scripts/fuzz.py [--minutes 10] [--seed N] [tests …]

Each round has a seed of its own, and many more examples than the suite takes. A failing round ends the run with its seed and hypothesis's
smallest example, which `.hypothesis` keeps: the next ordinary run of the test tries it first.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = (
    "tests/unit/test_query_fuzz.py",
    "tests/unit/test_fingerprint_safety.py",
    "tests/unit/test_fingerprint_percona.py",
    "tests/unit/test_slowlog_digest.py",
    "tests/unit/test_slowlog_follow.py",
    "tests/unit/test_slowlog_forgery.py",
    "tests/unit/test_explain.py",
    "tests/unit/test_explain_guard.py",
    "tests/unit/test_query_rules_text.py",
    "tests/unit/test_query_rules_schema.py",
    "tests/unit/test_query_rules_statistics.py",
    "tests/unit/test_redaction.py",
)


def main() -> int:
    options = _options()
    dice = random.Random(options.seed)
    end = time.monotonic() + 60 * options.minutes
    rounds = 0
    while time.monotonic() < end:
        seed = dice.randrange(2**32)
        status = _round(options.tests or TESTS, seed, end)
        if status:
            print(
                f"round {rounds + 1} failed: python scripts/fuzz.py --seed {options.seed}, or the test by itself"
            )
            return status
        rounds += 1
        print(f"round {rounds}: nothing found with seed {seed}", flush=True)
    return 0


def _round(tests: tuple[str, ...] | list[str], seed: int, end: float) -> int:
    """What pytest ended with; 0 too where the time was over before it had ended, and nothing had failed."""
    command = [
        sys.executable, "-m", "pytest", "-q", "-x", "-m", "hypothesis",
        "--hypothesis-profile=fuzz", f"--hypothesis-seed={seed}", "--timeout=1800", *tests,
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        return process.wait(max(1.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait(60)
        return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument(
        "tests", nargs="*", help="test files, or tests; by default all that read other people's texts"
    )
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
