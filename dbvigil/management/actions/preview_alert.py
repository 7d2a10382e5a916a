"""`preview-alert`: what a message says, before anybody is sent it."""

from __future__ import annotations

from argparse import ArgumentParser

from django.core.management.base import CommandError

from dbvigil.alert import MESSAGE_PARTS
from dbvigil.alerting.service import get_database_alerting
from dbvigil.alerting.words import read
from dbvigil.channels.templates import TemplateTrouble
from dbvigil.conf.alerts import TemplateFile
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal.text import clean


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--part", metavar="P", default="text", help=f"what is shown: {', '.join(MESSAGE_PARTS)} (text)"
    )
    parser.add_argument(
        "--alert", type=int, metavar="ID", help="of this alert; a sample where it is left out"
    )
    parser.add_argument("--template", metavar="FILE", help="by this template instead of the configured one")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    template = None
    if options["template"] is not None:
        try:
            template = read(TemplateFile(options["template"]))
        except TemplateTrouble as trouble:
            raise CommandError(f"--template: {trouble}") from None
    rendered = get_database_alerting().preview(options["part"], template, options["alert"])
    if output.as_json:
        output.document({"part": options["part"], "rendered": rendered})
    else:
        output.lines(clean(line) for line in rendered.splitlines())


ACTION = Action("preview-alert", "show what a message says, without sending it", _run, _flags)
