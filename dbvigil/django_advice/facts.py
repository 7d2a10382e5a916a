"""The little that is kept of a statement's tables: their columns, and what each index is over. Names only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dbvigil.queries.schema import Column, Index, IndexPart, Schema, Table


def facts(schema: Schema) -> list[dict[str, Any]]:
    """JSON-ready: `{"schema", "table", "columns": [name], "indexes": {name: [columns]}, "unique": [index names]}` a table."""
    return [
        {
            "schema": table.schema,
            "table": table.name,
            "columns": [column.name for column in table.columns],
            "indexes": {index.name: list(index.columns) for index in table.indexes},
            "unique": [index.name for index in table.indexes if index.unique],
        }
        for table in schema.tables.values()
    ]


def schema_of(kept: Sequence[Mapping[str, Any]]) -> Schema:
    """Tables with nothing but names, as `facts` has told them."""
    return Schema.of(
        tuple(
            Table(
                one["table"],
                one["schema"],
                tuple(Column(name, "") for name in one["columns"]),
                tuple(
                    Index(name, tuple(IndexPart(column) for column in columns), name in one["unique"])
                    for name, columns in one["indexes"].items()
                ),
            )
            for one in kept
        )
    )
