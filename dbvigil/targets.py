"""Which servers are monitored: MySQL aliases of Django's DATABASES, and URLs.

    mysql://user:password@host:3306/?ssl-ca=/etc/ssl/ca.pem&node-exporter=http://host:9100/metrics

Whatever is wrong with a URL, the error shows no part of it that could be its password.
"""

from __future__ import annotations

import configparser
import getpass
import hashlib
import hmac
import ipaddress
import math
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dbvigil.errors import ConfigurationError

TlsMode = Literal["disabled", "preferred", "required", "verify-ca", "verify-identity"]
TLS_MODES: tuple[str, ...] = get_args(TlsMode)

PERCENT = "characters such as @ : / ? # % in a user or password are written percent-encoded, as in %40"
EXAMPLE = "allowed: mysql://user:password@host:3306/?name=value"

_ALIAS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
# One process alone can compare fingerprints, so that one which is stored cannot be tried against guesses.
_FINGERPRINT_KEY = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How a connection is encrypted; the modes are those of the `mysql` client.

    `ca`, `cert`, `key` are paths of PEM files; the last two are the client's own certificate. With a `ca` and
    no mode said, certificate and host name are verified.
    """

    mode: TlsMode = "preferred"
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    @property
    def verifies(self) -> bool:
        """Whether the server has to prove who it is: certificate and host name."""
        return self.mode == "verify-identity"


@dataclass(frozen=True, slots=True)
class Target:
    """A monitored server: where it is and how to connect.

    `allow_public_key` accepts the RSA key that a server offers for a password, without proof that it is the
    server's. `connect_timeout` and `read_timeout` (seconds) win over those given to `Server`. `schema` is where statements are
    looked up that name none; no connection chooses it. `heartbeat` is the table (`schema.table`) of heartbeat rows, `heartbeat_zone` the
    time zone that they are written in (an IANA name).
    """

    alias: str
    host: str = "localhost"
    port: int = 3306
    user: str = ""
    password: str = field(default="", repr=False)
    socket: str | None = None
    tls: TlsOptions = TlsOptions()
    allow_public_key: bool = False
    node_exporter: str | None = None
    heartbeat: str | None = None
    heartbeat_zone: str = "UTC"
    connect_timeout: float | None = None
    read_timeout: float | None = None
    schema: str = ""
    source: Literal["DATABASES", "DB_MONITORING_TARGETS"] = "DB_MONITORING_TARGETS"

    @property
    def address(self) -> str:
        """`host:port`, or the socket's path: for people."""
        if self.socket is not None:
            return self.socket
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool | None:
        """Whether the way to the server stays on this machine; None for a name that needs resolving.

        A loopback address may still be a tunnel's or a container's.
        """
        if self.socket is not None or self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return None

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that change when the target does, comparable within this process only.

        They reveal nothing, the password included.
        """
        values = repr([(item.name, getattr(self, item.name)) for item in fields(self)])
        return hmac.new(_FINGERPRINT_KEY, values.encode(), hashlib.sha256).hexdigest()


def parse_pairs(text: str) -> dict[str, str]:
    """`alias=url` pairs separated by white space, as {alias: url}; each URL is checked."""
    name, allowed = "DB_MONITORING_TARGETS", "allowed: alias=url pairs separated by spaces"
    pairs: dict[str, str] = {}
    for place, pair in enumerate(text.split(), start=1):
        alias, equals, url = pair.partition("=")
        if not equals or not _ALIAS.fullmatch(alias):
            # A password with a space in it would be the next "alias", so none is shown.
            raise ConfigurationError(name, f"pair {place}", f"{allowed}; {PERCENT}, %20 for a space")
        if alias in pairs:
            raise ConfigurationError(name, alias, "allowed: each alias once")
        parse_url(alias, url)
        pairs[alias] = url
    return pairs


def parse_url(alias: str, url: str) -> Target:
    """A target from its URL; raises `ConfigurationError`."""
    if not _ALIAS.fullmatch(alias):
        allowed = "allowed: an alias of letters, digits and _ . - that starts with a letter, digit or _"
        raise ConfigurationError("DB_MONITORING_TARGETS", alias, allowed)
    field_name = f"DB_MONITORING_TARGETS[{alias!r}]"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # urlsplit's own message quotes the URL.
        raise ConfigurationError(field_name, "this URL", f"{EXAMPLE}; {PERCENT}") from None
    if parts.scheme not in ("mysql", "mariadb"):
        raise ConfigurationError(field_name, "this URL", EXAMPLE)
    # What follows a bare / ? or # of a password looks like a path, a query or a fragment with an @ in it.
    if "@" in parts.path + parts.query or parts.fragment:
        raise ConfigurationError(field_name, "this URL", f"{EXAMPLE}; {PERCENT}")
    if not parts.username:
        raise ConfigurationError(field_name, "a URL without a user", EXAMPLE)
    options = _query(field_name, parts.query)
    if not parts.hostname and "socket" not in options:
        raise ConfigurationError(field_name, "a URL without host or socket", EXAMPLE)
    if port == 0:
        raise ConfigurationError(field_name, port, "allowed: a port from 1 to 65535")
    return Target(
        alias=alias,
        host=unquote(parts.hostname or "localhost"),
        port=port or 3306,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        tls=_tls(
            field_name,
            options.pop("ssl-mode", None),
            options.pop("ssl-ca", None),
            options.pop("ssl-cert", None),
            options.pop("ssl-key", None),
        ),
        schema=unquote(parts.path.removeprefix("/")),
        **options,
    )


def from_databases(databases: Mapping[str, Any]) -> dict[str, Target]:
    """The aliases of Django's DATABASES whose engine is MySQL's or MariaDB's, by alias."""
    return {
        alias: _from_database(f"DATABASES[{alias!r}]", alias, settings)
        for alias, settings in databases.items()
        if re.search("mysql|mariadb", str(settings.get("ENGINE", "")), re.IGNORECASE)
    }


def load(databases: Mapping[str, Any], urls: Mapping[str, str]) -> dict[str, Target]:
    """Every target by alias; a URL wins over the same alias in DATABASES."""
    from_urls = {alias: parse_url(alias, url) for alias, url in urls.items()}
    others = {alias: settings for alias, settings in databases.items() if alias not in from_urls}
    return from_databases(others) | from_urls


# -- the query of a URL


def _mode(text: str) -> TlsMode:
    for mode in get_args(TlsMode):
        if text.lower().replace("_", "-") == mode:
            return mode  # type: ignore[no-any-return]
    raise ValueError(f"allowed: {', '.join(TLS_MODES)}")


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("allowed: 0 or 1")
    return text == "1"


def _seconds(text: str) -> float:
    allowed = "allowed: seconds, more than 0 and at most 3600"
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError(allowed) from None
    if not math.isfinite(seconds) or not 0 < seconds <= 3600:
        raise ValueError(allowed)
    return seconds


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("allowed: an absolute path")
    return text


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("allowed: an http or https URL")
    return text


def _table(text: str) -> str:
    if not re.fullmatch(r"[\w$]{1,64}\.[\w$]{1,64}", text):
        raise ValueError("allowed: schema.table, of letters, digits, _ and $")
    return text


def _zone(text: str) -> str:
    try:
        if text != "UTC":
            ZoneInfo(text)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("allowed: a time zone's name, as in Europe/Berlin") from None
    return text


# By the name in a URL: the name of the value, and how it is read.
_PARAMETERS: dict[str, tuple[str, Callable[[str], object]]] = {
    "ssl-mode": ("ssl-mode", _mode),
    "ssl-ca": ("ssl-ca", _path),
    "ssl-cert": ("ssl-cert", _path),
    "ssl-key": ("ssl-key", _path),
    "get-server-public-key": ("allow_public_key", _flag),
    "socket": ("socket", _path),
    "node-exporter": ("node_exporter", _http_url),
    "heartbeat": ("heartbeat", _table),
    "heartbeat-zone": ("heartbeat_zone", _zone),
    "connect-timeout": ("connect_timeout", _seconds),
    "read-timeout": ("read_timeout", _seconds),
}


def _query(field_name: str, query: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in _PARAMETERS:
            raise ConfigurationError(field_name, name, f"allowed parameters: {', '.join(_PARAMETERS)}")
        key, read = _PARAMETERS[name]
        if key in found:
            raise ConfigurationError(f"{field_name} {name}", text, "allowed: once")
        try:
            found[key] = read(text)
        except ValueError as error:
            raise ConfigurationError(f"{field_name} {name}", text, str(error)) from None
    return found


def _tls(
    field_name: str, mode: TlsMode | None, ca: str | None, cert: str | None, key: str | None
) -> TlsOptions:
    if mode is None:
        mode = "preferred" if ca is None else "verify-identity"
    if mode in ("disabled", "preferred", "required") and ca is not None:
        # A certificate that is given and never looked at would be a false comfort.
        raise ConfigurationError(
            f"{field_name} ssl-mode", mode, "allowed beside ssl-ca: verify-identity or verify-ca"
        )
    if (cert is None) != (key is None):
        raise ConfigurationError(f"{field_name} ssl-cert", cert, "allowed: ssl-cert and ssl-key together")
    return TlsOptions(mode, ca, cert, key)


# -- DATABASES


def _from_database(field_name: str, alias: str, settings: Mapping[str, Any]) -> Target:
    """The options are those of mysqlclient and of PyMySQL."""
    options: dict[str, Any] = dict(settings.get("OPTIONS") or {})
    file = _option_file(field_name, options)

    def option(*names: str) -> Any:
        # As Django does it: OPTIONS over the setting of its own, and both over the option file.
        for source in (options, settings, file):
            for name in names:
                if source.get(name) not in (None, ""):
                    return source[name]
        return None

    host, socket = str(option("host", "HOST") or "localhost"), option("unix_socket", "socket")
    if host.startswith("/"):
        host, socket = "localhost", host
    port = option("port", "PORT") or 3306
    if not str(port).isdecimal() or not 0 < int(port) < 65536:
        raise ConfigurationError(f"{field_name} PORT", port, "allowed: a port from 1 to 65535")
    ssl = options.get("ssl")
    files: Mapping[str, Any] = ssl if isinstance(ssl, Mapping) else {}
    given_mode = option("ssl_mode", "ssl-mode") or ("required" if ssl else None)
    ca = files.get("ca") or option("ssl_ca", "ssl-ca")
    if ca and not option("ssl_mode", "ssl-mode"):
        given_mode = None
    try:
        mode = None if given_mode is None else _mode(str(given_mode))
    except ValueError as error:
        raise ConfigurationError(f"{field_name} ssl_mode", given_mode, str(error)) from None
    return Target(
        alias=alias,
        host=host,
        port=int(port),
        user=str(option("user", "USER") or getpass.getuser()),
        password=str(option("password", "passwd", "PASSWORD") or ""),
        socket=None if socket is None else str(socket),
        tls=_tls(
            field_name,
            mode,
            ca,
            files.get("cert") or option("ssl_cert", "ssl-cert"),
            files.get("key") or option("ssl_key", "ssl-key"),
        ),
        schema=str(option("database", "db", "NAME") or ""),
        source="DATABASES",
    )


def _option_file(field_name: str, options: Mapping[str, Any]) -> Mapping[str, str]:
    """The [client] group of the file that `read_default_file` names."""
    path = options.get("read_default_file")
    if not path:
        return {}
    parser = configparser.RawConfigParser(allow_no_value=True, strict=False)
    try:
        # The servers' own directives (!include) are no part of the format that configparser knows.
        lines = [line for line in Path(path).expanduser().read_text("utf-8").splitlines() if line[:1] != "!"]
        parser.read_string("\n".join(lines))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no option file"
        raise ConfigurationError(
            f"{field_name} read_default_file", str(path), f"allowed: a readable option file ({reason})"
        ) from None
    group = str(options.get("read_default_group") or "client")
    found = parser.items(group) if parser.has_section(group) else []
    return {name: value.strip("'\"") for name, value in found if value}
