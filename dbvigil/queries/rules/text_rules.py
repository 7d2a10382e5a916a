"""The rules that need nothing but the statement, in the order in which they are shown."""

from dbvigil.queries.rules import (
    text_alternatives,
    text_columns,
    text_joins,
    text_logic,
    text_patterns,
    text_rows,
    text_sets,
    text_writes,
)

TEXT = (
    *text_logic.RULES, *text_writes.RULES, *text_joins.RULES, *text_sets.RULES, *text_columns.RULES, *text_patterns.RULES,
    *text_alternatives.RULES, *text_rows.RULES,
)  # fmt: skip
