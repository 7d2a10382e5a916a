"""Indexes proved by execution: a sample of the data in a private server, the statements run with and without the index."""

from dbvigil.queries.proof.budget import Budget
from dbvigil.queries.proof.run import verify

__all__ = ["Budget", "verify"]
