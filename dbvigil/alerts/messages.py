"""What an alert says, in one line."""

from __future__ import annotations

from dbvigil.alert import Severity
from dbvigil.alerts.rule import RESTARTED, Rule
from dbvigil.catalogue import BY_NAME
from dbvigil.display import display
from dbvigil.types import Json

_CONDITIONS = {
    "up": "The server does not answer",
    "replication_running": "Replication has stopped",
    "read_only": "The replica accepts writes",
    "errant_gtids": "The replica has transactions of its own",
    "backup_ok": "The last backup has failed",
    "backup_verified": "The newest backup is not what the server held, or cannot be restored",
}


def breach(rule: Rule, value: Json, severity: Severity) -> str:
    """What is wrong: "Connection use is 96.2 %, critical from 95.0 %"."""
    if rule.condition is not None:
        said = _CONDITIONS.get(rule.id, f"{title(rule.metric)} is not as it should be")
        return f"{said}: {value}" if isinstance(value, str) else said
    if rule.id == RESTARTED:
        return f"The server restarted {display('uptime', value)} ago"
    level = display(rule.metric, rule.level(severity))
    word = "critical" if severity == "critical" else "a warning"
    side = "up to" if rule.bad == "low" else "from"
    return f"{title(rule.metric)} is {display(rule.metric, value)}, {word} {side} {level}"


def resolved(rule: Rule, value: Json, severity: Severity) -> str:
    """That it is over: "Connection use is 40.0 % again, was critical from 95.0 %"."""
    if rule.condition is not None or rule.id == RESTARTED:
        said = {
            "up": "The server answers again",
            "replication_running": "Replication runs again",
            "read_only": "The replica refuses writes again",
            "backup_ok": "The last backup is good again",
            "backup_verified": "The newest backup is verified",
            RESTARTED: "The server has been up for a while",
        }
        return said.get(rule.id, f"{title(rule.metric)} is as it should be again")
    if value is None:
        return f"{title(rule.metric)} has had no value for a while"
    level = display(rule.metric, rule.level(severity))
    word = "critical" if severity == "critical" else "a warning"
    side = "up to" if rule.bad == "low" else "from"
    return f"{title(rule.metric)} is {display(rule.metric, value)} again; it was {word} {side} {level}"


def flapping(rule: Rule, value: Json, changes: int) -> str:
    """That it comes and goes."""
    shown = "" if rule.condition is not None else f", now {display(rule.metric, value)}"
    return f"{title(rule.metric)} comes and goes: {changes} changes in the last 21 samples{shown}; quiet until it is steady"


def no_data(metric: str, cause: str) -> str:
    return f"{title(metric)} can no longer be read: {cause}"


def readable_again(metric: str, value: Json) -> str:
    shown = "" if value is None or metric not in BY_NAME else f": {display(metric, value)}"
    return f"{title(metric)} can be read again{shown}"


def title(metric: str) -> str:
    """A metric's name for people."""
    row = BY_NAME.get(metric)
    return row.title if row else metric.replace("_", " ").capitalize()
