"""`advise`: the indexes that a database's workload might want, proved where that is asked for, and those that nobody needs."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from dbvigil import conf
from dbvigil.django_advice import Advisor
from dbvigil.errors import ConfigurationError, UnknownDatabase
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.queries.advise import Advice, advise
from dbvigil.queries.indexes import LIMIT
from dbvigil.queries.proof import Budget, verify
from dbvigil.queries.workload import Proof
from dbvigil.server import Server
from dbvigil.slow_queries import proved
from dbvigil.slow_queries.asking import on_server
from dbvigil.targets import Target
from dbvigil.terminal import advice as views
from dbvigil.terminal.text import clean


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--database", metavar="A", help="this database; may be left out where there is only one"
    )
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        default=LIMIT,
        help=f"at most so many indexes; {LIMIT} where it is left out",
    )
    parser.add_argument(
        "--minutes", type=float, metavar="N", help="only statements that ran in the last N minutes"
    )
    parser.add_argument(
        "--with-replicas",
        metavar="A,B",
        help="the replicas whose reads count too; where it is left out, every database that the monitor sees as one",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="try each index with a sample of the rows on a private server, or the one at DB_SANDBOX_URL",
    )
    usual = Budget()
    parser.add_argument(
        "--rows",
        type=int,
        metavar="N",
        help=f"with --verify: rows that may be read of the database; {usual.rows} where it is left out",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="N",
        help=f"with --verify: how long that may go on; {usual.seconds:g} where it is left out",
    )
    parser.add_argument(
        "--load",
        type=float,
        metavar="P",
        help=f"with --verify: percent of that time that statements may run; {usual.load_share:g} where it is left out",
    )


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    budget = _budget(options)
    configuration = conf.load()
    targets = configuration.targets
    target = _target(monitor, targets, options["database"])
    replicas = _replicas(monitor, targets, target, options["with_replicas"])

    proofs: list[Proof] = []

    async def ask(server: Server) -> tuple[Advice, dict[str, Any]]:
        async with AsyncExitStack() as stack:
            others = [Server(one) for one in replicas]
            for other in others:
                stack.push_async_callback(other.close)
            advice = await advise(server, limit=options["limit"], minutes=options["minutes"], replicas=others)
            if budget is None:
                return advice, advice.to_dict()
            tell = stack.enter_context(_progress(output))
            proofs.extend(
                await verify(
                    server,
                    advice.workload,
                    advice.candidates,
                    advice.schema,
                    budget=budget,
                    sandbox=configuration.sandbox_url,
                    forbidden=tuple(targets.values()),
                    progress=tell,
                )
            )
            return advice, advice.to_dict(proofs)

    advice, body = on_server(target, ask)
    body = Advisor(target.alias).workload(body, advice.schema)
    if proofs:
        proved.keep(target.alias, proofs, datetime.now(UTC))
    if output.as_json:
        output.document(body)
    else:
        output.show(lambda: views.drawn(body, output.glyphs), lambda: views.lines(body))


def _budget(options: Options) -> Budget | None:
    """What a proof may take; None where none is asked for."""
    given = {"rows": options["rows"], "seconds": options["seconds"], "load_share": options["load"]}
    given = {name: value for name, value in given.items() if value is not None}
    if options["verify"]:
        return Budget(**given)
    if given:
        raise ConfigurationError(
            "--rows, --seconds, --load", ", ".join(map(str, given.values())), "allowed: with --verify"
        )
    return None


@contextmanager
def _progress(output: Output) -> Iterator[Callable[[str, float], None]]:
    """A bar on a terminal, else a line on standard error for each step; nothing beside a JSON document."""
    if output.as_json:
        yield lambda _doing, _done: None
    elif not output.live:
        seen: list[str] = []

        def line(doing: str, _done: float) -> None:
            if [doing] != seen:
                seen[:] = [doing]
                output.complain(clean(doing))

        yield line
    else:
        columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
        with Progress(*columns, console=output.console, transient=True) as bar:
            task = bar.add_task("", total=1.0)
            yield lambda doing, done: bar.update(task, description=clean(doing), completed=done)


def _target(monitor: DatabaseMonitor, targets: Mapping[str, Target], database: str | None) -> Target:
    if database is None:
        if len(targets) != 1:
            raise ConfigurationError(
                "--database", None, f"allowed: {', '.join(sorted(targets)) or 'nothing is configured'}"
            )
        (database,) = targets
    monitor.require(database)
    if database not in targets:
        raise UnknownDatabase(database, tuple(targets))
    return targets[database]


def _replicas(
    monitor: DatabaseMonitor, targets: Mapping[str, Target], target: Target, named: str | None
) -> Sequence[Target]:
    """Those that are named, else every other database that replicates, as its newest sample tells."""
    if named is not None:
        aliases = [one.strip() for one in named.split(",") if one.strip()]
        for alias in aliases:
            if alias not in targets:
                raise UnknownDatabase(alias, tuple(targets))
        return [targets[alias] for alias in aliases if alias != target.alias]
    current = monitor.get_current_metrics()
    return [
        other
        for alias, other in targets.items()
        if alias != target.alias
        and alias in current
        and current[alias].replication_role in {"replica", "both"}
    ]


ACTION = Action(
    "advise", "show which indexes the statements of a database want, and which nobody needs", _run, _flags
)
