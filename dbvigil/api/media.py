"""JSON in, JSON out: stricter than the framework's own, and the same in every host project."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.http.request import HttpRequest
from rest_framework.exceptions import NotAcceptable, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.utils.mediatypes import media_type_matches

from dbvigil.api.problems import MEDIA_TYPE, BodyTooLarge

MAX_BODY_BYTES = 64 * 1024


class JsonRenderer(BaseRenderer):
    """UTF-8 JSON. A NaN or infinity is a fault and raises; it never reaches a client as invalid JSON."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        # ASCII, because a name that a server gave may hold what UTF-8 cannot.
        return json.dumps(data, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


class JsonParser(BaseParser):
    """Strict JSON: one object, UTF-8, no NaN or infinity, no key twice, no lone surrogate, at most 64 KiB."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        declared = getattr(stream, "META", {}).get("CONTENT_LENGTH") or 0
        if int(declared) > MAX_BODY_BYTES:
            raise BodyTooLarge
        raw = stream.read(MAX_BODY_BYTES + 1)
        if len(raw) > MAX_BODY_BYTES:
            raise BodyTooLarge
        try:
            data = json.loads(
                raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_float=_float
            )
            json.dumps(data, ensure_ascii=False).encode("utf-8")
        except (ValueError, RecursionError) as error:
            raise ParseError(f"the body is not JSON that can be used: {_reason(error)}") from None
        if not isinstance(data, dict):
            raise ParseError("the body is not a JSON object")
        return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.lower()} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError | UnicodeEncodeError):
        return "it is not UTF-8 text"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error)


class Negotiation(BaseContentNegotiation):
    """By `Accept` alone. The framework's `?format=` is a host setting and would answer 404 to a stray one."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        return next(
            (parser for parser in parsers if media_type_matches(parser.media_type, request.content_type)),
            None,
        )

    def select_renderer(
        self,
        request: HttpRequest | Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        offered = tuple(renderers)
        accepted = [entry.strip() for entry in request.headers.get("Accept", "*/*").split(",")]
        for renderer in offered:
            for entry in accepted:
                if _matches(entry, renderer.media_type) or _matches(entry, MEDIA_TYPE):
                    return renderer, renderer.media_type
        names = ", ".join(renderer.media_type for renderer in offered)
        raise NotAcceptable(f"this address answers with {names}")


class AnyAccept(Negotiation):
    """For answers that choose their own form and never fail on it."""

    def select_renderer(
        self,
        request: HttpRequest | Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type


def accepts(request: HttpRequest | Request, media_type: str) -> bool:
    """Whether `Accept` names this very type, wildcards left aside."""
    entries = request.headers.get("Accept", "").split(",")
    return any(entry.split(";")[0].strip().lower() == media_type and not _refused(entry) for entry in entries)


def _matches(entry: str, media_type: str) -> bool:
    name = entry.split(";", maxsplit=1)[0].strip().lower()
    return not _refused(entry) and name in (
        "*/*",
        "*",
        media_type,
        f"{media_type.split('/', maxsplit=1)[0]}/*",
    )


def _refused(entry: str) -> bool:
    """`;q=0` means: not this one."""
    for parameter in entry.split(";")[1:]:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            return value.strip().rstrip("0").rstrip(".") == ""
    return False
