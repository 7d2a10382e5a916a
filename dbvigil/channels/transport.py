"""One POST to a URL that somebody set: to an address that was checked, without redirects, within a time, and never echoed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dbvigil.channels.addresses import OPERATOR, Reach

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 10.0
MOST_BYTES = 4096
"""How much of an answer is read, where it is read at all."""

Resolve = Callable[[str, int], Sequence[str]]
"""(host, port) → addresses; raises OSError."""


class Undelivered(Exception):
    """No answer came. Its text is one line for everyone and names no URL. `permanent`: the next try would end the same."""

    def __init__(self, detail: str, *, permanent: bool = False) -> None:
        self.permanent = permanent
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers in lower case, and the beginning of the body as far as it was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of `host`, as the system finds them, each once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def post(
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    *,
    reach: Reach = OPERATOR,
    read: bool = False,
    resolver: Resolve = resolve,
    connect_seconds: float = CONNECT_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
) -> Answer:
    """POSTs `content`; the answer, whatever its status. `read` waits for the body too.

    Raises `Undelivered` where none came: not resolved, not allowed, not reached, or not in time.
    """
    from dbvigil.channels.wire import exchange  # noqa: PLC0415 - httpx takes longer to load than most processes run that send nothing

    return exchange(
        url,
        content,
        headers,
        reach=reach,
        read=read,
        resolver=resolver,
        connect_seconds=connect_seconds,
        total_seconds=total_seconds,
    )
