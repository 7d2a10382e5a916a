"""Another machine's figures, from the text that its node_exporter serves."""

from __future__ import annotations

import time
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from dbvigil.collectors.local_host import VIRTUAL_DEVICES
from dbvigil.errors import ServerError

_LONGEST = 2.0
_LARGEST = 8 * 2**20

_IDLE_MODES = ("idle", "iowait")
# Guest time is part of user time already.
_DOUBLE_MODES = ("guest", "guest_nice")
_NEEDED = (
    "node_cpu_seconds_total",
    "node_memory_MemTotal_bytes",
    "node_memory_MemAvailable_bytes",
    "node_filesystem_size_bytes",
    "node_filesystem_free_bytes",
    "node_filesystem_avail_bytes",
    "node_network_receive_bytes_total",
    "node_network_transmit_bytes_total",
    "node_load1",
    "node_boot_time_seconds",
)

Series = dict[str, list[tuple[dict[str, str], float]]]


async def read(url: str, datadir: str) -> dict[str, Any]:
    """The readings that `collectors.host` documents; the disk is that of the mount point that holds `datadir`.

    Raises a plain `ServerError` where there is no answer, or none of this kind: it says nothing of the database server.
    """
    text = await _fetch(url)
    at = time.monotonic()
    try:
        series = parse(text)
    except ValueError as error:
        raise ServerError(
            f"node_exporter's answer is not in its text format: {error}",
            "check the target's node-exporter URL",
        ) from None
    if not series.get("node_cpu_seconds_total"):
        raise ServerError(
            "the answer has no node_cpu_seconds_total",
            "check that the node-exporter URL is that of a node_exporter",
        )
    return {"source": "node_exporter", "at": at} | figures(series, datadir)


async def _fetch(url: str) -> str:
    remedy = "check the target's node-exporter URL and that node_exporter runs there"
    try:
        async with (
            httpx.AsyncClient(timeout=_LONGEST, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", url, headers={"Accept": "text/plain"}) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise ServerError(f"node_exporter answered with status {answer.status_code}", remedy)
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > _LARGEST:
                    raise ServerError(
                        f"node_exporter's answer is larger than {_LARGEST // 2**20} MiB", remedy
                    )
    except httpx.TimeoutException:
        raise ServerError(f"node_exporter did not answer within {_LONGEST:g} s", remedy) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServerError(f"node_exporter cannot be reached: {type(error).__name__}", remedy) from None
    return body.decode(errors="replace")


def parse(text: str) -> Series:
    """The samples that are needed, by name; every other line is skipped before it costs anything."""
    wanted = "".join(line + "\n" for line in text.splitlines() if line.startswith(_NEEDED))
    series: Series = {}
    for family in text_string_to_metric_families(wanted):
        for sample in family.samples:
            series.setdefault(sample.name, []).append((sample.labels, sample.value))
    return series


def figures(series: Series, datadir: str) -> dict[str, Any]:
    """The host's readings out of `series`; None for what it lacks."""
    cpu = [(labels.get("mode"), value) for labels, value in series.get("node_cpu_seconds_total", [])]
    total = sum(value for mode, value in cpu if mode not in _DOUBLE_MODES)
    memory, available = (
        _one(series, "node_memory_MemTotal_bytes"),
        _one(series, "node_memory_MemAvailable_bytes"),
    )
    return {
        "boot": _one(series, "node_boot_time_seconds"),
        "cpu_total": total,
        "cpu_busy": total - sum(value for mode, value in cpu if mode in _IDLE_MODES),
        "memory_total": memory,
        "memory_used": None if memory is None or available is None else memory - available,
        "received": _network(series, "node_network_receive_bytes_total"),
        "sent": _network(series, "node_network_transmit_bytes_total"),
        "load1": _one(series, "node_load1"),
    } | _disk(series, datadir)


def _one(series: Series, name: str) -> float | None:
    return next((value for _, value in series.get(name, [])), None)


def _network(series: Series, name: str) -> float | None:
    values = [
        value
        for labels, value in series.get(name, [])
        if not labels.get("device", "").startswith(VIRTUAL_DEVICES)
    ]
    return sum(values) if values else None


def _disk(series: Series, datadir: str) -> dict[str, Any]:
    sizes, free, available = (
        {
            labels.get("mountpoint", ""): value
            for labels, value in series.get(f"node_filesystem_{name}_bytes", [])
        }
        for name in ("size", "free", "avail")
    )
    known = [mount for mount in sizes if mount in free and mount in available]
    if not known:
        return {"disk_used": None, "disk_total": None}
    holding = [mount for mount in known if datadir.startswith(mount.rstrip("/") + "/")]
    mount = max(holding, key=len) if holding else max(known, key=sizes.__getitem__)
    used = sizes[mount] - free[mount]
    return {"disk_used": used, "disk_total": used + available[mount]}
