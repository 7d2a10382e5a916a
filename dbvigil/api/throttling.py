"""How many requests a token may make: fixed windows counted in Django's default cache.

With the default cache (local memory) every web process counts for itself, so the true limit is the one below
times the number of processes; with a shared cache (Redis, Memcached, database) it is exact to within the
requests under way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.core.cache import cache
from rest_framework.exceptions import Throttled
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

logger = logging.getLogger("dbvigil.api")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `requests` in each window of `seconds`."""

    scope: str
    requests: int
    seconds: int

    def wait(self, who: str, now: float) -> float | None:
        """Counts one request of `who` at `now` (seconds since 1970).

        None where it is within the rate, else the seconds to wait.
        """
        window = int(now // self.seconds)
        key = f"dbvigil:{self.scope}:{window}:{who}"
        try:
            count = 1 if cache.add(key, 1, self.seconds) else _increment(key)
        except Exception as error:  # noqa: BLE001 - a cache may raise anything, and monitoring outlives the cache
            logger.warning("requests are not counted, the cache fails: %s", error)
            return None
        return None if count <= self.requests else (window + 1) * self.seconds - now


def _increment(key: str) -> int:
    try:
        return cache.incr(key)
    except ValueError:
        # It expired between the two calls, or the cache keeps nothing.
        return 1


READ = Rate("read", 10_000, 60)
WRITE = Rate("write", 120, 60)
FAILED_TOKEN = Rate("failed-token", 60, 60)


class PerToken(BaseThrottle):
    """Each token, and each signed-in user, has its own share; reads have a large one, changes a small one."""

    clock: Callable[[], float] = staticmethod(time.time)
    _wait: float | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        who = f"token:{request.auth.pk[:32]}" if request.auth is not None else f"user:{request.user.pk}"
        method = request.method or ""
        changes = method not in SAFE_METHODS and hasattr(view, method.lower())
        rate = WRITE if changes else READ
        self._wait = rate.wait(who, self.clock())
        return self._wait is None

    def wait(self) -> float | None:
        return self._wait


def count_failed_token(request: Request) -> None:
    """Counts a failed token against the address it came from; raises `Throttled` past the rate."""
    # The peer's address, not X-Forwarded-For, which anyone can write.
    wait = FAILED_TOKEN.wait(f"address:{request.META.get('REMOTE_ADDR', '')}", PerToken.clock())
    if wait is not None:
        raise Throttled(wait)
