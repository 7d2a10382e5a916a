"""The OpenAPI 3.1 description, made from the views' operations by drf-spectacular."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.urls import get_script_prefix, path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.settings import patched_settings

import dbvigil
from dbvigil.api.answers import ProblemSerializer
from dbvigil.api.fields import Strict
from dbvigil.api.problems import KINDS, MEDIA_TYPE

_INTRODUCTION = """\
Figures, history, health, alerts and control of the monitored databases.

Times are ISO-8601 UTC with `Z`; durations are seconds and rates are per second unless the key says
otherwise; shares are percent, 0–100. A reading that a server cannot give is `null`, never 0. Keys may be
added to any answer.

Every request needs `Authorization: Bearer <token>` or a signed-in session. Every active user may read; staff
acknowledge and suppress alerts; only superusers configure, control, make maintenance windows and test
channels. Unknown parameters and keys are refused. Every error is a problem document.
"""

# drf-spectacular's settings belong to the host project, which may describe an API of its own with it. These
# hold for the moment in which ours is made, once a process.
_SETTINGS: Mapping[str, Any] = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "dbvigil",
    "VERSION": dbvigil.__version__,
    "DESCRIPTION": _INTRODUCTION,
    "SERVERS": [],
    "TAGS": [],
    "SECURITY": [],
    "EXTERNAL_DOCS": {},
    "CONTACT": {},
    "LICENSE": {},
    "TOS": None,
    "APPEND_PATHS": {},
    "APPEND_COMPONENTS": {},
    "EXTENSIONS_INFO": {},
    "EXTENSIONS_ROOT": {},
    "WEBHOOKS": [],
    "SCHEMA_PATH_PREFIX": "",
    "SCHEMA_PATH_PREFIX_TRIM": False,
    "SCHEMA_PATH_PREFIX_INSERT": "",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "CAMELIZE_NAMES": False,
    "PREPROCESSING_HOOKS": [],
    "POSTPROCESSING_HOOKS": [],
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": False,
    "AUTHENTICATION_WHITELIST": None,
    "PARSER_WHITELIST": None,
    "RENDERER_WHITELIST": None,
    "GENERIC_ADDITIONAL_PROPERTIES": "dict",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "DISABLE_DOCSTRING_DESCRIPTIONS": False,
}
_PATH_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "database": {"description": "The target's alias.", "schema": {"type": "string"}},
    "channel": {"description": "The channel's name.", "schema": {"type": "string"}},
    "window_id": {"description": "The window's number.", "schema": {"type": "integer", "minimum": 0}},
}
_lock = threading.Lock()


class ApiSchema(AutoSchema):
    """Describes a view by the `Operation`s that its handlers declare; a handler without one is left out."""

    @property
    def _declared(self) -> Any:
        return getattr(getattr(self.view, self.method.lower()), "operation", None)

    def is_excluded(self) -> bool:
        return self._declared is None

    def get_operation_id(self) -> str:
        name = type(self.view).__name__.removesuffix("View")
        return self.method.lower() + name

    def get_summary(self) -> str:
        return str(self._declared.summary)

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular's own has no arguments
        return " ".join((type(self.view).__doc__ or "").split())

    def get_tags(self) -> list[str]:
        return ["monitoring"]

    def get_override_parameters(self) -> list[Any]:
        query = self._declared.query
        return [query] if query().fields else []

    def _process_override_parameters(self, direction: str = "request") -> Any:
        parameters = super()._process_override_parameters(direction)  # type: ignore[no-untyped-call]
        for parameter in parameters.values():
            if parameter["schema"].get("type") == "array":
                # a,b
                parameter |= {"style": "form", "explode": False}
        return parameters

    def _resolve_path_parameters(self, variables: list[str]) -> list[Any]:
        return [
            {
                "in": "path",
                "name": name,
                "required": True,
                **_PATH_PARAMETERS[name],
            }
            for name in variables
        ]

    def get_request_serializer(self) -> Any:
        return self._declared.body

    def get_response_serializers(self) -> Any:
        return self._declared.answer

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if isinstance(serializer, Strict):
            schema["additionalProperties"] = False
        return schema

    def _get_request_body(self, direction: Any = "request") -> Any:
        body = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        if body and self._declared.example:
            body["content"]["application/json"]["example"] = dict(self._declared.example)
            # Where every key may be left out, so may the body.
            body["required"] = any(field.required for field in self._declared.body().fields.values())
        return body

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        answer = self._get_response_for_code(  # type: ignore[no-untyped-call]
            self._declared.answer, "200", ["application/json"]
        )
        responses = {"200": {**answer, "description": "The answer."}}
        problem = self.resolve_serializer(ProblemSerializer, "response").ref
        for status in self._problem_statuses():
            kinds = [kind for kind in KINDS if kind.status == status]
            responses[str(status)] = {
                "description": " ".join(kind.when for kind in kinds),
                "content": {MEDIA_TYPE: {"schema": problem}},
                **_problem_headers(status),
            }
        return responses

    def _problem_statuses(self) -> list[int]:
        """Which problems the operation can answer with. Faults of ours are promised nowhere."""
        statuses = {400, 401, 403, 406, 429, 503}
        if self._declared.missing:
            statuses.add(404)
        if self._declared.over:
            statuses.add(409)
        if self._declared.body is not None:
            statuses |= {413, 415}
        return sorted(statuses)


def _problem_headers(status: int) -> dict[str, Any]:
    names = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
    if status not in names:
        return {}
    kind = "string" if status == 401 else "integer"
    return {"headers": {names[status]: {"schema": {"type": kind}, "required": status != 503}}}


@lru_cache(maxsize=8)
def describe(prefix: str) -> dict[str, Any]:
    """The OpenAPI document of the API that is mounted at `prefix` ("/core/api/monitoring/"). Do not change
    it: it is kept.
    """
    from dbvigil.api.urls import addresses  # noqa: PLC0415 - the views need this module first

    root = get_script_prefix()
    relative = prefix.removeprefix(root)
    patterns = [path(relative + address, view) for address, view in addresses()]
    with _lock, patched_settings(dict(_SETTINGS)):
        document: dict[str, Any] = _clean(
            SchemaGenerator(patterns=patterns).get_schema(request=None, public=True)
        )
    document["servers"] = [{"url": root.rstrip("/") or "/"}]
    return document


def _clean(node: Any) -> Any:
    """Without the marks that the generator leaves for its own later steps."""
    if isinstance(node, dict):
        return {key: _clean(value) for key, value in node.items() if key != "x-spec-enum-id"}
    return [_clean(value) for value in node] if isinstance(node, list) else node
