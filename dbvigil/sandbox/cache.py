"""The folder where fetched servers and prepared data folders are kept between runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """`DBVIGIL_CACHE`, or `dbvigil` in the user's own cache folder; made if it is not there."""
    configured = os.environ.get("DBVIGIL_CACHE")
    if configured:
        folder = Path(configured).expanduser().resolve()
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(base) / "dbvigil"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@contextmanager
def building(target: Path) -> Iterator[Path | None]:
    """Build `target`, a folder, exactly once however many processes want it.

    Yields a fresh folder to fill, which becomes `target` when the block ends without an error, or None when
    another process has already built it. A block that fails leaves nothing behind, so `target` is either
    whole or absent.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / f".{target.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            yield None
            return
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            yield draft
            draft.rename(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
