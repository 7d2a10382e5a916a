"""Two kinds of statement of a shop, what visits find of them, and what is proved of an index."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dbvigil.models import TargetState
from dbvigil.queries.figures import Figures
from dbvigil.queries.workload import Candidate, Proof
from dbvigil.query import QuerySource
from dbvigil.slow_queries import storing
from dbvigil.slow_queries.collecting import Collected, Description
from dbvigil.slow_queries.log_source import Name
from dbvigil.slow_queries.packing import Cost, Window

NOW = datetime(2026, 3, 1, 12, 2, tzinfo=UTC)
BY_ADDRESS: Name = ("digest", "shop", "d1")
REPORT: Name = ("digest", "shop", "d2")
TEXTS = {
    BY_ADDRESS: Description("SELECT id FROM customers WHERE email = ?", "select id from customers where email = ?", "A" * 16, "P1"),
    REPORT: Description("SELECT country, COUNT(*) FROM orders GROUP BY country", "select country…", "B" * 16, "P2"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def lease(db: None) -> None:
    """The monitor's lease of `shop`, without which nothing is kept."""
    TargetState.objects.create(
        alias="shop", holder="a", token=7, metrics={"flavor": "mariadb", "server_version": "10.11.6"}
    )


def found(
    at: datetime = NOW,
    kinds: dict[Name, Figures] | None = None,
    seconds: float = 60.0,
    new: dict[Name, Description] | None = None,
    **more: Any,
) -> Collected:
    sources: dict[QuerySource, dict[Name, Cost]] = {}
    for name, figures in (kinds or {}).items():
        sources.setdefault(name[0], {})[name] = Cost(figures)
    windows = {
        source: Window(
            seconds,
            sum(c.figures.count for c in costs.values()),
            sum(c.figures.total_time for c in costs.values()),
            costs,
        )
        for source, costs in sources.items()
    }
    return Collected(at, windows, TEXTS if new is None else new, {"reading": None, "log": None}, **more)


def keep(*visits: Collected) -> storing.Ids:
    ids: storing.Ids = {}
    for visit in visits:
        assert storing.save("shop", "a", 7, visit, ids)
    return ids


def proof(outcome: Any, **more: Any) -> Proof:
    candidate = Candidate(
        "shop", "customers", (("email", False),), ("A" * 16,), "ALTER TABLE … ADD", "ALTER TABLE … DROP"
    )
    before, after = (
        {"rows_read": 20_000, "pages": 90, "milliseconds": 2.0},
        {"rows_read": 1, "pages": 3, "milliseconds": 0.1},
    )
    rows = (
        {"query_id": "A" * 16, "serves": True, "cases": [{"case": "hot", "before": before, "after": after}]},
    )
    return Proof(
        candidate,
        outcome,
        "faster, and nothing slower",
        200.0,
        (150.0, 250.0),
        queries=rows,
        sample={"share": 5, "rows": 20_000},
        **more,
    )
