"""Indexes for a whole workload: which to add, how a server builds them, and which are there for nothing."""

from __future__ import annotations

from dbvigil.queries.indexes.online import build_seconds, online_ddl
from dbvigil.queries.indexes.search import LIMIT, candidates

__all__ = ["LIMIT", "build_seconds", "candidates", "online_ddl"]
