"""Settings of the stand-alone service.

Everything lives under `DBVIGIL_HOME` (default `./var`): the SQLite database, the secret key, the token. An environment variable of a
setting's name overrides it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from dbvigil.conf import from_environment
from service.home import using_home

ROOT = Path(__file__).parents[1]
HOME = Path(os.environ.get("DBVIGIL_HOME") or ROOT / "var").resolve()

with using_home():
    HOME.mkdir(parents=True, exist_ok=True, mode=0o700)


@using_home()
def _secret_key() -> str:
    """The site's own key: made once, kept where only its owner reads it."""
    given = os.environ.get("DJANGO_SECRET_KEY")
    if given:
        return given
    path = HOME / "secret_key"
    if not path.exists():
        # Written aside and linked into place: a process that starts beside this one sees the whole key or none.
        draft = HOME / f".secret_key.{os.getpid()}"
        with open(draft, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text().strip()


_ENGINES = tuple(f"django.db.backends.{name}" for name in ("sqlite3", "postgresql", "mysql"))
_NO_DATABASE_URL = (
    "DATABASE_URL: the URL cannot be read; allowed: sqlite:///FILE, and postgresql:// or mysql:// "
    "followed by USER:PASSWORD@HOST:PORT/NAME, each part percent-encoded"
)


def _database() -> dict[str, Any]:
    database: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": HOME / "dbvigil.sqlite3"}
    if url := os.environ.get("DATABASE_URL"):
        try:
            database = dict(dj_database_url.parse(url))
        except ValueError:
            # What the parser says can quote a part of the password.
            raise ImproperlyConfigured(_NO_DATABASE_URL) from None
        if database["ENGINE"] not in _ENGINES:
            raise ImproperlyConfigured(_NO_DATABASE_URL)
    engine = database["ENGINE"]
    if engine.endswith("sqlite3"):
        # One writer at a time and readers that never wait for it: WAL, and transactions that take the write lock when they begin.
        database["OPTIONS"] = {
            "timeout": 5,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    database["CONN_MAX_AGE"] = 60
    database["CONN_HEALTH_CHECKS"] = True
    if engine.endswith("mysql"):
        import pymysql  # noqa: PLC0415 - only this kind of database needs it

        pymysql.install_as_MySQLdb()
        database.setdefault("OPTIONS", {})["charset"] = "utf8mb4"
    return database


SECRET_KEY = _secret_key()
DEBUG = os.environ.get("DJANGO_DEBUG", "").lower() in ("1", "true", "yes", "on")
ALLOWED_HOSTS = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    socket.gethostname(),
    *os.environ.get("DJANGO_ALLOWED_HOSTS", "").split(),
]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "dbvigil",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "service.headers.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "service.urls"
WSGI_APPLICATION = "service.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "dbvigil-sign-in"

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
if os.environ.get("DBVIGIL_BEHIND_TLS", "").lower() in ("1", "true", "yes", "on"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname:<7} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"dbvigil": {"level": os.environ.get("DBVIGIL_LOG_LEVEL", "INFO")}},
}

DB_BACKUP_FOLDER = str(HOME / "backups")
_DEMO_TARGETS = HOME / "demo-targets"
"""While `make run` runs its demo: the demo's servers as `DB_MONITORING_TARGETS` names them, so that every command can reach them too."""


@using_home()
def _environment() -> dict[str, str]:
    given = dict(os.environ)
    if not given.get("DB_MONITORING_TARGETS", "").strip():
        with contextlib.suppress(FileNotFoundError):
            given["DB_MONITORING_TARGETS"] = _DEMO_TARGETS.read_text()
    return given


globals().update(from_environment(_environment()))
