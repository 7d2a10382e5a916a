"""Every error as a problem document (RFC 9457): what went wrong, in one shape, for programs and people."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import Error as ServiceDatabaseError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response

from dbvigil.backups.errors import BackupError
from dbvigil.errors import (
    AlertError,
    ConfigurationError,
    HistoryError,
    MonitorError,
    RecoveryError,
    RecoveryRefused,
    UnknownAlert,
    UnknownChannel,
    UnknownDatabase,
    UnknownMetric,
    UnknownSuppression,
    UnknownThreshold,
    UnknownWindow,
)

logger = logging.getLogger("dbvigil.api")

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its name (the end of its `type`), status, title, and when it is answered."""

    name: str
    status: int
    title: str
    when: str

    @property
    def type(self) -> str:
        """The problem's stable identifier: it does not change with the place where the API is mounted."""
        return f"urn:dbvigil:problem:{self.name}"


KINDS: tuple[Kind, ...] = (
    Kind(
        "invalid-value",
        400,
        "Invalid value",
        "A value, key or parameter cannot be used; `errors` names each.",
    ),
    Kind("malformed-request", 400, "Malformed request", "The request or its JSON cannot be read."),
    Kind(
        "not-authenticated",
        401,
        "Not signed in",
        "No credentials, or a token that is unknown, expired or revoked.",
    ),
    Kind(
        "forbidden",
        403,
        "Not allowed",
        "The user's role does not allow it, or a session request lacks its CSRF token.",
    ),
    Kind("not-found", 404, "Not found", "There is nothing at this address."),
    Kind("unknown-database", 404, "Unknown database", "No monitored database has this alias."),
    Kind("unknown-alert", 404, "Unknown alert", "There is no alert with this number."),
    Kind("unknown-suppression", 404, "Unknown suppression", "There is no suppression with this number."),
    Kind("unknown-channel", 404, "Unknown channel", "No channel that was made here has this name."),
    Kind("unknown-threshold", 404, "Unknown threshold", "Nobody has set this threshold."),
    Kind("unknown-window", 404, "Unknown window", "There is no maintenance window with this number."),
    Kind(
        "method-not-allowed",
        405,
        "Method not allowed",
        "The address does not take this method; `Allow` lists those it takes.",
    ),
    Kind("not-acceptable", 406, "Not acceptable", "`Accept` leaves out what the address can answer with."),
    Kind("already-over", 409, "Over already", "The alert is resolved, or the suppression has ended."),
    Kind(
        "recovery-refused",
        409,
        "Recovery refused",
        "The action is switched off, is cooling down, or has reached its bounds; `Retry-After` says when it may.",
    ),
    Kind(
        "no-backup-now",
        409,
        "No backup now",
        "One of this database is under way, or the scheduler is off.",
    ),
    Kind("body-too-large", 413, "Body too large", "The body is larger than 64 KiB."),
    Kind("unsupported-media-type", 415, "Unsupported media type", "The body is not `application/json`."),
    Kind(
        "too-many-requests",
        429,
        "Too many requests",
        "The token or user has used its share; try again after `Retry-After` seconds.",
    ),
    Kind("internal-error", 500, "Internal error", "A fault of the service; its log has the cause."),
    Kind(
        "monitor-not-answering",
        503,
        "The monitor does not answer",
        "The monitor did not do in time what was asked.",
    ),
    Kind(
        "misconfigured",
        503,
        "Wrong configuration",
        "A setting of the service cannot be used; `detail` names it.",
    ),
    Kind(
        "service-database-unavailable",
        503,
        "Service database unavailable",
        "The service's own database cannot be used.",
    ),
)

KIND: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}

_UNKNOWN: Mapping[type[AlertError], str] = {
    UnknownAlert: "unknown-alert",
    UnknownChannel: "unknown-channel",
    UnknownSuppression: "unknown-suppression",
    UnknownThreshold: "unknown-threshold",
    UnknownWindow: "unknown-window",
}

_BY_STATUS: Mapping[int, Kind] = {
    **{kind.status: kind for kind in reversed(KINDS)},
    400: KIND["malformed-request"],
}


class BodyTooLarge(exceptions.APIException):
    """The request's body is over the limit."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = "the body is larger than 64 KiB"
    default_code = "body_too_large"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: its kind, what is particular about it, messages by field, and headers that go with it."""

    kind: Kind
    detail: str
    errors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": self.kind.type,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = {name: list(messages) for name, messages in self.errors.items()}
        return body

    def response(self) -> Response:
        return Response(self.to_dict(), self.kind.status, headers=dict(self.headers), content_type=MEDIA_TYPE)


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler: every exception becomes a problem; a fault of ours is logged, not told."""
    problem = describe(error, getattr(context.get("view"), "body", {}))
    if problem.kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s: %s", problem.kind.title, error, exc_info=error)
    if problem.kind.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        got_request_exception.send(sender=type(context.get("view")), request=context.get("request"))
    return problem.response()


def describe(error: Exception, body: Mapping[str, object]) -> Problem:
    """The problem that `error` is to a client.

    `body` is what it sent: a wrong value of that is its mistake, any other is a setting of the service.
    """
    match error:
        case exceptions.ValidationError():
            return _invalid(_flatten(error.detail))
        case UnknownDatabase():
            return Problem(KIND["unknown-database"], str(error), {"database": [str(error)]})
        case UnknownMetric():
            return _invalid({"metric": [str(error)]})
        case HistoryError() | AlertError() | RecoveryError():
            return _at_field(error)
        case ConfigurationError() if error.field in body:
            return _invalid({error.field: [f"{error.given!r} is not allowed; {error.allowed}"]})
        case ConfigurationError():
            return Problem(KIND["misconfigured"], str(error))
        case BackupError():
            return Problem(KIND["no-backup-now"], str(error))
        case MonitorError():
            return _later("monitor-not-answering", str(error))
        case ServiceDatabaseError():
            return _later(
                "service-database-unavailable",
                "the service's own database cannot be used now; its log has the cause",
            )
        case Http404() | PermissionDenied() | SuspiciousOperation() | UnreadablePostError():
            return _from_django(error)
        case exceptions.APIException() if error.status_code in _BY_STATUS:
            return _from_framework(error)
    return Problem(KIND["internal-error"], "the service made a mistake; its log has the cause")


def _later(name: str, detail: str) -> Problem:
    return Problem(KIND[name], detail, headers={"Retry-After": str(RETRY_SECONDS)})


def _invalid(errors: Mapping[str, Sequence[str]]) -> Problem:
    detail = "; ".join(f"{name}: {' '.join(messages)}" for name, messages in errors.items())
    return Problem(KIND["invalid-value"], detail, errors)


def _at_field(error: HistoryError | AlertError | RecoveryError) -> Problem:
    errors = {error.field: [error.detail]}
    if isinstance(error, RecoveryRefused):
        wait = error.retry_seconds
        headers = {} if wait is None else {"Retry-After": f"{max(1.0, wait):.0f}"}
        return Problem(KIND["recovery-refused"], error.detail, errors, headers)
    for kind, name in _UNKNOWN.items():
        if isinstance(error, kind):
            return Problem(KIND[name], error.detail, errors)
    if error.field in ("alert_id", "suppression_id"):
        return Problem(KIND["already-over"], error.detail, errors)
    return _invalid(errors)


def _from_django(error: Exception) -> Problem:
    match error:
        case Http404():
            return Problem(KIND["not-found"], "there is nothing at this address")
        case PermissionDenied():
            return Problem(KIND["forbidden"], "this is not allowed")
    return Problem(KIND["malformed-request"], "the request cannot be read")


def _from_framework(error: exceptions.APIException) -> Problem:
    headers: dict[str, str] = {}
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    wait = getattr(error, "wait", None)
    if wait is not None:
        headers["Retry-After"] = f"{wait:.0f}"
    return Problem(_BY_STATUS[error.status_code], str(error.detail), headers=headers)


def _flatten(detail: object) -> dict[str, list[str]]:
    """Messages by the top-level field they belong to."""
    if isinstance(detail, Mapping):
        return {str(name): _messages(value) for name, value in detail.items()}
    return {"body": _messages(detail)}


def _messages(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [message for nested in value.values() for message in _messages(nested)]
    if isinstance(value, list | tuple):
        return [message for nested in value for message in _messages(nested)]
    return [str(value)]
