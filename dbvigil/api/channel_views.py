"""The addresses of channels: what there is, and those that superusers make beside the settings' own."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from dbvigil.alerting.own_channels import KINDS, LONGEST_URL, Change
from dbvigil.alerting.service import get_database_alerting
from dbvigil.api import alert_answers as answers
from dbvigil.api.base import ApiView, Operation, operation
from dbvigil.api.fields import Choice, Flag, Strict, Text

_LONGEST_NAME = 64
_LONGEST_SECRET = 200


def _url(*, required: bool) -> Text:
    return Text(
        required=required,
        max_length=LONGEST_URL,
        write_only=True,
        help_text="Where it leads: a public address, or one in `DB_ALERT_ALLOWED_NETWORKS`. Never shown again.",
    )


class ChannelChangeBody(Strict):
    """What is to be different about a channel; what is left out stays."""

    url = _url(required=False)
    secret = Text(
        required=False,
        allow_blank=True,
        max_length=_LONGEST_SECRET,
        write_only=True,
        help_text="Signs what a webhook is sent: `whsec_` and 24 to 64 bytes in base64; empty sends unsigned. Never shown again.",
    )
    active = Flag(required=False, help_text="False switches it off without removing it.")


class ChannelBody(ChannelChangeBody):
    """A channel beside those of the settings. It is told of every alert of every database."""

    name = Text(
        max_length=_LONGEST_NAME, help_text="a-z, 0-9 and `-`, a letter first; there is no other of it."
    )
    kind = Choice(choices=KINDS)
    url = _url(required=True)


class ChannelsView(ApiView):
    """The channels, secrets masked, and how each fares. Superusers make more, beside those of the settings."""

    roles: ClassVar = {"POST": "superuser"}

    @operation(Operation("Channels", answers.ChannelsSerializer))
    def get(self, request: Request) -> Response:
        found = get_database_alerting().switchboard.shown()
        return Response({"count": len(found), "results": found})

    @operation(
        Operation(
            "Make a channel",
            answers.ChannelSerializer,
            body=ChannelBody,
            example={"name": "ops", "kind": "webhook", "url": "https://hooks.example.org/alerts"},
        )
    )
    def post(self, request: Request) -> Response:
        given, user = self.body, request.user.get_username()
        made = get_database_alerting().switchboard.add(
            given["name"],
            given["kind"],
            given["url"],
            given.get("secret", ""),
            active=given.get("active", True),
            user=user,
        )
        return Response(made)


class ChannelView(ApiView):
    """One channel that a superuser made, to be changed or removed; what waits for one that is removed is told on another."""

    roles: ClassVar = {"PATCH": "superuser", "DELETE": "superuser"}

    @operation(
        Operation(
            "Change a channel",
            answers.ChannelSerializer,
            body=ChannelChangeBody,
            missing=True,
            example={"active": False},
        )
    )
    def patch(self, request: Request, channel: str) -> Response:
        board, user = get_database_alerting().switchboard, request.user.get_username()
        return Response(board.change(channel, Change(**self.body), user=user))

    @operation(Operation("Remove a channel", answers.ChannelSerializer, missing=True))
    def delete(self, request: Request, channel: str) -> Response:
        return Response(get_database_alerting().switchboard.remove(channel, user=request.user.get_username()))
