"""`manage.py dbvigil_token`: makes, lists and revokes API tokens."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from dbvigil.api import tokens


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days <= tokens.MOST_DAYS:
        raise ArgumentTypeError(f"{text!r} is not allowed; allowed: more than 0, at most {tokens.MOST_DAYS}")
    return days


class Command(BaseCommand):
    help = "Makes, lists and revokes API tokens. A token may do what its user may."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a token; it is printed once and kept nowhere")
        create.add_argument("user", help="the name of the user it acts for")
        create.add_argument(
            "--days",
            type=_days,
            default=tokens.DEFAULT_DAYS,
            help="how long it is valid (default %(default)s)",
        )
        actions.add_parser("list", help="show every token: key, user, created, expires")
        revoke = actions.add_parser("revoke", help="make tokens invalid at once")
        which = revoke.add_mutually_exclusive_group(required=True)
        which.add_argument("key", nargs="?", help="the token, or its key as `list` shows it")
        which.add_argument("--user", help="every token of this user")

    def handle(self, *args: Any, **options: Any) -> None:
        match options["action"]:
            case "create":
                self._create(options["user"], options["days"])
            case "list":
                self._list()
            case "revoke":
                self._revoke(options["key"], options["user"])

    def _create(self, name: str, days: float) -> None:
        row, token = tokens.create(_user(name), datetime.now(UTC), days)
        # Standard output has the token and nothing else, so that a script can keep it.
        self.stdout.write(token)
        self.stderr.write(f"Token of {name}, valid until {_day(row.expiry)}. It is not shown again.")

    def _list(self) -> None:
        now = datetime.now(UTC)
        for row in tokens.listing():
            expires = "never valid" if row.expiry is None else _day(row.expiry)
            state = "  expired" if row.expiry is not None and row.expiry <= now else ""
            dates = f"created {_day(row.created)}  expires {expires}{state}"
            self.stdout.write(f"{row.token_key}…  {row.user.get_username()}  {dates}")

    def _revoke(self, key: str | None, name: str | None) -> None:
        count = tokens.revoke_user(_user(name)) if name else tokens.revoke((key or "").rstrip("…"))
        if not count:
            raise CommandError("no such token" if key else f"{name} has no token")
        self.stdout.write(f"Revoked {count} token{'s' if count > 1 else ''}.")


def _user(name: str) -> Any:
    model = get_user_model()
    try:
        return model._default_manager.get_by_natural_key(name)
    except model.DoesNotExist:
        raise CommandError(f"no user is named {name!r}") from None


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
