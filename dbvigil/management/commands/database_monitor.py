"""`manage.py database_monitor ACTION`: parse, call, print. Nothing is decided here."""

from __future__ import annotations

import os
import sys
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Collection, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, handle_default_options
from django.db import Error as ServiceDatabaseError
from django.db import connections

from dbvigil.errors import DbvigilError
from dbvigil.management.actions import NAMES, load
from dbvigil.management.actions.base import output
from dbvigil.management.trouble import explain
from dbvigil.monitoring import get_database_monitor

_INTERRUPTED = 130
_HELP = {"-h", "--help"}


class Command(BaseCommand):
    help = "Runs the monitor of MySQL and MariaDB servers, and shows what it sees."
    missing_args_message = f"an action is missing; allowed: {', '.join(NAMES)}"
    # A setting that cannot be used is told in one line when it is read; a check would print a page.
    requires_system_checks = []  # noqa: RUF012 - Django's own declaration
    _needed: Collection[str] = NAMES

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django would print the usage and leave; a wrong flag is to be one line like any other trouble.
        self._called_from_command_line = False
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", title="actions")
        for name in NAMES:
            if name not in self._needed:
                actions.add_parser(name)
                continue
            action = load(name)
            flags = actions.add_parser(name, help=action.help, description=action.help)
            action.flags(flags)
            _add_common(flags)

    def run_from_argv(self, argv: list[str]) -> None:
        self._needed = _needed(argv[2:])
        try:
            options = self.create_parser(argv[0], argv[1]).parse_args(argv[2:])
            handle_default_options(options)
            self.execute(**vars(options), own_process=True)
        except CommandError as error:
            if "--traceback" in argv:
                raise
            self.stderr.write(f"database_monitor: {str(error).removeprefix('Error: ')}")
            sys.exit(error.returncode)
        except KeyboardInterrupt:
            self.stderr.write("database_monitor: interrupted")
            sys.exit(_INTERRUPTED)
        finally:
            connections.close_all()

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            load(options["action"]).run(get_database_monitor(), options, output(options))
        except (DbvigilError, ServiceDatabaseError) as error:
            raise CommandError(explain(error)) from error
        except BrokenPipeError:
            # Whoever read has seen enough; Python must not try to flush the rest at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _needed(words: Sequence[str]) -> Collection[str]:
    """The actions whose flags must be known to read the command line: those that it names, one of them perhaps as an option's value."""
    named = tuple(name for name in NAMES if name in words)
    return NAMES if not named or _HELP.intersection(words) else named


def _add_common(parser: ArgumentParser) -> None:
    """What every command takes, once more after the action, where people write it."""
    parser.add_argument(
        "--json", action="store_true", default=SUPPRESS, help="one JSON document on standard output"
    )
    for flag in ("--no-color", "--force-color", "--traceback"):
        parser.add_argument(flag, action="store_true", default=SUPPRESS, help=SUPPRESS)
    for option in ("--settings", "--pythonpath"):
        parser.add_argument(option, default=SUPPRESS, help=SUPPRESS)
    parser.add_argument("--verbosity", type=int, default=SUPPRESS, help=SUPPRESS)
