"""This machine's figures, read once for all servers that run on it."""

from __future__ import annotations

import threading
import time
from typing import Any

import psutil

# Many targets may live on one machine; within this time they share one reading.
_FRESH = 0.5

# What goes over these does not leave the machine, or is counted again by the card that it leaves through.
VIRTUAL_DEVICES = ("lo", "veth", "docker", "br-", "virbr")

_lock = threading.Lock()
_shared: dict[str, Any] = {}


def read(datadir: str) -> dict[str, Any]:
    """The readings that `collectors.host` documents; the disk is the one that holds `datadir`."""
    return _machine() | _disk(datadir)


def _machine() -> dict[str, Any]:
    with _lock:
        now = time.monotonic()
        if not _shared or not 0 <= now - _shared["at"] < _FRESH:
            cpu, memory, network = (
                psutil.cpu_times(),
                psutil.virtual_memory(),
                psutil.net_io_counters(pernic=True),
            )
            # Guest time is part of user time already.
            parts = [value for name, value in cpu._asdict().items() if name not in ("guest", "guest_nice")]
            _shared.update(
                source="local",
                at=now,
                cpu_total=sum(parts),
                cpu_busy=sum(parts) - cpu.idle - getattr(cpu, "iowait", 0.0),
                memory_total=memory.total,
                memory_used=memory.total - memory.available,
                received=sum(
                    card.bytes_recv for name, card in network.items() if not name.startswith(VIRTUAL_DEVICES)
                ),
                sent=sum(
                    card.bytes_sent for name, card in network.items() if not name.startswith(VIRTUAL_DEVICES)
                ),
                load1=psutil.getloadavg()[0],
            )
        return dict(_shared)


def _disk(datadir: str) -> dict[str, Any]:
    """Of the file system of `datadir`; of the largest one where the folder is not seen from here (a container, a chroot)."""
    try:
        usage = psutil.disk_usage(datadir)
    except OSError:
        mounts = {mount.mountpoint for mount in psutil.disk_partitions(all=False)} or {"/"}
        usage = max((psutil.disk_usage(mount) for mount in mounts), key=lambda found: found.total)
    # As df counts: what is kept for root is not available, so it is no part of the whole.
    return {"disk_used": usage.used, "disk_total": usage.used + usage.free}
