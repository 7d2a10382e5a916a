"""An alert as it might be: what test messages and previews of templates show."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from dbvigil.alert import Alert


def sample_alert(now: datetime) -> dict[str, Any]:
    """The body of an alert that fired four minutes before `now`, with everything that a body can have. It is on no record: its id is 0."""
    return Alert(
        id=0,
        database="shop",
        metric="connection_usage",
        severity="critical",
        status="firing",
        value=96.0,
        threshold=95.0,
        message="Connection usage is at 96 %: 145 of 151 connections are open, and new ones will soon be refused.",
        started_at=now - timedelta(minutes=4),
        last_seen_at=now,
        recommendations=(
            "Look at which account holds the connections, and whether they are idle: a pool may leak them.",
            "End idle sessions of that account, or restart the program that holds them.",
            "If the load is real, raise max_connections and watch the memory it takes.",
        ),
        evidence={
            "connections": [
                {
                    "user": "shop_web",
                    "host": "10.0.4.17",
                    "program": "checkout",
                    "connections": 118,
                    "sleeping": 112,
                },
                {
                    "user": "reports",
                    "host": "10.0.4.21",
                    "program": "nightly",
                    "connections": 19,
                    "sleeping": 2,
                },
            ],
            "sessions": [
                {
                    "id": 4711,
                    "user": "reports",
                    "host": "10.0.4.21",
                    "schema": "shop",
                    "command": "Query",
                    "seconds": 184.2,
                    "transaction_seconds": 190,
                    "state": "Sending data",
                    "statement": "SELECT `customer_id` , SUM ( `total` ) FROM `orders` WHERE `placed_at` > ? GROUP BY `customer_id`",
                },
            ],
        },
        duration_seconds=240.0,
    ).to_dict()
