"""Indexes for a whole workload: which to add, how a server builds them, and which are there for nothing."""

from __future__ import annotations

from dbvigil.queries.indexes.online import build_seconds, online_ddl
from dbvigil.queries.indexes.redundant import Needless, redundant_indexes, unused
from dbvigil.queries.indexes.search import LIMIT, candidates
from dbvigil.queries.indexes.uses import read_index_uses

__all__ = [
    "LIMIT", "Needless", "build_seconds", "candidates", "online_ddl", "read_index_uses", "redundant_indexes", "unused",
]  # fmt: skip
