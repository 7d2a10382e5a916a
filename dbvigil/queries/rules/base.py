"""What an advice rule is given, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlglot import exp

from dbvigil.queries.figures import Figures
from dbvigil.queries.plan import Plan
from dbvigil.queries.schema import Schema
from dbvigil.query import AdviceAction, Confidence
from dbvigil.types import Flavor

Needs = Literal["text", "schema", "plan", "statistics"]


@dataclass(frozen=True, slots=True)
class Subject:
    """One statement with all that is known about it.

    `tree` is None where the statement could not be parsed: rules on text then have only `sql` and mostly say nothing. `schema` is empty,
    `plan` and `figures` are None, where they are not known: a rule that needs them then says nothing. `redacted`: literals are
    placeholders (`?`, or cut text), so nothing can be said about their values.
    """

    sql: str
    tree: exp.Expression | None
    flavor: Flavor = "mysql"
    version: tuple[int, int, int] = (8, 4, 0)
    schema: Schema = field(default_factory=Schema)
    plan: Plan | None = None
    figures: Figures | None = None
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found in one statement: what is wrong here, in this statement's own names, and what to write instead.

    `sql` is the rewritten statement or the DDL, only where it is safe: a rewrite gives the same rows (and the same order, where one is
    asked for) on any data. `before`/`after`: figures or plan facts, where there are some.
    """

    detail: str
    sql: str = ""
    before: Any = None
    after: Any = None


Check = Callable[[Subject], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a function whose docstring says what the anti-pattern is and what the better way is.

    `weight` 1–3: a matter of style, of cost, of danger. It orders advice; severity of a query comes from its figures.
    """

    id: str
    title: str
    needs: Needs
    action: AdviceAction
    weight: int
    check: Check
    confidence: Confidence = "heuristic"

    @property
    def explanation(self) -> str:
        return (self.check.__doc__ or "").strip()


def rule(
    title: str, needs: Needs, action: AdviceAction, weight: int = 2, confidence: Confidence = "heuristic"
) -> Callable[[Check], Rule]:
    """Makes a rule of a function; its name is the rule's id."""

    def made(check: Check) -> Rule:
        return Rule(check.__name__, title, needs, action, weight, check, confidence)

    return made
