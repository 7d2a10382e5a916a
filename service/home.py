"""The home folder: what is wrong with it is told as the setting that names it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured


@contextlib.contextmanager
def using_home() -> Iterator[None]:
    """Raises `ImproperlyConfigured` where the home cannot be read or written."""
    try:
        yield
    except OSError as error:
        raise ImproperlyConfigured(
            f"DBVIGIL_HOME: {error.filename} cannot be used ({error.strerror})"
        ) from None
