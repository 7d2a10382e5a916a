"""Advice rules, by what they need: text, schema, plan, statistics. Each is a function; its docstring says what is wrong and what helps."""

from __future__ import annotations

from dbvigil.queries.rules.base import Finding, Rule, Subject
from dbvigil.queries.rules.plan_rules import PLAN
from dbvigil.queries.rules.schema_rules import SCHEMA
from dbvigil.queries.rules.statistics_rules import STATISTICS
from dbvigil.queries.rules.text_rules import TEXT

ALL: tuple[Rule, ...] = (*TEXT, *SCHEMA, *PLAN, *STATISTICS)


def check(subject: Subject) -> list[tuple[Rule, Finding]]:
    """What every rule finds in one statement, the gravest first."""
    found = [(rule, finding) for rule in ALL for finding in rule.check(subject)]
    return sorted(found, key=lambda one: -one[0].weight)
