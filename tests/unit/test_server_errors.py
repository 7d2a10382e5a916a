"""What errors mean, and how the password is proved: pure tables."""

from __future__ import annotations

import errno
import hashlib
import socket
import ssl

import pytest
from asyncmy.errors import InternalError, MySQLError, OperationalError, ProgrammingError

from dbvigil.driver import faults, session
from dbvigil.driver.authentication import Exchange, Line
from dbvigil.errors import (
    AccessDenied,
    ConnectionLost,
    InsecureConnection,
    MissingObject,
    MissingPrivilege,
    ServerError,
    ServerUnreachable,
    StatementFailed,
    TooManyConnections,
)
from dbvigil.targets import Target
from dbvigil.types import ServerInfo

TARGET = Target("shop", host="db1", user="monitor", password="kZ7w-Secret")


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (1040, TooManyConnections, "max_connections"),
        (1045, AccessDenied, "'monitor'"),
        (1129, AccessDenied, "FLUSH HOSTS"),
        (1130, AccessDenied, "this host"),
        (1203, TooManyConnections, "max_user_connections"),
        (1226, TooManyConnections, "MAX_USER_CONNECTIONS"),
        (1251, AccessDenied, "caching_sha2_password"),
        (1698, AccessDenied, "socket"),
        (1820, AccessDenied, "expired"),
        (1862, AccessDenied, "expired"),
        (3118, AccessDenied, "ACCOUNT UNLOCK"),
        (4151, AccessDenied, "ACCOUNT UNLOCK"),
        (3159, InsecureConnection, "ssl-mode=required"),
        (1053, ServerUnreachable, "starting, stopping"),
        (2013, ServerUnreachable, "starting, stopping"),
        (1799, AccessDenied, "error 1799; what the server says"),
    ],
)
def test_refused_connections(code: int, kind: type[ServerError], words: str) -> None:
    error = faults.connecting(OperationalError(code, "what the\nserver says"), TARGET, encrypted=True)
    assert type(error) is kind
    assert words in str(error) and "\n" not in str(error)
    assert error.cause and error.remedy


def test_an_account_that_needs_tls_is_hinted_at_only_without_tls() -> None:
    denied = OperationalError(1045, "Access denied for user 'monitor'@'host' (using password: YES)")
    assert "requires TLS" in faults.connecting(denied, TARGET, encrypted=False).remedy
    assert "requires TLS" not in faults.connecting(denied, TARGET, encrypted=True).remedy


def wrapped(cause: OSError) -> MySQLError:
    """As asyncmy does it; its text may hold anything."""
    error = OperationalError(2003, f"Can't connect to MySQL server on 'db1' ({TARGET.password})")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "nothing listens at db1:3306"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] x"), "nothing listens"),
        (OSError(errno.EHOSTUNREACH, "x"), "no route to db1:3306"),
        (OSError(errno.ENETUNREACH, "x"), "no route"),
        (TimeoutError(errno.ETIMEDOUT, "x"), "does not answer"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "closed the connection while it was set up"),
        (FileNotFoundError(errno.ENOENT, "x"), "no socket"),
        (PermissionError(errno.EACCES, "x"), "permissions"),
        (socket.gaierror(-2, "x"), "host name 'db1' cannot be resolved"),
        (OSError(errno.EMFILE, "x"), "EMFILE"),
        (OSError("without a number"), "OSError"),
    ],
)
def test_networks(cause: OSError, words: str) -> None:
    for error in (cause, wrapped(cause)):
        told = faults.connecting(error, TARGET, encrypted=False)
        assert isinstance(told, ServerUnreachable)
        assert words in str(told) and TARGET.password not in str(told)


def certificate_error(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (certificate_error(10), "has expired"),
        (certificate_error(9), "not valid yet"),
        (certificate_error(18), "self-signed"),
        (certificate_error(19), "not trusted"),
        (certificate_error(62), "'db1'"),
        (certificate_error(99), "cannot be verified"),
        (ssl.SSLError(1, "[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol"), "TLS 1.2"),
    ],
)
def test_certificates(error: ssl.SSLError, words: str) -> None:
    told = faults.connecting(wrapped(error), TARGET, encrypted=False)
    assert isinstance(told, InsecureConnection) and words in str(told)


@pytest.mark.parametrize(
    "error",
    [InternalError("Packet sequence number wrong"), ValueError(TARGET.password), IndexError(), MySQLError()],
)
def test_what_is_no_mysql(error: Exception) -> None:
    told = faults.connecting(error, TARGET, encrypted=False)
    assert isinstance(told, ServerUnreachable) and "does not speak MySQL's protocol" in told.cause
    assert TARGET.password not in str(told)


@pytest.mark.parametrize(
    ("code", "message", "kind", "remedy"),
    [
        (
            1044,
            "Access denied for user 'm'@'h' to database 'sys'",
            MissingPrivilege,
            "GRANT SELECT ON sys.* TO",
        ),
        (
            1142,
            "SELECT command denied to user 'm'@'h' for table `performance_schema`.`threads`",
            MissingPrivilege,
            "GRANT SELECT ON performance_schema.threads TO",
        ),
        (
            1142,
            "SELECT command denied to user 'm'@'h' for table 'threads'",
            MissingPrivilege,
            "GRANT SELECT on its schema, or on the table threads alone, TO",
        ),
        (
            1143,
            "SELECT command denied to user 'm'@'h' for column 'c' in table 't'",
            MissingPrivilege,
            "the table t alone",
        ),
        (
            1227,
            "Access denied; you need (at least one of) the PROCESS privilege(s) for this operation",
            MissingPrivilege,
            "GRANT PROCESS ON *.* TO",
        ),
        (
            1227,
            "Access denied; you need (at least one of) the SUPER, REPLICATION CLIENT privilege(s) for this operation",
            MissingPrivilege,
            "GRANT REPLICATION CLIENT ON *.* TO",
        ),
        (
            1370,
            "execute command denied to user 'm'@'h' for routine 'sys.format_time'",
            MissingPrivilege,
            "GRANT EXECUTE ON FUNCTION sys.format_time TO",
        ),
        (1227, "in other words", MissingPrivilege, "the grants that the docs list"),
        (1146, "Table 'sys.x' doesn't exist", MissingObject, "does not have it"),
        (1054, "Unknown column 'x'", MissingObject, "does not have it"),
        (1193, "Unknown system variable 'x'", MissingObject, "does not have it"),
        (1109, "Unknown table 'x' in information_schema", MissingObject, "does not have it"),
        (1051, "Unknown table 'x'", MissingObject, "does not have it"),
        (1205, "Lock wait timeout exceeded", StatementFailed, "lock"),
        (1317, "Query execution was interrupted", StatementFailed, "killed"),
        (1969, "max_statement_time exceeded", StatementFailed, "time limit"),
        (3024, "maximum statement execution time exceeded", StatementFailed, "time limit"),
        (1064, "You have an error", StatementFailed, ""),
        (1820, "You must reset your password", AccessDenied, "ALTER USER"),
        (1226, "exceeded the 'max_questions' resource", TooManyConnections, "raise it"),
    ],
)
def test_refused_statements(code: int, message: str, kind: type[ServerError], remedy: str) -> None:
    error = ProgrammingError(code, message)
    told = faults.statement(error, TARGET)
    assert type(told) is kind and told.code == code
    assert remedy in told.remedy
    assert faults.is_refusal(error)


@pytest.mark.parametrize(
    "error",
    [
        OperationalError(2013, "Lost connection"),
        OperationalError(2006, "gone away"),
        OperationalError(1053, "Server shutdown in progress"),
        OperationalError(1927, "Connection was killed"),
        OperationalError(4031, "The client was disconnected by the server because of inactivity"),
        InternalError("Packet sequence number wrong"),
        ConnectionResetError(errno.ECONNRESET, "x"),
        IndexError(),
    ],
)
def test_lost_connections(error: Exception) -> None:
    told = faults.statement(error, TARGET)
    assert isinstance(told, ConnectionLost) and "db1:3306" in told.cause
    assert not faults.is_refusal(error)


def test_a_server_s_message_is_one_bounded_line() -> None:
    told = faults.statement(OperationalError(1064, "near\n\x1b[31m'x'\x00" + "y" * 1000), TARGET)
    assert told.cause.startswith("near [31m'x' yyy") and len(told.cause) == 300


# -- authentication: what each kind of line allows

STRANGER = Line(proven=False, encrypted=False, socket=False, trusted=False)
ENCRYPTED = Line(proven=False, encrypted=True, socket=False, trusted=False)
PROVEN = Line(proven=True, encrypted=True, socket=False, trusted=False)
SOCKET = Line(proven=False, encrypted=False, socket=True, trusted=True)
TRUSTED = Line(proven=False, encrypted=False, socket=False, trusted=True)
TRUSTED_TLS = Line(proven=False, encrypted=True, socket=False, trusted=True)
NONCE = bytes(range(1, 21)) + b"\0"
CLEAR, KEY = b"kZ7w-Secret\0", "asks for the key"


@pytest.mark.parametrize(
    ("line", "clear", "sha256", "caching"),
    [
        (STRANGER, None, None, None),
        (ENCRYPTED, None, None, None),
        (PROVEN, CLEAR, CLEAR, CLEAR),
        (SOCKET, None, KEY, CLEAR),
        (TRUSTED, None, KEY, KEY),
        (TRUSTED_TLS, None, CLEAR, CLEAR),
    ],
)
def test_who_gets_the_password(
    line: Line, clear: bytes | None, sha256: bytes | str | None, caching: bytes | str | None
) -> None:
    def asked(plugin: str, *, full: bool = False) -> bytes | str | None:
        exchange = Exchange(b"kZ7w-Secret", NONCE, line)
        try:
            answer = exchange.switch(plugin, NONCE)
            answer = exchange.more(b"\x04") or b"" if full else answer
        except InsecureConnection:
            return None
        return KEY if answer in (b"\x01", b"\x02") else answer

    assert asked("mysql_clear_password") == clear
    assert asked("sha256_password") == sha256
    assert asked("caching_sha2_password", full=True) == caching
    for refused in ("dialog", "mysql_old_password", "authentication_ldap_simple", "", "parsec"):
        assert asked(refused) is None


def test_scrambles() -> None:
    """Against the protocol's own formulas."""
    nonce = NONCE[:20]

    def mixed(left: bytes, right: bytes) -> bytes:
        return bytes(a ^ b for a, b in zip(left, right, strict=True))

    first = hashlib.sha1(b"kZ7w-Secret").digest()
    native = mixed(first, hashlib.sha1(nonce + hashlib.sha1(first).digest()).digest())
    exchange = Exchange(b"kZ7w-Secret", NONCE, STRANGER)
    assert exchange.first("mysql_native_password") == native
    one = hashlib.sha256(b"kZ7w-Secret").digest()
    sha2 = mixed(one, hashlib.sha256(hashlib.sha256(one).digest() + nonce).digest())
    for plugin in ("caching_sha2_password", "mysql_clear_password", "sha256_password", "dialog"):
        assert (exchange.first(plugin), exchange.plugin) == (sha2, "caching_sha2_password")
    assert exchange.switch("caching_sha2_password", NONCE) == sha2
    assert exchange.more(b"\x03") is None


def test_a_key_that_was_not_asked_for() -> None:
    exchange = Exchange(b"kZ7w-Secret", NONCE, PROVEN)
    exchange.switch("mysql_native_password", NONCE)
    with pytest.raises(InsecureConnection):
        exchange.more(b"-----BEGIN PUBLIC KEY-----")


# -- identity


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("10.11.19-MariaDB-0+deb12u1", (10, 11, 19)),
        ("5.5.5-10.6.21-MariaDB-log", (10, 6, 21)),
        ("5.5.5", (5, 5, 5)),
        ("5.5.5-log", (5, 5, 5)),
        ("9.7.1", (9, 7, 1)),
        ("8.0.36-28", (8, 0, 36)),
        ("8.10.0-commercial", (8, 10, 0)),
        ("8.4", (8, 4, 0)),
        ("5.7.mysql_aurora.2.11.2", (5, 7, 0)),
        ("unknown", (0, 0, 0)),
    ],
)
def test_versions(text: str, version: tuple[int, int, int]) -> None:
    assert session.parse_version(text) == version


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"version": "8.0.36-28", "version_comment": "Percona Server (GPL), Release 28", "server_id": "7"},
            ServerInfo("percona", (8, 0, 36), "8.0.36-28", False, 7),
        ),
        (
            {
                "version": "11.8.3-MariaDB-log",
                "version_comment": "Source distribution",
                "performance_schema": "ON",
            },
            ServerInfo("mariadb", (11, 8, 3), "11.8.3-MariaDB-log", True),
        ),
        (
            {"version": "10.6.1", "version_comment": "mariadb.org binary distribution"},
            ServerInfo("mariadb", (10, 6, 1), "10.6.1", False),
        ),
        (
            {"version": "9.7.4", "version_comment": "(Debian)", "server_uuid": "u-1", "hostname": "db1"},
            ServerInfo("mysql", (9, 7, 4), "9.7.4", False, None, "u-1", "db1"),
        ),
    ],
)
def test_identities(variables: dict[str, str], expected: ServerInfo) -> None:
    assert session.identity(variables) == expected


@pytest.mark.parametrize(
    ("info", "present", "absent"),
    [
        (ServerInfo("mysql", (9, 7, 4), "", True), "max_execution_time = 9000", "max_statement_time"),
        (ServerInfo("percona", (8, 0, 36), "", True), "transaction_read_only = 1", "slow_query_log"),
        (ServerInfo("mysql", (5, 7, 1), "", True), "lock_wait_timeout = 2", "max_execution_time"),
        (ServerInfo("mariadb", (10, 11, 19), "", True), "tx_read_only = 1", "max_execution_time"),
        (ServerInfo("mariadb", (11, 8, 3), "", True), "transaction_read_only = 1", "tx_read_only"),
        (ServerInfo("mariadb", (10, 11, 19), "", True), "max_statement_time = 9", "max_execution_time"),
    ],
)
def test_settings_by_kind_of_server(info: ServerInfo, present: str, absent: str) -> None:
    assignments = session.settings(info, 9.0)
    assert present in assignments
    assert not any(assignment.startswith(absent) for assignment in assignments)
