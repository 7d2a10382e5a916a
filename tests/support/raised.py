"""Alerts that are on record, raised as a program raises them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

HTML = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;{{ 7|add:7 }}{% now 'Y' %}"
LINES = "first\r\nBcc: everyone@example.com\r\n\r\nsecond\x1b[2J \u202eevil"


def fire(database: str = "shop", metric: str = "connection_usage", **values: Any) -> int:
    """An alert that is on record and open; its number."""
    from dbvigil.alert import Alert
    from dbvigil.alerting.service import get_database_alerting

    now = datetime.now(UTC) - timedelta(minutes=12)
    given: dict[str, Any] = {
        "severity": "critical",
        "value": 96.2,
        "threshold": 95.0,
        "message": "Connection use is 96.2 %, critical from 95.0 %",
        "recommendations": ("find who holds connections", "raise max_connections"),
        **values,
    }
    alerting = get_database_alerting()
    alert = Alert(
        id=0, database=database, metric=metric, status="firing", started_at=now, last_seen_at=now, **given
    )
    alerting.send_alert(alert)
    return next(row.id for row in alerting.get_active_alerts(database) if row.metric == metric)
