"""What is wrong with replication, one subject a file. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dbvigil.replication.findings.configuration import configuration
from dbvigil.replication.findings.errant import errant
from dbvigil.replication.findings.finding import SEVERITIES, Finding, FindingId, View
from dbvigil.replication.findings.groups import groups
from dbvigil.replication.findings.threads import threads

__all__ = ["SEVERITIES", "Finding", "FindingId", "View", "find"]

_SUBJECTS: tuple[Callable[[View], Iterator[Finding]], ...] = (threads, groups, errant, configuration)


def find(view: View) -> list[Finding]:
    """All findings, the gravest first, then by database."""
    found = [finding for subject in _SUBJECTS for finding in subject(view)]
    return sorted(found, key=lambda one: (SEVERITIES.index(one.severity), one.database, one.channel or ""))
