"""Index advice for what a server does: its dearest statements, the indexes they might want, and those that nobody needs. Only reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from dbvigil.errors import ConfigurationError, ServerError
from dbvigil.queries.digests import read_digests, read_texts
from dbvigil.queries.fingerprint import digest_cut, fingerprint, server_text
from dbvigil.queries.indexes import LIMIT, Needless, candidates, online_ddl, redundant_indexes, unused
from dbvigil.queries.indexes.uses import read_index_uses
from dbvigil.queries.rules.base import Subject
from dbvigil.queries.rules.ddl import hide_index
from dbvigil.queries.rules.statistics_history import IndexUse
from dbvigil.queries.schema import Schema
from dbvigil.queries.schema_reader import MOST_TABLES, Key, read_schema
from dbvigil.queries.statements import administrative, tables_of
from dbvigil.queries.workload import Candidate, Outcome, Proof, WorkloadQuery
from dbvigil.server import Server
from dbvigil.types import ServerInfo, iso_utc

STATEMENTS = 100
"""Kinds of statement that are looked at: those that took most time. More would be looked at for parts of a percent."""
MOST_LIMIT = 200
_RANK: Mapping[Outcome, int] = {"verified": 0, "estimated": 1, "untested": 2, "no_gain": 3, "harmful": 4}
_OWN = frozenset(("mysql", "sys", "performance_schema", "information_schema"))

# %s stands for as many schemas as are named.
TABLES = """
    SELECT TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name
      FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ({places}) AND TABLE_TYPE = 'BASE TABLE' ORDER BY 1, 2"""


@dataclass(frozen=True, slots=True)
class Advice:
    """What a server's workload says about its indexes, as of `taken_at`.

    `total_time`: seconds of all statements of the span, those not looked at included; `minutes`: the span, None for the life of the
    server's counters. `needless` was judged over `servers`. `gaps`: what could not be looked at, a sentence each.
    """

    database: str
    taken_at: datetime
    info: ServerInfo
    minutes: float | None
    total_time: float
    workload: tuple[WorkloadQuery, ...]
    schema: Schema
    candidates: tuple[Candidate, ...]
    needless: tuple[Needless, ...]
    servers: tuple[str, ...]
    gaps: tuple[str, ...] = field(default=())

    def to_dict(self, proofs: Sequence[Proof] = ()) -> dict[str, Any]:
        """JSON-ready. Shares are percent of `total_time`.

        With `proofs` each candidate that has one carries it as `proof`, and they are in its order: what is verified first, what does
        harm last. Without, `proof` is None.
        """
        proved = {one.candidate: one for one in proofs}
        ordered = sorted(self.candidates, key=lambda one: _RANK[proved[one].outcome] if one in proved else 0)
        return {
            "database": self.database,
            "timestamp": iso_utc(self.taken_at),
            "minutes": self.minutes,
            "total_time": self.total_time,
            "statements": len(self.workload),
            "share_of_load": _share(sum(map(_time, self.workload)), self.total_time),
            "candidates": [
                {**self.described(one), "proof": proof_dict(proved[one]) if one in proved else None}
                for one in ordered
            ],
            "needless": [asdict(one) for one in self.needless],
            "servers": list(self.servers),
            "gaps": list(self.gaps),
        }

    def described(self, candidate: Candidate) -> dict[str, Any]:
        """One candidate with the statements that it serves, how it is built, and what may go once it is proved."""
        table = self.schema.table(candidate.table, candidate.schema)
        if table is None:
            raise ValueError(f"{candidate.schema}.{candidate.table} is no table of this advice")
        served = [
            one
            for one in self.workload
            if one.query_id in candidate.serves and _names(one, candidate, self.schema.default)
        ]
        algorithm, lock, note = online_ddl(table, candidate, self.info.flavor, self.info.version)
        subject = Subject("", None, self.info.flavor, self.info.version, self.schema)
        return {
            "database": self.database,
            "schema": candidate.schema,
            "table": candidate.table,
            "columns": [{"name": name, "descending": down} for name, down in candidate.columns],
            "covering": candidate.covering,
            "ddl": candidate.ddl,
            "rollback": candidate.rollback,
            "algorithm": algorithm,
            "lock": lock,
            "note": note,
            "replaces": [
                {"index": name, "first": hide_index(subject, table, name)} for name in candidate.replaces
            ],
            "share_of_load": _share(sum(map(_time, served)), self.total_time),
            "serves": [
                {
                    "query_id": one.query_id,
                    "query": fingerprint(one.sql)[0],
                    "schema": one.schema,
                    "share_of_load": _share(_time(one), self.total_time),
                }
                for one in served
            ],
        }


def proof_dict(proof: Proof) -> dict[str, Any]:
    """A proof without its candidate, JSON-ready."""
    body = {item.name: getattr(proof, item.name) for item in fields(proof) if item.name != "candidate"}
    body["interval"] = None if proof.interval is None else list(proof.interval)
    body["queries"] = list(proof.queries)
    return body


async def advise(
    server: Server,
    *,
    limit: int = LIMIT,
    minutes: float | None = None,
    now: datetime | None = None,
    replicas: Sequence[Server] = (),
) -> Advice:
    """Reads the digests that took most time, their tables, and how often indexes are read; on `replicas` the latter alone.

    With `minutes`, only the digests seen since then, with the totals of their whole life. A replica that cannot be asked is said in
    `gaps`, and no index is then called unused. Raises `ConfigurationError` for a wrong `limit` or `minutes`, `ServerError` where `server`
    cannot be asked or keeps no digests.
    """
    if not 1 <= limit <= MOST_LIMIT:
        raise ConfigurationError("limit", limit, f"allowed: 1 to {MOST_LIMIT}")
    if minutes is not None and not 0 < minutes <= 400 * 1440:
        raise ConfigurationError("minutes", minutes, "allowed: more than 0, at most 576000")
    moment = datetime.now(UTC) if now is None else now
    info = server.info if server.connected else await server.connect()
    total, workload, gaps = await _workload(server, moment, minutes)
    default = server.target.schema
    tables, more = await _tables(server, workload, default)
    schema = await read_schema(server, tables, default=default)
    schemas = {table.schema for table in schema.tables.values()}
    uses, silent = await _uses((server, *replicas), schemas)
    servers = tuple(one.target.alias for one in (server, *replicas))
    flavor, version = info.flavor, info.version
    idle = () if silent else unused(schema, uses, servers, flavor, version)
    redundant = redundant_indexes(schema, flavor, version)
    said = {(one.schema, one.table, one.index) for one in redundant}
    return Advice(
        database=server.target.alias,
        taken_at=moment,
        info=info,
        minutes=minutes,
        total_time=total,
        workload=workload,
        schema=schema,
        candidates=candidates(workload, schema, flavor, version, limit=limit),
        needless=(
            *redundant,
            *(one for one in idle if (one.schema, one.table, one.index) not in said),
        ),
        servers=servers,
        gaps=(*gaps, *more, *schema.gaps, *silent, *_uncounted(uses, () if silent else servers)),
    )


async def _workload(
    server: Server, now: datetime, minutes: float | None
) -> tuple[float, tuple[WorkloadQuery, ...], list[str]]:
    """Seconds of all statements, the dearest kinds, and what is missing."""
    reading = await read_digests(server, now)
    since = None if minutes is None else reading.clock - timedelta(minutes=minutes)
    chosen = {
        key: figures
        for key, figures in reading.digests.items()
        if since is None or (figures.last_seen is not None and figures.last_seen >= since)
    }
    total = reading.total_time if since is None else sum(one.total_time for one in chosen.values())
    ordered = sorted(chosen.items(), key=lambda item: -item[1].total_time)
    texts = await read_texts(server, [digest for (_schema, digest), _figures in ordered])
    found: list[WorkloadQuery] = []
    cut = 0
    for (schema, digest), figures in ordered:
        text = texts.get((schema, digest), "")
        if not text or schema in _OWN or administrative(schema, text) or len(found) >= STATEMENTS:
            continue
        if digest_cut(text):
            cut += 1
            continue
        statement = server_text(text)
        found.append(WorkloadQuery(fingerprint(statement)[1], statement, schema, figures, digest=digest))
    gaps = []
    if cut:
        gaps.append(
            f"{cut} kinds of statement are not looked at: the server keeps only their beginning; a larger max_digest_length and"
            " performance_schema_max_digest_length keep more"
        )
    return total, tuple(found), gaps


async def _tables(
    server: Server, workload: Sequence[WorkloadQuery], default: str
) -> tuple[list[Key], list[str]]:
    """The tables that the statements name, the dearest first, then the others of their schemas, as far as there is room."""
    named = dict.fromkeys(
        (schema or default, name)
        for query in workload
        for schema, name in sorted(tables_of(query.sql, query.schema or default))
    )
    schemas = sorted({schema for schema, _ in named if schema and schema.lower() not in _OWN})
    chosen = [key for key in named if key[0] in schemas]
    if schemas:
        rows = await server.rows(TABLES.format(places=", ".join(["%s"] * len(schemas))), tuple(schemas))
        every = (*chosen, *((row["table_schema"], row["table_name"]) for row in rows))
        # A server that takes any case for a name has its tables once.
        chosen = list({(schema.lower(), name.lower()): (schema, name) for schema, name in every}.values())
    left = len(chosen) - MOST_TABLES
    gaps = [f"{left} tables are not looked at: at most {MOST_TABLES} are"] if left > 0 else []
    return chosen[:MOST_TABLES], gaps


async def _uses(servers: Sequence[Server], schemas: Collection[str]) -> tuple[list[IndexUse], list[str]]:
    """How often indexes were read, by all servers, and those that could not be asked."""
    found: list[IndexUse] = []
    silent: list[str] = []
    for server in servers:
        try:
            found += await read_index_uses(server, schemas)
        except ServerError as error:
            silent.append(
                f"{server.target.alias} does not tell which indexes are read, so none is called unused: {error}"
            )
    return found, silent


def _uncounted(uses: Sequence[IndexUse], servers: Sequence[str]) -> list[str]:
    """The servers that count no index at all, or show none."""
    by_server = {name: [use.reads for use in uses if use.server == name] for name in servers}
    found: list[str] = []
    for name, reads in by_server.items():
        if not reads and uses:
            found.append(
                f"{name} shows none of these tables, so no index is called unused: grant the monitoring account SELECT on them, or name the"
                " replicas that matter"
            )
        elif reads and all(one is None for one in reads):
            found.append(
                f"{name} does not count reads of indexes, so none is called unused: performance_schema=ON counts them, on MariaDB"
                " userstat=ON too"
            )
    return found


def _names(query: WorkloadQuery, candidate: Candidate, default: str) -> bool:
    """Whether a statement names the candidate's table: one of the same text in another schema means another table."""
    wanted = (candidate.schema.lower(), candidate.table.lower())
    return wanted in {
        (schema.lower(), name.lower()) for schema, name in tables_of(query.sql, query.schema or default)
    }


def _time(query: WorkloadQuery) -> float:
    return query.figures.total_time if query.figures is not None else 0.0


def _share(seconds: float, total: float) -> float | None:
    return min(100.0, 100.0 * seconds / total) if total else None
