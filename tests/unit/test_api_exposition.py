"""`/metrics` for Prometheus: valid in both formats, base units, and what is unknown is absent."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from dbvigil.catalogue import METRICS
from tests.support.api import FIGURES, seed, seed_all_kinds

# What a Prometheus server sends.
PROMETHEUS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"


def scrape(client: Client, accept: str = "text/plain") -> dict[tuple[str, ...], float]:
    """Samples by name and sorted label values, from whichever format is answered."""
    answer = client.get("/metrics", headers={"accept": accept})
    assert answer.status_code == 200
    parse = parse_openmetrics if "openmetrics" in answer["Content-Type"] else parse_text
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in parse(answer.content.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain", "text/html", PROMETHEUS])
def test_formats(api: Callable[..., Client], accept: str) -> None:
    seed_all_kinds()
    answer = api().get("/metrics", headers={"accept": accept})
    if accept == PROMETHEUS:
        assert answer["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        assert answer.content.endswith(b"# EOF\n")
    else:
        assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert scrape(api(), accept)[("dbvigil_up", "shop")] == 1


def test_both_formats_say_the_same(api: Callable[..., Client]) -> None:
    seed_all_kinds()
    moving = ("dbvigil_sample_age_seconds",)
    text, openmetrics = (
        {key: value for key, value in scrape(api(), accept).items() if key[0] not in moving}
        for accept in ("text/plain", PROMETHEUS)
    )
    assert text == openmetrics


def test_values_in_base_units(api: Callable[..., Client]) -> None:
    seed("shop")
    samples = scrape(api())
    assert samples[("dbvigil_connection_usage_ratio", "shop")] == 0.0464
    assert samples[("dbvigil_slow_queries_per_second", "shop")] == 0.05
    assert samples[("dbvigil_collection_seconds", "shop")] == 0.0125
    assert samples[("dbvigil_row_lock_time_avg_seconds", "shop")] == 0.0025
    assert samples[("dbvigil_data_size_bytes", "shop")] == 123_456_789
    assert samples[("dbvigil_read_only", "shop")] == 0
    assert samples[("dbvigil_health_score", "shop")] == 100
    assert samples[("dbvigil_server_info", "shop", "mariadb", "standalone", "10.11.14-MariaDB")] == 1
    assert samples[("dbvigil_status", "shop", "healthy")] == 1
    assert samples[("dbvigil_status", "shop", "down")] == 0
    assert samples[("dbvigil_monitor_running",)] == 0
    assert samples[("dbvigil_monitor_interval_seconds",)] == 30


def test_unknown_is_absent(api: Callable[..., Client]) -> None:
    seed("shop")
    names = {key[0] for key in scrape(api()) if "shop" in key}
    for row in METRICS:
        if row.numeric and row.name not in ("up", "health_score"):
            assert (row.prometheus_name in names) == (FIGURES.get(row.name) is not None), row.name


def test_down_stale_and_new(api: Callable[..., Client]) -> None:
    seed_all_kinds()
    samples = scrape(api())

    def names(alias: str) -> set[str]:
        return {key[0] for key in samples if alias in key}

    always = {"dbvigil_status"}
    aged = {"dbvigil_sample_age_seconds", "dbvigil_sample_timestamp_seconds"}
    assert names("new") == always
    assert names("stale") == always | aged
    assert names("gone") == always | aged | {"dbvigil_up", "dbvigil_health_score"}
    assert samples[("dbvigil_up", "gone")] == 0
    assert samples[("dbvigil_sample_age_seconds", "stale")] >= 3600


def test_replication_by_channel(api: Callable[..., Client]) -> None:
    seed_all_kinds()
    samples = scrape(api())
    assert samples[("dbvigil_replication_channel_io_running", "", "shop-replica")] == 1
    assert samples[("dbvigil_replication_channel_sql_running", "", "shop-replica")] == 0
    assert not any(key[0] == "dbvigil_replication_channel_lag_seconds" for key in samples)


def test_labels_are_escaped(api: Callable[..., Client]) -> None:
    seed('a"b\\c\nd')
    for accept in ("text/plain", PROMETHEUS):
        assert scrape(api(), accept)[("dbvigil_up", 'a"b\\c\nd')] == 1


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text;version=x", ";;,", "text/plain;version=1e9", "\x00"]
)
def test_strange_accepts(api: Callable[..., Client], accept: str) -> None:
    assert api().get("/metrics", headers={"accept": accept}).status_code == 200


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_finds_nothing(api: Callable[..., Client]) -> None:
    seed("full", **every_figure())
    content = api().get("/metrics").content
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=content, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def every_figure() -> dict[str, Any]:
    return {row.name: 1 for row in METRICS if row.numeric and row.name not in ("up", "health_score")}
