"""The data sets of the benchmark of index advice: complete, and the same rows each time, skewed as they say."""

from __future__ import annotations

from collections.abc import Iterator

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


MARK = f"SELECT SUM(inventory_id * customer_id) AS mark FROM {SCHEMA}.rental"


@pytest.fixture
def empty(mariadb: PrivateServer) -> Iterator[PrivateServer]:
    mariadb.execute(f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4")
    yield mariadb
    mariadb.execute(f"DROP DATABASE {SCHEMA}")


def test_the_rental_is_skewed_and_the_same_each_time(empty: PrivateServer) -> None:
    marks = []
    for seed in (0, 0, 1):
        empty.execute(f"DROP DATABASE {SCHEMA}")
        empty.execute(f"CREATE DATABASE {SCHEMA}")
        SETS["rental"].load(empty, seed)
        (row,) = empty.execute(
            f"SELECT COUNT(*) AS payments, SUM(customer_id <= 120) AS first_hundredth FROM {SCHEMA}.payment"
        )
        assert row["payments"] == 200_000
        # One customer in a hundred makes a tenth of the payments.
        assert 18_000 < row["first_hundredth"] < 22_000
        marks += [row["mark"] for row in empty.execute(MARK)]
    assert marks[0] == marks[1] != marks[2]


def test_the_desk_is_as_it_says(empty: PrivateServer) -> None:
    SETS["desk"].load(empty, 0)
    (ticket,) = empty.execute(
        f"SELECT COUNT(*) AS number, SUM(closed IS NULL) AS live, SUM(tenant_id <= 3) AS of_three FROM {SCHEMA}.ticket"
    )
    assert ticket["number"] == 160_000
    # Only the newest sixteenth is open, and a few of the rest; three tenants of 300 have more than a fifth.
    assert 10_000 < ticket["live"] < 11_500
    assert 32_000 < ticket["of_three"] < 60_000
    (message,) = empty.execute(f"SELECT COUNT(*) AS number, MAX(ticket_id) AS last FROM {SCHEMA}.message")
    assert (message["number"], message["last"]) == (400_000, 160_000)
