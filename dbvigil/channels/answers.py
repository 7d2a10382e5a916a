"""What an HTTP answer means for a message."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from dbvigil.channels.base import Outcome
from dbvigil.channels.transport import Answer

LONGEST_WAIT = 86_400.0


def outcome(answer: Answer, now: datetime) -> Outcome:
    """2xx is delivered, 410 wants nothing more, all else may be tried again; Retry-After counts on every failure."""
    status = answer.status
    if 200 <= status < 300:
        return Outcome(True, f"delivered (HTTP {status})")
    if status == 410:
        return Outcome(False, "the receiver wants nothing more (HTTP 410)", permanent=True, disable=True)
    wait = retry_after(answer.headers.get("retry-after"), now)
    if 300 <= status < 400:
        return Outcome(False, f"redirected (HTTP {status}); redirects are not followed", retry_after=wait)
    return Outcome(False, f"the receiver answered HTTP {status}", retry_after=wait)


def retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds to wait from a Retry-After header, in either form, at most a day; None where it says nothing usable.

    >>> retry_after("Wed, 21 Oct 2026 07:28:30 GMT", datetime(2026, 10, 21, 7, 28, tzinfo=UTC))
    30.0
    """
    if text is None:
        return None
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        return min(float(text), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(0.0, seconds), LONGEST_WAIT) if math.isfinite(seconds) else None
