"""What an error of the driver, the network or the server means: one line with cause and remedy.

Of the driver's own texts none goes into a line, for they may quote what the driver was given.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl

from asyncmy import errors as driver_errors

from dbvigil.driver import codes
from dbvigil.driver.connection import LARGEST_ANSWER, AnswerTooLargeError
from dbvigil.driver.results import ProtocolError
from dbvigil.errors import (
    AccessDenied,
    ConnectionLost,
    InsecureConnection,
    ServerError,
    ServerTimeout,
    ServerUnreachable,
    StatementFailed,
)
from dbvigil.targets import Target

_NOT_A_SERVER = "check that host and port are those of a MySQL or MariaDB server"
_HUNG = "the server may be hung, stopped or overloaded"
_LONGEST_MESSAGE = 300

_NETWORK = {
    errno.ECONNREFUSED: (
        "connection refused: nothing listens at {address}",
        "start the server, or check host, port and the server's bind_address",
    ),
    errno.ENOENT: ("there is no socket {address}", "start the server, or check the socket's path"),
    errno.EACCES: ("this system user may not open {address}", "check the permissions of the socket"),
    errno.EHOSTUNREACH: ("there is no route to {address}", "check the network and the host"),
    errno.ENETUNREACH: ("there is no route to {address}", "check the network and the host"),
    errno.ETIMEDOUT: ("{address} does not answer", "check host, port and firewalls"),
}

_UNTRUSTED = ("is signed by an authority that is not trusted", "give that authority's certificate as ssl-ca")
_OTHER_NAME = (
    "is not for the host name or address {host!r}",
    "use a name that is in the certificate, or ssl-mode=verify-ca to verify the authority alone",
)
# By the codes of OpenSSL's X509_verify_cert.
_CERTIFICATES: dict[int, tuple[str, str]] = {
    9: ("is not valid yet", "check the clocks of both machines"),
    10: ("has expired", "renew it"),
    18: ("is self-signed and not trusted", "give the server's certificate or its authority's as ssl-ca"),
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}


def is_refusal(error: BaseException) -> bool:
    """Whether `error` is the server's answer to a statement, after which the connection goes on."""
    code = _code(error)
    # From 2000 on stand the client's own.
    return code is not None and code >= 1000 and not 2000 <= code < 3000 and code not in codes.GONE


def connecting(error: Exception, target: Target, *, encrypted: bool) -> ServerError:
    """What went wrong while connecting; `encrypted` says whether TLS was in place."""
    cause = error.__cause__
    if isinstance(error, driver_errors.MySQLError) and isinstance(cause, OSError):
        # asyncmy wraps the errors of sockets and TLS.
        error = cause
    if isinstance(error, ServerError):
        return error
    if isinstance(error, ssl.SSLError | ssl.CertificateError):
        return _tls_failed(error, target)
    if isinstance(error, OSError):
        return _network_failed(error, target)
    code = _code(error)
    if code in codes.GONE:
        return _closed(target)
    if code is None or code < 1000:
        return ServerUnreachable(
            f"what answers at {target.address} does not speak MySQL's protocol", _NOT_A_SERVER
        )
    known = codes.connecting(code, target.user)
    if known is None:
        return AccessDenied(f"the server refuses the connection with error {code}", _said(error), code=code)
    if code == codes.WRONG_PASSWORD and not encrypted and target.socket is None:
        # The servers say the same of an account that must use TLS.
        remedy = f"{known.remedy}; an account that requires TLS needs ssl-mode=required or ssl-ca"
        return AccessDenied(known.cause, remedy, code=code)
    return known


def statement(error: Exception, target: Target) -> ServerError:
    """What went wrong with one statement."""
    if isinstance(error, AnswerTooLargeError):
        size = f"{LARGEST_ANSWER >> 20} MiB"
        return StatementFailed(
            f"the answer is larger than {size}", "what is read has grown out of all bounds"
        )
    if isinstance(error, ProtocolError):
        return InsecureConnection(f"the server does not keep to MySQL's protocol: {error}", _NOT_A_SERVER)
    code = _code(error)
    if code is not None and is_refusal(error):
        return codes.statement(code, _said(error), target.user)
    return ConnectionLost(
        f"the connection to {target.address} broke during a statement",
        "the server may have been stopped, restarted or have crashed: see its error log",
        code=code or None,
    )


def connect_timeout(target: Target, seconds: float, *, accepted: bool) -> ServerError:
    """Nothing, or not enough, was heard within `seconds`."""
    if accepted:
        cause = f"{target.address} accepted the connection and did not answer within {seconds:g} s"
        return ServerTimeout(cause, _HUNG)
    return ServerUnreachable(
        f"{target.address} does not answer within {seconds:g} s", "check host, port and firewalls"
    )


def statement_timeout(target: Target, seconds: float) -> ServerError:
    """A statement was not answered within `seconds`."""
    return ServerTimeout(f"{target.address} did not answer a statement within {seconds:g} s", _HUNG)


def _closed(target: Target) -> ServerError:
    return ServerUnreachable(
        f"{target.address} closed the connection while it was set up",
        "the server may be starting, stopping or out of resources: see its error log",
    )


def _network_failed(error: OSError, target: Target) -> ServerError:
    if isinstance(error, socket.gaierror):
        return ServerUnreachable(
            f"the host name {target.host!r} cannot be resolved", "check the name and this host's DNS"
        )
    # With several addresses of one name, asyncio folds their errors into one text.
    numbers = re.findall(r"\[Errno (\d+)\]", str(error))
    number = error.errno or (int(numbers[-1]) if numbers else 0)
    if number in _NETWORK:
        cause, remedy = _NETWORK[number]
        return ServerUnreachable(cause.format(address=target.address), remedy)
    if isinstance(error, ConnectionError):
        return _closed(target)
    reason = errno.errorcode.get(number, type(error).__name__)
    return ServerUnreachable(
        f"{target.address} cannot be reached ({reason})", "check the network and the host"
    )


def _tls_failed(error: Exception, target: Target) -> ServerError:
    if isinstance(error, ssl.SSLCertVerificationError):
        unknown = ("cannot be verified", "check ssl-ca and the server's certificate")
        cause, remedy = _CERTIFICATES.get(error.verify_code, unknown)
        return InsecureConnection(f"the server's certificate {cause.format(host=target.host)}", remedy)
    reason = str(getattr(error, "reason", None) or "the handshake failed").replace("_", " ").lower()
    return InsecureConnection(
        f"TLS with {target.address} fails: {reason}",
        "check that the server offers TLS 1.2 or later, and ssl-cert and ssl-key if it wants a certificate",
    )


def _code(error: BaseException) -> int | None:
    if isinstance(error, driver_errors.MySQLError) and error.args and isinstance(error.args[0], int):
        return error.args[0]
    return None


def _said(error: BaseException) -> str:
    """The server's message on one line of bounded length."""
    text = str(error.args[1]) if len(error.args) > 1 else ""
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text[:_LONGEST_MESSAGE] or "the server gives no reason"
