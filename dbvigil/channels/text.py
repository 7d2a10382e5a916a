"""The words of a message, for every channel: what a notice says, cut to size and free of control characters.

Nothing here is escaped: a channel does that for its own service.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dbvigil.channels import recovered
from dbvigil.channels.base import Notice
from dbvigil.channels.evidence import blocks, clip
from dbvigil.channels.line import inside, is_state, limit_of, line_of, title_of, topic_of, value_of

LONGEST_SUBJECT = 140
LONGEST_TEXT = 600
MOST_ACTIONS = 6

CRITICAL, WARNING, RESOLVED = "#d32f2f", "#f9a825", "#2e7d32"


@dataclass(frozen=True, slots=True)
class Told:
    """What is said about one alert. `state` is the word it begins with: CRITICAL, WARNING, RESOLVED, TEST ….

    `line` is its subject without that word, `topic` what it shares with others that say the same. `facts` are `(name, value)` in
    the order to show them; `evidence` is `(title, lines)`. `page`, `runbook` and `acknowledge` are
    addresses, "" where there is none.
    """

    state: str
    color: str
    database: str
    title: str
    topic: str
    line: str
    summary: str
    facts: tuple[tuple[str, str], ...]
    evidence: tuple[tuple[str, tuple[str, ...]], ...]
    actions: tuple[str, ...]
    page: str
    runbook: str
    acknowledge: str


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts of one message that say the same of several databases."""

    state: str
    topic: str
    databases: tuple[str, ...]

    @property
    def heading(self) -> str:
        return f"{self.state} · {self.topic} ({len(self.databases)})"


@dataclass(frozen=True, slots=True)
class Message:
    """A notice in words. `alerts` the gravest first; `groups` name every one of them, where there are several."""

    subject: str
    intro: str
    state: str
    color: str
    alerts: tuple[Told, ...]
    groups: tuple[Group, ...]

    @property
    def several(self) -> bool:
        return len(self.alerts) > 1


def compose(notice: Notice) -> Message:
    """`notice` in words."""
    links = [*notice.links, *({} for _ in notice.alerts)]
    told = [_told(notice, body, link) for body, link in zip(notice.alerts, links, strict=False)]
    told.sort(key=lambda one: _ORDER.get(one.color, 3))
    state = told[0].state if told else "NOTICE"
    color = told[0].color if told else WARNING
    groups = _groups(told)
    if len(told) == 1:
        subject = f"[{state}] {told[0].database}: {told[0].line}"
    else:
        topics = Counter(one.topic for one in told)
        first = ", ".join(f"{inside(topic)} ({number})" for topic, number in topics.most_common(3))
        more = f" and {len(topics) - 3} more" if len(topics) > 3 else ""
        count = len({one.database for one in told})
        subject = (
            f"[{state}] {len(told)} alerts on {count} database{'s' if count != 1 else ''}: {first}{more}"
        )
    return Message(clip(subject, LONGEST_SUBJECT), _intro(notice), state, color, tuple(told), groups)


def plain(message: Message, *, longest: int = 20_000) -> str:
    """The whole message as plain text of at most `longest` characters. Of several alerts every name comes before any detail."""
    parts = [message.intro] if message.intro else []
    if message.several:
        parts += [f"{group.heading}:\n{', '.join(group.databases)}" for group in message.groups]
    parts += [_plain_one(one, message.several) for one in message.alerts]
    text = ""
    for number, part in enumerate(parts):
        left = longest - len(text) - 2
        if len(part) > left:
            rest = f"… cut: {len(parts) - number} more parts"
            return f"{text}{part[: max(0, left - len(rest) - 1)]}\n{rest}".strip()[:longest]
        text += part + "\n\n"
    return text.strip()


def _plain_one(one: Told, several: bool) -> str:
    lines = [f"[{one.state}] {one.database}: {one.line}"] if several else []
    if one.summary:
        lines.append(one.summary)
    lines += ["", *(f"{name + ':':<12} {value}" for name, value in one.facts)]
    for title, rows in one.evidence:
        lines += ["", f"{title}:", *(f"  - {row}" for row in rows)]
    if one.actions:
        lines += ["", "What to do:", *(f"  {number}. {text}" for number, text in enumerate(one.actions, 1))]
    if one.page:
        lines += ["", f"Open: {one.page}"]
    if one.runbook:
        lines.append(f"Runbook: {one.runbook}")
    if one.acknowledge:
        lines.append(f"Acknowledge: {one.acknowledge}")
    return "\n".join(lines).strip()


# -- one alert


_ORDER = {CRITICAL: 0, WARNING: 1, RESOLVED: 2}


def _told(notice: Notice, body: Mapping[str, Any], links: Mapping[str, str]) -> Told:
    resolved = notice.type == "alert.resolved" or body.get("status") == "resolved"
    severity = str(body.get("severity") or "warning")
    state, color = severity.upper(), CRITICAL if severity == "critical" else WARNING
    if resolved:
        state, color = "RESOLVED", RESOLVED
    elif notice.type == "alert.test":
        state = "TEST"
    elif notice.type == "alert.acknowledged":
        state = "ACKNOWLEDGED"
    elif notice.type == "alert.escalated":
        state = f"ESCALATED {state}"
    # That the alert is over meanwhile is told by itself.
    state = recovered.STATES.get(notice.type, state)
    return Told(
        state=state,
        color=color,
        database=clip(body.get("database", ""), 80),
        title=title_of(str(body.get("metric", ""))),
        topic=topic_of(body, resolved),
        line=line_of(body, resolved),
        summary=clip(_summary(notice, body), LONGEST_TEXT),
        facts=_facts(notice, body, resolved),
        evidence=() if resolved else blocks(body.get("evidence") or {}),
        actions=() if resolved else _actions(body.get("recommendations") or ()),
        page=links.get("page", ""),
        runbook="" if resolved else links.get("runbook", ""),
        acknowledge="" if resolved else links.get("acknowledge", ""),
    )


def _summary(notice: Notice, body: Mapping[str, Any]) -> str:
    said = recovered.summary(body.get("recovery")) if notice.type in recovered.STATES else ""
    return said or body.get("message") or ""


def _facts(notice: Notice, body: Mapping[str, Any], resolved: bool) -> tuple[tuple[str, str], ...]:
    metric = str(body.get("metric", ""))
    facts = [
        ("Database", clip(body.get("database", ""), 80)),
        ("Metric", f"{title_of(metric)} ({clip(metric, 80)})"),
    ]
    if body.get("no_data"):
        facts.append(("Value", "no data"))
    elif body.get("value") is not None:
        value = body["value"]
        told = (
            line_of(body, resolved)
            if is_state(metric) and isinstance(value, bool)
            else value_of(metric, value)
        )
        facts.append(("Value", told))
    if body.get("threshold") is not None and not is_state(metric):
        facts.append(("Threshold", limit_of(metric, body["threshold"])))
    facts.append(("Severity", clip(body.get("severity", ""), 20)))
    since = _moment(body.get("started_at"))
    if since is not None:
        end = (_moment(body.get("resolved_at")) or notice.at) if resolved else notice.at
        lasted = _lasted((end - since).total_seconds())
        facts.append(("Since", f"{since:%Y-%m-%d %H:%M:%S} UTC ({'lasted ' if resolved else ''}{lasted})"))
    if body.get("acknowledged_by"):
        note = f": {clip(body['note'], 200)}" if body.get("note") else ""
        facts.append(("Taken up by", clip(body["acknowledged_by"], 80) + note))
    if (body.get("escalation_level") or 0) > 0:
        facts.append(("Escalation", f"step {body['escalation_level']}"))
    return tuple(facts)


def _actions(found: Any) -> tuple[str, ...]:
    if isinstance(found, str) or not isinstance(found, Sequence):
        found = [found]
    return tuple(clip(text, 300) for text in found[:MOST_ACTIONS])


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _lasted(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min" if whole < 172_800 else f"{whole // 86_400} d"


# -- the whole


def _groups(told: Iterable[Told]) -> tuple[Group, ...]:
    found: dict[tuple[str, str], list[str]] = {}
    for one in told:
        found.setdefault((one.state, one.topic), []).append(one.database)
    return tuple(Group(state, topic, tuple(names)) for (state, topic), names in found.items())


_INTROS: Mapping[str, str] = {
    "alert.test": "This is a test: nothing is wrong. A real alert looks like this.",
    "alert.escalated": "Nobody has acknowledged this yet.",
    "alert.acknowledged": "Somebody is looking into this.",
    "alert.severity_changed": "This has changed its severity.",
    **recovered.INTROS,
}


def _intro(notice: Notice) -> str:
    return _INTROS.get(notice.type, "")
