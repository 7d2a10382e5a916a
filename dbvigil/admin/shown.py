"""What the admin only shows: changes go through the monitor and alerting, which check them and keep them on record."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from dbvigil.models import AuditEvent, ChannelState, Delivery, Episode, StoredThreshold


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Rows that nobody adds, changes or removes here."""

    # A count over a large table takes longer than the page.
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(StoredThreshold)
class ThresholdAdmin(ReadOnlyAdmin):
    list_display = ("metric", "database", "warning", "critical", "changed_by", "changed_at")
    list_filter = ("database",)
    ordering = ("metric", "database")


@admin.register(Episode)
class EpisodeAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "severity",
        "database",
        "metric",
        "message",
        "started_at",
        "acknowledged_by",
        "resolved_at",
    )
    list_filter = ("severity", "database")
    search_fields = ("database", "metric", "message")
    ordering = ("-id",)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("id", "at", "event", "actor", "episode")
    list_filter = ("event",)
    list_select_related = ("episode",)
    search_fields = ("actor",)
    ordering = ("-id",)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("id", "type", "channel", "status", "attempts", "due_at", "sent_at", "error")
    list_filter = ("status", "channel")
    ordering = ("-id",)


@admin.register(ChannelState)
class ChannelStateAdmin(ReadOnlyAdmin):
    list_display = ("name", "last_sent_at", "failing_since", "disabled_at", "last_error")
    ordering = ("name",)
