"""What clients may send about recovery."""

from __future__ import annotations

from dbvigil.api.fields import Flag, Strict, Text
from dbvigil.api.requests import MAX_ALIAS
from dbvigil.recovery.by_hand import LONGEST_REASON


class RecoveryQuery(Strict):
    database = Text(required=False, max_length=MAX_ALIAS, help_text="Only attempts on this database.")


class RecoverBody(Strict):
    """One action on one database, now."""

    action = Text(max_length=200, help_text="One of the actions that `GET` lists.")
    database = Text(max_length=MAX_ALIAS, help_text="The target's alias.")
    dry_run = Flag(
        required=False,
        default=True,
        help_text="Only say what would be done; nothing is changed unless this is false.",
    )
    reason = Text(max_length=LONGEST_REASON, help_text="Why. Kept on record, and told with what was done.")
