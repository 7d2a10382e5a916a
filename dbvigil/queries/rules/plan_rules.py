"""The rules that need a plan, in the order in which they are shown."""

from dbvigil.queries.rules import plan_access, plan_steps

PLAN = (*plan_access.RULES, *plan_steps.RULES)
