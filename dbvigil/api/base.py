"""What every view of the API shares. Nothing here reads the host project's REST_FRAMEWORK settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from django.db import connections, transaction
from django.http import HttpResponse, HttpResponseBase
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from dbvigil.api import problems
from dbvigil.api.auth import BearerToken, HasRole, Role, Session
from dbvigil.api.media import JsonParser, JsonRenderer, Negotiation
from dbvigil.api.openapi import ApiSchema
from dbvigil.api.requests import NothingQuery
from dbvigil.api.throttling import PerToken

Handler = TypeVar("Handler", bound=Callable[..., HttpResponseBase])

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address: what it takes and answers. The schema describes it, `ApiView` enforces it.

    `missing` says that the request can name a database, alert or suppression that there is not, `over` that it can name one
    that is over, or ask for what must not be done now.
    """

    summary: str
    answer: type[Serializer[Any]] | Mapping[str, Any]
    query: type[Serializer[Any]] = NothingQuery
    body: type[Serializer[Any]] | None = None
    missing: bool = False
    over: bool = False
    example: Mapping[str, Any] | None = None


def operation(described: Operation) -> Callable[[Handler], Handler]:
    """Declares what a handler takes and answers."""

    def declare(handler: Handler) -> Handler:
        handler.operation = described  # type: ignore[attr-defined]
        return handler

    return declare


class ApiView(APIView):
    """Authentication, roles, limits, strict input and problem documents, the same for every address.

    `query` and `body` are the request's checked parameters and body, by name; `roles` is the role that a
    method needs where it is not `reader`.
    """

    authentication_classes = (BearerToken, Session)
    permission_classes = (HasRole,)
    throttle_classes = (PerToken,)
    parser_classes = (JsonParser,)
    renderer_classes = (JsonRenderer,)
    content_negotiation_class = Negotiation
    versioning_class = None
    metadata_class = None
    schema = ApiSchema()

    roles: ClassVar[Mapping[str, Role]] = {}
    query: Mapping[str, Any] = {}
    body: Mapping[str, Any] = {}

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Outside ATOMIC_REQUESTS: a wish must be committed before anyone waits for it to be obeyed."""
        view = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def get_format_suffix(self, **kwargs: Any) -> None:
        return None

    def get_exception_handler(self) -> Any:
        return problems.handle

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        handler = getattr(self, (request.method or "").lower(), None)
        declared: Operation | None = getattr(handler, "operation", None)
        if declared is None:
            return
        self.query = _checked(declared.query, _single(request))
        if declared.body is not None:
            self.body = request.data  # type: ignore[assignment]  # the parser takes objects only
            self.body = _checked(declared.body, request.data)

    def options(  # type: ignore[override]  # DRF hands its own request to handlers
        self, request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        return Response(status=204)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        result = super().finalize_response(request, response, *args, **kwargs)
        for name, value in HEADERS.items():
            result.headers.setdefault(name, value)
        return result


class NoSuchAddress(ApiView):
    """Whatever else is asked for under the API."""

    def http_method_not_allowed(  # type: ignore[override]
        self, request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        detail = f"there is nothing at {request.path}"
        if not request.path.endswith("/"):
            detail += "; every address of the API ends with a slash"
        return problems.Problem(problems.KIND["not-found"], detail).response()

    options = http_method_not_allowed


def plain(content: bytes | str, content_type: str) -> HttpResponse:
    """An answer that is not rendered as JSON."""
    return HttpResponse(content, content_type=content_type)


def _single(request: Request) -> dict[str, str]:
    """The query string's parameters; one that stands twice is a mistake."""
    twice = [name for name, values in request.query_params.lists() if len(values) > 1]
    if twice:
        raise ValidationError({name: ["given more than once"] for name in twice})
    return request.query_params.dict()


def _checked(kind: type[Serializer[Any]], data: Any) -> Mapping[str, Any]:
    serializer = kind(data=data)
    serializer.is_valid(raise_exception=True)
    checked: Mapping[str, Any] = serializer.validated_data
    return checked
