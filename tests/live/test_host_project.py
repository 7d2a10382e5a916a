"""dbvigil in a project that is not its own: `startproject`, one app, one include, `migrate`, and it answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import ROOT
from tests.support.waiting import PATIENCE
from tests.support.web import free_port

URLS = """
from django.urls import include, path
urlpatterns = [path("ops/", include("dbvigil.urls"))]
"""

# A project whose own choices would break an API that relied on the framework's settings.
CONTRARY = """
MIDDLEWARE += ["django.contrib.auth.middleware.LoginRequiredMiddleware"]
DATABASES["default"]["ATOMIC_REQUESTS"] = True
APPEND_SLASH = False
TEMPLATES = []
MIDDLEWARE = [name for name in MIDDLEWARE if "messages" not in name]
INSTALLED_APPS = [name for name in INSTALLED_APPS if name.rpartition(".")[2] not in ("admin", "messages")]
ROOT_URLCONF = "mysite.plain_urls"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.StaticHTMLRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"],
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.AcceptHeaderVersioning",
    "DEFAULT_THROTTLE_RATES": {},
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "rest_framework.views.exception_handler",
}
REST_KNOX = {"TOKEN_PREFIX": "host_", "AUTH_TOKEN_CHARACTER_LENGTH": 8, "AUTH_HEADER_PREFIX": "Token"}
SPECTACULAR_SETTINGS = {"OAS_VERSION": "3.0.3", "TITLE": "The shop", "SCHEMA_PATH_PREFIX_INSERT": "/wrong"}
"""


class Project:
    """A fresh Django project in `folder` with `dbvigil` in it."""

    def __init__(self, folder: Path, more: str) -> None:
        self.folder = folder
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DJANGO_", "DB_", "DBVIGIL_"))
        } | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.run("-m", "django", "startproject", "mysite", ".")
        with (folder / "mysite" / "settings.py").open("a") as settings:
            settings.write(f'\nINSTALLED_APPS += ["dbvigil"]\n{more}')
        (folder / "mysite" / "plain_urls.py").write_text(URLS)
        with (folder / "mysite" / "urls.py").open("a") as urls:
            urls.write(
                '\nfrom django.urls import include\nurlpatterns += [path("ops/", include("dbvigil.urls"))]\n'
            )

    def run(self, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=2 * PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    @contextmanager
    def serve(self) -> Iterator[str]:
        """The address of the running site."""
        port = free_port()
        command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
        log = (self.folder / "log").open("w")
        process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    get(f"http://127.0.0.1:{port}/", None)
                    break
                except OSError:
                    assert process.poll() is None and time.monotonic() < deadline, (
                        self.folder / "log"
                    ).read_text()
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()
            log.close()


def get(url: str, token: str | None, body: object = None) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None
    if body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("more", ["", CONTRARY, 'INSTALLED_APPS += ["knox", "rest_framework"]\n'])
def test_one_app_one_include_and_migrate(tmp_path: Path, more: str) -> None:
    project = Project(tmp_path, more)
    project.run("manage.py", "check")
    project.run("manage.py", "migrate", "--verbosity", "0")
    project.run("manage.py", "makemigrations", "--check", "--dry-run")
    user = "from django.contrib.auth.models import User; User.objects.create_superuser('ada')"
    project.run("manage.py", "shell", "-c", user)
    token = project.run("manage.py", "dbvigil_token", "create", "ada").stdout.strip()
    with project.serve() as site:
        api = f"{site}/ops/api/monitoring/"
        assert get(f"{api}health/", None)[0] == 401
        status, text = get(f"{api}health/", token)
        assert status == 200, text
        assert set(json.loads(text)) == {"status", "score", "timestamp", "databases", "monitor", "alerts"}
        document = json.loads(get(f"{api}schema/", token)[1])
        assert document["openapi"] == "3.1.0"
        assert document["info"]["title"] == "dbvigil"
        assert "/ops/api/monitoring/health/" in document["paths"]
        assert "Monitoring API" in get(f"{api}docs/", token)[1]
        assert "dbvigil_monitor_running 0.0" in get(f"{site}/ops/metrics", token)[1]
        status, text = get(f"{api}control/", token, {"action": "start"})
        assert (status, json.loads(text)["running"]) == (200, True)
        status, text = get(f"{api}control/", token, {"action": "stop"})
        assert (status, json.loads(text)["running"]) == (200, False)
        assert json.loads(get(f"{api}nothing/", token)[1])["status"] == 404


def test_a_tuple_is_told_what_to_do(tmp_path: Path) -> None:
    project = Project(tmp_path, "INSTALLED_APPS = tuple(INSTALLED_APPS)\n")
    refused = project.run("manage.py", "check", expect=1)
    assert 'cannot add "knox" to INSTALLED_APPS, a tuple' in refused.stderr
    with (tmp_path / "mysite" / "settings.py").open("a") as settings:
        settings.write('INSTALLED_APPS += ("knox",)\n')
    project.run("manage.py", "check")
