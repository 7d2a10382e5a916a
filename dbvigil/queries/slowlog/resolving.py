"""Where a statement ends that is not plain to see: the slow path of splitting, and the only one that decides."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from dbvigil.queries.slowlog.closing import Closing, State, Verdict
from dbvigil.queries.slowlog.grammar import BANNER, BANNER_MARK, HEADER

HEADER_LIMIT = 1 << 16
"""No header is longer."""
_REMEMBERED = 200_000


@dataclass(frozen=True, slots=True)
class Window:
    """The bytes that are there, from the offset `base`. A header that ends behind `certain` may go on in bytes to come."""

    buffer: bytes
    base: int
    certain: int
    final: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a statement ends, and the header behind it; None at the end of the input.

    `plain`: it ended in the ordinary way, right before the first header that was found.
    """

    end: int
    next: re.Match[bytes] | None
    plain: bool = False
    unclosed: bool = False


@dataclass(slots=True)
class _Known:
    """From one place in one state on, nothing is closed before another place: as long as `lowest` is above minus the depth."""

    place: int
    state: State
    change: int
    lowest: int


class Resolver:
    """Decides for one log. `strong` says whether a header has all that those before it had."""

    def __init__(self, strong: Callable[[re.Match[bytes]], bool], *, lookahead: int, follow: bool) -> None:
        self._strong = strong
        self._lookahead = lookahead
        self._follow = follow
        self._known: dict[tuple[int, bytes, bool, bool], _Known] = {}

    def resolve(
        self, window: Window, header: re.Match[bytes], found: re.Match[bytes] | None
    ) -> Ending | None:
        """The end of the statement of `header`, where `found` is the next header that may be one. None where more input must tell."""
        buffer, start = window.buffer, header.end()
        closing = Closing(buffer, start)
        rejected: re.Match[bytes] | None = None
        passed: list[tuple[int, State]] = []
        looked = start
        first = found
        while found is not None and found.end() <= window.certain:
            verdict = closing.at(found.start())
            if self._strong(found):
                if verdict is Verdict.ENDED:
                    return Ending(
                        closing.ended_at, found, plain=found is first and closing.ended_at == found.start()
                    )
                if verdict is Verdict.WEAKLY:
                    if not window.final and found.end() + HEADER_LIMIT > len(buffer):
                        return None
                    # A real one has a statement behind it, and never another header.
                    if not HEADER.match(buffer, found.end()):
                        return Ending(found.start(), found)
                if verdict is Verdict.OPEN:
                    rejected = rejected or found
            banner = _banner(buffer, start, looked, found.start())
            if banner is not None:
                return Ending(banner, found)
            looked = found.end()
            if rejected is not None and found.start() - start > self._lookahead:
                return self._unclosed(window, closing, rejected, passed)
            found = HEADER.search(buffer, self._onward(window, closing, found, verdict, passed))
        if window.final:
            if rejected is None or self._follow or closing.at(len(buffer)) is not Verdict.OPEN:
                return self._last(buffer, closing)
        elif len(buffer) - start <= self._lookahead:
            return None
        return (
            Ending(len(buffer), None)
            if rejected is None
            else self._unclosed(window, closing, rejected, passed)
        )

    def _onward(
        self,
        window: Window,
        closing: Closing,
        found: re.Match[bytes],
        verdict: Verdict,
        passed: list[tuple[int, State]],
    ) -> int:
        """Where to look for the next header: what is known from an earlier statement to be open is not looked at again."""
        if verdict is not Verdict.OPEN:
            return found.end()
        here, state = window.base + found.start(), closing.state
        passed.append((here, state))
        known = self._known.get((here, state.mode, state.executable, state.stored))
        if known is None or known.place <= here or (state.depth > 0 and state.depth + known.lowest <= 0):
            return found.end()
        place = known.place - window.base
        closing.jump(place, known.state._replace(depth=state.depth + known.change))
        return place

    def _unclosed(
        self, window: Window, closing: Closing, rejected: re.Match[bytes], passed: list[tuple[int, State]]
    ) -> Ending:
        """The statement ends at the first header after all; that nothing closes it is kept for the next that is open in the same way."""
        if len(self._known) > _REMEMBERED:
            gone = window.base + rejected.start()
            self._known = {at: known for at, known in self._known.items() if at[0] >= gone}
        place, state = window.base + closing.place, closing.state
        lowest = state.depth
        for here, was in reversed(passed):
            lowest = min(lowest, was.depth)
            self._known[here, was.mode, was.executable, was.stored] = _Known(
                place, state, state.depth - was.depth, lowest - was.depth
            )
        return Ending(rejected.start(), rejected, unclosed=True)

    def _last(self, buffer: bytes, closing: Closing) -> Ending | None:
        """The end of a statement that no header follows."""
        verdict = closing.at(len(buffer))
        banner = _banner(buffer, closing.start, closing.start, len(buffer))
        if banner is not None:
            return Ending(banner, None)
        if verdict is Verdict.ENDED:
            return Ending(closing.ended_at, None)
        if self._follow and verdict is not Verdict.WEAKLY:
            return None
        return Ending(len(buffer), None)


def _banner(buffer: bytes, start: int, looked: int, until: int) -> int | None:
    """Where a server has opened the log anew behind a statement, whole or cut."""
    mark = buffer.find(BANNER_MARK, looked, until)
    if mark < 0:
        return None
    line = max(buffer.rfind(b"\n", start, mark) + 1, start)
    banner = BANNER.match(buffer, line, until)
    closing = Closing(buffer, start)
    # Also where what it seems to begin with opens something.
    if not banner or closing.at(line) is Verdict.OPEN or closing.at(banner.end()) is Verdict.OPEN:
        return None
    return line
