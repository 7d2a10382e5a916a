"""Who is asking: a Bearer token, or the signed-in session with CSRF. And what they may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from django.contrib.auth.models import AbstractBaseUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from dbvigil.api import throttling, tokens

Role = Literal["reader", "staff", "recoverer", "superuser"]

ROLES: Mapping[Role, Callable[[Any], bool]] = {
    "reader": lambda user: bool(user.is_active),
    "staff": lambda user: bool(user.is_active and (user.is_staff or user.is_superuser)),
    "recoverer": lambda user: bool(user.is_active and user.has_perm("dbvigil.recover_database")),
    "superuser": lambda user: bool(user.is_active and user.is_superuser),
}
"""What each role asks of a user. A superuser has every permission."""


class BearerToken(BaseAuthentication):
    """`Authorization: Bearer dbvigil_…`.

    A request that sends a token stands by it: the session's cookie is not looked at.
    """

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, Any] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        row = None
        if len(parts) == 2:
            row = tokens.find(parts[1].decode("ascii", "replace"), datetime.now(UTC))
        if row is None:
            # Only failures are counted, so nobody can lock a valid token out from a shared address.
            throttling.count_failed_token(request)
            raise AuthenticationFailed("the token is unknown, expired or revoked, or its user is not active")
        return row.user, row

    def authenticate_header(self, request: Request) -> str:
        if get_authorization_header(request):
            return 'Bearer realm="dbvigil", error="invalid_token"'
        return 'Bearer realm="dbvigil"'


class Session(SessionAuthentication):
    """The signed-in session; methods that change something need its CSRF token in `X-CSRFToken`."""


class HasRole(BasePermission):
    """The user has the role that the view's `roles` asks for the method, `reader` for all others."""

    message = "this needs a user with a higher role"

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        if user is None or not user.is_authenticated:
            return False
        role: Role = getattr(view, "roles", {}).get(request.method, "reader")
        return ROLES[role](user)


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = BearerToken
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "dbvigil_ and 64 hexadecimal digits",
            "description": "A token made with `manage.py dbvigil_token create USER` or in the admin.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = Session
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        from django.conf import settings  # noqa: PLC0415 - read when asked, tests change it

        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The signed-in session. Changes also need its CSRF token in `X-CSRFToken`.",
        }
