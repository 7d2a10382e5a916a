"""The newest figures for Prometheus.

Names and units follow its conventions and come from the catalogue. Unknown is absent, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from django.http import HttpResponseBase
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric, StateSetMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector
from rest_framework.request import Request

import dbvigil
from dbvigil import conf
from dbvigil.api.answers import STATUSES
from dbvigil.api.base import ApiView, plain
from dbvigil.api.media import AnyAccept, accepts
from dbvigil.catalogue import METRICS
from dbvigil.monitoring import state
from dbvigil.types import DatabaseMetrics, ReplicationChannel

OPENMETRICS = "application/openmetrics-text"

_UNITS = ("seconds", "bytes", "ratio")

_CHANNEL_FIGURES: tuple[tuple[str, str, Callable[[ReplicationChannel], float | bool | None]], ...] = (
    ("io_running", "Whether the channel's receiver thread runs.", lambda channel: channel.io_running),
    ("sql_running", "Whether the channel's applier thread runs.", lambda channel: channel.sql_running),
    ("lag_seconds", "How far the channel is behind its source.", lambda channel: channel.lag),
    ("delay_seconds", "The channel's intended delay.", lambda channel: channel.delay),
)


class PrometheusView(ApiView):
    """`/metrics`: the text format 0.0.4, or OpenMetrics where `Accept` asks for it."""

    content_negotiation_class = AnyAccept

    def get(self, request: Request) -> HttpResponseBase:
        exposition = Exposition(state.overview(conf.load()))
        if accepts(request, OPENMETRICS):
            return plain(generate_openmetrics(exposition), CONTENT_TYPE_OPENMETRICS)
        return plain(generate_latest(exposition), CONTENT_TYPE_PLAIN_0_0_4)


prometheus_metrics = PrometheusView.as_view()


class Exposition(Collector):
    """The families of one overview.

    A database whose newest sample is stale has no figures, only its status and the sample's age.
    """

    def __init__(self, overview: state.Overview) -> None:
        self._overview = overview
        self._limit = timedelta(seconds=state.stale_after(overview.monitor.interval))
        self._fresh = {
            alias: metrics
            for alias, metrics in overview.metrics.items()
            if self._is_fresh(overview.sampled_at[alias])
        }

    def _is_fresh(self, sampled_at: datetime | None) -> bool:
        return sampled_at is not None and self._overview.now - sampled_at <= self._limit

    def collect(self) -> Iterator[Metric]:
        yield from filter(lambda family: family.samples, self._families())

    def _families(self) -> Iterator[Metric]:
        yield from self._monitor()
        yield from self._samples()
        for row in METRICS:
            if row.numeric:
                yield _gauge(
                    row.prometheus_name,
                    row.help,
                    ("database",),
                    (
                        ((alias,), _scaled(getattr(metrics, row.name), row.prometheus_factor))
                        for alias, metrics in self._fresh.items()
                    ),
                )
        for suffix, text, read in _CHANNEL_FIGURES:
            yield _gauge(
                f"dbvigil_replication_channel_{suffix}",
                text,
                ("database", "channel"),
                (
                    ((alias, channel.name), read(channel))
                    for alias, metrics in self._fresh.items()
                    for channel in metrics.replication_channels or ()
                ),
            )

    def _monitor(self) -> Iterator[Metric]:
        yield InfoMetricFamily("dbvigil", "The version of dbvigil.", value={"version": dbvigil.__version__})
        monitor = self._overview.monitor
        yield _gauge("dbvigil_monitor_running", "Whether a monitor runs.", (), [((), monitor.running)])
        yield _gauge(
            "dbvigil_monitor_interval_seconds",
            "Seconds between samples of one target.",
            (),
            [((), monitor.interval)],
        )

    def _samples(self) -> Iterator[Metric]:
        now = self._overview.now
        sampled = {alias: moment for alias, moment in self._overview.sampled_at.items() if moment is not None}
        yield _gauge(
            "dbvigil_sample_age_seconds",
            "Age of the newest sample.",
            ("database",),
            (((alias,), max(0.0, (now - moment).total_seconds())) for alias, moment in sampled.items()),
        )
        yield _gauge(
            "dbvigil_sample_timestamp_seconds",
            "When the newest sample was taken, in seconds since 1970.",
            ("database",),
            (((alias,), moment.timestamp()) for alias, moment in sampled.items()),
        )
        status = StateSetMetricFamily("dbvigil_status", "The verdict on the database.", labels=["database"])
        for alias, health in self._overview.health.items():
            status.add_metric([alias], {name: name == health.status for name in STATUSES})
        yield status
        server = InfoMetricFamily("dbvigil_server", "What the server is.", labels=["database"])
        for alias, metrics in self._fresh.items():
            known = _known(metrics)
            if known:
                server.add_metric([alias], known)
        yield server


def _known(metrics: DatabaseMetrics) -> dict[str, str]:
    values = {
        "flavor": metrics.flavor,
        "version": metrics.server_version,
        "replication_role": metrics.replication_role,
    }
    return {name: value for name, value in values.items() if value is not None}


def _scaled(value: float | bool | None, factor: float) -> float | None:
    """In Prometheus's base unit, without the dust of binary fractions."""
    return None if value is None else float(f"{value * factor:.12g}")


def _gauge(
    name: str,
    text: str,
    labels: tuple[str, ...],
    samples: Iterable[tuple[tuple[str, ...], float | bool | None]],
) -> Metric:
    unit = next((unit for unit in _UNITS if name.endswith(f"_{unit}")), "")
    family = GaugeMetricFamily(name, text, labels=labels, unit=unit)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, float(value))
    return family
