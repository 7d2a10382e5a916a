"""Targets from URLs and from DATABASES, and that a password never shows where one is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbvigil.errors import ConfigurationError
from dbvigil.targets import Target, TlsOptions, from_databases, load, parse_pairs, parse_url

SECRET = "kZ7w-Secret"


def test_a_full_url() -> None:
    query = (
        "ssl-mode=verify-ca&ssl-ca=/etc/ca.pem&ssl-cert=/etc/c.pem&ssl-key=/etc/k.pem&get-server-public-key=1"
        "&node-exporter=http://db1:9100/metrics&connect-timeout=2.5&read-timeout=7"
    )
    assert parse_url("shop", f"mysql://mon%40x:p%2Fw%20d@db1.example:3307/?{query}") == Target(
        alias="shop",
        host="db1.example",
        port=3307,
        user="mon@x",
        password="p/w d",
        tls=TlsOptions("verify-ca", "/etc/ca.pem", "/etc/c.pem", "/etc/k.pem"),
        allow_public_key=True,
        node_exporter="http://db1:9100/metrics",
        connect_timeout=2.5,
        read_timeout=7.0,
        source="DB_MONITORING_TARGETS",
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mysql://u@h", Target("a", host="h", user="u")),
        ("mariadb://u:@h/", Target("a", host="h", user="u")),
        ("mysql://u:p@h/shop", Target("a", host="h", user="u", password="p", schema="shop")),
        ("mysql://u:p@[::1]:3310/", Target("a", host="::1", port=3310, user="u", password="p")),
        ("mysql://u:p:q@h/", Target("a", host="h", user="u", password="p:q")),
        ("mysql://u:p@q@h/", Target("a", host="h", user="u", password="p@q")),
        ("mysql://u:%C3%BC@h/", Target("a", host="h", user="u", password="ü")),
        (
            "mysql://u:p@h/?heartbeat=percona.heartbeat&heartbeat-zone=Europe/Berlin",
            Target(
                "a",
                host="h",
                user="u",
                password="p",
                heartbeat="percona.heartbeat",
                heartbeat_zone="Europe/Berlin",
            ),
        ),
        (
            "mysql://u:p@h/?heartbeat=percona.heartbeat",
            Target("a", host="h", user="u", password="p", heartbeat="percona.heartbeat"),
        ),
        ("mysql://u:p@/?socket=/run/s.sock", Target("a", user="u", password="p", socket="/run/s.sock")),
        (
            "mysql://u:p@h/?ssl-ca=/ca.pem",
            Target("a", host="h", user="u", password="p", tls=TlsOptions("verify-identity", "/ca.pem")),
        ),
        (
            "mysql://u:p@h/?ssl-mode=VERIFY_IDENTITY",
            Target("a", host="h", user="u", password="p", tls=TlsOptions("verify-identity")),
        ),
    ],
)
def test_urls(url: str, expected: Target) -> None:
    assert parse_url("a", url) == expected


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"mysql://u:{SECRET}/x@h/", "percent-encoded"),
        (f"mysql://u:{SECRET}?x@h/", "percent-encoded"),
        (f"mysql://u:{SECRET}#x@h/", "percent-encoded"),
        (f"mysql://u:x/{SECRET}@h/", "percent-encoded"),
        (f"mysql://u:x?{SECRET}=1@h/", "percent-encoded"),
        (f"mysql://u:x#{SECRET}@h/", "percent-encoded"),
        (f"mysql://u:[{SECRET}@h/", "percent-encoded"),
        (f"mysql://u:{SECRET}@h:33o6/", "percent-encoded"),
        (f"mysql://u:{SECRET}@h:99999/", "percent-encoded"),
        (f"mysql://u:{SECRET}@h:0/", "1 to 65535"),
        (f"mysql://u:{SECRET}@/", "host or socket"),
        (f"mysql://:{SECRET}@h/", "without a user"),
        (f"postgres://u:{SECRET}@h/", "mysql://"),
        (f"u:{SECRET}@h", "mysql://"),
        (f"mysql://u:{SECRET}@h/?sslca=/x", "allowed parameters: ssl-mode, ssl-ca,"),
        (f"mysql://u:{SECRET}@h/?ssl-mode=on", "disabled, preferred, required, verify-ca, verify-identity"),
        (f"mysql://u:{SECRET}@h/?ssl-mode=required&ssl-ca=/ca.pem", "verify-identity or verify-ca"),
        (f"mysql://u:{SECRET}@h/?ssl-ca=ca.pem", "absolute path"),
        (f"mysql://u:{SECRET}@h/?ssl-cert=/c.pem", "together"),
        (f"mysql://u:{SECRET}@h/?connect-timeout=0", "more than 0"),
        (f"mysql://u:{SECRET}@h/?read-timeout=nan", "more than 0"),
        (f"mysql://u:{SECRET}@h/?read-timeout=x", "seconds"),
        (f"mysql://u:{SECRET}@h/?get-server-public-key=yes", "0 or 1"),
        (f"mysql://u:{SECRET}@h/?node-exporter=db1:9100", "http"),
        (f"mysql://u:{SECRET}@h/?heartbeat-zone=Mars", "time zone"),
        (f"mysql://u:{SECRET}@h/?heartbeat-zone=../etc/passwd", "time zone"),
        (f"mysql://u:{SECRET}@h/?heartbeat-zone=", "time zone"),
        (f"mysql://u:{SECRET}@h/?heartbeat=heartbeat", "schema.table"),
        (f"mysql://u:{SECRET}@h/?heartbeat=percona.heart`beat", "schema.table"),
        (f"mysql://u:{SECRET}@h/?read-timeout=1&read-timeout=2", "once"),
    ],
)
def test_wrong_urls(url: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url("shop", url)
    assert told in str(caught.value)
    assert "DB_MONITORING_TARGETS['shop']" in str(caught.value)
    assert SECRET.lower() not in str(caught.value).lower()
    # Not in what a log shows of its origin either.
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("alias", ["", "-x", "a b", "a/b", "a" * 65])
def test_wrong_aliases(alias: str) -> None:
    with pytest.raises(ConfigurationError, match="alias"):
        parse_url(alias, "mysql://u:p@h/")


def test_pairs() -> None:
    text = " shop=mysql://u:p@h/?ssl-mode=required\n replica=mysql://u:p@h2/ "
    assert parse_pairs(text) == {
        "shop": "mysql://u:p@h/?ssl-mode=required",
        "replica": "mysql://u:p@h2/",
    }
    assert parse_pairs("") == {}


@pytest.mark.parametrize(
    "text",
    [
        f"shop=mysql://u:{SECRET}@h/ mysql://u:{SECRET}@h2/",
        f"shop=mysql://u:x {SECRET}@h/",
        f"a=mysql://u:{SECRET}@h/ a=mysql://u:{SECRET}@h/",
        f"a=mysql:/u:{SECRET}@h/",
    ],
)
def test_wrong_pairs(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_pairs(text)
    assert SECRET not in str(caught.value)


def test_a_password_is_not_in_a_repr() -> None:
    assert SECRET not in repr(parse_url("shop", f"mysql://u:{SECRET}@h/"))


@pytest.mark.parametrize(
    ("target", "address", "is_local"),
    [
        (Target("a", host="db1"), "db1:3306", None),
        (Target("a", host="localhost"), "localhost:3306", True),
        (Target("a", host="127.0.0.9", port=1), "127.0.0.9:1", True),
        (Target("a", host="::1"), "[::1]:3306", True),
        (Target("a", host="10.0.0.1"), "10.0.0.1:3306", False),
        (Target("a", host="db1", socket="/run/s.sock"), "/run/s.sock", True),
    ],
)
def test_address(target: Target, address: str, is_local: bool | None) -> None:
    assert (target.address, target.is_local) == (address, is_local)


def test_a_fingerprint_changes_with_every_part_of_a_url() -> None:
    urls = [
        "mysql://u:p@h/",
        "mysql://u:q@h/",
        "mysql://v:p@h/",
        "mysql://u:p@i/",
        "mysql://u:p@h:3307/",
        "mysql://u:p@h/?ssl-mode=required",
        "mysql://u:p@h/?ssl-ca=/a",
        "mysql://u:p@h/?node-exporter=http://h:9100/",
        "mysql://u:p@h/?read-timeout=3",
        "mysql://u:p@h/?get-server-public-key=1",
    ]
    fingerprints = {parse_url("a", url).fingerprint for url in urls}
    assert len(fingerprints) == len(urls)
    assert {len(fingerprint) for fingerprint in fingerprints} == {64}
    assert parse_url("a", urls[0]).fingerprint in fingerprints


def django(**settings: Any) -> dict[str, Any]:
    return {"default": {"ENGINE": "django.db.backends.mysql", "USER": "u", "PASSWORD": "p", **settings}}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"HOST": "", "PORT": ""}, {}),
        ({"HOST": "db1", "PORT": "3307"}, {"host": "db1", "port": 3307}),
        ({"HOST": "/run/m.sock"}, {"socket": "/run/m.sock"}),
        ({"OPTIONS": {"unix_socket": "/run/m.sock"}}, {"socket": "/run/m.sock"}),
        (
            {"OPTIONS": {"user": "v", "passwd": "q", "host": "db2"}},
            {"user": "v", "password": "q", "host": "db2"},
        ),
        ({"OPTIONS": {"ssl": {"ca": "/ca.pem"}}}, {"tls": TlsOptions("verify-identity", "/ca.pem")}),
        (
            {"OPTIONS": {"ssl": {"ca": "/ca.pem"}, "ssl_mode": "VERIFY_CA"}},
            {"tls": TlsOptions("verify-ca", "/ca.pem")},
        ),
        ({"OPTIONS": {"ssl_mode": "REQUIRED"}}, {"tls": TlsOptions("required")}),
        ({"OPTIONS": {"ssl": True}}, {"tls": TlsOptions("required")}),
        (
            {"OPTIONS": {"ssl": {"cert": "/c", "key": "/k"}}},
            {"tls": TlsOptions("required", None, "/c", "/k")},
        ),
        ({"OPTIONS": {"charset": "utf8mb4", "init_command": "SET x=1"}}, {}),
    ],
)
def test_databases(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    values = {"user": "u", "password": "p", **expected}
    assert from_databases(django(**settings)) == {
        "default": Target("default", source="DATABASES", **values),
    }


def test_only_engines_of_mysql_are_targets() -> None:
    databases = {
        "lite": {"ENGINE": "django.db.backends.sqlite3", "NAME": "x"},
        "pg": {"ENGINE": "django.db.backends.postgresql"},
        "gis": {"ENGINE": "django.contrib.gis.db.backends.mysql", "USER": "u"},
        "pool": {"ENGINE": "dj_db_conn_pool.backends.mysql", "USER": "u"},
        "maria": {"ENGINE": "vendor.MariaDB.backend", "USER": "u"},
        "none": {},
    }
    assert list(from_databases(databases)) == ["gis", "pool", "maria"]


def test_an_option_file(tmp_path: Path) -> None:
    file = tmp_path / "my.cnf"
    file.write_text(
        '!includedir /etc/mysql/conf.d\n[mysqld]\nport=1\n[client]\nuser=filed\npassword="f#l%d"\n'
        "host=db9\nport=3309\nssl-ca=/ca.pem\nskip-x\n"
    )
    settings = {"ENGINE": "django.db.backends.mysql", "OPTIONS": {"read_default_file": str(file)}}
    assert from_databases({"a": settings})["a"] == Target(
        "a",
        host="db9",
        port=3309,
        user="filed",
        password="f#l%d",
        tls=TlsOptions("verify-identity", "/ca.pem"),
        source="DATABASES",
    )


def test_an_option_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"read_default_file.*No such file"):
        from_databases(django(OPTIONS={"read_default_file": str(tmp_path / "none.cnf")}))


def test_an_option_file_that_is_none_does_not_show_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "my.cnf"
    file.write_text(f"password={SECRET}\n")
    with pytest.raises(ConfigurationError) as caught:
        from_databases(django(OPTIONS={"read_default_file": str(file)}))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("settings", [{"PORT": "mysql"}, {"PORT": 70000}, {"OPTIONS": {"ssl_mode": "ON"}}])
def test_wrong_databases(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"DATABASES\['default'\]"):
        from_databases(django(**settings))


def test_a_url_wins_over_the_same_alias_in_databases() -> None:
    targets = load(django(PORT="mysql"), {"default": "mysql://v:p@db2/", "b": "mysql://u:p@h/"})
    assert {alias: (target.user, target.source) for alias, target in targets.items()} == {
        "default": ("v", "DB_MONITORING_TARGETS"),
        "b": ("u", "DB_MONITORING_TARGETS"),
    }
