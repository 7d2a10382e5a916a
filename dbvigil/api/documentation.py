"""`schema/` for programs and `docs/` for people: one description, as OpenAPI and as a page without script."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.template import Context, Engine
from django.urls import reverse
from drf_spectacular.renderers import OpenApiYamlRenderer
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from dbvigil.api import reference
from dbvigil.api.base import ApiView, Operation, operation, plain
from dbvigil.api.media import AnyAccept, accepts
from dbvigil.api.openapi import describe

YAML_TYPES = ("application/yaml", "application/vnd.oai.openapi", "text/yaml")

# An engine of our own: the host project's may load no app templates, or be another language.
_ENGINE = Engine(dirs=[str(Path(__file__).parents[1] / "templates" / "dbvigil" / "api")])
_STYLE = _ENGINE.get_template("docs.css").render(Context())
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _prefix(request: Request) -> str:
    """Where the API is mounted, as this request sees it."""
    match = request.resolver_match
    assert match is not None  # noqa: S101 - a view is only reached through the resolver
    return reverse(f"{match.namespace}:health").removesuffix("health/")


class SchemaView(ApiView):
    """This description: OpenAPI 3.1, as JSON, or as YAML where `Accept` asks for `application/yaml`."""

    content_negotiation_class = AnyAccept

    @operation(Operation("Schema", {"type": "object", "additionalProperties": {}}))
    def get(self, request: Request) -> HttpResponseBase:
        document = describe(_prefix(request))
        if any(accepts(request, media_type) for media_type in YAML_TYPES):
            return plain(_as_yaml(_prefix(request)), "application/yaml")
        return Response(document)


@lru_cache(maxsize=8)
def _as_yaml(prefix: str) -> str:
    rendered: bytes = OpenApiYamlRenderer().render(describe(prefix), renderer_context={})
    return rendered.decode()


class DocsView(ApiView):
    """The reference page. A browser that is not signed in is shown where to do so."""

    content_negotiation_class = AnyAccept

    def get(self, request: Request) -> HttpResponseBase:
        prefix = _prefix(request)
        host = f"{request.scheme}://{request.get_host()}"
        return _page("docs.html", {"page": reference.page(describe(prefix), host), "prefix": prefix})

    def handle_exception(self, exc: Exception) -> Any:
        answer = super().handle_exception(exc)
        if not isinstance(exc, NotAuthenticated | AuthenticationFailed) or not accepts(
            self.request, "text/html"
        ):
            return answer
        page = _page("sign_in.html", {"login": resolve_url(settings.LOGIN_URL), "here": self.request.path})
        page.status_code = answer.status_code
        page["WWW-Authenticate"] = answer["WWW-Authenticate"]
        return page


def _page(name: str, values: dict[str, Any]) -> HttpResponse:
    content = _ENGINE.get_template(name).render(Context({**values, "style": _STYLE}))
    page = plain(content, "text/html; charset=utf-8")
    page["Content-Security-Policy"] = _POLICY
    return page
