"""Lists are explicit; what is written and not listed fails here."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType

from dbvigil import collectors
from dbvigil.catalogue import BY_NAME
from dbvigil.collectors import shipped
from dbvigil.management import actions
from dbvigil.management.actions.base import Action
from dbvigil.recovery import actions as recovery_actions
from dbvigil.types import DatabaseMetrics

ROOT = Path(__file__).parents[2]


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def test_every_collector_that_is_written_is_listed() -> None:
    written = {
        kind
        for module in modules(collectors)
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and kind.__module__ == module.__name__
        and {"name", "every", "limit"} <= set(vars(kind))
    }
    assert {type(collector) for collector in shipped.ALL} == written


def test_every_collector_is_in_the_docs() -> None:
    page = (ROOT / "docs/reference/collectors.md").read_text()
    assert [collector.name for collector in shipped.ALL if f"| `{collector.name}` |" not in page] == []


def test_every_action_that_is_written_is_listed() -> None:
    written = {
        value for module in modules(actions) for value in vars(module).values() if isinstance(value, Action)
    }
    assert {actions.load(name) for name in actions.NAMES} == written
    assert {actions.load(name).name for name in actions.NAMES} == set(actions.NAMES)


def test_every_action_of_recovery_that_is_written_is_listed() -> None:
    written = {
        kind
        for module in modules(recovery_actions)
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and kind.__module__ == module.__name__
        and {"name", "metrics"} <= set(vars(kind))
    }
    assert {type(action) for action in recovery_actions.ALL} == written


def test_every_field_of_a_sample_is_in_the_catalogue() -> None:
    # Failures are not a figure; they say why one is missing.
    assert {field.name for field in fields(DatabaseMetrics)} - {"failures"} == set(BY_NAME)


def test_every_metric_is_read_by_a_collector_that_exists() -> None:
    known = {collector.name for collector in shipped.ALL} | {"server", "health", "backups"}
    for row in BY_NAME.values():
        assert set(row.collector.split(", ")) <= known, row.name
