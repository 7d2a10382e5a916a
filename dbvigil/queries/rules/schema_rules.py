"""The rules that need the schema, in the order in which they are shown."""

from dbvigil.queries.rules import schema_indexes, schema_rows, schema_tables, schema_types

SCHEMA = (*schema_types.RULES, *schema_rows.RULES, *schema_indexes.RULES, *schema_tables.RULES)
