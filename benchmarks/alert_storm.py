"""What the alert engine costs a sample, and how many transitions a second are evaluated and queued when everything fails at once.

    python benchmarks/alert_storm.py [--databases 10000]

One core, the service's own SQLite on this disk, two channels. Goals: a sample below 1 ms, 10,000 transitions a second.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

BATCH = 500
GOAL_PER_SECOND = 10_000
GOAL_PER_SAMPLE = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--databases", type=int, default=10_000)
    number = parser.parse_args().databases
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="dbvigil-bench-") as home:
        os.environ.update(DBVIGIL_HOME=home, DJANGO_SETTINGS_MODULE="service.settings")
        import django  # noqa: PLC0415 - only now are the settings meant to be read

        django.setup()
        _engine()
        _storm(number)


def _engine() -> None:
    """A healthy sample, and one with three rules firing, over every rule that ships."""
    from dbvigil.alerts.engine import step  # noqa: PLC0415
    from dbvigil.alerts.rules import for_database  # noqa: PLC0415
    from dbvigil.conf import load  # noqa: PLC0415
    from dbvigil.types import DatabaseMetrics  # noqa: PLC0415

    rules = for_database(load().thresholds.everywhere)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    healthy = DatabaseMetrics(
        "shop", now, True, connection_usage=20.0, query_time=0.01, slow_queries=0.0, history_list_length=10,
        uptime=86_400.0, disk_usage=40.0, auto_increment_max_usage=3.0,
    )  # fmt: skip
    ill = replace(healthy, connection_usage=99.0, query_time=9.0, disk_usage=97.0)
    print(f"{len(rules)} rules")
    for name, metrics in (("nothing firing", healthy), ("three rules firing", ill)):
        states = step(rules, metrics, {}, now).states
        for second in range(0, 1_200, 30):
            states = step(rules, metrics, states, now + timedelta(seconds=second)).states
        rounds = 5_000
        started = time.process_time()
        for _ in range(rounds):
            step(rules, metrics, states, now + timedelta(seconds=1_200))
        cost = (time.process_time() - started) / rounds * 1000
        print(
            f"  {name:20} {cost:7.3f} ms CPU a sample   goal < {GOAL_PER_SAMPLE:g}: {_verdict(cost < GOAL_PER_SAMPLE)}"
        )


def _storm(number: int) -> None:
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import transaction  # noqa: PLC0415

    from dbvigil.alerting.plan import Plan  # noqa: PLC0415
    from dbvigil.alerting.record import Evaluated, record  # noqa: PLC0415
    from dbvigil.alerts.engine import step  # noqa: PLC0415
    from dbvigil.alerts.rules import for_database  # noqa: PLC0415
    from dbvigil.alerts.states import RuleState  # noqa: PLC0415
    from dbvigil.conf import load  # noqa: PLC0415
    from dbvigil.models import Delivery  # noqa: PLC0415
    from dbvigil.types import DatabaseMetrics  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    plan = Plan(("email", "webhook"))
    rules = for_database(load().thresholds.everywhere)
    names = [f"db{place}" for place in range(number)]
    states: dict[str, dict[str, RuleState]] = {name: {} for name in names}
    now = datetime(2026, 3, 1, tzinfo=UTC)
    gc.freeze()  # as the monitor does when it starts
    for up, word in ((False, "fail"), (True, "come back")):
        now += timedelta(seconds=30)
        samples = [DatabaseMetrics(name, now, up, uptime=86_400.0, connection_usage=10.0) for name in names]
        started, started_cpu, count = time.perf_counter(), time.process_time(), 0
        for first in range(0, number, BATCH):
            batch = []
            for metrics in samples[first : first + BATCH]:
                name = metrics.database
                found = step(rules, metrics, states[name], now)
                states[name] = dict(found.states)
                batch.append(Evaluated(name, now, found))
                count += len(found.transitions)
            with transaction.atomic():
                record(batch, plan, now)
        seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
        print(
            f"{number} databases {word}: {count} transitions in {seconds:.2f} s ({cpu:.2f} s of CPU),"
            f" {count / seconds:,.0f} a second   goal >= {GOAL_PER_SECOND:,}: {_verdict(count / seconds >= GOAL_PER_SECOND)}"
        )
    print(f"  {Delivery.objects.count()} orders in the outbox")


def _verdict(held: bool) -> str:
    return "met" if held else "MISSED"


if __name__ == "__main__":
    main()
