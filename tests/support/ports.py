"""A free port that nobody else on the machine is given, for as long as a test needs it."""

from __future__ import annotations

import socket


def hold() -> socket.socket:
    """A socket on a free port of 127.0.0.1, that port's holder until it is closed.

    It listens to nobody: connections are refused, until a server listens there. Whatever sets SO_REUSEADDR may, also again and again;
    and whoever asks the system for any free port gets another one, also while the server is down.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder
