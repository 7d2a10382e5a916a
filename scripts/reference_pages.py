"""Writes the reference pages that the code itself knows best, into docs/reference: metrics, settings, health, rules, query rules.

`python scripts/reference_pages.py` writes them; with `--check` it writes nothing and fails where a page is out of date.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import django

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
django.setup()

from dbvigil import conf  # noqa: E402 - Django must be set up first
from dbvigil.alerts.rule import Rule  # noqa: E402
from dbvigil.alerts.rules import for_database  # noqa: E402
from dbvigil.alerts.shipped import SHIPPED  # noqa: E402
from dbvigil.analysis import health  # noqa: E402
from dbvigil.catalogue import METRICS, Metric  # noqa: E402
from dbvigil.display import display  # noqa: E402
from dbvigil.queries import rules as query_rules  # noqa: E402
from dbvigil.queries.rules.base import Rule as QueryRule  # noqa: E402
from dbvigil.types import Threshold  # noqa: E402

_GROUPS = {
    "server": "The server",
    "connections": "Connections",
    "queries": "Queries",
    "innodb": "InnoDB and caches",
    "replication": "Replication",
    "storage": "Storage",
    "host": "The host",
    "health": "Health",
}
_STATEMENT = re.compile(r"(?:SELECT|INSERT|UPDATE|DELETE)\b")
_MADE = "<!-- Made by `make docs` from the code; change it there. -->\n\n"


def metrics_page() -> str:
    """docs/reference/metrics.md, from the catalogue."""
    text = (
        "# Metrics\n\n"
        + _MADE
        + "Every field of `DatabaseMetrics`. None (`null` in JSON, absent in Prometheus) is unknown: the server "
        "cannot give the figure,\nthe account may not read it, or a rate has no earlier sample to stand on. It never means 0.\n"
    )
    for group, title in _GROUPS.items():
        text += f"\n## {title}\n\n| metric | unit | what it is | read by | Prometheus |\n| --- | --- | --- | --- | --- |\n"
        text += "".join(_metric_row(row) for row in METRICS if row.group == group)
    lacking = [row for row in METRICS if row.lacking]
    text += "\n## What a server lacks\n\n| metric | flavor | why |\n| --- | --- | --- |\n"
    text += "".join(
        f"| `{row.name}` | {flavor} | {why} |\n" for row in lacking for flavor, why in row.lacking.items()
    )
    text += "\n## Thresholds that ship\n\n| metric | warning | critical |\n| --- | --- | --- |\n"
    for row in METRICS:
        if row.warning is not None or row.critical is not None:
            text += (
                f"| `{row.name}` | {display(row.name, row.warning)} | {display(row.name, row.critical)} |\n"
            )
    return text


def _metric_row(row: Metric) -> str:
    prometheus = f"`{row.prometheus_name}`" if row.numeric else ""
    return f"| `{row.name}` | {row.unit.replace('_', ' ')} | {row.help} | {row.collector} | {prometheus} |\n"


def settings_page() -> str:
    """docs/reference/settings.md, from `dbvigil.conf`."""
    text = (
        "# Settings\n\n"
        + _MADE
        + "Django settings. On the stand-alone site an environment variable of the same name overrides each. A wrong "
        "value is a\nsystem-check error that names the setting, the value and what is allowed.\n\n"
        "| setting | default | meaning |\n| --- | --- | --- |\n"
    )
    return text + "".join(f"| `{row.name}` | `{row.default!r}` | {row.help} |\n" for row in conf.SETTINGS)


def health_page() -> str:
    """docs/reference/health.md, from the docstring and the table of `dbvigil.analysis.health`."""
    text = "# Health\n\n" + _MADE + (health.__doc__ or "").strip() + "\n"
    text += (
        "\n## Points by metric\n\n| metric | warning | critical | what to do |\n| --- | --- | --- | --- |\n"
    )
    for name, advice in health.ADVICE.items():
        text += f"| `{name}` | {advice.warning} | {advice.critical} | {advice.action} |\n"
    default = health.DEFAULT_ADVICE
    text += f"| any other | {default.warning} | {default.critical} | {default.action} |\n"
    return text


def rules_page() -> str:
    """docs/reference/rules.md, from the rules that ship with the thresholds that ship."""
    text = (
        "# Rules\n\n"
        + _MADE
        + "What raises an alert without anybody asking, and why. Thresholds are changed in the settings, through the API or in Python; "
        "`DB_ALERT_RULES`\nswitches a rule off or changes its times. Every other metric that is given a threshold has a rule of its own: "
        "[two minutes beyond it](../runbooks/own-thresholds.md).\n\n"
        "| rule | warning | critical | fires after | is over after |\n| --- | --- | --- | --- | --- |\n"
    )
    levels = {
        row.name: Threshold(row.name, row.warning, row.critical)
        for row in METRICS
        if row.warning is not None or row.critical is not None
    }
    rules = {rule.id: rule for rule in for_database(levels)}
    shipped = [rules[rule.id] for rule in SHIPPED if rule.id in rules]
    text += "".join(_rule_row(rule) for rule in shipped)
    for rule in shipped:
        actions = "".join(f"{number}. {action}\n" for number, action in enumerate(rule.actions, 1))
        about = "" if rule.id == rule.metric else f" Its alerts carry the metric `{rule.metric}`."
        text += f"\n## {rule.id}\n\n{rule.why}{about} [Runbook](../runbooks/{rule.runbook}.md).\n\n{actions}"
    return text


def _rule_row(rule: Rule) -> str:
    def level(value: float | None) -> str:
        if value is None:
            return ""
        return "is so" if rule.condition is not None else display(rule.metric, value)

    after = _seconds(rule.hold)
    if rule.critical is not None and rule.critical_after != rule.hold:
        after += f", critical {_seconds(rule.critical_after)}"
    return f"| `{rule.id}` | {level(rule.warning)} | {level(rule.critical)} | {after} | {_seconds(rule.keep)} |\n"


def _seconds(value: float) -> str:
    return f"{value:g} s" if value else "at once"


_NEEDS = {
    "text": "the statement alone",
    "schema": "the tables' columns and indexes besides",
    "plan": "an EXPLAIN of the statement besides",
    "statistics": "figures of what it has cost",
}
_WEIGHTS = {1: "style", 2: "cost", 3: "danger"}


def query_rules_page() -> str:
    """docs/reference/query-rules.md, from the advice rules on statements and their docstrings."""
    text = (
        "# Query rules\n\n"
        + _MADE
        + f"What [slow queries](../how-to/slow-queries.md) are advised on: {len(query_rules.ALL)} rules, by what each needs to know. A "
        "rule that lacks what it\nneeds says nothing. *Kind* is what the advice asks you to change; *weight* orders the advice on one "
        "statement (1 style, 2 cost,\n3 danger); *confidence* is what it rests on: `heuristic` on the text, `estimated` on the "
        "server's own schema, plan or figures. Each example\nis a statement on which the rule speaks; the test suite runs every one.\n"
    )
    for needs, words in _NEEDS.items():
        rules = [rule for rule in query_rules.ALL if rule.needs == needs]
        text += f"\n## {needs.capitalize()}: {words}\n\n| rule | title | kind | weight | confidence |\n| --- | --- | --- | --- | --- |\n"
        for rule in rules:
            title = rule.title.replace("|", "\\|")
            text += f"| [`{rule.id}`](#{rule.id}) | {title} | {rule.action} | {rule.weight} | {rule.confidence} |\n"
        text += "".join(_query_rule(rule) for rule in rules)
    return text


def _query_rule(rule: QueryRule) -> str:
    explanation, _, example = inspect.cleandoc(rule.explanation).partition("Example:")
    # An example that is too long to be written out is told in words.
    example = " ".join(example.split())
    shown = f"```sql\n{example}\n```" if _STATEMENT.match(example) else f"Example: {example}."
    about = f"*{rule.title}.* {_WEIGHTS[rule.weight].capitalize()}, {rule.action}."
    return f"\n### {rule.id}\n\n{about}\n\n{explanation.strip()}\n\n{shown}\n"


PAGES: dict[str, Callable[[], str]] = {
    "metrics.md": metrics_page,
    "settings.md": settings_page,
    "health.md": health_page,
    "rules.md": rules_page,
    "query-rules.md": query_rules_page,
}


def main() -> int:
    stale = []
    for name, page in PAGES.items():
        path, text = ROOT / "docs" / "reference" / name, page()
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
    if stale and "--check" in sys.argv[1:]:
        print(f"out of date, run `make docs`: {', '.join(stale)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
