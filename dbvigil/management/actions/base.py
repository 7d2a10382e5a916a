"""What an action is, and where it writes."""

from __future__ import annotations

import io
import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console, RenderableType

from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal.text import Glyphs, glyphs_for

Options = Mapping[str, Any]


class Output:
    """Standard output: a terminal that is drawn on, or plain text, or one JSON document and nothing else."""

    def __init__(
        self, stdout: TextIO, stderr: TextIO, *, as_json: bool, no_color: bool, force_color: bool
    ) -> None:
        if isinstance(stdout, io.TextIOWrapper):
            # Text from servers may hold characters that the terminal's encoding has not.
            stdout.reconfigure(errors="backslashreplace")
        self._stdout, self._stderr = stdout, stderr
        self.as_json = as_json
        self.console = Console(
            file=stdout,
            no_color=no_color or None,
            force_terminal=True if force_color else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self.glyphs: Glyphs = glyphs_for(stdout.encoding or "utf-8")

    @property
    def rich(self) -> bool:
        """Whether it is a terminal that can show colors and frames."""
        return self.console.is_terminal and not self.console.is_dumb_terminal

    @property
    def live(self) -> bool:
        """Whether it is a terminal that a person looks at, so that a screen can be drawn again and again."""
        return self.rich and self._stdout.isatty()

    @property
    def room(self) -> int:
        """How many columns of text there are."""
        return self.console.width

    def document(self, body: object) -> None:
        """Writes the JSON document; ASCII, so that no terminal can be upset by it."""
        self.lines([json.dumps(body, indent=2, allow_nan=False)])

    def lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._stdout.write(line + "\n")
        self._stdout.flush()

    def show(self, drawn: Callable[[], RenderableType], plain: Callable[[], Iterable[str]]) -> None:
        """Shows `drawn` on a terminal, else writes the lines of `plain`."""
        if self.rich:
            self.console.print(drawn())
        else:
            self.lines(plain())

    def say(self, text: str) -> None:
        """One line for a person: on standard output, or beside it where that is for the JSON document."""
        stream = self._stderr if self.as_json else self._stdout
        stream.write(text + "\n")
        stream.flush()

    def complain(self, text: str) -> None:
        """One line on standard error."""
        self._stderr.write(text + "\n")
        self._stderr.flush()


def output(options: Options) -> Output:
    """Where an action that was given `options` writes."""
    return Output(
        options.get("stdout") or sys.stdout,
        options.get("stderr") or sys.stderr,
        as_json=options["json"],
        no_color=options["no_color"],
        force_color=options["force_color"],
    )


def no_flags(parser: ArgumentParser) -> None:
    """For an action that takes none."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action: its name and help, the flags it takes, and what it does.

    `run` asks the monitor and writes; whatever it raises becomes the command's one line of error.
    """

    name: str
    help: str
    run: Callable[[DatabaseMonitor, Options, Output], None]
    flags: Callable[[ArgumentParser], None] = no_flags
