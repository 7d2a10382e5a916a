"""One kind of statement as one answer: figures, advice, and none of the application's values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.queries.figures import Figures
from dbvigil.queries.judging import Kind, Surroundings, judge, redacted_plan, without_values
from dbvigil.queries.plan import Plan, PlanNode

FIGURES = Figures(10, 5.0, seconds=60.0, rows_examined=10_000, rows_sent=10, no_index_used=10)


def test_figures_become_shares_and_rates() -> None:
    found = judge(
        Kind("SELECT id FROM t WHERE a = ?", "digest", FIGURES, digest="d1", schema="shop"),
        Surroundings("main", total_time=20.0),
    )
    assert (found.database, found.schema, found.digest) == ("main", "shop", "d1")
    assert (found.count, found.total_time, found.avg_time) == (10, 5.0, 0.5)
    assert (found.share_of_load, found.frequency_per_minute) == (25.0, 10.0)
    assert found.rows_examined_per_row_sent == 1000
    assert found.p95_time is None
    assert found.fingerprint == "select id from t where a = ?"
    assert len(found.query_id) == 16
    assert "no_index_share" in found.patterns
    assert [one.rule for one in found.recommendations][:1] == [found.patterns[0]]


SECRETS = ("ada@example.org", "Lovelace", "31415926")
STATEMENTS = (
    "SELECT * FROM users WHERE email LIKE '%ada@example.org' AND name = 'Lovelace' AND card = 31415926",
    "SELECT id FROM users WHERE email = 'ada@example.org' OR email = 'Lovelace' OR email = '31415926'",
    "SELECT id FROM users WHERE card + 1 = 31415926 AND name NOT IN ('Lovelace', 'ada@example.org')",
    "SELECT id FROM a WHERE n = 'Lovelace' UNION SELECT id FROM b WHERE n = 'ada@example.org' LIMIT 31415926",
    "DELETE FROM users WHERE name = 'Lovelace' AND LOWER(email) = 'ada@example.org' LIMIT 31415926",
    "SELECT id FROM users WHERE YEAR(born) = 31415926 AND name = 'Lovelace' ORDER BY RAND()",
    "INSERT INTO users VALUES ('Lovelace', 'ada@example.org', 31415926)",
    "SELECT 'Lovelace",
)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_no_value_leaves(sql: str) -> None:
    kind = Kind(without_values(sql), "slow_log", FIGURES, sample=sql)
    told = json.dumps(judge(kind, Surroundings()).to_dict())
    assert not [secret for secret in SECRETS if secret in told]
    kept = judge(kind, Surroundings(), keep_sample=True)
    assert kept.sample == sql


def test_rules_still_see_the_values() -> None:
    found = judge(
        Kind(
            "SELECT id FROM t WHERE a LIKE ?",
            "slow_log",
            FIGURES,
            sample="SELECT id FROM t WHERE a LIKE '%x'",
        ),
        Surroundings(),
    )
    assert "leading_wildcard" in found.patterns


@given(st.text(max_size=80))
def test_any_text_is_judged(sql: str) -> None:
    found = judge(Kind(without_values(sql), "slow_log", FIGURES, sample=sql), Surroundings())
    json.dumps(found.to_dict())


@given(st.integers(10**9, 10**12), st.text("bcdfghjkmnpq", min_size=5, max_size=9))
def test_no_generated_value_leaves(number: int, text: str) -> None:
    sql = f"SELECT a, b FROM t WHERE x = {number} AND y IN ('{text}', 'zz{text}') AND z LIKE '%{text}%' ORDER BY 1 LIMIT 5"
    told = json.dumps(
        judge(Kind(without_values(sql), "slow_log", FIGURES, sample=sql), Surroundings()).to_dict()
    )
    assert str(number) not in told
    assert text not in told


def test_a_plan_loses_its_values() -> None:
    leaf = PlanNode(
        "table", table="t", condition="(`t`.`email` = 'ada@example.org')", extra=("x = 'Lovelace'",)
    )
    told = json.dumps(redacted_plan(Plan(PlanNode("limit", (leaf,)), "h")).to_dict())
    assert "email" in told
    assert not [secret for secret in SECRETS if secret in told]


def test_a_plan_survives_its_dictionary() -> None:
    leaf = PlanNode("table", table="t", access="ref", key="k", used_key_parts=("a",), rows=5.0, extra=("x",))
    plan = Plan(PlanNode("limit", (leaf,), rows=2.0), "h", cost=3.5)
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
