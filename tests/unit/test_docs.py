"""The docs speak of what exists: links, settings, metrics, and pages made from the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dbvigil.catalogue import BY_NAME
from dbvigil.conf import SETTINGS
from dbvigil.sandbox import MONITORING_GRANTS, SLOW_LOG_GRANTS, schema_grants
from dbvigil.sandbox.grants import BACKUP_GRANTS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)(?:#[^)\s]*)?\)")
_TEST = re.compile(r"`(test_\w+)`")
_DEFINED = re.compile(r"^def (test_\w+)\(", re.MULTILINE)
_SETTING = re.compile(r"\bDB_(?:MONITORING|ALERT|QUERY|BACKUP)_[A-Z_]+\b")


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


def test_the_grants_for_backups_are_those_the_tests_use() -> None:
    page = (ROOT / "docs/how-to/backups.md").read_text()
    for grant in (grant for grants in BACKUP_GRANTS.values() for grant in grants):
        assert f"GRANT {grant} TO 'keeper'@'%';" in page


def test_the_catalogue_describes_every_metric_in_a_sentence() -> None:
    for row in BY_NAME.values():
        assert row.help.endswith("."), row.name
        assert row.title, row.name
