"""The docs speak of what exists: links, settings, metrics, and pages made from the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dbvigil.catalogue import BY_NAME
from dbvigil.conf import SETTINGS
from dbvigil.conf.recovery import NEVER_SAFE, OPTIONS
from dbvigil.recovery import actions as recovery_actions
from dbvigil.sandbox import MONITORING_GRANTS, RECOVERY_GRANTS, SLOW_LOG_GRANTS, schema_grants
from dbvigil.sandbox.grants import BACKUP_GRANTS, PHYSICAL_BACKUP_GRANTS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)(?:#[^)\s]*)?\)")
_TEST = re.compile(r"`(test_\w+)`")
_DEFINED = re.compile(r"^def (test_\w+)\(", re.MULTILINE)
_SETTING = re.compile(r"\bDB_(?:MONITORING|ALERT|QUERY|RECOVERY|BACKUP)_[A-Z_]+\b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    missing = [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for link in _LINK.findall(page.read_text()) if page.suffix == ".md" else ():
            target = (page.parent / link).resolve()
            waiting += sorted(target.glob("*.md")) if target.is_dir() else [target] if target.exists() else []
    assert [
        str(page.relative_to(ROOT)) for page in PAGES if page not in reached | {ROOT / "CHANGELOG.md"}
    ] == []


def test_every_setting_that_is_named_exists() -> None:
    known = {setting.name for setting in SETTINGS}
    named = {name for page in PAGES for name in _SETTING.findall(page.read_text())}
    assert named - known == set()


def test_every_test_that_is_named_exists() -> None:
    written = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in _DEFINED.findall(path.read_text())
    }
    named = {name for page in PAGES for name in _TEST.findall(page.read_text())}
    assert len(named) > 10
    assert named - written == set()


def test_the_reference_pages_are_those_that_the_code_makes() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/reference_pages.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_grants_in_the_docs_are_those_the_tests_use() -> None:
    page = (ROOT / "docs/how-to/monitoring-account.md").read_text()
    for grants in (*MONITORING_GRANTS.values(), SLOW_LOG_GRANTS, schema_grants("shop", views=True)):
        for grant in grants:
            assert f"GRANT {grant} TO 'dbvigil'@'%';" in page


def test_the_grants_of_recovery_in_the_docs_are_those_the_tests_use() -> None:
    page = (ROOT / "docs/how-to/recovery.md").read_text()
    for grants in RECOVERY_GRANTS.values():
        for grant in grants:
            assert f"GRANT {grant} TO 'mender'@'%';" in page


def test_the_options_of_recovery_in_the_docs_are_those_of_the_code() -> None:
    page = (ROOT / "docs/how-to/recovery.md").read_text()
    guards = {"severity", "at_most", "per_hour", "cool_down_seconds", "databases_per_hour"}
    for action, options in OPTIONS.items():
        values = {option.name: option.default for option in options}
        (row,) = re.findall(rf"^\| `{action}` \| ([^|]*)\| (\d+) \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
        assert row[1:] == tuple(f"{values[name]:g}" for name in ("at_most", "per_hour", "cool_down_seconds"))
        own = [name for name in values if name not in guards]
        assert re.findall(r"`(\w+)`", row[0]) == own
        for name in own:
            if isinstance(values[name], bool | int | float):
                said = f"{values[name]}" if isinstance(values[name], bool) else f"{values[name]:g}"
                assert f"`{name}` {said}" in row[0]
    assert all(str(error) in page for error in NEVER_SAFE)


def test_every_action_of_recovery_is_listed_and_told_with_its_metrics() -> None:
    page = (ROOT / "docs/how-to/recovery.md").read_text()
    assert [action.name for action in recovery_actions.ALL] == list(OPTIONS)
    for action in recovery_actions.ALL:
        metrics = ", ".join(f"`{metric}`" for metric in action.metrics)
        assert f"| `{action.name}` | {metrics} |" in page
        assert set(action.metrics) <= set(BY_NAME) | {"up", "replication_running"}


def test_the_grants_for_backups_are_those_the_tests_use() -> None:
    page = (ROOT / "docs/how-to/backups.md").read_text()
    for grant in (grant for grants in (*BACKUP_GRANTS.values(), PHYSICAL_BACKUP_GRANTS) for grant in grants):
        assert f"GRANT {grant} TO 'keeper'@'%';" in page


def test_the_catalogue_describes_every_metric_in_a_sentence() -> None:
    for row in BY_NAME.values():
        assert row.help.endswith("."), row.name
        assert row.title, row.name
