"""Typed settings: their defaults, where each value comes from, and what is wrong with it.

Values come from Django's settings. The stand-alone site lets an environment variable of the same name
override each: its settings module calls `from_environment`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings as django_settings

from dbvigil import targets
from dbvigil.catalogue import metric
from dbvigil.conf import accounts, alerts, backups, recovery, thresholds
from dbvigil.conf.alerts import AlertSettings
from dbvigil.conf.backups import BackupSettings
from dbvigil.conf.recovery import RecoverySettings
from dbvigil.conf.thresholds import LEVELS, Configured, check_levels
from dbvigil.conf.values import (
    boolean,
    check_interval,
    check_level,
    days,
    history_url,
    level,
    mask_url,
    mask_urls,
    sandbox_url,
    targets_urls,
)
from dbvigil.errors import ConfigurationError

__all__ = [
    "SETTINGS",
    "AlertSettings",
    "BackupSettings",
    "Configuration",
    "Configured",
    "Setting",
    "check_interval",
    "check_level",
    "check_levels",
    "from_environment",
    "load",
    "problems",
]


@dataclass(frozen=True, slots=True)
class Setting:
    """One Django setting.

    Its default, how its value is read (raising `ConfigurationError`), and what it means.
    """

    name: str
    default: Any
    read: Callable[[str, object], Any]
    help: str
    shown: Callable[[Any], Any] | None = None


SETTINGS: tuple[Setting, ...] = (
    Setting("DB_MONITORING_INTERVAL", 30, check_interval, "Seconds between samples of one target."),
    Setting(
        "DB_MONITORING_TARGETS",
        {},
        targets_urls,
        "Targets besides the MySQL aliases in DATABASES; in the environment alias=url pairs separated by spaces.",
        mask_urls,
    ),
    Setting(
        "DB_MONITORING_RETENTION_DAYS", 30, days, "Days that raw samples are kept; rollups stay 400 days."
    ),
    Setting("DB_MONITORING_AUTOSTART", False, boolean, "Start the monitor thread inside the web process."),
    Setting(
        "DB_MONITORING_HISTORY_URL", "", history_url, "Where history is kept; empty for the Django database."
    ),
    Setting(
        "DB_QUERY_REDACTION",
        True,
        boolean,
        "Leave the values out of statements that are stored or shown; switched off, a slow log's samples are shown with theirs.",
    ),
    Setting(
        "DB_QUERY_EXPLAIN",
        True,
        boolean,
        "Ask the monitored servers for the plans of the statements that cost most: EXPLAIN of a SELECT, each every six hours.",
    ),
    Setting(
        "CONNECTION_MONITORING_ENABLED",
        True,
        boolean,
        "Watch the project's own connections in each of its processes, and who holds the servers'.",
    ),
    Setting(
        "DB_SANDBOX_URL",
        "",
        sandbox_url,
        "A server on which indexes may be tried with copied rows; empty: a private one is started on this machine.",
        mask_url,
    ),
    Setting(
        "BACKUP_SCHEDULER_ENABLED",
        False,
        boolean,
        "Run scheduled backups with the server's own tool, and alert on stale or failed ones.",
    ),
    Setting(
        "DB_BACKUP_SCHEDULES",
        {},
        backups.schedules,
        "When which database is backed up, by alias: a cron expression in UTC, or an object with one; in the environment as JSON.",
        backups.shown_schedules,
    ),
    Setting("DB_BACKUP_FOLDER", "", backups.folder, "Where backups are kept: an absolute path."),
    Setting(
        "DB_BACKUP_KEY",
        "",
        backups.key,
        "What new backups are encrypted under, at least 32 random characters; empty: they are not encrypted.",
        alerts.masked,
    ),
    Setting(
        "DB_BACKUP_KEY_FALLBACKS",
        [],
        backups.fallbacks,
        "Former keys, under which older backups are still read; in the environment separated by spaces.",
        backups.masked_keys,
    ),
    Setting(
        "DB_BACKUP_ACCOUNTS",
        {},
        accounts.accounts,
        "Whom a server is backed up as, by alias, where that is not the monitoring account. In the environment alias=url pairs.",
        accounts.shown,
    ),
    *(
        Setting(
            f"{prefix}_{severity.upper()}",
            getattr(metric(name), severity),
            level,
            f"`{name}`: {severity} from this value on.",
        )
        for name, prefix in LEVELS
        for severity in ("warning", "critical")
    ),
    Setting(
        "DB_ALERT_THRESHOLDS",
        {},
        thresholds.wanted,
        "Levels of any metric, by database (`*` for every one) and metric; in the environment as JSON.",
        thresholds.shown_wanted,
    ),
    Setting(
        "DB_ALERT_EMAIL_RECIPIENTS",
        [],
        alerts.recipients,
        "Who gets alerts by e-mail; Django's e-mail settings send it.",
        alerts.masked_addresses,
    ),
    Setting("DB_ALERT_WEBHOOK_URL", "", alerts.url, "Where alerts are posted as JSON.", alerts.masked_url),
    Setting(
        "DB_ALERT_WEBHOOK_SECRET",
        "",
        alerts.secret,
        "What signs them, as Standard Webhooks has it: `whsec_…`.",
        alerts.masked,
    ),
    Setting("DB_ALERT_SLACK_WEBHOOK", "", alerts.url, "Slack's incoming webhook.", alerts.masked_url),
    Setting(
        "DB_ALERT_APPRISE_URLS",
        [],
        alerts.apprise_urls,
        "Any further service, as Apprise URLs; in the environment separated by spaces.",
        alerts.masked_urls,
    ),
    Setting(
        "DB_ALERT_ALLOWED_NETWORKS",
        [],
        alerts.networks,
        "Private networks that a URL set through the API or a page may reach.",
        alerts.shown_networks,
    ),
    Setting(
        "DB_ALERT_ESCALATION",
        None,
        alerts.escalation,
        "Steps: after N minutes unacknowledged, tell these channels (none named: all).",
        alerts.shown_steps,
    ),
    Setting(
        "DB_ALERT_FALLBACK_CHANNEL",
        "",
        alerts.channel,
        "The channel that tells what another could not deliver; empty: the first other one.",
    ),
    Setting(
        "DB_ALERT_BASE_URL",
        "",
        alerts.url,
        "Under which address people reach this site, for links in messages; empty: no links.",
    ),
    Setting(
        "DB_ALERT_HEARTBEAT_URL",
        "",
        alerts.url,
        "Posted to every minute while all is well: a dead-man's switch elsewhere raises the alarm when it is not.",
        alerts.masked_url,
    ),
    Setting(
        "DB_ALERT_RULES",
        {},
        alerts.rules,
        "Changes of the rules that ship, by rule: `enabled`, and in seconds `hold`, `critical_hold`, `keep`.",
    ),
    Setting(
        "DB_ALERT_TEMPLATES",
        {},
        alerts.templates,
        'Words of your own for messages, by part (`subject`, `text`, `html`): a template, or `{"file": path}`.',
        alerts.shown_templates,
    ),
    Setting(
        "DB_ALERT_RUNBOOK_URL",
        "",
        alerts.runbooks,
        "Where runbooks of your own are, `{runbook}` and `{metric}` in it filled in; empty: this site's pages.",
    ),
    Setting(
        "DB_RECOVERY_ENABLED",
        False,
        boolean,
        "Let the monitor do what `DB_RECOVERY_ACTIONS` has as `live`; while off, what would be done is recorded and nothing changed.",
    ),
    Setting(
        "DB_RECOVERY_ACTIONS",
        {},
        recovery.actions,
        "By action its mode (`off`, `dry_run`, `live`), or that and its options; one that is not named is a dry run.",
        recovery.shown_actions,
    ),
    Setting(
        "DB_RECOVERY_ACCOUNTS",
        {},
        accounts.accounts,
        "By alias the account that recovery uses, `mysql://user:password@`; none: the monitor's own. In the environment alias=url pairs.",
        accounts.shown,
    ),
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Every setting, read and checked.

    `origin` says for each name whether it is the default, set, or from the environment.
    """

    interval: float
    targets: Mapping[str, targets.Target]
    retention_days: float
    autostart: bool
    query_redaction: bool
    query_explain: bool
    connection_monitoring: bool
    sandbox_url: str = field(repr=False)
    alerts: AlertSettings
    recovery: RecoverySettings
    backups: BackupSettings
    thresholds: Configured
    shown: Mapping[str, Mapping[str, Any]]


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that `environ` gives, as text.

    `load` reads text and values alike. For a settings module: `globals().update(…)`.
    """
    given = {setting.name: environ[setting.name] for setting in SETTINGS if setting.name in environ}
    return {**given, "DB_MONITORING_FROM_ENVIRONMENT": tuple(given)}


def problems() -> list[ConfigurationError]:
    """What is wrong with the settings: one error a setting, empty where all is well."""
    found: list[ConfigurationError] = []
    for setting in SETTINGS:
        try:
            setting.read(setting.name, getattr(django_settings, setting.name, setting.default))
        except ConfigurationError as error:
            found.append(error)
    if not found:
        try:
            load()
        except ConfigurationError as error:
            found.append(error)
    return found


def load() -> Configuration:
    """The settings as they are now; raises `ConfigurationError` for the first that cannot be used."""
    values: dict[str, Any] = {}
    shown: dict[str, Mapping[str, Any]] = {}
    environment = getattr(django_settings, "DB_MONITORING_FROM_ENVIRONMENT", ())
    for setting in SETTINGS:
        value = setting.read(setting.name, getattr(django_settings, setting.name, setting.default))
        values[setting.name] = value
        origin = "settings" if hasattr(django_settings, setting.name) else "default"
        if setting.name in environment:
            origin = "environment"
        shown[setting.name] = {"value": setting.shown(value) if setting.shown else value, "source": origin}
    known = targets.load(django_settings.DATABASES, values["DB_MONITORING_TARGETS"])
    return Configuration(
        interval=values["DB_MONITORING_INTERVAL"],
        targets=known,
        retention_days=values["DB_MONITORING_RETENTION_DAYS"],
        autostart=values["DB_MONITORING_AUTOSTART"],
        query_redaction=values["DB_QUERY_REDACTION"],
        query_explain=values["DB_QUERY_EXPLAIN"],
        connection_monitoring=values["CONNECTION_MONITORING_ENABLED"],
        sandbox_url=values["DB_SANDBOX_URL"],
        alerts=AlertSettings(
            recipients=values["DB_ALERT_EMAIL_RECIPIENTS"],
            webhook_url=values["DB_ALERT_WEBHOOK_URL"],
            webhook_secret=values["DB_ALERT_WEBHOOK_SECRET"],
            slack_webhook=values["DB_ALERT_SLACK_WEBHOOK"],
            apprise_urls=values["DB_ALERT_APPRISE_URLS"],
            allowed_networks=values["DB_ALERT_ALLOWED_NETWORKS"],
            escalation=values["DB_ALERT_ESCALATION"],
            fallback=values["DB_ALERT_FALLBACK_CHANNEL"],
            base_url=values["DB_ALERT_BASE_URL"],
            heartbeat_url=values["DB_ALERT_HEARTBEAT_URL"],
            rules=values["DB_ALERT_RULES"],
            templates=values["DB_ALERT_TEMPLATES"],
            runbook_url=values["DB_ALERT_RUNBOOK_URL"],
        ),
        recovery=RecoverySettings(
            enabled=values["DB_RECOVERY_ENABLED"],
            actions=values["DB_RECOVERY_ACTIONS"],
            accounts=values["DB_RECOVERY_ACCOUNTS"],
        ),
        backups=backups.settings(values, known),
        thresholds=thresholds.configured(values, shown),
        shown=shown,
    )
