"""How long statements take, as performance_schema counts them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from dbvigil.collectors.values import number
from dbvigil.errors import MissingObject
from dbvigil.server import Server
from dbvigil.types import ServerInfo

# Bounds and durations are in picoseconds. The history keeps the thread's last ten statements: more than an ordinary sample sends.
MYSQL_OWN_DURATIONS = """
            SELECT JSON_ARRAYAGG(JSON_ARRAY(EVENT_ID, TIMER_WAIT)) AS own
              FROM performance_schema.events_statements_history
             WHERE THREAD_ID = PS_CURRENT_THREAD_ID() AND END_EVENT_ID IS NOT NULL"""

MYSQL_HISTOGRAM = f"""
    SELECT (SELECT JSON_ARRAYAGG(JSON_ARRAY(BUCKET_TIMER_HIGH, COUNT_BUCKET))
              FROM performance_schema.events_statements_histogram_global WHERE COUNT_BUCKET > 0) AS buckets,
           ({MYSQL_OWN_DURATIONS}) AS own,
           (SELECT SUM(COUNT_STAR) FROM performance_schema.events_statements_summary_by_thread_by_event_name
             WHERE THREAD_ID = PS_CURRENT_THREAD_ID()) AS own_count,
           PS_CURRENT_THREAD_ID() AS thread"""  # noqa: S608 - of a text in this file

# performance_schema counts a statement when it ends, Query_time grows when it ends: together they give the mean of the finished ones.
# The timers of performance_schema are for servers without Query_time; they cannot be had for the monitor's own thread without reading
# every thread's.
MARIADB_FINISHED = """
    SELECT finished.count, COALESCE(everyone.seconds, finished.seconds) AS seconds, own.count AS own_count, own.seconds AS own_seconds
      FROM (SELECT SUM(COUNT_STAR) AS count, SUM(SUM_TIMER_WAIT) / 1e12 AS seconds
              FROM performance_schema.events_statements_summary_global_by_event_name
             WHERE EVENT_NAME LIKE 'statement/sql/%') AS finished,
           (SELECT MAX(VARIABLE_VALUE + 0) AS seconds
              FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'QUERY_TIME') AS everyone,
           (SELECT MAX(IF(VARIABLE_NAME = 'QUESTIONS', VARIABLE_VALUE + 0, NULL)) AS count,
                   MAX(IF(VARIABLE_NAME = 'QUERY_TIME', VARIABLE_VALUE + 0, NULL)) AS seconds
              FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME IN ('QUESTIONS', 'QUERY_TIME')) AS own"""


class Statements:
    name: ClassVar = "statements"
    help: ClassVar = "How long statements take: a histogram on MySQL, their number and time on MariaDB."
    every: ClassVar = 0.0
    limit: ClassVar = 3.0
    grants: ClassVar[Mapping[str, str]] = {
        "mysql": "SELECT ON performance_schema.*",
        "mariadb": "SELECT ON performance_schema.*",
    }

    def supports(self, info: ServerInfo) -> bool:
        """MariaDB without performance_schema still has a mean: from its status counters alone."""
        return info.is_mysql or info.performance_schema

    async def collect(self, server: Server) -> Mapping[str, Any]:
        """The shape that `analysis.latency` documents."""
        info = server.info
        if info.is_mariadb:
            (row,) = await server.rows(MARIADB_FINISHED)
            return {name: number(value) or 0 for name, value in row.items()}
        if not info.performance_schema:
            raise MissingObject(
                "performance_schema is off: MySQL then does not count how long statements take, nor tells the"
                " monitor's own table scans and temporary tables from the clients'",
                "set performance_schema=ON in the server's configuration and restart it",
            )
        if not info.at_least(8, 0, 16):
            raise MissingObject(
                "MySQL keeps a histogram of statement times from 8.0.16 on only", "upgrade the server"
            )
        (row,) = await server.rows(MYSQL_HISTOGRAM)
        return {
            "buckets": sorted(json.loads(row["buckets"] or "[]")),
            "own": json.loads(row["own"] or "[]"),
            "own_count": number(row["own_count"]) or 0,
            "thread": row["thread"],
        }


async def own_durations(server: Server) -> list[list[int]]:
    """`[[event id, picoseconds], …]` of the newest statements of this session that MySQL remembers."""
    (row,) = await server.rows(MYSQL_OWN_DURATIONS)
    durations: list[list[int]] = json.loads(row["own"] or "[]")
    return durations
