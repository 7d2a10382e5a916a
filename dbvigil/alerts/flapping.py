"""Whether something changes too often to be told of each time."""

from __future__ import annotations

from dataclasses import dataclass

_KEPT = 21
_MASK = (1 << _KEPT) - 1
_UNSTEADY = 0.20


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The last 21 outcomes of a rule, newest in the lowest bit: 1 for a breach. They have 20 places where one can differ from the next."""

    bits: int = 0
    count: int = 0

    def then(self, breached: bool) -> Outcomes:
        """With one more outcome; the oldest is forgotten."""
        return Outcomes((self.bits << 1 | breached) & _MASK, min(self.count + 1, _KEPT))

    @property
    def changes(self) -> int:
        """How often an outcome differs from the one before it."""
        if self.count < 2:
            return 0
        pairs = (1 << (self.count - 1)) - 1
        return ((self.bits ^ (self.bits >> 1)) & pairs).bit_count()

    @property
    def unsteady(self) -> bool:
        """More than a fifth of them differ. Steady again is none (less than a twentieth) of them."""
        return self.changes > _UNSTEADY * (_KEPT - 1)


NOTHING_YET = Outcomes()
