"""Advice as Django code, for one monitored database: what is said about its statements and indexes, where its tables are models'."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from dbvigil.django_advice import ddl
from dbvigil.django_advice.places import Place, place_of
from dbvigil.django_advice.relations import followed
from dbvigil.django_advice.rewrites import PHRASES
from dbvigil.django_advice.statements import Find, asked
from dbvigil.django_advice.tables import ModelTable
from dbvigil.queries.judging import N_PLUS_ONE
from dbvigil.queries.parse import parse
from dbvigil.queries.rules.ddl import quoted
from dbvigil.queries.rules.ddl_reading import Change, read_ddl
from dbvigil.queries.schema import Schema
from dbvigil.queries.statements import tables_of
from dbvigil.query import Recommendation, SlowQuery

logger = logging.getLogger("dbvigil.monitor")

_NOTHING = Schema()
_FAILED = "no Django code for the advice: {name}; the log has the details"


class Advisor:
    """Advice on the statements of `database`, a target's alias. Asks no server; made anew for each answer."""

    def __init__(self, database: str, place: Place | None = None) -> None:
        self.database = database
        self._given = place

    @cached_property
    def place(self) -> Place:
        return place_of(self.database) if self._given is None else self._given

    def on(self, query: SlowQuery, known: Schema = _NOTHING) -> SlowQuery:
        """`query` with `django` in each recommendation that has a phrasing. `known`: its tables, as far as they were read.

        Whatever goes wrong, the advice stays as it is; that is logged and said in `gaps`.
        """
        if not query.recommendations:
            return query
        try:
            found = tuple(
                self.as_django(one, query.query, query.schema, known) for one in query.recommendations
            )
        except Exception as error:
            logger.exception("no Django code for the advice on %s", query.query_id)
            return replace(query, gaps=(*query.gaps, _FAILED.format(name=type(error).__name__)))
        return replace(query, recommendations=found)

    def as_django(
        self, advice: Recommendation, sql: str, schema: str = "", known: Schema = _NOTHING, opener: str = ""
    ) -> Recommendation:
        """`advice` on the statement `sql` with its `django`; as it is where no model has the table or nothing can be said.

        `opener` is the statement before a burst of the same ones. An index whose name Django does not take has another one in
        `sql` and the rollback as well.
        """
        change = read_ddl(advice.sql)
        if change is not None:
            return self._index(advice, change, schema, known)
        one = asked(parse(sql), self._finder(known), schema or self.place.name)
        if one is None:
            return advice
        if advice.rule == N_PLUS_ONE:
            opener = opener or str(advice.evidence.get("opener") or "")
            return replace(advice, django=self.relation(sql, schema, known, opener))
        phrase = PHRASES.get(advice.rule)
        return advice if phrase is None else replace(advice, django=phrase(one))

    def relation(self, sql: str, schema: str = "", known: Schema = _NOTHING, opener: str = "") -> str:
        """How the lookups of a burst are had at once, as a query set with the model's own relation; "" where that is not certain."""
        find, schema = self._finder(known), schema or self.place.name
        one = asked(parse(sql), find, schema)
        if one is None:
            return ""
        before = {
            found.model
            for name, table in tables_of(opener, schema)
            if (found := find(table, name)) is not None
        }
        return followed(one, find, schema, before)

    def workload(self, body: Mapping[str, Any], known: Schema) -> dict[str, Any]:
        """The document of `advise` with `django` in each candidate and each index that may go; "" where there is none to give.

        A candidate whose name Django does not take keeps its DDL's name there, and the code says its own.
        """
        gaps: list[str] = []
        candidates = [
            {**one, "django": self._told(one["ddl"], one["rollback"], known, gaps)}
            if (one["proof"] or {}).get("outcome") != "harmful"
            else {**one, "django": ""}
            for one in body["candidates"]
        ]
        needless = [
            {
                **one,
                "django": self._told(one["first"] or one["then"], one["rollback"], known, gaps, one["then"]),
            }
            for one in body["needless"]
        ]
        return {
            **body,
            "candidates": candidates,
            "needless": needless,
            "gaps": [*body["gaps"], *dict.fromkeys(gaps)],
        }

    def _told(self, sql: str, rollback: str, known: Schema, gaps: list[str], then: str = "") -> str:
        try:
            change = read_ddl(sql)
            return "" if change is None else self._code(change, rollback, known, known.default, then)[0]
        except Exception as error:
            logger.exception("no Django code for: %s", sql)
            gaps.append(_FAILED.format(name=type(error).__name__))
            return ""

    def _index(self, advice: Recommendation, change: Change, schema: str, known: Schema) -> Recommendation:
        rollback = str(advice.evidence.get("rollback") or "")
        text, name = self._code(change, rollback, known, schema or self.place.name)
        if not text or name == change.index:
            return replace(advice, django=text)
        evidence = dict(advice.evidence)
        if rollback:
            evidence["rollback"] = rollback.replace(quoted(change.index), quoted(name), 1)
        sql = advice.sql.replace(f"INDEX {quoted(change.index)}", f"INDEX {quoted(name)}", 1)
        return replace(advice, django=text, sql=sql, evidence=evidence)

    def _code(
        self, change: Change, rollback: str, known: Schema, schema: str, then: str = ""
    ) -> tuple[str, str]:
        """The code, and the index's name in it."""
        table = self.place.model(change.table, change.schema or schema, known)
        if table is None:
            return "", change.index
        if change.kind == "add":
            undo = rollback or _undo(change)
            code = ddl.added(table, change, undo)
        else:
            there = known.table(change.table, change.schema or schema)
            index = None if there is None else there.index(change.index)
            code = ddl.removed(table, change, index, rollback, then)
        return code.text, code.index

    def _finder(self, known: Schema) -> Find:
        def find(table: str, schema: str) -> ModelTable | None:
            return self.place.model(table, schema, known)

        return find


def _undo(change: Change) -> str:
    return f"ALTER TABLE {quoted(change.table)} DROP INDEX {quoted(change.index)}"
