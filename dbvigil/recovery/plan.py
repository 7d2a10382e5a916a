"""What an action is, and what passes between it and whoever runs it: a plan of steps, and what was done of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from dbvigil.conf.recovery import ActionSettings, Option
from dbvigil.server import Server
from dbvigil.targets import Target
from dbvigil.types import DatabaseMetrics


@dataclass(frozen=True, slots=True)
class Change:
    """Something on the server that has to be put back: a `setting` with its old and its new value, or an `applier` (its channel) that is
    stopped for a moment and must run again. Written down before it is done.
    """

    kind: str
    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `text` says it in a line fit to be stored and sent; `facts` are JSON-ready; `given` is what the action needs to do it, and
    goes nowhere else. `closes` are the changes that are settled once it is done, each with the word for what became of it.
    """

    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    given: Any = None
    closes: Mapping[Change, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {"text": self.text, **self.facts}


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do. No steps: `nothing` says why. `left` counts what was looked at and is not touched, by reason.

    `changes` are written down before the first step; they are put back `minutes` later at the latest. `settled` are changes that need
    no step any more, each with why.
    """

    steps: tuple[Step, ...] = ()
    nothing: str = ""
    left: Mapping[str, int] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    minutes: float | None = None
    settled: Mapping[Change, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "steps": [step.to_dict() for step in self.steps],
            "nothing": self.nothing,
            "left": dict(self.left),
        }


@dataclass(frozen=True, slots=True)
class Scene:
    """Where an action acts: the server over recovery's own account, and what is known of it. `users` are the
    accounts of monitor and recovery there, `figures` its newest sample; `reset` has the monitor sample it over a new connection.

    """

    server: Server
    target: Target
    settings: ActionSettings
    users: frozenset[str]
    figures: DatabaseMetrics | None = None
    reset: Callable[[], None] = lambda: None


class Action(Protocol):
    """One action. It keeps nothing: one object serves every server and thread.

    `metrics` are those whose alerts it acts on, `options` its own beside those that bound every action (`dbvigil.conf.recovery`).
    Everything that reads or writes a server may raise `ServerError`.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    metrics: ClassVar[Sequence[str]]
    options: ClassVar[Sequence[Option]]

    async def plan(self, scene: Scene) -> Plan:
        """Checks whether it would help here, and what it would do. Reads only."""

    async def apply(self, scene: Scene, step: Step) -> str | None:
        """Does one step; None where that was done, else why it was left: what was planned is no longer so."""

    async def verify(self, scene: Scene, done: Sequence[Step]) -> str | None:
        """None where what was done has taken effect, else what has not."""

    async def undo(self, scene: Scene, changes: Sequence[Change]) -> Plan:
        """The steps that put `changes` back, which `apply` does too; those that somebody else has changed meanwhile stay."""

    def is_over(self, figures: DatabaseMetrics) -> bool:
        """Whether what it changed is no longer needed."""


class Lasting:
    """What actions share that change nothing which has to be put back."""

    async def undo(self, scene: Scene, changes: Sequence[Change]) -> Plan:
        return Plan(nothing="there is nothing to put back")

    def is_over(self, figures: DatabaseMetrics) -> bool:
        return True
