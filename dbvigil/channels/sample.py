"""An alert as it could be, for messages that only try a channel."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from dbvigil.alert import Alert

_OPEN_FOR = timedelta(minutes=3)


def sample_alert(now: datetime) -> dict[str, Any]:
    """A body of `Alert.to_dict()`: a warning about connections that has been open for three minutes."""
    alert = Alert(
        id=0,
        database="example",
        metric="connection_usage",
        severity="warning",
        status="firing",
        value=84.0,
        threshold=80.0,
        message="This is a test. Connection use is 84.0 %, a warning from 80.0 %",
        started_at=now - _OPEN_FOR,
        last_seen_at=now,
        recommendations=("nothing is wrong: somebody tries whether messages arrive",),
        duration_seconds=_OPEN_FOR.total_seconds(),
    )
    return alert.to_dict()
