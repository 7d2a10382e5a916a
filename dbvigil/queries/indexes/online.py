"""How a server builds an index on a table that is in use, and about how long it takes."""

from __future__ import annotations

from dbvigil.queries.indexes.layout import innodb
from dbvigil.queries.schema import Table
from dbvigil.queries.workload import Candidate
from dbvigil.types import Flavor

_NOCOPY_SINCE = (10, 3, 0)


def online_ddl(
    table: Table, candidate: Candidate, flavor: Flavor, version: tuple[int, int, int]
) -> tuple[str, str, str]:
    """ALGORITHM and LOCK that the server takes for the candidate's DDL, and in a sentence what that means for the table's users.

    `candidate` says on which columns: one that is computed when it is read costs MariaDB the writes meanwhile.
    """
    if not innodb(table):
        return (
            "COPY",
            "SHARED",
            f"{table.engine or 'its engine'} copies the table: nothing can be written to it meanwhile",
        )
    algorithm = "NOCOPY" if flavor == "mariadb" and version >= _NOCOPY_SINCE else "INPLACE"
    columns = [table.column(name) for name, _ in candidate.columns]
    if flavor == "mariadb" and any(one is not None and one.generated for one in columns):
        return (
            algorithm,
            "SHARED",
            "reads go on while a computed column's values are read; writes wait until the index is there",
        )
    return (
        algorithm,
        "NONE",
        "reads and writes go on; the metadata lock at both ends waits for transactions that use the table, and others wait behind it",
    )


def build_seconds(table: Table, rows_per_second: float) -> float | None:
    """How long the build takes at `rows_per_second`, as measured in a sandbox; None where the table's rows are not known.

    Raises `ValueError` for a rate that is not above 0.
    """
    if rows_per_second <= 0:
        raise ValueError(f"rows_per_second is {rows_per_second}; allowed: above 0")
    return None if table.rows is None else table.rows / rows_per_second
