"""What a server holds, so that a restore can be compared with it: tables with rows and checksums, and the names of all else."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from dbvigil.backups.comparing import Figures
from dbvigil.backups.errors import BackupError
from dbvigil.collectors.tables import USER_TABLES
from dbvigil.errors import MissingObject, MissingPrivilege, ServerError, StatementFailed
from dbvigil.queries.rules.ddl import quoted
from dbvigil.replication.collecting import table_name
from dbvigil.server import Server
from dbvigil.types import ServerInfo

SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
TRANSACTIONAL = ("InnoDB", "RocksDB", "ROCKSDB", "TokuDB")
PATIENCE_SECONDS = 86_400.0

_SYSTEM = ", ".join(f"'{name}'" for name in SYSTEM)
DATABASES = f"""
    SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE LOWER(SCHEMA_NAME) NOT IN ({_SYSTEM})
     ORDER BY SCHEMA_NAME"""  # noqa: S608 - of names in this file alone
TABLES = """
    SELECT TABLE_SCHEMA AS `schema`, TABLE_NAME AS name, TABLE_TYPE AS kind, ENGINE AS engine,
           COALESCE(DATA_LENGTH, 0) AS bytes
      FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ({names}) ORDER BY DATA_LENGTH"""
COLUMNS = """
    SELECT TABLE_SCHEMA AS `schema`, TABLE_NAME AS name, COLUMN_NAME AS column_name, DATA_TYPE AS kind, EXTRA AS extra,
           IS_NULLABLE AS nullable
      FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN ({names}) ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION"""
OTHERS: Mapping[str, str] = {
    "routine": """SELECT CONCAT(ROUTINE_SCHEMA, '.', ROUTINE_NAME, ' (', LOWER(ROUTINE_TYPE), ')') AS name
        FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN ({names})""",
    "trigger": """SELECT CONCAT(TRIGGER_SCHEMA, '.', TRIGGER_NAME) AS name
        FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA IN ({names})""",
    "event": """SELECT CONCAT(EVENT_SCHEMA, '.', EVENT_NAME) AS name
        FROM information_schema.EVENTS WHERE EVENT_SCHEMA IN ({names})""",
}
# A server without grants has its scheduler off, and shows no event in information_schema.
STORED_EVENTS = "SELECT CONCAT(db, '.', name) AS name FROM mysql.event WHERE db IN ({names})"
MYSQL_DICTIONARY = (
    f"SELECT CONVERT(NAME USING utf8mb4) AS name FROM information_schema.INNODB_TABLES WHERE {USER_TABLES}"  # noqa: S608 - of names of our own
)
MARIADB_DICTIONARY = MYSQL_DICTIONARY.replace("INNODB_TABLES", "INNODB_SYS_TABLES")

SNAPSHOT = (
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION wait_timeout = 86400",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT",
)
# Back to a savepoint, the lock on the table's definition is let go of: an ALTER TABLE does not wait for the rest of the backup.
MARK, BACK = "SAVEPOINT dbvigil", "ROLLBACK TO SAVEPOINT dbvigil"

_TOO_LONG = (3024, 1969)
"""MySQL's MAX_EXECUTION_TIME and MariaDB's max_statement_time."""
_LOBS = ("tinytext", "text", "mediumtext", "longtext", "tinyblob", "blob", "mediumblob", "longblob")
_CHARACTERS = ("char", "varchar", "enum", "set")
_BINARIES = ("binary", "varbinary")
_SHAPES = (
    "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its `schema.name`, how it is written in SQL, its stored columns as (name, type, nullable)."""

    name: str
    quoted: str
    transactional: bool
    bytes: int
    columns: Sequence[tuple[str, str, bool]]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What there is to back up: tables, the smallest first, and everything else by its kind."""

    databases: Sequence[str]
    tables: Sequence[Table]
    others: Mapping[str, Sequence[str]]

    @property
    def bytes(self) -> int:
        return sum(table.bytes for table in self.tables)


class TimeIsUp(Exception):
    """A table could not be read to its end in the time that there was."""


async def inventory(server: Server, wanted: Sequence[str] = (), *, grantless: bool = False) -> Inventory:
    """What `server` has in `wanted` schemas, all of its own where none is named. Raises `BackupError`, ServerError.

    `grantless`: it is a MariaDB that was started without grants.
    """
    there = [str(row["name"]) for row in await server.rows(DATABASES)]
    lost = sorted(set(wanted) - set(there))
    if lost:
        raise BackupError(f"there is no database {', '.join(lost)}, or the account may not see it")
    chosen: list[object] = [*(wanted or there)]
    if not chosen:
        raise BackupError("the account sees no database: grant it SELECT on what is to be backed up")
    marks = ", ".join(["%s"] * len(chosen))
    columns: dict[tuple[str, str], list[tuple[str, str, bool]]] = {}
    for row in await server.rows(COLUMNS.format(names=marks), chosen):
        if not _is_computed(str(row["extra"])):
            columns.setdefault((row["schema"], row["name"]), []).append(
                (row["column_name"], str(row["kind"]).lower(), row["nullable"] == "YES")
            )
    tables, views = [], []
    for row in await server.rows(TABLES.format(names=marks), chosen):
        name = f"{row['schema']}.{row['name']}"
        if row["kind"] in ("BASE TABLE", "SYSTEM VERSIONED"):
            tables.append(
                Table(
                    name,
                    f"{quoted(row['schema'])}.{quoted(row['name'])}",
                    row["engine"] in TRANSACTIONAL,
                    int(row["bytes"]),
                    columns.get((row["schema"], row["name"]), ()),
                )
            )
        else:
            views.append(name)
    kinds = {**OTHERS, "event": STORED_EVENTS} if grantless else OTHERS
    others = {kind: await _names(server, sql.format(names=marks), chosen) for kind, sql in kinds.items()}
    return Inventory(list(wanted or there), tables, {"view": views, **others})


async def unseen(server: Server, known: Inventory) -> list[str]:
    """Tables of InnoDB in these databases that the account may not see, by name; none where it may not ask either.

    An account without the grant would get a dump that lacks them, and no error.
    """
    try:
        rows = await server.rows(MARIADB_DICTIONARY if server.info.is_mariadb else MYSQL_DICTIONARY)
    except (MissingPrivilege, MissingObject):
        return []
    names = {table_name(row["name"]).lower() for row in rows if "/fts_" not in row["name"].lower()}
    seen = {table.name.lower() for table in known.tables} | {name.lower() for name in known.others["view"]}
    ours = {name.lower() for name in known.databases}
    hidden = names - seen
    # Tables on their way in or out have names of their own. Letters beyond ASCII are written in a way (`@1o`) that is not read here.
    return sorted(
        one for one in hidden if "#sql" not in one and "@" not in one and one.partition(".")[0] in ours
    )


@contextlib.asynccontextmanager
async def snapshot(server: Server) -> AsyncIterator[Snapshot]:
    """A consistent view of all transactional tables, from now to the end of the block."""
    try:
        for statement in SNAPSHOT:
            await server.rows(statement)
        await server.rows(MARK)
        yield Snapshot(server, server.connection)
    finally:
        await server.close()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Reads tables as they were when the snapshot was opened, over the `connection` that has it."""

    server: Server
    connection: str

    async def figures(self, table: Table, seconds: float) -> Figures:
        """One table's. Raises `TimeIsUp` after about `seconds`, or ServerError."""
        sql = statement(table, self.server.info, seconds)
        try:
            (row,) = await self.server.rows(sql)
            await self.server.rows(BACK)
        except StatementFailed as error:
            if error.code in _TOO_LONG:
                await self.server.rows(BACK)
                raise TimeIsUp from None
            raise
        if self.server.connection != self.connection:
            # A new connection would see the present.
            raise ServerError(
                "the connection that had the snapshot is lost", "it is tried again with the next backup"
            )
        return Figures(int(row["row_count"]), str(row["checksum"]))


def statement(table: Table, info: ServerInfo, seconds: float) -> str:
    """What reads one table's figures: once through it, in no particular order."""
    # As text: a sum of many is more than a floating-point number holds.
    checksum = (
        f"CAST(COALESCE(SUM(CRC32(CONCAT_WS('#', {_row(table)}))), 0) AS CHAR)" if table.columns else "'0'"
    )
    body = f"COUNT(*) AS row_count, {checksum} AS checksum FROM {table.quoted}"
    if info.is_mariadb:
        return f"SET STATEMENT max_statement_time = {max(seconds, 0.001):g} FOR SELECT {body}"
    return f"SELECT /*+ MAX_EXECUTION_TIME({max(1, round(seconds * 1000))}) */ {body}"


def _row(table: Table) -> str:
    values = [_value(quoted(name), kind) for name, kind, _ in table.columns]
    # CONCAT_WS passes over what is NULL: where that was has to be said besides.
    flags = [f"ISNULL({quoted(name)})" for name, _, nullable in table.columns if nullable]
    return ", ".join([*values, f"CONCAT({', '.join(flags)})"] if flags else values)


def _value(column: str, kind: str) -> str:
    """A column as bytes that do not depend on session or character set; a long value as its own checksum, which always fits a packet."""
    if kind in _LOBS:
        return f"CRC32(CAST({column} AS BINARY))"
    if kind in _CHARACTERS:
        return f"CAST({column} AS BINARY)"
    if kind in _BINARIES:
        return column
    if kind in _SHAPES:
        return f"CRC32(ST_AsWKB({column}))"
    if kind == "bit":
        return f"{column} + 0"
    if kind == "json":
        return f"CRC32(CAST({column} AS CHAR))"
    if kind == "vector":
        return f"CRC32(HEX({column}))"
    return f"CAST({column} AS CHAR)"


def _is_computed(extra: str) -> bool:
    return any(word in extra.upper() for word in ("VIRTUAL GENERATED", "STORED GENERATED", "PERSISTENT"))


async def _names(server: Server, sql: str, chosen: list[object]) -> list[str]:
    return [str(row["name"]) for row in await server.rows(sql, chosen)]


async def figures_of(
    view: Snapshot, tables: Sequence[Table], seconds: float, clock: Callable[[], float]
) -> tuple[dict[str, Figures], dict[str, str]]:
    """The figures of `tables` within `seconds` in all, and for each other table why it has none."""
    end = clock() + seconds
    found: dict[str, Figures] = {}
    left: dict[str, str] = {}
    for table in tables:
        remaining = end - clock()
        if remaining <= 0:
            left[table.name] = "the time for comparing was up"
            continue
        try:
            found[table.name] = await view.figures(table, remaining)
        except TimeIsUp:
            left[table.name] = "the time for comparing was up"
        except StatementFailed as error:
            left[table.name] = str(error)
    return found, left
