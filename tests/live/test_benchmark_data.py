"""The data sets of the benchmark of index advice: complete, and the same rows each time, skewed as they say."""

from __future__ import annotations

import pytest

from benchmarks.support.datasets import SCHEMA, SETS, DataSet
from dbvigil.queries.parse import parse
from dbvigil.queries.statements import tables_of
from dbvigil.sandbox import PrivateServer


@pytest.mark.parametrize("data", SETS.values(), ids=list(SETS))
def test_statements_and_natural_indexes_are_of_the_tables(data: DataSet) -> None:
    assert len(data.statements) >= 15
    for text in data.statements:
        assert parse(text) is not None
        assert {name for _schema, name in tables_of(text, SCHEMA)} <= set(data.tables)
    for one in data.natural:
        assert one.table in {name for _schema, name in tables_of(data.statements[one.statement], SCHEMA)}


def test_the_rental_is_skewed_and_the_same_each_time(mariadb: PrivateServer) -> None:
    mariadb.execute(f"CREATE DATABASE {SCHEMA}")
    try:
        SETS["rental"].load(mariadb)
        (row,) = mariadb.execute(
            f"SELECT COUNT(*) AS payments, SUM(customer_id <= 120) AS first_hundredth FROM {SCHEMA}.payment"
        )
        assert row["payments"] == 200_000
        # One customer in a hundred makes a tenth of the payments.
        assert 18_000 < row["first_hundredth"] < 22_000
        (other,) = mariadb.execute(f"SELECT SUM(inventory_id * customer_id) AS mark FROM {SCHEMA}.rental")
        mariadb.execute(f"DROP DATABASE {SCHEMA}")
        mariadb.execute(f"CREATE DATABASE {SCHEMA}")
        SETS["rental"].load(mariadb)
        (again,) = mariadb.execute(f"SELECT SUM(inventory_id * customer_id) AS mark FROM {SCHEMA}.rental")
        assert again == other
    finally:
        mariadb.execute(f"DROP DATABASE {SCHEMA}")
