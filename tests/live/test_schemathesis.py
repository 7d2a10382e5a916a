"""Schemathesis over the whole schema, as every role, against the running service and a real server.

It finds no 5xx and no answer outside the schema. `control/` is fuzzed for real: monitors start, stop and sample.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbvigil.sandbox import PrivateServer
from tests.support.servers import monitoring_url
from tests.support.service import Service
from tests.support.web import Web

RAISE = """
from datetime import UTC, datetime
from core.database_alerting import Alert, get_database_alerting
now = datetime.now(UTC)
for metric in ("connection_usage", "replication_running"):
    alert = Alert(0, "shop", metric, "critical", "firing", None, None, "it broke", now, now)
    get_database_alerting().send_alert(alert)
"""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
)


def aimed(document: Any) -> Any:
    """The same schema, with the alias and the alerts that there are as likely as any others: most answers are then a 200."""
    for body, key in (
        ("AcknowledgeBodyRequest", "alert_id"),
        ("PreviewBodyRequest", "alert_id"),
        ("SuppressEndBodyRequest", "suppression_id"),
    ):
        number = document["components"]["schemas"][body]["properties"][key]
        document["components"]["schemas"][body]["properties"][key] = {"anyOf": [{"enum": [1, 2]}, number]}
    usual = {
        "database": "shop",
        "schedule": "0 3 * * 0",
        "time_zone": "Europe/Berlin",
        "action": "end_long_statements",
    }
    for body in ("SuppressBodyRequest", "WindowBodyRequest", "WindowChangeBodyRequest", "RecoverBodyRequest"):
        properties = document["components"]["schemas"][body]["properties"]
        for key in usual.keys() & properties.keys():
            properties[key] = {"anyOf": [{"const": usual[key]}, properties[key]]}
    for methods in document["paths"].values():
        for declared in methods.values():
            for parameter in declared.get("parameters", ()):
                if parameter["name"] == "database":
                    parameter["schema"] = {"anyOf": [{"const": "shop"}, {"type": "string"}]}
                if parameter["name"] == "window_id":
                    parameter["schema"] = {"anyOf": [{"enum": [1, 2]}, parameter["schema"]]}
    return document


# Each group has a token of its own, so that none runs into the limit on changes before it has said much.
GROUPS = (
    (
        "--exclude-path-regex",
        "(threshold|control|acknowledge|suppress|end|test-channels|preview|recovery)/$|windows/|alerts/channels/",
    ),
    ("--include-path-regex", "(acknowledge|test-channels)/$"),
    ("--include-path-regex", "suppress/(end/)?$"),
    ("--include-path-regex", "windows/"),
    ("--include-path-regex", "preview/$"),
    ("--include-path-regex", "recovery/$"),
    ("--include-path-regex", "alerts/channels/"),
    ("--include-path-regex", "threshold/$"),
    ("--include-path-regex", "control/$"),
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("role", ["superuser", "reader", None])
def test_no_fault_and_no_answer_outside_the_schema(
    service: Service, web: Callable[[], Web], mariadb: PrivateServer, tmp_path: Path, role: str | None
) -> None:
    service.targets = {"shop": monitoring_url(mariadb)}
    site = web()
    assert site.post("control/", {"action": "collect"})[0] == 200
    assert site.get("metrics/")[1]["databases"]["shop"]["up"] is True
    service.python(RAISE)
    status, document = site.get("schema/")
    assert status == 200
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(aimed(document)))
    for group in GROUPS:
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", str(schema), "--url", site.host, *group,
            "--checks", ",".join(CHECKS if role else [check for check in CHECKS if check != "ignored_auth"]),
            "--phases", "examples,coverage,fuzzing", "--max-examples", "30" if role == "superuser" else "10",
            "--seed", "1", "--request-timeout", "30", "--continue-on-failure", "--no-color",
        ]  # fmt: skip
        if role:
            command += ["--header", f"Authorization: Bearer {site.new_token(role)}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        print(done.stdout)
        assert done.returncode == 0, done.stdout + done.stderr
    assert site.post("control/", {"action": "stop"})[0] == 200
    assert "Traceback" not in service.log()
    assert "Internal" not in service.log()
