"""Whether a restore holds what the server held. Pure.

The server was read in two snapshots, one opened just before the dump's own and one just after. A table with the same figures in both was
the same in the dump's, and has to be the same in the restore. One that was written to in between had an unknown number of rows at the
dump's moment: the restore's has to lie between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["equal", "between", "differs", "missing", "not compared"]
MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class Figures:
    """One table: its rows, and a checksum over all of them that does not depend on their order."""

    rows: int
    checksum: str

    def to_list(self) -> list[Any]:
        return [self.rows, self.checksum]


@dataclass(frozen=True, slots=True)
class Truth:
    """One table as the server held it; None for what was not read. `why` says why, or why the two need not agree."""

    before: Figures | None
    after: Figures | None
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "before": None if self.before is None else self.before.to_list(),
            "after": None if self.after is None else self.after.to_list(),
            "why": self.why,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Truth:
        before, after = (None if data[name] is None else Figures(*data[name]) for name in ("before", "after"))
        return cls(before, after, data["why"])


@dataclass(frozen=True, slots=True)
class Finding:
    """What the comparison of one table has shown."""

    table: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All tables, and the views, routines, triggers and events that the restore lacks (`others`)."""

    findings: Sequence[Finding]
    others: Sequence[str] = field(default_factory=tuple)

    @property
    def verified(self) -> bool:
        """Whether nothing speaks against the backup, and something for it: a dump of nothing that was compared proves nothing."""
        wrong = any(one.outcome in ("differs", "missing") for one in self.findings)
        compared = not self.findings or any(one.outcome in ("equal", "between") for one in self.findings)
        return compared and not wrong and not self.others

    def count(self, outcome: Outcome) -> int:
        return sum(one.outcome == outcome for one in self.findings)

    @property
    def sentence(self) -> str:
        """What was compared, or what is wrong, in one line."""
        wrong = [
            f"{one.table}: {one.detail}" for one in self.findings if one.outcome in ("differs", "missing")
        ]
        wrong += self.others
        if wrong:
            more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            return "; ".join(wrong[:3]) + more
        equal = self.count("equal")
        told = [f"{equal} {'table' if equal == 1 else 'tables'} equal in rows and checksum"]
        if self.count("between"):
            told.append(f"{self.count('between')} written to at that moment and between")
        if self.count("not compared"):
            told.append(f"{self.count('not compared')} not compared")
        return ", ".join(told)

    def to_dict(self) -> dict[str, Any]:
        notable = [one for one in self.findings if one.outcome != "equal"]
        return {
            "equal": self.count("equal"),
            "between": self.count("between"),
            "not_compared": self.count("not compared"),
            "wrong": self.count("differs") + self.count("missing") + len(self.others),
            "summary": self.sentence,
            "tables": [
                {"table": one.table, "outcome": one.outcome, "detail": one.detail}
                for one in notable[:MOST_NAMED]
            ],
        }


def compare(truth: Mapping[str, Truth], restored: Mapping[str, Figures]) -> list[Finding]:
    """One finding for each table of the truth, by name."""
    return [_table(name, held, restored.get(name)) for name, held in sorted(truth.items())]


def _table(name: str, held: Truth, restored: Figures | None) -> Finding:
    if restored is None:
        return Finding(name, "missing", "the restore has no such table")
    before, after = held.before, held.after
    if before is None or after is None:
        only = before or after
        if only is not None and only == restored:
            return Finding(name, "equal")
        return Finding(name, "not compared", held.why or "the server was not read for it")
    if restored in (before, after):
        return Finding(name, "equal")
    if held.why:
        return Finding(name, "not compared", held.why)
    if before == after:
        what = (
            f"{restored.rows} rows for {before.rows}" if restored.rows != before.rows else "another checksum"
        )
        return Finding(name, "differs", f"{what} in the restore")
    least, most = sorted((before.rows, after.rows))
    if least <= restored.rows <= most:
        return Finding(name, "between", f"{restored.rows} rows; the server had {least} to {most}")
    return Finding(name, "differs", f"{restored.rows} rows in the restore; the server had {least} to {most}")


def missing(kind: str, there: Sequence[str], restored: Sequence[str]) -> list[str]:
    """What the restore lacks of the server's views, routines, triggers or events; one that it has besides is nobody's loss."""
    return [f"{kind} {name} is not in the restore" for name in sorted(set(there) - set(restored))]
