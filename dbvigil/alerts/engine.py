"""The alert engine: what one evaluation of one database changes. Pure; time is what it is given.

A rule is inactive, then pending from its first breach on, and fires once the breach has held. It goes on firing until the value has stepped
back behind the leave level, and has stayed there. Warning and critical are two levels of one rule and of one episode.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from dbvigil.alert import Severity
from dbvigil.alerts import messages
from dbvigil.alerts.rule import DOWN, REPLICATION_RUNNING, Rule
from dbvigil.alerts.shipped import METRIC_OF
from dbvigil.alerts.states import Active, RuleState, Step, Transition
from dbvigil.types import DatabaseMetrics, Json

NO_DATA = ":no_data"
NO_DATA_HOLD = timedelta(minutes=2)
"""A reading that fails for a moment is nobody's trouble."""

LONGEST_GAP = timedelta(hours=1)
"""A breach that was pending before a longer pause starts afresh: nobody knows what was in between."""

UNMEASURED_KEEP = timedelta(minutes=10)
"""An episode whose metric has no value any more, with nothing wrong about it (no statement ran), ends after this time."""


def step(
    rules: Iterable[Rule], metrics: DatabaseMetrics, states: Mapping[str, RuleState], now: datetime
) -> Step:
    """Evaluates `rules` on one sample. Where it is unknown whether the server is up, nothing is judged and nothing changes."""
    known = tuple(rules)
    if metrics.up is None:
        return Step(states, (), _active(known, metrics, states))
    kept = {} if metrics.up else _paused(known, states)
    replica = metrics.replication_role in ("replica", "both")
    found: list[Transition] = []
    for rule in known:
        if metrics.up is False and rule.id != DOWN:
            # Down says all there is to say; whatever else was wrong is still as it was.
            continue
        state = states.get(rule.id)
        blind = states.get(rule.id + NO_DATA) if states else None
        value = rule.read(metrics)
        if value is None:
            if state or blind or metrics.failures or (replica and rule.of_replication):
                _unread(rule, metrics, states, now, kept, found)
            continue
        if blind is not None:
            _readable(rule, value, blind, now, found)
        if state is None:
            if not rule.breached(value):
                continue
            state = RuleState(now)
        after, transition = _judge(rule, value, _resumed(state, now), now)
        if transition is not None:
            found.append(transition)
        if not after.idle:
            kept[rule.id] = after
    if states:
        found += _gone({rule.id for rule in known}, states, now)
    return Step(kept, tuple(found), _active(known, metrics, kept))


def _paused(rules: Iterable[Rule], states: Mapping[str, RuleState]) -> dict[str, RuleState]:
    """What is remembered of a server that is down: everything, with its clocks standing."""
    if not states:
        return {}
    keys = [key for rule in rules if rule.id != DOWN for key in (rule.id, rule.id + NO_DATA)]
    return {key: replace(states[key], paused=True) for key in keys if key in states}


def _judge(rule: Rule, value: Json, state: RuleState, now: datetime) -> tuple[RuleState, Transition | None]:
    """One rule with a reading: its state afterwards, and what changed."""
    critical = rule.reaches(value, rule.critical)
    warning = critical or rule.reaches(value, rule.warning)
    state = RuleState(
        evaluated_at=now,
        severity=state.severity,
        warning_since=(state.warning_since or now) if warning else None,
        critical_since=(state.critical_since or now) if critical else None,
        clear_since=state.clear_since,
        flapping=state.flapping,
        outcomes=state.outcomes.then(warning),
        value=value,
    )
    due: Severity | None = None
    if state.critical_since is not None and now - state.critical_since >= timedelta(
        seconds=rule.critical_after
    ):
        due = "critical"
    elif rule.warning is not None and state.warning_since is not None:
        due = "warning" if now - state.warning_since >= timedelta(seconds=rule.hold) else None
    if state.severity is None:
        if due is None:
            return state, None
        state = replace(state, severity=due, clear_since=None, flapping=state.outcomes.unsteady)
        return state, _transition("fired", rule, state, due, None, now)
    if due == "critical" and state.severity == "warning":
        state = replace(state, severity="critical", clear_since=None)
        return state, _transition("severity_changed", rule, state, "critical", "warning", now)
    return _step_back(rule, value, state, now)


def _step_back(
    rule: Rule, value: Json, state: RuleState, now: datetime
) -> tuple[RuleState, Transition | None]:
    """A rule that fires: whether it becomes unsteady, less grave, or is over."""
    severity = state.severity
    assert severity is not None  # noqa: S101 - for the type checker; the caller has looked
    if not state.flapping and state.outcomes.unsteady:
        state = replace(state, flapping=True, clear_since=None)
        return state, _transition("flapping", rule, state, severity, severity, now)
    if state.flapping and not state.outcomes.changes:
        state = replace(state, flapping=False)
    if state.flapping or rule.holds(value, severity):
        return replace(state, clear_since=None), None
    state = replace(state, clear_since=state.clear_since or now)
    if now - (state.clear_since or now) < timedelta(seconds=rule.keep):
        return state, None
    if severity == "critical" and rule.warning is not None and rule.holds(value, "warning"):
        state = replace(state, severity="warning", clear_since=None)
        return state, _transition("severity_changed", rule, state, "warning", "critical", now)
    over = replace(state, severity=None, clear_since=None)
    return over, _transition("resolved", rule, state, severity, severity, now)


def _unread(
    rule: Rule,
    metrics: DatabaseMetrics,
    states: Mapping[str, RuleState],
    now: datetime,
    kept: dict[str, RuleState],
    found: list[Transition],
) -> None:
    """A rule whose metric has no value: an alert of its own where it should have one. What fires goes on firing."""
    state = states.get(rule.id)
    key = rule.id + NO_DATA
    cause = rule.missing(metrics)
    if not cause:
        if key in states:
            _readable(rule, None, states[key], now, found)
        if state is not None and state.severity is not None:
            state = _resumed(state, now)
            state = replace(
                state,
                evaluated_at=now,
                clear_since=state.clear_since or now,
                warning_since=None,
                critical_since=None,
            )
            if now - (state.clear_since or now) < max(UNMEASURED_KEEP, timedelta(seconds=rule.keep)):
                kept[rule.id] = state
            else:
                severity = state.severity or "warning"
                found.append(
                    _transition("resolved", rule, replace(state, value=None), severity, severity, now)
                )
        return
    if state is not None:
        kept[rule.id] = replace(state, paused=True)
    blind = _resumed(states.get(key) or RuleState(now), now)
    blind = replace(blind, evaluated_at=now, warning_since=blind.warning_since or now, value=cause)
    if blind.severity is None and now - (blind.warning_since or now) >= NO_DATA_HOLD:
        blind = replace(blind, severity="warning")
        message = messages.no_data(rule.metric, cause)
        found.append(
            Transition("fired", rule, rule.metric, "warning", None, None, None, now, message, no_data=True)
        )
    kept[key] = blind


def _readable(rule: Rule, value: Json, blind: RuleState, now: datetime, found: list[Transition]) -> None:
    """A metric that could not be read, and can again."""
    if blind.severity is not None:
        message = messages.readable_again(rule.metric, value)
        found.append(
            Transition(
                "resolved", rule, rule.metric, "warning", "warning", value, None, now, message, no_data=True
            )
        )


def _gone(known: set[str], states: Mapping[str, RuleState], now: datetime) -> list[Transition]:
    """Rules that there are no more: what fired of them is over."""
    return [
        Transition(
            "resolved",
            None,
            METRIC_OF.get(key.removesuffix(NO_DATA), key.removesuffix(NO_DATA)),
            state.severity,
            state.severity,
            state.value,
            None,
            now,
            "it is watched no more",
            no_data=key.endswith(NO_DATA),
        )
        for key, state in states.items()
        if state.severity is not None and key.removesuffix(NO_DATA) not in known
    ]


def _resumed(state: RuleState, now: datetime) -> RuleState:
    """The state with its clocks set right: those that stood are moved on, and none is in the future."""
    if state.paused:
        stood = max(timedelta(), now - state.evaluated_at)
        state = replace(
            state,
            paused=False,
            warning_since=state.warning_since and state.warning_since + stood,
            critical_since=state.critical_since and state.critical_since + stood,
            clear_since=state.clear_since and state.clear_since + stood,
        )
    elif now - state.evaluated_at > LONGEST_GAP:
        state = replace(state, warning_since=None, critical_since=None, clear_since=None)
    moments = (state.warning_since, state.critical_since, state.clear_since)
    if any(moment is not None and moment > now for moment in moments):
        warning, critical, clear = (moment and min(moment, now) for moment in moments)
        state = replace(state, warning_since=warning, critical_since=critical, clear_since=clear)
    return state


def _transition(
    kind: Literal["fired", "severity_changed", "flapping", "resolved"],
    rule: Rule,
    state: RuleState,
    severity: Severity,
    previous: Severity | None,
    now: datetime,
) -> Transition:
    threshold = rule.threshold(severity)
    if kind == "resolved":
        message = messages.resolved(rule, state.value, severity)
    elif kind == "flapping" or state.flapping:
        message = messages.flapping(rule, state.value, state.outcomes.changes)
    else:
        message = messages.breach(rule, state.value, severity)
    return Transition(
        kind,
        rule,
        rule.metric,
        severity,
        previous,
        state.value,
        threshold,
        now,
        message,
        flapping=state.flapping,
    )


def _active(
    rules: Iterable[Rule], metrics: DatabaseMetrics, states: Mapping[str, RuleState]
) -> tuple[Active, ...]:
    if not states:
        return ()
    firing = {key for key, state in states.items() if state.severity is not None}
    found = []
    for rule in rules:
        state = states.get(rule.id)
        if state is not None and state.severity is not None:
            message = messages.breach(rule, state.value, state.severity)
            found.append(
                Active(
                    rule.metric,
                    state.severity,
                    state.value,
                    rule.threshold(state.severity),
                    message,
                    flapping=state.flapping,
                    inhibited_by=_cause(rule.id, firing),
                )
            )
        blind = states.get(rule.id + NO_DATA)
        if blind is not None and blind.severity is not None:
            message = messages.no_data(rule.metric, str(blind.value))
            found.append(
                Active(
                    rule.metric, "warning", None, None, message, no_data=True, inhibited_by=_cause("", firing)
                )
            )
    return tuple(found)


def _cause(rule: str, firing: set[str]) -> str:
    """The graver trouble that one follows from."""
    if DOWN in firing and rule != DOWN:
        return DOWN
    if REPLICATION_RUNNING in firing and rule == "replication_lag":
        return REPLICATION_RUNNING
    return ""
