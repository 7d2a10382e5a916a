"""`advise`: the indexes that a database's workload might want, and those that nobody needs."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from dbvigil import conf
from dbvigil.errors import ConfigurationError, UnknownDatabase
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.queries.advise import Advice, advise
from dbvigil.queries.indexes import LIMIT
from dbvigil.server import Server
from dbvigil.slow_queries.asking import on_server
from dbvigil.targets import Target
from dbvigil.terminal import advice as views


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


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    targets = conf.load().targets
    target = _target(monitor, targets, options["database"])
    replicas = _replicas(monitor, targets, target, options["with_replicas"])

    async def ask(server: Server) -> Advice:
        async with AsyncExitStack() as stack:
            others = [Server(one) for one in replicas]
            for other in others:
                stack.push_async_callback(other.close)
            return await advise(server, limit=options["limit"], minutes=options["minutes"], replicas=others)

    body = on_server(target, ask).to_dict()
    if output.as_json:
        output.document(body)
    else:
        output.show(lambda: views.drawn(body, output.glyphs), lambda: views.lines(body))


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
