"""EXPLAIN of both flavours: asked safely, read into one plan tree, compared."""

from dbvigil.queries.explain.document import read_plan
from dbvigil.queries.explain.guard import Explainable, explainable
from dbvigil.queries.explain.run import explain
from dbvigil.queries.explain.shape import changes

__all__ = ["Explainable", "changes", "explain", "explainable", "read_plan"]
