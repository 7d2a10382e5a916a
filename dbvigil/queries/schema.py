"""Tables as the rules see them: columns, indexes, keys, sizes. Plain data; who reads it from a server is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Column:
    """`type` is the server's full type in lower case (`varchar(40)`, `bigint unsigned`); `collation` is None for what is no text.

    `distinct` is an estimate of how many different values there are, None where unknown.
    """

    name: str
    type: str
    nullable: bool = True
    collation: str | None = None
    default: str | None = None
    auto_increment: bool = False
    generated: bool = False
    distinct: int | None = None

    @property
    def charset(self) -> str | None:
        return self.collation.split("_", 1)[0] if self.collation else None


@dataclass(frozen=True, slots=True)
class IndexPart:
    """One column of an index, in order. `prefix`: only so many characters; `expression` where it is no column (then `column` is empty).

    `cardinality`: the server's estimate of different values up to and with this part.
    """

    column: str
    prefix: int | None = None
    descending: bool = False
    expression: str = ""
    cardinality: int | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """`kind`: btree, hash, fulltext, spatial, vector. `visible`: whether the optimizer may use it."""

    name: str
    parts: tuple[IndexPart, ...]
    unique: bool = False
    kind: str = "btree"
    visible: bool = True

    @property
    def primary(self) -> bool:
        return self.name == "PRIMARY"

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(part.column for part in self.parts)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    name: str
    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...]
    schema: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `rows` and the sizes (bytes) are the server's estimates, None where it has none."""

    name: str
    schema: str = ""
    columns: tuple[Column, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    engine: str = "InnoDB"
    rows: int | None = None
    data_bytes: int | None = None
    index_bytes: int | None = None
    view: bool = False
    partitioned: bool = False

    def column(self, name: str) -> Column | None:
        """Column names know no case."""
        wanted = name.lower()
        return next((one for one in self.columns if one.name.lower() == wanted), None)

    def index(self, name: str) -> Index | None:
        wanted = name.lower()
        return next((one for one in self.indexes if one.name.lower() == wanted), None)

    @property
    def primary_key(self) -> Index | None:
        return self.index("PRIMARY")


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables that are known, by (schema, table) in lower case; `default` is where a name without a schema is looked up.

    A table that is not here is unknown, not missing; `gaps` says in a sentence each what could not be read.
    """

    tables: Mapping[tuple[str, str], Table] = field(default_factory=dict)
    default: str = ""
    gaps: tuple[str, ...] = ()

    def table(self, name: str, schema: str = "") -> Table | None:
        return self.tables.get(((schema or self.default).lower(), name.lower()))

    @classmethod
    def of(cls, tables: tuple[Table, ...], default: str = "") -> Schema:
        return cls({(one.schema.lower(), one.name.lower()): one for one in tables}, default)
