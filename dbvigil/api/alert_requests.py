"""What clients may send about alerts."""

from __future__ import annotations

from dbvigil.alerting.quieting import LONGEST_NOTE
from dbvigil.alerting.service import LONGEST_HOURS, LONGEST_SUPPRESSION_MINUTES
from dbvigil.alerting.windows import LONGEST_NAME, LONGEST_SCHEDULE, LONGEST_ZONE
from dbvigil.alerts.quiet import LONGEST_WINDOW_MINUTES
from dbvigil.api.fields import Choice, Flag, Number, QueryNumber, QueryWhole, Strict, Text, Texts, Whole
from dbvigil.api.requests import MAX_ALIAS

SEVERITIES = ("warning", "critical")
OPEN_STATUSES = ("firing", "acknowledged", "suppressed")
LARGEST_ID = 2**63 - 1
LONGEST_METRIC = 100
MOST_CHANNELS = 100


class AlertsQuery(Strict):
    database = Text(required=False, max_length=MAX_ALIAS, help_text="Only this database's.")
    severity = Choice(choices=SEVERITIES, required=False, help_text="Only alerts of this severity.")
    status = Choice(choices=OPEN_STATUSES, required=False, help_text="Only alerts that stand so.")


class AlertHistoryQuery(Strict):
    hours = QueryNumber(
        required=False,
        default=24.0,
        min_value=0.01,
        max_value=LONGEST_HOURS,
        help_text="Alerts that were open at any time in the last so many hours.",
    )
    database = Text(required=False, max_length=MAX_ALIAS, help_text="Only this database's.")
    page = QueryWhole(
        required=False,
        default=1,
        min_value=1,
        max_value=1_000_000,
        help_text="50 alerts a page, newest first.",
    )


class AcknowledgeBody(Strict):
    """Who asks takes the alert up: it is escalated no further."""

    alert_id = Whole(min_value=1, max_value=LARGEST_ID, help_text="The alert's `id`.")
    note = Text(
        required=False,
        default="",
        allow_blank=True,
        max_length=LONGEST_NOTE,
        help_text="For whoever reads the alert next.",
    )


class SuppressBody(Strict):
    """Nothing is sent about this for so long."""

    database = Text(
        allow_null=True,
        allow_blank=True,
        max_length=MAX_ALIAS,
        help_text="Alias of the database; null or empty for every database, which only superusers may.",
    )
    metric = Text(
        required=False,
        default="",
        allow_null=True,
        allow_blank=True,
        max_length=LONGEST_METRIC,
        help_text="What the alerts are about: a metric that is a number, the name of a rule (`up`), or what an alert "
        "has carried; null or empty for every metric.",
    )
    duration_minutes = Number(
        min_value=0.01, max_value=LONGEST_SUPPRESSION_MINUTES, help_text="After that it ends by itself."
    )
    reason = Text(
        required=False, default="", allow_blank=True, max_length=LONGEST_NOTE, help_text="Kept on record."
    )


class SuppressEndBody(Strict):
    """Ends a suppression before its time."""

    suppression_id = Whole(min_value=1, max_value=LARGEST_ID, help_text="As POST `alerts/suppress/` gave it.")


def _window_name(*, required: bool) -> Text:
    return Text(required=required, max_length=LONGEST_NAME, help_text="Its name; there is no other of it.")


def _window_schedule(*, required: bool) -> Text:
    return Text(
        required=required,
        max_length=LONGEST_SCHEDULE,
        help_text="When it begins, as a cron expression of five fields: `0 3 * * 0` is Sundays at three.",
    )


def _window_zone(*, required: bool) -> Text:
    return Text(
        required=required,
        max_length=LONGEST_ZONE,
        help_text="Whose clock the schedule is read by, such as `Europe/Berlin`.",
    )


def _window_minutes(*, required: bool) -> Whole:
    return Whole(
        required=required, min_value=1, max_value=LONGEST_WINDOW_MINUTES, help_text="How long it lasts."
    )


class WindowChangeBody(Strict):
    """What is to be different about a window; what is left out stays."""

    name = _window_name(required=False)
    database = Text(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=MAX_ALIAS,
        help_text="Alias of the database; null or empty for every database.",
    )
    metric = Text(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=LONGEST_METRIC,
        help_text="What the alerts are about, as in `alerts/suppress/`; null or empty for every metric.",
    )
    schedule = _window_schedule(required=False)
    time_zone = _window_zone(required=False)
    minutes = _window_minutes(required=False)
    reason = Text(
        required=False,
        allow_blank=True,
        max_length=LONGEST_NOTE,
        help_text="For whoever wonders at the silence.",
    )
    active = Flag(required=False, help_text="False switches it off without removing it.")


class WindowBody(WindowChangeBody):
    """Nothing is sent about this for `minutes` from each time that the schedule comes about."""

    name = _window_name(required=True)
    schedule = _window_schedule(required=True)
    time_zone = _window_zone(required=True)
    minutes = _window_minutes(required=True)


class TestChannelsBody(Strict):
    """Which channels are tested."""

    channels = Texts(
        required=False,
        min_length=1,
        max_length=MOST_CHANNELS,
        help_text="Names of channels; all that are configured where it is left out.",
    )
