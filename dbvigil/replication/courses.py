"""Where the sources that this monitor samples have stood, so that their replicas' lag can be told by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from dbvigil.analysis.course import Behind, Course
from dbvigil.analysis.gtids import BadPosition, covers, stands_between
from dbvigil.replication.identity import Identity, identity, source_of
from dbvigil.targets import Target
from dbvigil.types import Snapshot

_SEEN_WITHIN = 1.5
"""A source's position is good for so many intervals of sampling."""
_LEAST = 2.0


class Courses:
    """One `Course` a server; used from the loop's own thread alone."""

    def __init__(self) -> None:
        self._servers: dict[str, Identity] = {}
        self._courses: dict[str, Course] = {}
        self._sources: dict[str, frozenset[str]] = {}
        self._met: set[tuple[str, str, str]] = set()
        self._heard: dict[tuple[str, str, str], str] = {}

    def add(self, target: Target, snapshot: Snapshot) -> None:
        """Takes the place of a server from its sample; nothing of one without binary log or GTIDs."""
        settings = snapshot.readings.get("status", {}).get("settings", {})
        position = settings.get("gtid_binlog_pos" if snapshot.server.is_mariadb else "gtid_executed")
        alias = target.alias
        found = identity(alias, target.host, target.port, snapshot.server)
        if self._servers.get(alias, found) != found:
            # Another server at the same address has a course of its own.
            self.forget(alias)
        self._servers[alias] = found
        rows = snapshot.readings.get("replication", {}).get("channels", ())
        sources = (source_of(row, self._servers.values()) for row in rows)
        self._sources[alias] = frozenset(source[0] for source in sources if source is not None)
        if position:
            moment = snapshot.monotonic + snapshot.collection_ms / 2000
            self._courses.setdefault(alias, Course()).add("".join(str(position).split()), moment)

    def forget(self, alias: str) -> None:
        """That this monitor samples a server no longer."""
        self._servers.pop(alias, None)
        self._courses.pop(alias, None)
        self._sources.pop(alias, None)
        self._met = {met for met in self._met if alias not in (met[0], met[2])}
        self._heard = {met: heard for met, heard in self._heard.items() if alias not in (met[0], met[2])}

    def is_followed(self, alias: str) -> bool:
        """Whether a server that is sampled here names this one as its source, connected or not."""
        return any(alias in sources for sources in self._sources.values())

    def applied(self, snapshot: Snapshot, interval: float) -> dict[str, Behind]:
        """How far behind its source each channel of a replica is, by the channel's name; of sources that are not known, nothing."""
        mariadb = snapshot.server.is_mariadb
        return self._each(snapshot, interval, lambda row: [row.get("executed")], mariadb=mariadb)

    def received(self, snapshot: Snapshot, interval: float) -> dict[str, Behind]:
        """The same for what a channel's receiver has got."""
        mariadb = snapshot.server.is_mariadb
        return self._each(
            snapshot, interval, lambda row: [row.get("received"), row.get("executed")], mariadb=mariadb
        )

    def _course(self, replica: str, row: Mapping[str, Any]) -> Course | None:
        """That of a channel's source, where it is certain which server that is.

        An address may be a proxy's or a name of the replica's own: then a server is believed that alone has the source's id, once it was
        seen to pass the position that the receiver told. Other servers with that id may be on nobody's list.
        """
        found = source_of(row, self._servers.values(), certain=True)
        if found is None:
            likely = source_of(row, self._servers.values())
            if likely is None:
                return None
            key = (replica, row["name"], likely[0])
            course, received = self._courses.get(likely[0]), row.get("received")
            if key not in self._met and course is not None and received:
                # The source may have gone on before it was looked at: what was received a look ago lies between two of its places.
                if _meets(course, received) or _meets(course, self._heard.get(key, "")):
                    self._met.add(key)
                self._heard[key] = received
            return course if key in self._met else None
        return self._courses.get(found[0])

    def _each(
        self,
        snapshot: Snapshot,
        interval: float,
        of: Callable[[Mapping[str, Any]], list[str | None]],
        *,
        mariadb: bool,
    ) -> dict[str, Behind]:
        moment = snapshot.monotonic + snapshot.collection_ms / 2000
        within = max(_LEAST, interval * _SEEN_WITHIN)
        found: dict[str, Behind] = {}
        for row in snapshot.readings.get("replication", {}).get("channels", ()):
            course = self._course(snapshot.database, row)
            positions = [position for position in of(row) if position]
            if course is None or not positions or not _by_gtid(row):
                continue
            try:
                behind = course.behind(partial(_has, positions, mariadb=mariadb), moment, within)
            except BadPosition:
                continue  # Of a version that writes positions in another way: lag is told by the server's own figures.
            if behind is not None:
                found[row["name"]] = behind
        return found


def _meets(course: Course, received: str) -> bool:
    """Only MariaDB's sources are to be met: MySQL's are known by their UUID."""
    try:
        return course.passed(partial(stands_between, received))
    except BadPosition:
        return False


def _has(positions: list[str], place: str, *, mariadb: bool) -> bool:
    if mariadb:
        return any(covers(position, place, mariadb=True) for position in positions)
    return covers(",".join(positions), place, mariadb=False)


def _by_gtid(row: Mapping[str, Any]) -> bool:
    """Only such a replica is sent all that its source has and it lacks; any other may lack old transactions for good."""
    return str(row.get("using_gtid")).lower() in ("1", "slave_pos", "current_pos")
