"""The rules on digests as real servers write them: shortened, without values, and read all the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dbvigil.queries.parse import parse
from dbvigil.queries.rules import check
from dbvigil.queries.rules.base import Subject
from dbvigil.sandbox import PrivateServer

RECORDED = Path(__file__).parents[1] / "recorded" / "statements"
TEXTS = """
    SELECT DIGEST_TEXT AS text FROM performance_schema.events_statements_summary_by_digest WHERE SCHEMA_NAME = 'digests_of_rules'"""
# What only values could tell, or only how somebody wrote it, cannot be found in a digest.
LOST = {"leading_wildcard", "limit_without_order", "ordinals"}
OWN = (
    "SELECT * FROM t WHERE id = 5",
    "SELECT id FROM t ORDER BY RAND() LIMIT 3",
    "SELECT id FROM t WHERE YEAR(placed) = 2024",
    "SELECT id FROM t LIMIT 20 OFFSET 40",
    "SELECT id FROM t WHERE id IN (1, 2, 3) AND status = 1 OR id = 7",
    "INSERT INTO t VALUES (1, 1, NOW()), (2, 1, NOW())",
    "UPDATE t SET status = 2",
    "DELETE FROM t WHERE status = 1 LIMIT 10",
    "SELECT status, COUNT(*) FROM t GROUP BY status HAVING status > 1",
    "REPLACE INTO t VALUES (1, 1, NOW())",
    "SELECT a.id FROM t a, t b WHERE a.id > 5",
)


@pytest.fixture
def digests(any_server: PrivateServer) -> dict[str, str]:
    """Each statement's digest. The statements of Django fail for want of tables; the server keeps their text all the same."""
    django = (RECORDED / "django.sql").read_text().splitlines()
    # A server keeps so many digests and no more: those of other tests make room.
    any_server.execute("TRUNCATE performance_schema.events_statements_summary_by_digest")
    any_server.execute("CREATE DATABASE digests_of_rules")
    found: dict[str, str] = {}
    try:
        with any_server.connect(database="digests_of_rules") as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE t (id INT PRIMARY KEY, status INT, placed DATETIME)")
            seen: set[str] = set()
            for sql in (*OWN, *django):
                try:
                    cursor.execute(sql)
                except connection.Error as error:
                    assert "auth_" in sql or "django_" in sql, error
                cursor.execute(TEXTS)
                texts = {row["text"] for row in cursor.fetchall() if "digests_of_rules" not in row["text"]}
                new = {text for text in texts - seen if not re.match("CREATE|events", text)}
                seen |= texts
                if len(new) == 1:
                    found[sql] = new.pop()
            connection.rollback()
    finally:
        any_server.execute("DROP DATABASE digests_of_rules")
    return found


def test_digests_are_read_and_told_what_their_statements_are_told(digests: dict[str, str]) -> None:
    assert len(digests) > 60
    for sql, text in digests.items():
        tree = parse(text)
        if tree is None and re.search(r"[.,(=]\s*$", text):
            assert len(text) > 700, text
            continue  # the server cut it
        assert tree is not None, text
        of_text = {rule.id for rule, _ in check(Subject(text, tree, redacted=True))}
        of_statement = {rule.id for rule, _ in check(Subject(sql, parse(sql)))}
        assert of_statement - LOST <= of_text <= of_statement, text
        assert not any(finding.sql for _, finding in check(Subject(text, tree, redacted=True))), text
