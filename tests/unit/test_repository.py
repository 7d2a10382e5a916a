"""What the repository promises before any of its code runs: locks, wheel, set-up and settings."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = ("dev", "service")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

_ENTRY = re.compile(
    r"^(?P<requirement>[^\s#][^\\]*)\\\n(?P<hashes>(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M
)


def locked(name: str) -> list[Requirement]:
    """The pinned requirements of a lock, those for other versions of Python too."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    return [Requirement(entry["requirement"].strip()) for entry in _ENTRY.finditer(text)]


def here(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


def version(requirement: Requirement) -> str:
    (pin,) = requirement.specifier
    assert pin.operator == "==", requirement
    return pin.version


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# -- locks


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_a_pinned_and_hashed_package(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    assert len(locked(name)) > 20
    for requirement in locked(name):
        assert version(requirement)
        assert requirement.url is None
    rest = [line for line in _ENTRY.sub("", text).splitlines() if line and not line.lstrip().startswith("#")]
    assert rest == []


@pytest.mark.parametrize(
    "path", ["requirements/dev.lock", "requirements/service.lock", "Makefile", "scripts/setup"]
)
def test_packages_come_from_wherever_this_machine_gets_them(path: str) -> None:
    assert re.findall(r"\S*://\S*|--(?:extra-)?index-url|--trusted-host", (ROOT / path).read_text()) == []


def test_developers_run_the_versions_that_users_run() -> None:
    developers = {(canonical(r.name), str(r.marker)): version(r) for r in locked("dev")}
    users = {canonical(r.name): version(r) for r in locked("service") if here(r)}
    ours = {canonical(r.name): version(r) for r in locked("dev") if here(r)}
    assert developers
    assert users == {name: ours.get(name) for name in users}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_as_new_as_the_project_file(name: str) -> None:
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["service"]]
    if name == "dev":
        asked += PROJECT["dependency-groups"]["dev"]
    pins = {canonical(r.name): version(r) for r in locked(name) if here(r)}
    for requirement in map(Requirement, asked):
        pin = pins.get(canonical(requirement.name))
        assert pin is not None, f"{requirement} is not locked: make lock"
        assert requirement.specifier.contains(pin), f"{requirement} is locked as {pin}: make lock"


def test_the_oldest_python_that_is_promised_is_locked_for() -> None:
    assert PROJECT["project"]["requires-python"] == ">=3.11"
    oldest = {"python_version": "3.11", "python_full_version": "3.11.0"}
    for name in LOCKS:
        found = [r for r in locked(name) if r.name == "django"]
        (django,) = [r for r in found if r.marker is None or r.marker.evaluate(oldest)]
        assert version(django).startswith("5.2.")


# -- the wheel


def test_the_wheel_holds_the_app_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ours = {
        path.relative_to(ROOT).as_posix()
        for folder in ("dbvigil", "core")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(ROOT).parts)
    }
    # The pages that messages link to stand in the docs, and travel with the app.
    runbooks = {f"dbvigil/runbooks/{path.name}" for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert held == ours | runbooks
    assert runbooks
    assert {"core/database_monitor.py", "dbvigil/py.typed", "dbvigil/migrations/0001_initial.py"} <= held
    assert any(name.startswith("dbvigil/templates/") for name in held)


# -- set-up


def test_without_apt_the_set_up_names_the_missing_packages_and_changes_nothing(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dirname", "id", "sh"):
        found = next(p for p in (Path("/usr/bin") / name, Path("/bin") / name) if p.exists())
        (programs / name).symlink_to(found)
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / "setup"), "service"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    said, advice = done.stderr.splitlines()
    assert said.startswith("missing packages:")
    assert "mariadb-client-core" in said
    assert advice == f"install them as root: apt-get install --no-install-recommends{said.partition(':')[2]}"


def test_a_second_set_up_finds_nothing_to_do() -> None:
    setup = [str(ROOT / "scripts" / "setup"), "service"]
    first = subprocess.run(setup, capture_output=True, text=True, timeout=300, check=True)
    again = subprocess.run(setup, capture_output=True, text=True, timeout=60, check=True)
    assert (first.stdout, again.stdout, again.stderr) == ("", "", "")


# -- settings


def settings_say(home: Path, expression: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `expression` is in a process of the stand-alone service on `home`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DB", "DATABASE_", "DJANGO_"))
    }
    return subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", f"print({expression})"],
        cwd=ROOT,
        env=kept | {"DBVIGIL_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


_KEY = "__import__('django.conf').conf.settings.SECRET_KEY"
_DEBUG = "__import__('django.conf').conf.settings.DEBUG"
_PRAGMA = "__import__('django.db').db.connection.cursor().execute('PRAGMA {}').fetchone()[0]"


def test_the_secret_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first, second = settings_say(home, _KEY), settings_say(home, _KEY)
    assert len(first.stdout.strip()) >= 50
    assert first.stdout == second.stdout
    assert stat.S_IMODE((home / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_process_that_needs_little_loads_little(tmp_path: Path) -> None:
    # Every process of a host project sets the app up: workers, shells, migrations.
    heavy = "httpx jinja2 sqlglot asyncmy pymysql rich prometheus_client dbvigil.monitoring.loop dbvigil.queries.rules"
    done = settings_say(tmp_path, f"sorted(set({heavy.split()}) & set(__import__('sys').modules))")
    assert done.stdout == "[]\n", done.stderr


def test_debug_is_off_unless_asked_for(tmp_path: Path) -> None:
    assert settings_say(tmp_path, _DEBUG).stdout == "False\n"
    assert settings_say(tmp_path, _DEBUG, DJANGO_DEBUG="1").stdout == "True\n"


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", "1"), ("busy_timeout", "5000")]
)
def test_sqlite_is_set_for_many_readers_beside_one_writer(tmp_path: Path, pragma: str, value: str) -> None:
    # A folder's name may hold what means something in a URL.
    home = tmp_path / "a ?#% b"
    done = settings_say(home, _PRAGMA.format(pragma))
    assert done.stdout.strip() == value, done.stderr
    assert (home / "dbvigil.sqlite3").exists()


@pytest.mark.parametrize(
    "url", ["mysql://u:hunter2#x@h:3306/d", "mysql://u@h:hunter2/d", "oracle://u:hunter2@h/d"]
)
def test_a_database_url_that_cannot_be_read_is_told_without_its_password(tmp_path: Path, url: str) -> None:
    done = settings_say(tmp_path, _DEBUG, DATABASE_URL=url)
    assert done.returncode != 0
    assert done.stderr.startswith("dbvigil: DATABASE_URL: the URL cannot be read; allowed: sqlite:///FILE")
    assert len(done.stderr.splitlines()) == 1
    assert "hunter2" not in done.stdout + done.stderr


def test_a_home_that_cannot_be_used_is_told_in_one_line() -> None:
    done = settings_say(Path("/dev/null/home"), _DEBUG)
    assert done.returncode != 0
    assert done.stderr == "dbvigil: DBVIGIL_HOME: /dev/null/home cannot be used (Not a directory)\n"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/login/", "/core/api/monitoring/health/", "/metrics", "/nowhere"])
def test_every_answer_carries_the_security_headers(path: str) -> None:
    headers = Client().get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
