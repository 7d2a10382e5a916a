"""Alert channels that superusers make here. Their URLs and secrets can be set, and are never shown."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from dbvigil.alerting import own_channels
from dbvigil.alerting.service import get_database_alerting
from dbvigil.errors import AlertError
from dbvigil.models import AlertChannel

_SECRET = {"size": 60, "autocomplete": "off"}


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """A channel that is made, or changed: what is left empty then stays as it is."""

    url = forms.CharField(
        label="URL",
        max_length=own_channels.LONGEST_URL,
        required=False,
        widget=forms.PasswordInput(attrs=_SECRET),
        help_text="Where it leads: a public address, or one in DB_ALERT_ALLOWED_NETWORKS. Not shown again.",
    )
    secret = forms.CharField(
        max_length=200,
        required=False,
        widget=forms.PasswordInput(attrs=_SECRET),
        help_text="For a webhook: whsec_ and 24 to 64 bytes in base64. Empty sends unsigned. Not shown again.",
    )

    class Meta:
        model = AlertChannel
        fields = ("name", "kind", "url", "secret", "active")
        widgets = {"kind": forms.Select(choices=[(kind, kind) for kind in own_channels.KINDS])}  # noqa: RUF012 - Django's own declaration

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            if self.instance.pk is None:
                own_channels.check_new(**{name: cleaned[name] for name in ("name", "kind", "url", "secret")})
            else:
                own_channels.check_change(self.instance.kind, self.wanted())
        except AlertError as error:
            self.add_error(error.field if error.field in self.fields else None, error.detail)
        return cleaned

    def wanted(self) -> own_channels.Change:
        """What is to be changed about a channel that is there."""
        given = self.cleaned_data
        return own_channels.Change(given["url"] or None, given["secret"] or None, given["active"])


@admin.register(AlertChannel)
class ChannelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """For superusers: a channel sees every alert of every database."""

    form = ChannelForm
    list_display = ("name", "kind", "active", "created_by", "created_at", "changed_by", "changed_at")
    ordering = ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name", "kind") if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        board, user, given = (
            get_database_alerting().switchboard,
            request.user.get_username(),
            form.cleaned_data,
        )
        if change:
            board.change(obj.name, form.wanted(), user=user)
        else:
            board.add(obj.name, obj.kind, given["url"], given["secret"], active=given["active"], user=user)
        # What the admin goes on with is the row that alerting has written.
        stored = AlertChannel.objects.get(name=obj.name)
        for field in AlertChannel._meta.concrete_fields:
            setattr(obj, field.attname, getattr(stored, field.attname))

    def delete_model(self, request: HttpRequest, obj: AlertChannel) -> None:
        get_database_alerting().switchboard.remove(obj.name, user=request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AlertChannel]) -> None:
        for row in queryset:
            self.delete_model(request, row)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    has_add_permission = has_module_permission
    has_change_permission = has_delete_permission = has_view_permission


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)
