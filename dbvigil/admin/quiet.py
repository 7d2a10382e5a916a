"""What keeps alerts quiet: maintenance windows and suppressions. They go through alerting, so that they are checked and on record."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from dbvigil.alerting import names, windows
from dbvigil.alerting.quieting import LONGEST_NOTE
from dbvigil.alerting.service import LONGEST_SUPPRESSION_MINUTES, get_database_alerting
from dbvigil.errors import AlertError, DbvigilError
from dbvigil.models import MaintenanceWindow, Suppression
from dbvigil.monitoring import get_database_monitor

_EVERYTHING = "only superusers keep every database quiet; name one"


class SubjectForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """Something about a database and a metric, each left empty for every one. `may_all`: the user may leave the database empty."""

    may_all = False

    def clean_database(self) -> str:
        database = str(self.cleaned_data["database"])
        if not database and not self.may_all:
            raise forms.ValidationError(_EVERYTHING)
        if database:
            _checked(names.check_database, database, get_database_monitor().databases())
        return database

    def clean_metric(self) -> str:
        metric = str(self.cleaned_data["metric"])
        if metric:
            _checked(names.check_metric, metric)
        return metric


def _checked(check: Any, *given: object) -> None:
    try:
        check(*given)
    except DbvigilError as error:
        raise forms.ValidationError(str(error)) from error


class WindowForm(SubjectForm):
    """A maintenance window."""

    class Meta:
        model = MaintenanceWindow
        fields = ("name", "database", "metric", "schedule", "time_zone", "minutes", "reason", "active")
        help_texts = {  # noqa: RUF012 - Django's own declaration
            "database": "Alias; empty for every database.",
            "metric": "Empty for every metric.",
            "schedule": "When it begins, as a cron expression: 0 3 * * 0 is Sundays at three.",
            "time_zone": "Whose clock that is, such as Europe/Berlin.",
            "minutes": "How long it lasts.",
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        wrong = windows.faults(
            cast(windows.Values, cleaned), get_database_monitor().databases(), self.instance.pk
        )
        for field, error in wrong.items():
            self.add_error(field, _words(error))
        return cleaned


class SuppressionForm(SubjectForm):
    """A suppression that begins now."""

    minutes = forms.FloatField(
        min_value=1,
        max_value=LONGEST_SUPPRESSION_MINUTES,
        initial=60,
        help_text="After that it ends by itself.",
    )

    class Meta:
        model = Suppression
        fields = ("database", "metric", "reason")
        help_texts = WindowForm.Meta.help_texts

    def clean_reason(self) -> str:
        return str(self.cleaned_data["reason"])[:LONGEST_NOTE]


class SubjectAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Tells the form whether its user may leave the database empty."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"may_all": _is_superuser(request)})


@admin.register(MaintenanceWindow)
class WindowAdmin(SubjectAdmin):
    form = WindowForm
    list_display = ("name", "database", "metric", "schedule", "time_zone", "minutes", "active", "created_by")
    list_filter = ("active",)
    ordering = ("name",)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except DbvigilError as error:
            # Somebody else was faster since the form was checked.
            self.message_user(request, _words(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        alerting, user = get_database_alerting(), request.user.get_username()
        values = cast(windows.Values, {field: form.cleaned_data[field] for field in windows.FIELDS})
        databases = get_database_monitor().databases()
        if change:
            alerting.change_window(obj.pk, values, databases, user)
        else:
            made = alerting.add_window(values, databases, user)
            _become(obj, MaintenanceWindow.objects.get(pk=made["window_id"]))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        get_database_alerting().remove_window(obj.pk, request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[MaintenanceWindow]) -> None:
        for row in queryset:
            self.delete_model(request, row)


@admin.register(Suppression)
class SuppressionAdmin(SubjectAdmin):
    """Made and ended, never changed or removed."""

    form = SuppressionForm
    list_display = ("id", "database", "metric", "until", "reason", "created_by", "created_at", "ended_by")
    ordering = ("-id",)
    actions = ("end",)

    @admin.action(description="End the selected suppressions now", permissions=["add"])
    def end(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        for row in queryset:
            if not row.database and not _is_superuser(request):
                self.message_user(request, f"suppression {row.id}: {_EVERYTHING}", messages.ERROR)
                continue
            try:
                get_database_alerting().end_suppression(row.id, request.user.get_username())
            except AlertError as error:
                self.message_user(request, error.detail, messages.WARNING)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made = get_database_alerting().suppress_alert(
            obj.database, obj.metric, form.cleaned_data["minutes"], obj.reason, request.user.get_username()
        )
        _become(obj, Suppression.objects.get(pk=made["suppression_id"]))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _words(error: DbvigilError) -> str:
    """What is wrong, without the field's name where the form shows it."""
    return error.detail if isinstance(error, AlertError) else str(error)


def _become(obj: Any, stored: Any) -> None:
    """What the admin goes on with is the row that alerting has written."""
    for field in stored._meta.concrete_fields:
        setattr(obj, field.attname, getattr(stored, field.attname))


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)
