"""The admin: tokens, maintenance windows and suppressions are made here, all else is shown."""

from dbvigil.admin import quiet, shown, tokens

__all__ = ["quiet", "shown", "tokens"]
