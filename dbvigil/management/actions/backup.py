"""`backup`: makes one now, lists, verifies, restores, or writes one as its tool wrote it."""

from __future__ import annotations

import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from django.core.management.base import CommandError
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from dbvigil import conf
from dbvigil.backups import jobs
from dbvigil.backups.making import Progress as Made
from dbvigil.backups.programs import Stop
from dbvigil.backups.recovering import contents, put_back, unpack
from dbvigil.backups.running import Place, prove, run
from dbvigil.backups.stored import shown
from dbvigil.backups.worker import step_back
from dbvigil.management.actions.acknowledge import login_name
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.models import Backup
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal import backups as views
from dbvigil.terminal.text import clean

_LIMIT = 30
_REDRAW_SECONDS = 0.25


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("what", choices=tuple(_DOES), help="what to do with backups")
    parser.add_argument("--database", metavar="A", help="of this database")
    parser.add_argument("--id", type=int, metavar="N", help="this backup")
    parser.add_argument(
        "--limit", type=int, metavar="N", default=_LIMIT, help=f"list: at most so many; {_LIMIT} otherwise"
    )
    parser.add_argument(
        "--into",
        metavar="URL",
        help="restore: the server that is written to; - reads the URL from standard input",
    )
    parser.add_argument(
        "--to",
        metavar="FOLDER",
        help="restore: a new folder, for a copy of files; a server can be started on it then",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="restore: over a monitored server, or over databases that are there",
    )
    parser.add_argument(
        "--confirm",
        metavar="NAME",
        help="restore: the alias of the monitored server, where nobody can be asked to type it",
    )


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    _DOES[options["what"]](monitor, options, output)


def _now(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    place = _place()
    database = options["database"]
    if database is None:
        raise CommandError(f"--database A is missing; known: {', '.join(place.targets) or 'none'}")
    monitor.require(database)
    if database not in place.targets:
        raise CommandError(
            f"{database} is monitored elsewhere: this process's settings do not name its server"
        )
    place.folder.prepare()
    _give_way(options)
    row, made = jobs.take(database, login_name(), datetime.now(UTC)), Made()
    with _bar(output, f"backup of {database}", lambda: (made.plain_bytes, made.expected_bytes)):
        row = run(row.pk, place, Stop(), made)
    _tell(row, output)


def _give_way(options: Options) -> None:
    """Lets others go first, in a process of its own alone: a program that calls the command would stay behind for ever."""
    if options.get("own_process"):
        step_back()


def _list(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    if options["limit"] < 1:
        raise CommandError("--limit: allowed: 1 or more")
    body = monitor.get_backups(options["database"], options["limit"])
    if output.as_json:
        output.document(body)
    else:
        output.show(lambda: views.drawn(body), lambda: views.lines(body))


def _verify(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    number = _number(monitor, options)
    _give_way(options)
    _tell(prove(number, _place(), Stop()), output)


def _restore(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    url, folder = options["into"], options["to"]
    if url is not None and folder is not None:
        raise CommandError("--into and --to: allowed: one of them")
    if url is None and folder is None:
        raise CommandError(
            "--into URL is missing: the server that is written to (for a copy of files, --to FOLDER)"
        )
    number = _number(monitor, options)
    if url == "-":
        url = sys.stdin.readline().strip()
    done, total = 0, jobs.get(number).plain_bytes

    def fed(size: int) -> None:
        nonlocal done
        done = size

    with _bar(output, f"restore of backup {number}", lambda: (done, total)):
        if folder is not None:
            told = unpack(number, Path(folder), _place(), progress=fed)
        else:
            told = put_back(
                number,
                url,
                _place(),
                force=options["force"],
                confirm=lambda alias: _confirmed(alias, options),
                progress=fed,
            )
    if output.as_json:
        output.document(told)
    elif folder is not None:
        output.say(
            clean(
                f"backup {number} of {told['database']} is in {told['to']}, ready for a server of {told['server_version']} to be started on"
            )
        )
    else:
        output.say(
            clean(
                f"backup {number} of {told['database']} is restored into {told['into']}: {', '.join(told['databases'])}"
            )
        )


def _cat(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    if output.as_json:
        raise CommandError("cat writes SQL or a stream, not JSON")
    for data in contents(_number(monitor, options), _place()):
        sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _confirmed(alias: str, options: Options) -> bool:
    """Whether somebody has typed the name of the monitored server that will be written over."""
    if options["confirm"] is not None:
        return bool(options["confirm"] == alias)
    if not sys.stdin.isatty():
        raise CommandError(f"{alias} is monitored: type its name after --confirm to write over it")
    sys.stderr.write(f"This writes over {alias}, which is monitored. Type its name to go on: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == alias


def _place() -> Place:
    configuration = conf.load()
    return Place(configuration.backups, configuration.targets)


def _number(monitor: DatabaseMonitor, options: Options) -> int:
    """The backup that is meant: --id, or the newest good one of --database."""
    if options["id"] is not None:
        return int(options["id"])
    database = options["database"]
    if database is None:
        raise CommandError("--id N is missing, or --database A for its newest good backup")
    monitor.require(database)
    good = Backup.objects.filter(database=database, status="done", removed_at=None).order_by("-started_at")
    number = good.values_list("pk", flat=True).first()
    if number is None:
        raise CommandError(f"there is no good backup of {database}")
    return number


def _tell(row: Backup, output: Output) -> None:
    body = shown(row)
    if row.status != "done":
        raise CommandError(clean(f"backup {row.pk} of {row.database} failed: {row.error}"))
    if row.verification == "failed":
        raise CommandError(clean(views.sentence(body)))
    if output.as_json:
        output.document(body)
    else:
        output.say(clean(views.sentence(body)))


@contextmanager
def _bar(output: Output, text: str, read: Callable[[], tuple[int, int | None]]) -> Iterator[None]:
    """A bar on a terminal that somebody looks at; else nothing."""
    if not output.live or output.as_json:
        yield
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    over = threading.Event()
    with Progress(*columns, console=output.console, transient=True) as bar:
        task = bar.add_task(text, total=None)

        def follow() -> None:
            while not over.wait(_REDRAW_SECONDS):
                done, total = read()
                # What a server says of its size is an estimate: the end is never before what is done.
                bar.update(task, completed=done, total=max(total, done) if total else None)

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield
        finally:
            over.set()
            follower.join()


_DOES: dict[str, Callable[[DatabaseMonitor, Options, Output], None]] = {
    "now": _now,
    "list": _list,
    "verify": _verify,
    "restore": _restore,
    "cat": _cat,
}

ACTION = Action(
    "backup",
    "make a backup now, list, verify or restore them, or write one as its tool wrote it",
    _run,
    _flags,
)
