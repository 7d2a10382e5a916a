"""API tokens: superusers make and revoke them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import knox.admin  # noqa: F401 - it registers its own admin, which must be there to be replaced
from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from knox.models import get_token_model

from dbvigil.api import tokens

AuthToken = get_token_model()


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """Whom the token acts for, and for how long."""

    days = forms.FloatField(
        min_value=1,
        max_value=tokens.MOST_DAYS,
        initial=tokens.DEFAULT_DAYS,
        help_text="How many days it is valid.",
    )

    class Meta:
        model = AuthToken
        fields = ("user",)


class TokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Superusers make and revoke tokens; nobody changes one, and nobody sees one twice."""

    form = TokenForm
    list_display = ("key", "user", "created", "expiry")
    list_select_related = ("user",)
    ordering = ("-created",)
    raw_id_fields = ("user",)

    @admin.display(description="token", ordering="token_key")
    def key(self, row: Any) -> str:
        return f"{row.token_key}…"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(token_key__startswith=tokens.PREFIX)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        row, token = tokens.create(obj.user, datetime.now(UTC), form.cleaned_data["days"])
        obj.pk, obj.token_key, obj.created, obj.expiry = row.pk, row.token_key, row.created, row.expiry
        self.message_user(request, f"The token, shown only now: {token}", messages.WARNING)

    # A token acts with its user's role, so whoever makes one for another user could rise above their own.

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


# A host project that lists knox has tokens of its own, and its admin for them stays.
if getattr(apps.get_app_config("dbvigil"), "brings_knox", False):
    admin.site.unregister(AuthToken)
    admin.site.register(AuthToken, TokenAdmin)
