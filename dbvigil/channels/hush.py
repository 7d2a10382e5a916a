"""Keeps out of the log what libraries say while they send: they quote URLs and answers, at one level or another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_sending = threading.local()


class _Ours(logging.Filter):
    """Takes the records of a thread that sends a message of ours; all others pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        said: list[str] | None = getattr(_sending, "said", None)
        if said is None:
            return True
        said.append(record.getMessage())
        return False


_OURS = _Ours()
# A filter holds for the logger it is on and not for those below it.
_TALKERS = (
    "apprise",
    "charset_normalizer",
    "httpcore.connection",
    "httpcore.http11",
    "requests_oauthlib.oauth1_auth",
    "urllib3.connectionpool",
    "urllib3.util.retry",
)


@contextmanager
def unheard() -> Iterator[list[str]]:
    """What these libraries log in this thread meanwhile is in the list, and nowhere else."""
    for name in _TALKERS:
        logging.getLogger(name).addFilter(_OURS)
    before: list[str] | None = getattr(_sending, "said", None)
    said: list[str] = []
    _sending.said = said
    try:
        yield said
    finally:
        _sending.said = before
