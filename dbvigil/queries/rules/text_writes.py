"""Rules on statements that change rows."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.names import FEW_ROWS, blocks
from dbvigil.queries.rules.text_conditions import perhaps_cut


@rule("UPDATE or DELETE of every row", "text", "rewrite", 3)
def write_without_where(subject: Subject) -> Iterable[Finding]:
    """Without WHERE every row is changed, locked and written to the binary log in one transaction. Say which rows are meant; to empty a
    table, TRUNCATE it; to change all of it, go in steps by the primary key.

    Example: DELETE FROM session
    """
    tree = subject.tree
    if (
        isinstance(tree, exp.Update | exp.Delete)
        and not perhaps_cut(subject)
        and not any(tree.args.get(part) for part in ("where", "limit", "joins", "using", "tables"))
    ):
        target = tree.this
        # An UPDATE of several tables is a join, whose condition stands in WHERE or in ON.
        if isinstance(target, exp.Table) and not target.args.get("joins"):
            known = subject.schema.table(target.name, target.db)
            if known is not None and known.rows is not None and known.rows < FEW_ROWS:
                return
            kind = "changes" if isinstance(tree, exp.Update) else "removes"
            yield Finding(f"it {kind} every row of {target.name}")


@rule("UPDATE or DELETE of any so many rows", "text", "rewrite", 1)
def write_with_unordered_limit(subject: Subject) -> Iterable[Finding]:
    """LIMIT without ORDER BY takes whichever rows the server comes upon first; a replica that replays the statement (binlog_format
    STATEMENT) may take others. Order by the primary key.

    Example: DELETE FROM session WHERE expires < NOW() LIMIT 1000
    """
    tree = subject.tree
    if isinstance(tree, exp.Update | exp.Delete) and tree.args.get("limit") and not tree.args.get("order"):
        yield Finding(
            "LIMIT without ORDER BY: which rows are taken is left to chance; order by the primary key"
        )


@rule("INSERT without column names", "text", "rewrite", 1)
def insert_without_columns(subject: Subject) -> Iterable[Finding]:
    """Values find their columns by position: a column that is added or moved breaks the statement, or quietly fills the wrong one. Name
    the columns.

    Example: INSERT INTO log VALUES (1, 'x')
    """
    tree = subject.tree
    if not isinstance(tree, exp.Insert) or not isinstance(tree.this, exp.Table):
        return
    if isinstance(tree.expression, exp.Values | exp.Select) and not tree.args.get("columns"):
        yield Finding(f"the columns of {tree.this.name} are not named")


@rule("INSERT … SELECT holds locks on what it reads", "text", "rewrite", 1)
def insert_select_locks(subject: Subject) -> Iterable[Finding]:
    """At REPEATABLE READ the rows that are read are locked until the end, so that nobody can change them meanwhile. Read in steps by the
    primary key, or use READ COMMITTED with row-based binary logging.

    Example: INSERT INTO archive (id, total) SELECT id, total FROM orders WHERE placed < '2020-01-01'
    """
    tree = subject.tree
    if isinstance(tree, exp.Insert) and isinstance(tree.expression, exp.Select) and not perhaps_cut(subject):
        source = tree.expression.args.get("from_") or tree.expression.args.get("from")
        if source is not None and not tree.expression.args.get("limit"):
            names = ", ".join(dict.fromkeys(one.name for one in tree.expression.find_all(exp.Table)))
            yield Finding(f"rows of {names} stay locked until it ends")


@rule("SELECT … FOR UPDATE of every row", "text", "rewrite", 3)
def lock_whole_table(subject: Subject) -> Iterable[Finding]:
    """Without WHERE and LIMIT every row, and every gap between rows, is locked until the transaction ends. Lock the rows that will be
    changed; to keep everybody out, LOCK TABLES says so.

    Example: SELECT id FROM orders FOR UPDATE
    """
    for block in () if perhaps_cut(subject) else blocks(subject):
        locks = [one for one in block.select.args.get("locks") or [] if isinstance(one, exp.Lock)]
        if any(one.args.get("update") for one in locks) and not any(
            block.select.args.get(part) for part in ("where", "limit", "joins")
        ):
            for name, table in block.sources.items():
                if table is None or table.rows is None or table.rows >= FEW_ROWS:
                    yield Finding(f"every row of {table.name if table else name} is locked")


RULES = (
    write_without_where, lock_whole_table, write_with_unordered_limit, insert_without_columns, insert_select_locks,
)  # fmt: skip
