"""The address of previews: what a message would say."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dbvigil.alert import MESSAGE_PARTS
from dbvigil.alerting.service import get_database_alerting
from dbvigil.api.alert_requests import LARGEST_ID
from dbvigil.api.base import ApiView, Operation, operation
from dbvigil.api.fields import Choice, Strict, Text, Whole
from dbvigil.api.shapes import Answer
from dbvigil.channels.templates import MOST_SOURCE


class PreviewBody(Strict):
    """Which part of a message is shown, and by which template."""

    part = Choice(choices=MESSAGE_PARTS)
    template = Text(
        required=False,
        allow_blank=True,
        max_length=MOST_SOURCE,
        help_text="The template's source; the configured one, else the built-in words, where it is left out.",
    )
    alert_id = Whole(
        required=False,
        min_value=1,
        max_value=LARGEST_ID,
        help_text="Of which alert; of a sample where it is left out.",
    )


class PreviewSerializer(Answer):
    """A part of a message as it would be sent."""

    part = serializers.ChoiceField(choices=MESSAGE_PARTS)
    rendered = serializers.CharField()


class PreviewView(ApiView):
    """Shows what a message says, by a template that is tried or by the one in use. Nothing is sent. For superusers."""

    roles: ClassVar = {"POST": "superuser"}

    @operation(
        Operation(
            "Preview a message",
            PreviewSerializer,
            body=PreviewBody,
            missing=True,
            example={"part": "subject", "template": "{{ state }}: {{ alerts[0].line }}"},
        )
    )
    def post(self, request: Request) -> Response:
        part = self.body["part"]
        rendered = get_database_alerting().preview(part, self.body.get("template"), self.body.get("alert_id"))
        return Response({"part": part, "rendered": rendered})
