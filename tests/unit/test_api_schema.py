"""The published description: valid OpenAPI 3.1, complete, the same as the catalogue and the docs say."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from django.test import Client, override_settings
from drf_spectacular.validation import validate_schema

from dbvigil.api.problems import KINDS
from dbvigil.catalogue import BY_NAME, METRICS, NUMERIC
from dbvigil.types import DatabaseMetrics
from tests.support.api import BASE

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"


@pytest.fixture
def document(api: Callable[..., Client]) -> dict[str, Any]:
    answer = api().get(f"{BASE}schema/")
    assert answer["Content-Type"] == "application/json"
    result: dict[str, Any] = answer.json()
    return result


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path.removeprefix(BASE)): declared
        for path, methods in document["paths"].items()
        for method, declared in methods.items()
    }


def test_it_is_valid_and_complete(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    validate_schema(document)
    assert set(operations(document)) == {
        ("GET", "metrics/"),
        ("GET", "metrics/{database}/history/"),
        ("GET", "slow-queries/"),
        ("GET", "connections/"),
        ("GET", "deadlocks/"),
        ("GET", "lock-waits/"),
        ("GET", "replication/"),
        ("GET", "recovery/"),
        ("POST", "recovery/"),
        ("GET", "backups/"),
        ("POST", "backups/"),
        ("GET", "deployments/"),
        ("POST", "deployments/"),
        ("GET", "health/"),
        ("GET", "dashboard/"),
        ("GET", "alerts/"),
        ("GET", "alerts/history/"),
        ("POST", "alerts/acknowledge/"),
        ("POST", "alerts/suppress/"),
        ("POST", "alerts/suppress/end/"),
        ("GET", "alerts/suppressions/"),
        ("GET", "alerts/windows/"),
        ("POST", "alerts/windows/"),
        ("PATCH", "alerts/windows/{window_id}/"),
        ("DELETE", "alerts/windows/{window_id}/"),
        ("GET", "alerts/channels/"),
        ("POST", "alerts/channels/"),
        ("PATCH", "alerts/channels/{channel}/"),
        ("DELETE", "alerts/channels/{channel}/"),
        ("POST", "alerts/preview/"),
        ("POST", "alerts/test-channels/"),
        ("GET", "config/"),
        ("POST", "config/threshold/"),
        ("DELETE", "config/threshold/"),
        ("POST", "control/"),
        ("GET", "schema/"),
    }


def test_every_operation_declares_its_problems_and_credentials(document: dict[str, Any]) -> None:
    identifiers = [declared["operationId"] for declared in operations(document).values()]
    assert len(set(identifiers)) == len(identifiers)
    for (method, path), declared in operations(document).items():
        statuses = set(declared["responses"])
        assert {"200", "400", "401", "403", "406", "429", "503"} <= statuses, path
        assert ("415" in statuses) == (method in ("POST", "PATCH"))
        assert not any(status.startswith("5") and status != "503" for status in statuses)
        for status, response in declared["responses"].items():
            assert list(response["content"]) == [
                "application/json" if status == "200" else "application/problem+json"
            ]
        assert declared["security"] == [{"bearer": []}, {"session": []}]


def test_bodies_refuse_unknown_keys_and_carry_examples(document: dict[str, Any]) -> None:
    for (method, _), declared in operations(document).items():
        if method not in ("POST", "PATCH"):
            continue
        content = declared["requestBody"]["content"]["application/json"]
        schema = {**content["schema"], "components": document["components"]}
        jsonschema.validate(content["example"], schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**content["example"], "unknown": 1}, schema)


def test_metrics_are_the_catalogue(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["DatabaseMetrics"]
    names = [item.name for item in fields(DatabaseMetrics)]
    assert list(schema["properties"]) == names
    assert set(schema["required"]) == set(names)
    assert {row.name for row in METRICS} <= set(names)
    for name, member in schema["properties"].items():
        if name in BY_NAME:
            assert member["description"].startswith(BY_NAME[name].help)
    assert schema["properties"]["slow_queries"]["type"] == ["number", "null"]
    assert "per minute" in schema["properties"]["slow_queries"]["description"]
    assert schema["properties"]["flavor"]["enum"] == ["mysql", "mariadb", "percona", None]
    threshold = document["components"]["schemas"]["ThresholdBodyRequest"]["properties"]["metric"]
    assert tuple(threshold["enum"]) == NUMERIC


def test_yaml_says_the_same(api: Callable[..., Client], document: dict[str, Any]) -> None:
    answer = api().get(f"{BASE}schema/", headers={"accept": "application/yaml"})
    assert answer["Content-Type"] == "application/yaml"
    assert yaml.safe_load(answer.content) == document


@override_settings(
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.BrowsableAPIRenderer"],
        "EXCEPTION_HANDLER": "no.such.handler",
        "UNAUTHENTICATED_USER": None,
        "URL_FORMAT_OVERRIDE": "database",
        "NON_FIELD_ERRORS_KEY": "__all__",
        "COERCE_DECIMAL_TO_STRING": False,
    }
)
def test_the_hosts_framework_settings_change_nothing(api: Callable[..., Client]) -> None:
    assert Client().get(f"{BASE}health/").status_code == 401
    answer = api().get(f"{BASE}metrics/?database=nope")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


def test_the_page_shows_every_operation_and_runs_no_script(
    api: Callable[..., Client], document: dict[str, Any]
) -> None:
    answer = api().get(f"{BASE}docs/", headers={"accept": "text/html"})
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    text = answer.content.decode()
    for declared in operations(document).values():
        assert f'id="{declared["operationId"]}"' in text
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in text or name.endswith("Request")
    anchors, links = set(re.findall(r' id="([^"]+)"', text)), set(re.findall(r'href="#([^"]+)"', text))
    assert links <= anchors
    assert "<script" not in text and " style=" not in text and "http-equiv" not in text
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = answer["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy


def test_the_reference_page_names_all_and_only_what_there_is(document: dict[str, Any]) -> None:
    text = PAGE.read_text()
    described = set(re.findall(r"^\| (GET|POST|PATCH|DELETE) \| `([^`?]+)", text, re.MULTILINE))
    assert described == set(operations(document)) | {("GET", "docs/")}
    assert set(re.findall(r"`urn:dbvigil:problem:([a-z-]+)`", text)) == {kind.name for kind in KINDS}
    for declared in operations(document).values():
        for parameter in declared.get("parameters", ()):
            assert f"`{parameter['name']}`" in text
