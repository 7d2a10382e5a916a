"""What can go wrong with a private server."""

from __future__ import annotations

from dbvigil.errors import DbvigilError


class SandboxError(DbvigilError):
    """A private server cannot do what was asked of it."""


class ServerUnavailable(SandboxError):
    """A server is not on this machine; the message says what is missing and how to get it."""

    def __init__(self, release: str, missing: str, remedy: str) -> None:
        super().__init__(f"{release} cannot be had: {missing}; {remedy}")
        self.release = release
        self.missing = missing
        self.remedy = remedy


class ServerNotStarted(SandboxError):
    """A server ended or did not answer while starting; the message ends with the tail of its log."""


class ReplicaBehind(SandboxError):
    """A replica did not reach its source's position in time; the message has the replica's last error."""
