"""What clients may send: the same classes check a request and describe it in the schema."""

from __future__ import annotations

from dbvigil.api.fields import Choice, CommaList, Number, QueryNumber, Resolution, Strict, Text
from dbvigil.catalogue import NUMERIC

MAX_HISTORY_HOURS = 400 * 24
MAX_ALIAS = 100
LEVEL_LIMIT = 1e15
ACTIONS = ("start", "stop", "restart", "collect")


class NothingQuery(Strict):
    """No parameters: a misspelt one is told, not passed over."""


class MetricsQuery(Strict):
    database = Text(
        required=False, max_length=MAX_ALIAS, help_text="Only this database; all where it is left out."
    )


class HistoryQuery(Strict):
    hours = QueryNumber(
        required=False,
        default=24.0,
        min_value=0.01,
        max_value=MAX_HISTORY_HOURS,
        help_text="How far back, in hours.",
    )
    metric = CommaList(
        NUMERIC,
        required=False,
        help_text="Names separated by commas; every numeric metric where it is left out.",
    )
    resolution = Resolution(
        required=False,
        default=None,
        help_text="Seconds between two points; `auto` chooses for about 500 points.",
    )


class ThresholdQuery(Strict):
    """Which threshold that was set goes back to what the settings say."""

    metric = Choice(choices=NUMERIC, help_text="A metric of the catalogue that is a number.")
    database = Text(
        required=False,
        max_length=MAX_ALIAS,
        help_text="The one of this database; that of every database otherwise.",
    )


class ThresholdBody(Strict):
    """Levels of one metric. A level of null is switched off; at least one of the two is a number."""

    metric = Choice(choices=NUMERIC, help_text="A metric of the catalogue that is a number.")
    warning = Number(
        allow_null=True,
        min_value=-LEVEL_LIMIT,
        max_value=LEVEL_LIMIT,
        help_text="Worth a warning from here on.",
    )
    critical = Number(
        allow_null=True,
        min_value=-LEVEL_LIMIT,
        max_value=LEVEL_LIMIT,
        help_text="Critical from here on: at least `warning` where high is bad, at most where low is bad.",
    )
    database = Text(
        required=False,
        allow_null=True,
        max_length=MAX_ALIAS,
        help_text="Only for this database; for every database where it is left out or null.",
    )


class ControlBody(Strict):
    """What the monitor shall do, wherever it runs."""

    action = Choice(
        choices=ACTIONS,
        help_text="`start` and `stop` the monitor; `restart` drops its connections and reads its settings "
        "again; `collect` takes a sample of every database now.",
    )
    interval = Number(
        required=False,
        min_value=1,
        max_value=86_400,
        help_text="Seconds between two samples of one target from now on, whatever the action.",
    )
