"""Whatever is sent, the answer is one that the schema knows: a problem that names what is wrong, never a 500."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbvigil.models import MonitorControl, StoredThreshold
from tests.support.api import BASE, seed

THRESHOLD = f"{BASE}config/threshold/"
CONTROL = f"{BASE}control/"
GOOD = {"metric": "connection_usage", "warning": 80, "critical": 95}


def post(client: Client, path: str, body: object) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.generic("POST", path, data, content_type="application/json")


def check_problem(answer: Any, status: int, name: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"urn:dbvigil:problem:{name}"
    assert body["status"] == status
    assert body["title"] and body["detail"]
    return body


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"metric": "no_such_metric"}, "metric"),
        ({"metric": "flavor"}, "metric"),
        ({"metric": None}, "metric"),
        ({"metric": ["connection_usage"]}, "metric"),
        ({"metric": "connection_usage\x00"}, "metric"),
        ({"warning": "80"}, "warning"),
        ({"warning": True}, "warning"),
        ({"warning": []}, "warning"),
        ({"warning": 10**400}, "warning"),
        ({"warning": -1e300}, "warning"),
        ({"warning": None, "critical": None}, "warning"),
        ({"warning": 96}, "critical"),
        ({"metric": "buffer_pool_hit_rate", "warning": 90, "critical": 95}, "critical"),
        ({"critical": {"a": 1}}, "critical"),
        ({"database": 5}, "database"),
        ({"database": ""}, "database"),
        ({"database": "x" * 101}, "database"),
        ({"database": "a\x00b"}, "database"),
        ({"databse": "shop"}, "databse"),
        ({"": 1}, ""),
    ],
)
def test_a_bad_threshold_names_its_field(
    api: Callable[..., Client], changed: dict[str, Any], field: str
) -> None:
    seed("shop")
    problem = check_problem(post(api("superuser"), THRESHOLD, GOOD | changed), 400, "invalid-value")
    assert list(problem["errors"]) == [field]
    assert not StoredThreshold.objects.exists()


@pytest.mark.parametrize("missing", GOOD)
def test_a_missing_key_is_named(api: Callable[..., Client], missing: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != missing}
    problem = check_problem(post(api("superuser"), THRESHOLD, body), 400, "invalid-value")
    assert list(problem["errors"]) == [missing]


def test_low_is_bad_the_other_way_round(api: Callable[..., Client]) -> None:
    body = {"metric": "buffer_pool_hit_rate", "warning": 95, "critical": 90}
    assert post(api("superuser"), THRESHOLD, body).status_code == 200


def test_a_threshold_on_an_unknown_database(api: Callable[..., Client]) -> None:
    seed("shop")
    answer = post(api("superuser"), THRESHOLD, GOOD | {"database": "shpo"})
    problem = check_problem(answer, 404, "unknown-database")
    assert "shpo" in problem["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "action"),
        ({"action": "explode"}, "action"),
        ({"action": True}, "action"),
        ({"action": 10**4000}, "action"),
        ({"action": "stop", "interval": True}, "interval"),
        ({"action": "stop", "interval": "5"}, "interval"),
        ({"action": "stop", "interval": None}, "interval"),
        ({"action": "stop", "interval": 0.5}, "interval"),
        ({"action": "stop", "interval": 86_401}, "interval"),
        ({"action": "stop", "force": True}, "force"),
    ],
)
def test_bad_control_changes_nothing(api: Callable[..., Client], body: dict[str, Any], field: str) -> None:
    problem = check_problem(post(api("superuser"), CONTROL, body), 400, "invalid-value")
    assert list(problem["errors"]) == [field]
    assert not MonitorControl.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"stop"',
        b"5",
        b"{'action': 'stop'}",
        b'{"action": "stop"} x',
        b'{"action": "stop", "action": "stop"}',
        b'{"action": "stop", "interval": NaN}',
        b'{"action": "stop", "interval": Infinity}',
        b'{"action": "stop", "interval": 1e999}',
        b'{"action": "stop", "interval": ' + b"9" * 5000 + b"}",
        b'{"action": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"action": "\xff"}',
        b"\xef\xbb\xbf{}",
        '{"action": "stop"}'.encode("utf-16"),
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b"\x00" * 100,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_usable_json(api: Callable[..., Client], body: bytes) -> None:
    answer = post(api("superuser"), CONTROL, body)
    name = "invalid-value" if body == b"" else "malformed-request"
    check_problem(answer, 400, name)


def test_a_large_body(api: Callable[..., Client]) -> None:
    client = api("superuser")
    check_problem(post(client, CONTROL, {"action": "x" * 70_000}), 413, "body-too-large")
    assert post(client, CONTROL, {"action": "x" * 60_000}).status_code == 400


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/xml", 415),
        ("nonsense", 415),
        ("application/json; charset=base64", 400),
        ("application/json; charset=idna", 400),
        ("application/json; charset=utf-7", 400),
        ("application/json; charset=no-such-thing", 400),
    ],
)
def test_content_types(api: Callable[..., Client], content_type: str, status: int) -> None:
    answer = api("superuser").generic("POST", CONTROL, b'{"action": "x"}', content_type=content_type)
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("charset", ["base64", "rot13", "undefined", "idna", "utf-16", "latin-1"])
def test_a_strange_charset_does_not_reach_the_query_string(api: Callable[..., Client], charset: str) -> None:
    """Through the service's own WSGI application: Django by itself fails on these before it reaches any view."""
    from service.wsgi import application

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": f"{BASE}metrics/",
        "QUERY_STRING": "database=%ff",
        "CONTENT_TYPE": f"application/json; charset={charset}",
        "HTTP_AUTHORIZATION": f"Bearer {api().token}",  # type: ignore[attr-defined]
        "HTTP_HOST": "localhost",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
    }
    statuses: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        statuses.append(status)

    application(environ, start_response)
    assert statuses == ["404 Not Found"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("hours=0", "hours"),
        ("hours=-1", "hours"),
        ("hours=9601", "hours"),
        ("hours=nan", "hours"),
        ("hours=inf", "hours"),
        ("hours=1e400", "hours"),
        ("hours=", "hours"),
        ("hours=1_0", "hours"),
        ("hours=%D9%A1", "hours"),
        ("hours=1&hours=2", "hours"),
        ("metric=", "metric"),
        ("metric=connections,", "metric"),
        ("metric=connections,nope", "metric"),
        ("metric=flavor", "metric"),
        ("metric=%00", "metric"),
        ("resolution=0", "resolution"),
        ("resolution=1.5", "resolution"),
        ("resolution=fast", "resolution"),
        ("resolution=99999999999999999999", "resolution"),
        ("hours=9600&resolution=1", "resolution"),
        ("hour=1", "hour"),
        ("format=xml", "format"),
    ],
)
def test_a_bad_history_query_names_its_parameter(api: Callable[..., Client], query: str, field: str) -> None:
    seed("shop")
    problem = check_problem(api().get(f"{BASE}metrics/shop/history/?{query}"), 400, "invalid-value")
    assert list(problem["errors"]) == [field]


@pytest.mark.parametrize(
    "alias", ["nope", "%00", "%ff", "a%0Ab", "é", "%F0%9F%92%A9", "x" * 3000, "..", "shop%20"]
)
def test_unknown_databases(api: Callable[..., Client], alias: str) -> None:
    seed("shop")
    client = api()
    check_problem(client.get(f"{BASE}metrics/{alias}/history/"), 404, "unknown-database")
    if len(alias) < 100:
        answer = client.get(f"{BASE}metrics/?database={alias}")
        assert answer.status_code == (400 if alias == "%00" else 404)


def test_too_many_parameters(api: Callable[..., Client]) -> None:
    query = "&".join(f"a{number}=1" for number in range(2000))
    check_problem(api().get(f"{BASE}metrics/?{query}"), 400, "malformed-request")


def test_statuses_around_the_request(api: Callable[..., Client]) -> None:
    client = api()
    check_problem(client.get(f"{BASE}nothing/"), 404, "not-found")
    assert "slash" in check_problem(client.get(f"{BASE}health"), 404, "not-found")["detail"]
    check_problem(client.delete(f"{BASE}nothing/"), 404, "not-found")
    answer = client.delete(f"{BASE}health/")
    check_problem(answer, 405, "method-not-allowed")
    assert answer["Allow"] == "GET, HEAD, OPTIONS"
    check_problem(client.get(f"{BASE}health/", headers={"accept": "text/html"}), 406, "not-acceptable")
    check_problem(
        client.get(f"{BASE}health/", headers={"accept": "application/json;q=0"}), 406, "not-acceptable"
    )
    for accept in ("*/*", "application/*", "text/html, application/json;q=0.1", "application/problem+json"):
        assert client.get(f"{BASE}health/", headers={"accept": accept}).status_code == 200


def test_head_has_the_headers_of_get(api: Callable[..., Client]) -> None:
    client = api()
    head = client.head(f"{BASE}config/")
    assert head.status_code == 200
    assert head.content == b""
    assert head["Content-Length"] == client.get(f"{BASE}config/")["Content-Length"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "metric": st.sampled_from(["connection_usage", "flavor"]) | JSON,
        "warning": JSON,
        "critical": JSON,
        "database": st.sampled_from(["shop", "nope"]) | JSON,
        "action": JSON,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=NEARLY | JSON)
def test_any_json_is_answered(api: Callable[..., Client], body: object) -> None:
    client = api("superuser")
    from django.core.cache import cache

    from dbvigil.api import throttling

    cache.clear()
    assert throttling.WRITE.requests
    for path in (THRESHOLD, CONTROL):
        assert post(client, path, body).status_code in (200, 400, 404)
