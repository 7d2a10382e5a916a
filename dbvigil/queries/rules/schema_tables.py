"""Rules on the tables themselves: their keys, their indexes, their counters."""

from __future__ import annotations

from collections.abc import Iterable

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.ddl import add_index, drop_index, full_name, quoted
from dbvigil.queries.rules.names import base_type, big, tables, usable, width
from dbvigil.queries.rules.redundancy import needless

_CAPACITY = {"tinyint": 2**7 - 1, "smallint": 2**15 - 1, "mediumint": 2**23 - 1, "int": 2**31 - 1}
_NEARLY_FULL = 0.5
_WIDE_KEY_BYTES = 64


@rule("A table has no primary key", "schema", "schema", 3, "estimated")
def no_primary_key(subject: Subject) -> Iterable[Finding]:
    """Without a primary key a replica finds each changed row by reading the table, InnoDB numbers its rows under a server-wide lock,
    and no tool can change the table online. Add one; a new BIGINT UNSIGNED AUTO_INCREMENT column serves where nothing natural does.

    Example: SELECT message FROM log WHERE level = 3
    """
    for table in tables(subject):
        keyed = any(index.primary for index in table.indexes)
        if not keyed and table.columns and table.engine.lower() == "innodb":
            yield Finding(
                f"{table.name} has no primary key: replicas find its changed rows by reading all of it"
            )


@rule("A primary key is random", "schema", "schema", 2, "estimated")
def random_primary_key(subject: Subject) -> Iterable[Finding]:
    """A UUID as text makes each new row land on another page, and is repeated with its 36 characters in every other index. Keep it as
    BINARY(16) with the time bits first (`UUID_TO_BIN(…, 1)`), as MariaDB's UUID type, or beside a BIGINT key.

    Example: SELECT total FROM basket WHERE id = '0b0e9a1c-7d5b-11ee-b962-0242ac120002'
    """
    for table in tables(subject):
        key = table.primary_key
        column = table.column(key.columns[0]) if key is not None and len(key.parts) == 1 else None
        if (
            column is not None
            and big(table)
            and column.type in {"char(36)", "varchar(36)", "char(32)", "varchar(32)"}
        ):
            better = (
                "the type UUID"
                if subject.flavor == "mariadb" and subject.version >= (10, 7, 0)
                else "BINARY(16)"
            )
            yield Finding(
                f"{table.name}.{column.name} is {column.type}, as a UUID is; {better} is less than half as long"
            )


@rule("A primary key is wide", "schema", "schema", 2, "estimated")
def wide_primary_key(subject: Subject) -> Iterable[Finding]:
    """InnoDB repeats the primary key in every entry of every other index. A wide key makes all of them big; a BIGINT key beside a
    unique index on the wide columns does not.

    Example: SELECT id FROM page WHERE site = 'a'
    """
    for table in tables(subject):
        key, others = table.primary_key, [index for index in table.indexes if not index.primary]
        if key is None or len(others) < 2 or not big(table):
            continue
        widths = [width(table.column(name)) for name in key.columns]
        total = sum(width for width in widths if width is not None)
        if None not in widths and total > _WIDE_KEY_BYTES:
            yield Finding(
                f"the primary key ({', '.join(key.columns)}) of {table.name} has up to {total} bytes, repeated in"
                f" {len(others)} other indexes"
            )


@rule("Two indexes are the same", "schema", "schema", 2, "estimated")
def duplicate_index(subject: Subject) -> Iterable[Finding]:
    """Two indexes over the same columns in the same order: every write keeps both, no read needs the second. Drop one.

    Example: SELECT id FROM doubled WHERE a = 1
    """
    for table in tables(subject):
        for one in needless(table):
            if one.kind == "duplicate":
                yield Finding(
                    f"{table.name} has {one.index.name} and {one.kept.name} over the same columns",
                    drop_index(table, one.index.name),
                )


@rule("An index is the beginning of another", "schema", "schema", 1, "estimated")
def prefix_index(subject: Subject) -> Iterable[Finding]:
    """An index on (a) beside one on (a, b): the longer serves whatever the shorter does, at the price of slightly more pages. Drop the
    shorter, after hiding it for a while. Not where it is unique: then it is a promise, too.

    Example: SELECT id FROM doubled WHERE b = 1
    """
    for table in tables(subject):
        for one in needless(table):
            if one.kind == "prefix":
                yield Finding(
                    f"{one.index.name} of {table.name} is the beginning of {one.kept.name} ({', '.join(one.kept.columns)})",
                    drop_index(table, one.index.name),
                )


@rule("An index ends with the primary key", "schema", "schema", 1, "estimated")
def primary_key_suffix(subject: Subject) -> Iterable[Finding]:
    """InnoDB adds the primary key to every other index by itself; written out at the end of one it says nothing new. Beside an index
    without it, that is a duplicate.

    Example: SELECT id FROM suffixed WHERE a = 1
    """
    for table in tables(subject):
        for one in needless(table):
            if one.kind == "primary_key":
                yield Finding(
                    f"{one.index.name} of {table.name} is {one.kept.name} with the primary key behind it, which is there anyway",
                    drop_index(table, one.index.name),
                )


@rule("A foreign key has no index", "schema", "create_index", 2, "estimated")
def foreign_key_unindexed(subject: Subject) -> Iterable[Finding]:
    """The join along a foreign key, and each DELETE or UPDATE of the row it points to, reads the whole table when the optimizer may not
    use an index on the key's columns: there is none, or it is invisible.

    Example: SELECT c.id FROM customer c JOIN invoice i ON i.customer_id = c.id
    """
    for table in tables(subject):
        for key in table.foreign_keys if big(table) else ():
            names = {name.lower() for name in key.columns}
            if any(
                {name.lower() for name in index.columns[: len(names)]} == names for index in usable(table)
            ):
                continue
            hidden = next(
                (one for one in table.indexes if {n.lower() for n in one.columns[: len(names)]} == names),
                None,
            )
            if hidden is not None:
                word = "NOT IGNORED" if subject.flavor == "mariadb" else "VISIBLE"
                sql = f"ALTER TABLE {full_name(table)} ALTER INDEX {quoted(hidden.name)} {word}"
                yield Finding(
                    f"the index {hidden.name} of the foreign key {key.name} of {table.name} is hidden from the optimizer",
                    sql,
                )
            else:
                sql = add_index(table, tuple(quoted(name) for name in key.columns))
                yield Finding(
                    f"no index of {table.name} starts with the columns of its foreign key {key.name}", sql
                )


@rule("AUTO_INCREMENT will run out", "schema", "schema", 3, "estimated")
def small_auto_increment(subject: Subject) -> Iterable[Finding]:
    """When the counter reaches the end of its type, every INSERT fails. Widen the column to BIGINT UNSIGNED while there is time,
    together with the columns that refer to it; the change copies the table.

    Example: SELECT id FROM counted WHERE id = 7
    """
    for table in tables(subject):
        for column in table.columns:
            if not column.auto_increment or table.rows is None or base_type(column) not in _CAPACITY:
                continue
            capacity = _CAPACITY[base_type(column)] * (2 if "unsigned" in column.type else 1)
            if table.rows > _NEARLY_FULL * capacity:
                yield Finding(
                    f"{table.name}.{column.name} is {column.type}: about {table.rows:,} of {capacity:,} numbers are taken",
                    before=round(table.rows / capacity * 100, 1),
                )


RULES = (
    no_primary_key, random_primary_key, wide_primary_key, duplicate_index, prefix_index, primary_key_suffix, foreign_key_unindexed,
    small_auto_increment,
)  # fmt: skip
