"""What an error of the driver, of the network or of the server means: one line with cause and remedy.

No text of the driver's own exceptions goes into a line, except for what a server said about one statement.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Callable

from asyncmy import errors as driver_errors

from dbvigil.driver.connection import LARGEST_ANSWER, AnswerTooLarge
from dbvigil.driver.results import NotTheProtocol
from dbvigil.errors import (
    AccessDenied,
    ConnectionLost,
    InsecureConnection,
    MissingObject,
    MissingPrivilege,
    ServerError,
    ServerTimeout,
    ServerUnreachable,
    StatementFailed,
    TooManyConnections,
)
from dbvigil.targets import Target

_NOT_A_SERVER = "check that host and port are those of a MySQL or MariaDB server"

# Server error codes, by what they mean for a monitor.
_GRANTS = {1044, 1142, 1143, 1227, 1370, 1419, 3619}
_OBJECTS = {1049, 1051, 1054, 1109, 1146, 1193, 1286, 1305, 4031}
_STATEMENT_TIMES = {1205, 1317, 1969, 3024}
_GONE = {1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1927, 2006, 2013, 2055, 4031}

_CONNECTING: dict[int, tuple[type[ServerError], str, str]] = {
    1040: (
        TooManyConnections,
        "every connection of the server is taken",
        "raise max_connections, or find what holds them (SHOW PROCESSLIST)",
    ),
    1044: (
        AccessDenied,
        "the account {user} may not use the server from here",
        "GRANT it what the docs list",
    ),
    1045: (
        AccessDenied,
        "the server refuses the password of {user}",
        "check user and password{tls_hint}",
    ),
    1129: (
        AccessDenied,
        "the server has blocked this host after too many broken connections",
        "run FLUSH HOSTS, or TRUNCATE performance_schema.host_cache, and look for what broke them",
    ),
    1130: (
        AccessDenied,
        "the server lets no account in from this host",
        "create the account {user} for this host's address",
    ),
    1203: (
        TooManyConnections,
        "{user} has as many connections as max_user_connections allows",
        "raise it, or give the monitor an account of its own",
    ),
    1226: (
        TooManyConnections,
        "{user} has used up a limit of its account",
        "raise its limits: ALTER USER … WITH MAX_USER_CONNECTIONS, MAX_QUERIES_PER_HOUR …",
    ),
    1251: (
        AccessDenied,
        "the server wants an authentication that is refused as unsafe",
        "give the account caching_sha2_password, or on MariaDB mysql_native_password",
    ),
    1524: (
        AccessDenied,
        "the server lacks the authentication plugin of {user}",
        "load the plugin, or give the account another one",
    ),
    1698: (
        AccessDenied,
        "the server lets {user} in without a password only, through its unix socket",
        "give the account a password, or use the socket as that system user",
    ),
    1820: (AccessDenied, "the password of {user} has expired", "set a new one: ALTER USER … IDENTIFIED BY …"),
    1835: (ServerUnreachable, "the server understands the connection's packets wrongly", _NOT_A_SERVER),
    1862: (AccessDenied, "the password of {user} has expired", "set a new one: ALTER USER … IDENTIFIED BY …"),
    3118: (AccessDenied, "the account {user} is locked", "unlock it: ALTER USER … ACCOUNT UNLOCK"),
    3159: (
        InsecureConnection,
        "the server takes encrypted connections only",
        "set ssl-mode=required, or ssl-ca with the server's authority",
    ),
    3955: (
        AccessDenied,
        "the account {user} is blocked after wrong passwords",
        "wait, or unlock it: ALTER USER … ACCOUNT UNLOCK",
    ),
    4151: (
        AccessDenied,
        "the account {user} is locked",
        "unlock it: ALTER USER … ACCOUNT UNLOCK",
    ),
}

_NETWORK = {
    errno.ECONNREFUSED: (
        "nothing listens at {address}",
        "start the server, or check host, port and the server's bind_address",
    ),
    errno.ENOENT: ("there is no socket {address}", "start the server, or check the socket's path"),
    errno.EACCES: ("this user may not open {address}", "check the permissions of the socket"),
    errno.EHOSTUNREACH: ("there is no route to {address}", "check the network and the host"),
    errno.ENETUNREACH: ("there is no route to {address}", "check the network and the host"),
    errno.ETIMEDOUT: ("{address} does not answer", "check host, port and firewalls"),
}
_CLOSED = {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED}

_CERTIFICATES: dict[int, tuple[str, str]] = {
    # The codes of X509_verify_cert, as OpenSSL numbers them.
    9: ("is not valid yet", "check the clocks of both machines"),
    10: ("has expired", "renew it"),
    18: ("is self-signed and not trusted", "give its authority as ssl-ca"),
    19: ("is signed by an authority that is not trusted", "give that authority as ssl-ca"),
    20: ("is signed by an authority that is not trusted", "give that authority as ssl-ca"),
    21: ("is signed by an authority that is not trusted", "give that authority as ssl-ca"),
    62: (
        "is for another host name than {host}",
        "use the name in the certificate, or ssl-mode=verify-ca to verify the authority alone",
    ),
    64: (
        "is for another address than {host}",
        "use the name in the certificate, or ssl-mode=verify-ca to verify the authority alone",
    ),
}


def connecting(error: BaseException, target: Target, *, encrypted: bool) -> ServerError:
    """What went wrong while connecting; `encrypted` says whether TLS was in place."""
    if isinstance(error, ServerError):
        return error
    cause = error.__cause__
    if isinstance(error, driver_errors.MySQLError) and isinstance(cause, OSError):
        # asyncmy wraps the errors of sockets and TLS.
        error = cause
    if isinstance(error, ssl.SSLError | ssl.CertificateError):
        return _tls_failed(error, target)
    if isinstance(error, OSError):
        return _network_failed(error, target)
    if isinstance(error, driver_errors.MySQLError) and error.args:
        return _refused(error, target, encrypted=encrypted)
    if isinstance(error, AnswerTooLarge | NotTheProtocol) or not isinstance(error, driver_errors.MySQLError):
        return ServerUnreachable(
            f"what answers at {target.address} does not speak MySQL's protocol", _NOT_A_SERVER
        )
    return ServerUnreachable(f"the connection to {target.address} failed", _NOT_A_SERVER)


def _refused(error: driver_errors.MySQLError, target: Target, *, encrypted: bool) -> ServerError:
    code = error.args[0] if isinstance(error.args[0], int) else None
    known = _CONNECTING.get(code or 0)
    if known is not None:
        kind, cause, remedy = known
        # The servers say the same for a wrong password and for an account that must use TLS.
        tls_hint = "" if encrypted else "; if the account requires TLS, set ssl-mode=required or ssl-ca"
        filled = [text.format(user=repr(target.user), tls_hint=tls_hint) for text in (cause, remedy)]
        return kind(*filled, code=code)
    if code in _GONE:
        return ServerUnreachable(
            f"{target.address} closed the connection while it was set up",
            "look into the server's error log; it may be starting, stopping or out of threads",
            code=code,
        )
    if isinstance(error, driver_errors.InternalError):
        return ServerUnreachable(
            f"what answers at {target.address} does not speak MySQL's protocol", _NOT_A_SERVER
        )
    return AccessDenied(f"the server refuses the connection with error {code}", _said(error), code=code)


def _network_failed(error: OSError, target: Target) -> ServerError:
    if isinstance(error, socket.gaierror):
        return ServerUnreachable(
            f"the host name {target.host!r} is unknown", "check the name and this host's DNS"
        )
    # With several addresses of one name, asyncio folds their errors into one text.
    numbers = [int(number) for number in re.findall(r"\[Errno (\d+)\]", str(error))]
    number = error.errno or (numbers[-1] if numbers else 0)
    if number in _NETWORK:
        cause, remedy = (text.format(address=target.address) for text in _NETWORK[number])
        return ServerUnreachable(cause, remedy)
    if number in _CLOSED or isinstance(error, ConnectionError):
        return ServerUnreachable(
            f"{target.address} closed the connection while it was set up", "look into the server's error log"
        )
    reason = errno.errorcode.get(number, type(error).__name__)
    return ServerUnreachable(
        f"{target.address} cannot be reached ({reason})", "check the network and the host"
    )


def _tls_failed(error: Exception, target: Target) -> ServerError:
    if isinstance(error, ssl.SSLCertVerificationError):
        cause, remedy = _CERTIFICATES.get(
            error.verify_code, ("cannot be verified", "check ssl-ca and the server's certificate")
        )
        return InsecureConnection(f"the server's certificate {cause.format(host=target.host)}", remedy)
    reason = getattr(error, "reason", None) or "handshake failed"
    return InsecureConnection(
        f"TLS with {target.address} fails: {str(reason).replace('_', ' ').lower()}",
        "check that the server offers TLS 1.2 or later, and the client certificate if it wants one",
    )


def connect_timeout(target: Target, seconds: float, *, accepted: bool) -> ServerError:
    """Nothing, or not enough, was heard within `seconds`."""
    if accepted:
        return ServerTimeout(
            f"{target.address} accepted the connection and did not answer within {seconds:g} s",
            "the server may be hung, stopped or overloaded",
        )
    return ServerUnreachable(
        f"{target.address} does not answer within {seconds:g} s", "check host, port and firewalls"
    )


def statement_timeout(target: Target, seconds: float) -> ServerError:
    """A statement was not answered within `seconds`."""
    return ServerTimeout(
        f"{target.address} did not answer a statement within {seconds:g} s",
        "the server may be hung, stopped or overloaded",
    )


# -- statements


def is_refusal(error: BaseException) -> bool:
    """Whether `error` is the server's answer to a statement; the connection then goes on."""
    if not isinstance(error, driver_errors.MySQLError) or not error.args:
        return False
    code = error.args[0]
    # From 2000 on stand the client's own.
    return isinstance(code, int) and code >= 1000 and not 2000 <= code < 3000 and code not in _GONE


def statement(error: BaseException, target: Target) -> ServerError:
    """What went wrong with one statement."""
    if isinstance(error, ServerError):
        return error
    if isinstance(error, AnswerTooLarge):
        return StatementFailed(f"the answer is larger than {LARGEST_ANSWER >> 20} MiB", "it was cut off")
    if isinstance(error, NotTheProtocol):
        return InsecureConnection(f"the server does not keep to the protocol: {error}", _NOT_A_SERVER)
    code = error.args[0] if isinstance(error, driver_errors.MySQLError) and error.args else None
    if (
        isinstance(error, OSError | driver_errors.InterfaceError)
        or code in _GONE
        or not isinstance(code, int)
    ):
        return ConnectionLost(
            f"{target.address} closed the connection during a statement",
            "the server may have been stopped, restarted or have crashed; its error log tells",
            code=code if isinstance(code, int) and code > 0 else None,
        )
    said = _said(error)
    if code in _GRANTS:
        return MissingPrivilege(said, _grant(said), code=code)
    if code in _OBJECTS:
        return MissingObject(said, "this server does not have it", code=code)
    if code in _STATEMENT_TIMES:
        return StatementFailed(said, _STATEMENT_REMEDIES[code], code=code)
    if code in (1820, 1862):
        return AccessDenied("the account's password has expired", "set a new one: ALTER USER …", code=code)
    if code in (1226,):
        return TooManyConnections(
            "the account has used up one of its limits", "raise it: ALTER USER …", code=code
        )
    if isinstance(error, driver_errors.InternalError) and code < 1000:
        return ConnectionLost("the connection to the server is out of step", "it is opened anew", code=None)
    return StatementFailed(said, code=code)


_STATEMENT_REMEDIES = {
    1205: "something holds a lock on what is read; see the server's metadata locks and long transactions",
    1317: "somebody killed the statement",
    1969: "the statement's time limit was reached: the server is overloaded, or has very much to read",
    3024: "the statement's time limit was reached: the server is overloaded, or has very much to read",
}


def _said(error: BaseException) -> str:
    """A server's message in one line of bounded length."""
    text = str(error.args[1]) if len(error.args) > 1 else ""
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text[:300] or "the server gives no reason"


_NAMED_GRANTS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    # 1227: Access denied; you need (at least one of) the PROCESS privilege(s) for this operation
    (
        re.compile(r"you need \(at least one of\) the (.+?) privilege"),
        lambda match: f"GRANT {match[1].split(' or ')[0].split(', ')[0]} ON *.*",
    ),
    # 1142, 1143: SELECT command denied to user 'u'@'h' for table `performance_schema`.`threads`
    (
        re.compile(r"(\w+) command denied to user .*for table [`'](.+?)[`'](?:\.[`'](.+?)[`'])?$"),
        lambda match: f"GRANT {match[1]} ON {f'{match[2]}.{match[3]}' if match[3] else match[2]}",
    ),
    # 1044: Access denied for user 'u'@'h' to database 'sys'
    (re.compile(r"to database '(.+?)'"), lambda match: f"GRANT SELECT ON {match[1]}.*"),
    # 1370: execute command denied to user 'u'@'h' for routine 'sys.f'
    (
        re.compile(r"(\w+) command denied to user .*for routine '(.+?)'"),
        lambda match: f"GRANT {match[1].upper()} ON {match[2]}",
    ),
)


def _grant(said: str) -> str:
    for pattern, words in _NAMED_GRANTS:
        match = pattern.search(said)
        if match:
            return f"{words(match)} TO the monitor's account"
    return "give the monitor's account the grants that the docs list"
