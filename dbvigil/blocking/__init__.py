"""Who waits for whom: waits for row locks and metadata locks as a forest, root blockers first. Pure: collectors read, this thinks.

metadata_waits(tickets)      waits, from the metadata locks that are granted and asked for
forest(waits, sessions)      the trees, each session once
"""

from __future__ import annotations

from dbvigil.blocking.forest import forest
from dbvigil.blocking.metadata import Ticket, metadata_waits
from dbvigil.blocking.values import Forest, Node, Session, Wait

__all__ = ["Forest", "Node", "Session", "Ticket", "Wait", "forest", "metadata_waits"]
