"""Django's SMTP backend within a time: a mail server that drips its words, or never ends them, takes no longer than one that is silent.

smtplib's timeout is that of one `recv`, so that a byte every few seconds keeps a conversation going for hours.
"""

from __future__ import annotations

import smtplib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend
from django.utils.module_loading import import_string

_AT_ONCE = 16_384


def connection(deadline: float, step_seconds: float) -> BaseEmailBackend:
    """A connection of the configured backend, not open yet.

    By SMTP every step ends within `step_seconds` and by `deadline` (of `time.monotonic`), with a `TimeoutError` or what smtplib makes
    of it. A backend of another kind gets `step_seconds` as its timeout, and keeps time as it does.
    """
    kind = import_string(settings.EMAIL_BACKEND)
    seconds = min(settings.EMAIL_TIMEOUT or step_seconds, step_seconds)
    if not (isinstance(kind, type) and issubclass(kind, EmailBackend)):
        made: BaseEmailBackend = kind(timeout=seconds)
        return made
    backend = _bounded_backend(kind)(timeout=seconds)
    backend.deadline = deadline
    return backend


class _BoundedBackend(EmailBackend):
    """Over a backend of SMTP: its connections know the deadline."""

    deadline: float

    @property
    def connection_class(self) -> Any:
        return partial(_bounded_smtp(super().connection_class), deadline=self.deadline)


def _bounded_backend(kind: type[EmailBackend]) -> type[_BoundedBackend]:
    return type(f"Bounded{kind.__name__}", (_BoundedBackend, kind), {})


def _bounded_smtp(kind: type[smtplib.SMTP]) -> Callable[..., smtplib.SMTP]:
    return type(f"Bounded{kind.__name__}", (_Bounded, kind), {})


class _Bounded(smtplib.SMTP):
    """Over `smtplib.SMTP` or a kind of it: every step ends by the deadline."""

    def __init__(self, *arguments: Any, deadline: float, **named: Any) -> None:
        self._deadline = deadline
        super().__init__(*arguments, **named)

    def seconds(self) -> float:
        """How long the next step may take. Raises `TimeoutError` where there is no time left."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            self.close()
            raise TimeoutError
        return min(left, self.timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        failure: Exception = OSError("the mail server's name has no address")
        for address in self._addresses(host, port):
            try:
                # The certificate is checked against the name all the same, which smtplib keeps.
                found: socket.socket = super()._get_socket(address, port, self.seconds())  # type: ignore[misc]
            except OSError as error:
                failure = error
                continue
            return found
        raise failure

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        """The resolver has time limits of its own, much longer ones; its thread is left behind."""
        found: list[Sequence[str] | Exception] = []

        def ask() -> None:
            try:
                entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found.append(list(dict.fromkeys(str(entry[4][0]) for entry in entries)))
            except (OSError, UnicodeError) as error:
                found.append(error)

        thread = threading.Thread(target=ask, name="dbvigil-resolve", daemon=True)
        thread.start()
        thread.join(self.seconds())
        if not found:
            raise TimeoutError
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    def send(self, s: Any) -> None:
        data = s.encode(self.command_encoding) if isinstance(s, str) else bytes(s)
        for start in range(0, len(data), _AT_ONCE):
            if self.sock is not None:
                self.sock.settimeout(self.seconds())
            super().send(data[start : start + _AT_ONCE])

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Lines(self.sock, self.seconds)
        return super().getreply()


class _Lines:
    """What smtplib reads a socket's lines with; `seconds()` is how long the next piece may take to come."""

    def __init__(self, sock: socket.socket, seconds: Callable[[], float]) -> None:
        self._sock = sock
        self._seconds = seconds
        self._held = b""

    def readline(self, most: int) -> bytes:
        while b"\n" not in self._held and len(self._held) < most:
            self._sock.settimeout(self._seconds())
            piece = self._sock.recv(_AT_ONCE)
            if not piece:
                break
            self._held += piece
        end = self._held.find(b"\n") + 1 or len(self._held)
        line, self._held = self._held[: min(end, most)], self._held[min(end, most) :]
        return line

    def close(self) -> None:
        """The socket is closed by whoever opened it."""
