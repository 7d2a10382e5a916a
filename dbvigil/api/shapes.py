"""The fields that answers are described with."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

Answer = serializers.Serializer[Any]


class Moment(serializers.DateTimeField):
    """ISO-8601 UTC with `Z`."""


@extend_schema_field({"description": "The reading; null where it is unknown."})
class ReadingField(serializers.Field[Any, Any, Any, Any]):
    """A value of any metric."""
