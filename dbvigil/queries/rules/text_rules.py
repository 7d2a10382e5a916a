"""The rules that need nothing but the statement, in the order in which they are shown."""

from dbvigil.queries.rules import text_joins, text_predicates, text_rows, text_writes

TEXT = (*text_writes.RULES, *text_joins.RULES, *text_predicates.RULES, *text_rows.RULES)
