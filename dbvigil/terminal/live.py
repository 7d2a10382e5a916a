"""One frame of the live view: header, then cards or, where they do not fit, rows; the keys at the bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from dbvigil.terminal import cards, rows
from dbvigil.terminal.overview import STYLES, Overview
from dbvigil.terminal.text import Glyphs

Line = list[Segment]

_KEYS = "q quits"


@dataclass(frozen=True, slots=True)
class Frame:
    """What the screen shows; it fills the size it is rendered at. `notes` are lines above the keys."""

    view: Overview
    glyphs: Glyphs
    notes: Sequence[str] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or console.height
        inside = options.update(width=width, height=None)

        def lines(renderable: RenderableType) -> list[Line]:
            return console.render_lines(renderable, inside, pad=True)

        top = lines(header(self.view, width, self.glyphs))
        bottom = [line for part in self._footer() for line in lines(part)]
        room = max(0, height - len(top) - len(bottom))
        body = next((found for found in map(lines, self._bodies(width, room)) if len(found) <= room), None)
        if body is None:
            body = lines(self._crowded(width, room))[:room]
        filler = [[Segment(" " * width)] for _ in range(room - len(body))]
        for place, line in enumerate([*top, *body, *filler, *bottom][:height]):
            if place:
                yield Segment.line()
            yield from line

    def _bodies(self, width: int, room: int) -> Iterator[RenderableType]:
        """From the roomiest to the tightest way to show every database."""
        databases = self.view.databases
        if not databases:
            yield Text("nothing is monitored yet: set DB_MONITORING_TARGETS and start the monitor", "dim")
        if len(databases) * 4 <= room * max(1, width // cards.CARD):
            yield cards.cards(databases, width, self.glyphs)
        if len(databases) < room:
            yield rows.status(databases, width, self.glyphs)

    def _crowded(self, width: int, room: int) -> RenderableType:
        """As many rows as fit, the worst first, then as many reasons as still fit."""
        databases = self.view.worst_first()
        if len(databases) < room:
            return rows.status(databases, width, self.glyphs)
        shown = databases[: max(1, room - 2)]
        more = Text(f"and {len(databases) - len(shown)} more, none worse than these", "dim")
        return Group(rows.table(shown, width, self.glyphs), more)

    def _footer(self) -> Iterator[RenderableType]:
        yield Text("")
        for note in self.notes:
            yield Text(note, "yellow", no_wrap=True, overflow=self.glyphs.overflow)
        yield Text(_KEYS, "dim")


def header(view: Overview, width: int, glyphs: Glyphs) -> RenderableType:
    """How many databases have which status, the monitor and the clock, on as few lines as they fit on."""
    title = Text(" dbvigil ", "bold reverse")
    counts = Text("  ").join(
        Text(f"{glyphs.status[status]} {count} {status}", STYLES[status]) for status, count in view.counts
    )
    monitor = Text(view.monitor, "" if view.running else "bold red")
    clock = Text(f"{view.now:%H:%M:%S}", "bold")
    left, right = Text.assemble(title, "  ", counts), Text.assemble(monitor, "   ", clock)
    if left.cell_len + right.cell_len <= width - 3:
        lines = [_spread(left, right, width)]
    elif left.cell_len + clock.cell_len <= width - 3:
        lines = [_spread(left, clock, width), monitor]
    else:
        lines = [_spread(title, clock, width), counts, monitor]
    return Group(*lines, Text(""))


def _spread(left: Text, right: Text, width: int) -> Text:
    """`left` and `right` at the two ends of a line."""
    return Text.assemble(left, " " * max(1, width - left.cell_len - right.cell_len), right)
