"""What a collector is: one subject read from one server, as raw values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from dbvigil.server import Server
from dbvigil.types import ServerInfo


class Collector(Protocol):
    """Reads one subject. Stateless: one instance serves every target.

    `name` is the key of its readings in a `Snapshot`; `help` is one sentence for the docs; `every` is the
    least number of seconds between two runs on one target (0: every sample); `limit` is its time limit in
    seconds; `grants` names, by flavour, the privilege it needs, for the remedy that is shown when the server
    refuses.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    every: ClassVar[float]
    limit: ClassVar[float]
    grants: ClassVar[Mapping[str, str]]

    def supports(self, info: ServerInfo) -> bool:
        """Whether this kind of server has the subject at all.

        A collector that is not supported leaves no failure.
        """
        ...

    async def collect(self, server: Server) -> Mapping[str, Any]:
        """Raw values, JSON-ready, under the server's own names.

        Raises `ServerError`s; the runner records them.
        """
        ...
