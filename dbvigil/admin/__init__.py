"""The admin: tokens, channels, maintenance windows and suppressions are made here, all else is shown."""

from dbvigil.admin import channels, quiet, shown, tokens

__all__ = ["channels", "quiet", "shown", "tokens"]
