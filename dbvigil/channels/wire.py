"""How `transport.post` reaches a receiver: by httpcore as it is. httpx above it writes every URL to its log, and these URLs are secrets."""

from __future__ import annotations

import base64
import ssl
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import unquote

import httpcore
import httpx

from dbvigil.channels.addresses import Reach
from dbvigil.channels.hush import unheard
from dbvigil.channels.transport import MOST_BYTES, Answer, Resolve, Undelivered

_WRITE_AT_ONCE = 16_384


def exchange(
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    *,
    reach: Reach,
    read: bool,
    resolver: Resolve,
    connect_seconds: float,
    total_seconds: float,
) -> Answer:
    """See `transport.post`."""
    deadline = time.monotonic() + total_seconds
    target, sent = _request(url, headers, len(content))
    backend = _Pinned(reach, resolver, deadline, connect_seconds)
    try:
        with (
            unheard(),
            httpcore.ConnectionPool(
                ssl_context=_trust(), max_keepalive_connections=0, network_backend=backend
            ) as pool,
        ):
            return _exchange(pool, target, sent, content, read)
    except Undelivered:
        raise
    except httpcore.TimeoutException:
        raise Undelivered(_in_time(deadline, connect_seconds, total_seconds)) from None
    except ssl.SSLCertVerificationError:
        raise Undelivered("the receiver's TLS certificate was not accepted") from None
    except httpcore.ConnectError as error:
        raise Undelivered(_unconnected(error)) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
        # Their texts quote what the other side sent.
        raise Undelivered("the receiver closed the connection without an answer") from None


def _exchange(
    pool: httpcore.ConnectionPool,
    target: httpcore.URL,
    headers: list[tuple[bytes, bytes]],
    content: bytes,
    read: bool,
) -> Answer:
    with pool.stream("POST", target, headers=headers, content=content) as response:
        body = b""
        if read:
            for part in response.iter_stream():
                body += part
                if len(body) >= MOST_BYTES:
                    break
        told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return Answer(response.status, told, body[:MOST_BYTES])


def _request(
    url: str, headers: Mapping[str, str], length: int
) -> tuple[httpcore.URL, list[tuple[bytes, bytes]]]:
    try:
        parts = httpx.URL(url)
        host = parts.raw_host
    except (httpx.InvalidURL, ValueError):
        raise Undelivered("the URL is not valid", permanent=True) from None
    if parts.scheme not in ("http", "https") or not host:
        raise Undelivered("the URL is not an http or https URL with a host", permanent=True)
    sent = {"Host": parts.netloc.decode("ascii"), "Content-Length": str(length), "Accept": "*/*", **headers}
    if parts.userinfo:
        name, _, password = parts.userinfo.decode("ascii").partition(":")
        credentials = f"{unquote(name)}:{unquote(password)}".encode()
        sent["Authorization"] = "Basic " + base64.b64encode(credentials).decode("ascii")
    target = httpcore.URL(scheme=parts.raw_scheme, host=host, port=parts.port, target=parts.raw_path)
    return target, [(name.encode("ascii"), value.encode("ascii")) for name, value in sent.items()]


@cache
def _trust() -> ssl.SSLContext:
    """The authorities that this machine trusts. Made once: reading them takes longer than a handshake."""
    return httpx.create_ssl_context(trust_env=False)


class _Pinned(httpcore.NetworkBackend):
    """Resolves a name once, checks every address it has, and connects to none but these: a second answer is never asked for."""

    def __init__(self, reach: Reach, resolver: Resolve, deadline: float, connect_seconds: float) -> None:
        self._reach = reach
        self._resolver = resolver
        self._deadline = deadline
        self._connect_by = min(deadline, time.monotonic() + connect_seconds)
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._resolved(host, port)
        if not addresses or not all(self._reach.allows(address) for address in addresses):
            raise Undelivered(
                "the URL leads to an address that is not allowed; see DB_ALERT_ALLOWED_NETWORKS"
            )
        failure: Exception = httpcore.ConnectError()
        for number, address in enumerate(addresses):
            seconds = _left(self._connect_by, httpcore.ConnectTimeout) / (len(addresses) - number)
            try:
                stream = self._plain.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return _Bounded(stream, self._deadline, self._connect_by)
        raise failure

    def _resolved(self, host: str, port: int) -> Sequence[str]:
        """The resolver has time limits of its own, much longer ones; its thread is left behind."""
        found: list[Sequence[str] | Exception] = []

        def ask() -> None:
            try:
                found.append(self._resolver(host, port))
            except (OSError, UnicodeError) as error:
                found.append(error)

        thread = threading.Thread(target=ask, name="dbvigil-resolve", daemon=True)
        thread.start()
        thread.join(_left(self._connect_by, httpcore.ConnectTimeout))
        if not found:
            raise Undelivered("the receiver's name was not resolved in time")
        if isinstance(found[0], Exception):
            raise Undelivered("the receiver's name could not be resolved")
        return found[0]


class _Bounded(httpcore.NetworkStream):
    """A connection on which every step ends by the deadline, however slowly the other side goes on."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float, connect_by: float) -> None:
        self._stream = stream
        self._deadline = deadline
        self._connect_by = connect_by

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITE_AT_ONCE):
            part = buffer[start : start + _WRITE_AT_ONCE]
            self._stream.write(part, _left(self._deadline, httpcore.WriteTimeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = _left(self._connect_by, httpcore.ConnectTimeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, seconds)
        return _Bounded(stream, self._deadline, self._connect_by)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float, late: type[httpcore.TimeoutException]) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise late
    return seconds


def _in_time(deadline: float, connect_seconds: float, total_seconds: float) -> str:
    if time.monotonic() < deadline - 0.05:
        return f"the receiver could not be reached within {connect_seconds:g} s"
    return f"the receiver did not answer within {total_seconds:g} s"


def _unconnected(error: BaseException) -> str:
    """Why a connection was not made, told from the system's error beneath."""
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ConnectionRefusedError():
                return "the receiver refused the connection"
            case ssl.SSLCertVerificationError():
                return "the receiver's TLS certificate was not accepted"
            case ssl.SSLError():
                return "no TLS connection could be made"
        cause = cause.__cause__ or cause.__context__
    return "the receiver could not be reached"
