"""Sizes of tables and how full their AUTO_INCREMENT columns are, from InnoDB's own dictionary.

information_schema.TABLES is not used: it shows an account only the tables on which it has a privilege, opens every table on MariaDB, and
waits there for one that an application has locked. InnoDB's dictionary needs PROCESS, and waits for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dbvigil.collectors.values import number
from dbvigil.errors import MissingPrivilege
from dbvigil.server import Server
from dbvigil.types import ServerInfo

# Reading the dictionary's counters loads every table into the server's cache: about 0.2 ms a table. More than this many are not read so.
MOST_TABLES = 2000

_SYSTEM_SCHEMAS = "('mysql', 'sys', 'performance_schema', 'information_schema')"
USER_TABLES = f"NAME LIKE '%/%' AND SUBSTRING_INDEX(NAME, '/', 1) NOT IN {_SYSTEM_SCHEMAS}"

# InnoDB's persistent statistics: one row a table, read like any other rows, cheap for any number of tables.
SIZES = f"""
    SELECT COUNT(*) AS tables, COALESCE(SUM(clustered_index_size), 0) * @@GLOBAL.innodb_page_size AS data_bytes,
           COALESCE(SUM(sum_of_other_index_sizes), 0) * @@GLOBAL.innodb_page_size AS index_bytes
      FROM mysql.innodb_table_stats WHERE database_name NOT IN {_SYSTEM_SCHEMAS}"""  # noqa: S608 - of names in this file alone

SIZES_GRANT = "SELECT ON mysql.innodb_table_stats"


def _dictionary(prefix: str, initialized: str) -> tuple[str, str, str, str]:
    """Statements over InnoDB's dictionary, whose tables are named with `prefix`: files, sizes, the fullest AUTO_INCREMENT, and one row
    for each, the fullest first."""
    files = f"""
    SELECT COUNT(*) AS tables, COALESCE(SUM(FILE_SIZE), 0) AS data_bytes
      FROM information_schema.{prefix}TABLESPACES WHERE {USER_TABLES}"""  # noqa: S608 - of names in this file alone
    # A table that nobody opened since the server started has no statistics in memory: its file then counts as data. Grouping finds the
    # two rows of a table without a join, for which these tables have no index.
    sizes = f"""
    SELECT COALESCE(SUM(IF(known, pages * @@GLOBAL.innodb_page_size, file)), 0) AS data_bytes,
           COALESCE(SUM(other_pages), 0) * @@GLOBAL.innodb_page_size AS index_bytes
      FROM (SELECT MAX(known) AS known, SUM(pages) AS pages, SUM(other_pages) AS other_pages, SUM(file) AS file
              FROM (SELECT CONVERT(NAME USING utf8mb4) AS name, STATS_INITIALIZED = {initialized} AS known,
                           CLUST_INDEX_SIZE AS pages, OTHER_INDEX_SIZE AS other_pages, 0 AS file
                      FROM information_schema.{prefix}TABLESTATS WHERE {USER_TABLES}
                    UNION ALL SELECT CONVERT(NAME USING utf8mb4), 0, 0, 0, FILE_SIZE
                      FROM information_schema.{prefix}TABLESPACES WHERE {USER_TABLES}) AS part
             GROUP BY name) AS one"""  # noqa: S608 - of names in this file alone
    # The dictionary does not say which column counts. It is a whole-number column, never NULL, first in some index, and wide enough for
    # its counter; a one-column primary key wins over other candidates. DISTINCT lets the server index what it joins.
    counters = f"""
      FROM (SELECT MAX(stats.name) AS name, stats.AUTOINC AS counter, COALESCE(
                   MIN(IF(ind.TYPE IN (1, 3) AND field.fields = 1, col.capacity, NULL)), MAX(col.capacity)) AS capacity
              FROM (SELECT DISTINCT TABLE_ID, AUTOINC, CONVERT(NAME USING utf8mb4) AS name FROM information_schema.{prefix}TABLESTATS
                     WHERE AUTOINC > 1 AND {USER_TABLES}) AS stats
              JOIN (SELECT DISTINCT TABLE_ID, LOWER(CONVERT(NAME USING utf8mb4)) AS name,
                           POW(2, 8 * LEN - IF(PRTYPE & 512, 0, 1)) - 1 AS capacity
                      FROM information_schema.{prefix}COLUMNS WHERE MTYPE = 6 AND PRTYPE & 256) AS col
                ON col.TABLE_ID = stats.TABLE_ID AND col.capacity >= stats.AUTOINC - 1
              JOIN (SELECT DISTINCT TABLE_ID, INDEX_ID, TYPE FROM information_schema.{prefix}INDEXES) AS ind
                ON ind.TABLE_ID = stats.TABLE_ID
              JOIN (SELECT INDEX_ID, COUNT(*) AS fields, MAX(IF(POS = 0, LOWER(CONVERT(NAME USING utf8mb4)), NULL)) AS name
                      FROM information_schema.{prefix}FIELDS GROUP BY INDEX_ID) AS field
                ON field.INDEX_ID = ind.INDEX_ID AND field.name = col.name
             GROUP BY stats.TABLE_ID, stats.AUTOINC) AS one"""  # noqa: S608 - of names in this file alone
    auto_increment = f"""
    SELECT MAX(LEAST(1, counter / capacity)) * 100 AS auto_increment_usage{counters}"""
    fullest = f"""
    SELECT name, LEAST(1, counter / capacity) * 100 AS auto_increment_usage{counters}
     ORDER BY auto_increment_usage DESC"""
    return files, sizes, auto_increment, fullest


MYSQL_FILES, MYSQL_SIZES, MYSQL_AUTO_INCREMENT, MYSQL_FULLEST = _dictionary("INNODB_", "'Initialized'")
MARIADB_FILES, MARIADB_SIZES, MARIADB_AUTO_INCREMENT, MARIADB_FULLEST = _dictionary("INNODB_SYS_", "1")


class Tables:
    name: ClassVar = "tables"
    help: ClassVar = "Size of InnoDB's tables and indexes, and the fullest AUTO_INCREMENT column."
    every: ClassVar = 600.0
    limit: ClassVar = 5.0
    grants: ClassVar[Mapping[str, str]] = {"mysql": "PROCESS ON *.*", "mariadb": "PROCESS ON *.*"}

    def supports(self, info: ServerInfo) -> bool:
        """MySQL before 8.0 names its dictionary otherwise."""
        return info.is_mariadb or info.at_least(8, 0)

    async def collect(self, server: Server) -> Mapping[str, Any]:
        """`{"tables", "data_bytes", "index_bytes", "auto_increment_usage"}`, the last in percent, 0 where no counter has begun.

        With more than `MOST_TABLES` tables what is too dear is absent, and `missing` says why: `[cause, remedy]`.
        """
        if server.info.is_mariadb:
            files, sizes, auto_increment = MARIADB_FILES, MARIADB_SIZES, MARIADB_AUTO_INCREMENT
        else:
            files, sizes, auto_increment = MYSQL_FILES, MYSQL_SIZES, MYSQL_AUTO_INCREMENT
        found, exact = await _sizes(server, files)
        if found["tables"] <= MOST_TABLES:
            wanted = auto_increment if exact else _beside(sizes, auto_increment)
            found |= await _row(server, wanted)
            found["auto_increment_usage"] = found["auto_increment_usage"] or 0.0
            return found
        cause = (
            f"{found['tables']} tables are too many to read their AUTO_INCREMENT without loading the server"
        )
        if exact:
            return found | {"missing": [cause, "watch those that matter with a query of your own"]}
        cause += ", or to tell data from indexes: the data size is that of all files"
        return found | {"missing": [cause, f"GRANT {SIZES_GRANT} to the monitor's account for the sizes"]}


def _beside(sizes: str, auto_increment: str) -> str:
    return f"SELECT * FROM ({sizes}) AS sizes, ({auto_increment}) AS counters"  # noqa: S608 - of names in this file alone


async def _sizes(server: Server, files: str) -> tuple[dict[str, Any], bool]:
    """Number of tables and their size, and whether data and indexes are told apart: one cheap statement."""
    try:
        return await _row(server, SIZES), True
    except MissingPrivilege:
        # Not among the grants that monitoring needs: the sizes of the files are there for PROCESS.
        return await _row(server, files), False


async def _row(server: Server, statement: str) -> dict[str, Any]:
    (row,) = await server.rows(statement)
    return {name: number(value) for name, value in row.items()}
