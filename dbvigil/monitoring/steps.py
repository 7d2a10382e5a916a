"""The steps of the monitor's house tasks: one that fails is said, and ends neither its task nor any other."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from django.db import DatabaseError, InterfaceError

from dbvigil.errors import ConfigurationError

logger = logging.getLogger("dbvigil.monitor")


class Steps:
    """What is in trouble is remembered by purpose: it is said once, and once more when it is over."""

    def __init__(self) -> None:
        self._troubled: set[str] = set()

    async def __call__(self, purpose: str, step: Callable[[], Awaitable[None]]) -> bool:
        """One step; `purpose` says what for ("write its samples"). False where it failed."""
        try:
            await step()
        except (DatabaseError, InterfaceError) as error:
            self._trouble(
                purpose,
                f"the service's own database fails ({str(error).strip() or type(error).__name__}); samples wait",
            )
            return False
        except ConfigurationError as error:
            self._trouble(purpose, str(error))
            return False
        except Exception:
            # A fault of ours in one house task must not end the others; it is on record with its traceback.
            logger.exception("the monitor could not %s; it tries again", purpose)
            return False
        if purpose in self._troubled:
            self._troubled.discard(purpose)
            logger.info("the monitor can %s again", purpose)
        return True

    def _trouble(self, purpose: str, cause: str) -> None:
        if purpose not in self._troubled:
            self._troubled.add(purpose)
            logger.error("the monitor cannot %s: %s", purpose, cause)
