"""Fields that take a value for what it is: true is no number, "5" is no 5, and a key nobody knows is a
mistake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)


class Strict(serializers.Serializer[Any]):
    """Reads an object with known keys only; the published schema says so as well."""

    def to_internal_value(self, data: object) -> Any:
        if not isinstance(data, Mapping):
            raise ValidationError({"body": ["allowed: a JSON object"]})
        unknown = sorted(set(data) - set(self.fields))
        if unknown:
            known = ", ".join(self.fields) or "none"
            raise ValidationError({name: [f"unknown; known here: {known}"] for name in unknown})
        return super().to_internal_value(data)


class Number(serializers.FloatField):
    """A JSON number within bounds."""

    def to_internal_value(self, data: object) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise ValidationError("allowed: a number")
        self._check_bounds(data)
        return float(data)

    def _check_bounds(self, value: float) -> None:
        least, most = self.min_value, self.max_value
        if (least is not None and value < least) or (most is not None and value > most):
            raise ValidationError(f"allowed: a number from {least:g} to {most:g}")


class Whole(serializers.IntegerField):
    """A JSON integer within bounds."""

    def to_internal_value(self, data: object) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            raise ValidationError("allowed: a whole number")
        least, most = self.min_value, self.max_value
        if (least is not None and data < least) or (most is not None and data > most):
            raise ValidationError(f"allowed: a whole number from {least} to {most}")
        return data


class Flag(serializers.BooleanField):
    """A JSON true or false."""

    def to_internal_value(self, data: object) -> bool:
        if not isinstance(data, bool):
            raise ValidationError("allowed: true or false")
        return data


class Text(serializers.CharField):
    """A JSON string, taken as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            raise ValidationError("allowed: a string")
        return super().to_internal_value(data)


class Texts(serializers.ListField):
    """A JSON list of strings, each counted once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=Text(max_length=100), **kwargs)

    def to_internal_value(self, data: object) -> list[str]:
        if not isinstance(data, list):
            raise ValidationError("allowed: a list of strings")
        return list(dict.fromkeys(super().to_internal_value(data)))


class Choice(serializers.ChoiceField):
    """One of a few strings."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str) or data not in self.choices:
            raise ValidationError(f"allowed: {', '.join(self.choices)}")
        return data


class QueryNumber(Number):
    """A number in a query string."""

    def to_internal_value(self, data: object) -> float:
        if not isinstance(data, str) or not _NUMBER.fullmatch(data):
            raise ValidationError("allowed: a number")
        return super().to_internal_value(float(data))


class QueryWhole(Whole):
    """A whole number in a query string."""

    def to_internal_value(self, data: object) -> int:
        if not isinstance(data, str) or not _WHOLE.fullmatch(data):
            raise ValidationError("allowed: a whole number")
        return super().to_internal_value(int(data))


class CommaList(serializers.ListField):
    """`a,b` in a query string: known names, each counted once."""

    def __init__(self, names: Sequence[str], **kwargs: Any) -> None:
        self.names = tuple(names)
        super().__init__(child=Choice(choices=self.names), min_length=1, **kwargs)

    def get_value(self, dictionary: Any) -> Any:
        return dictionary.get(self.field_name, serializers.empty)

    def to_internal_value(self, data: object) -> list[str]:
        if not isinstance(data, str):
            raise ValidationError("allowed: names separated by commas")
        names = list(dict.fromkeys(data.split(",")))
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise ValidationError(f"{unknown[0]!r} has no history; allowed: {', '.join(self.names)}")
        return names


@extend_schema_field(
    {"oneOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 86_400}], "default": "auto"}
)
class Resolution(serializers.Field[Any, Any, Any, Any]):
    """`auto` (read as None), or whole seconds."""

    def to_internal_value(self, data: object) -> int | None:
        if data == "auto":
            return None
        if not isinstance(data, str) or not _WHOLE.fullmatch(data) or not 1 <= int(data) <= 86_400:
            raise ValidationError("allowed: auto, or whole seconds from 1 to 86400")
        return int(data)

    def to_representation(self, value: int | None) -> object:
        return "auto" if value is None else value
