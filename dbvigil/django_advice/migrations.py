"""Migration files: whose app they belong to, what they follow, and their text, as Django itself would write it."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.apps import AppConfig, apps
from django.conf import settings
from django.db.migrations import Migration
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.writer import MigrationWriter

from dbvigil.django_advice.tables import NoDjangoCode, models_by_table

_INSTALLED = frozenset(("site-packages", "dist-packages"))


@dataclass(frozen=True, slots=True)
class MigrationFile:
    """`path` from where the app's package is, with slashes; `text` is the whole file."""

    app: str
    name: str
    path: str
    text: str


_lock = threading.Lock()
_last: tuple[object, MigrationLoader] | None = None


def migration(
    app: str, operations: Sequence[Operation], about: str, *, after: Sequence[str] = ()
) -> MigrationFile:
    """The next migration of `app`, which follows its newest one and the newest ones of the apps in `after`.

    Raises `NoDjangoCode` where the app has no migrations, or several newest ones that are to be merged first.
    """
    newest = leaf(app)
    number = MigrationAutodetector.parse_number(newest) or 0
    name = f"{number + 1:04d}_{re.sub(r'[^a-z0-9_]+', '_', about.lower()).strip('_')[:52]}"
    follows = [(app, newest), *((other, leaf(other)) for other in after if other != app)]
    kind = type("Migration", (Migration,), {"dependencies": follows, "operations": list(operations)})
    made: Migration = kind(name, app)
    module, _explicit = MigrationLoader.migrations_module(app)
    folder = str(module).replace(".", "/")
    return MigrationFile(
        app, name, f"{folder}/{name}.py", MigrationWriter(made, include_header=False).as_string()
    )


def leaf(app: str) -> str:
    """The name of its newest migration."""
    loader = _loader()
    if app in loader.unmigrated_apps or app not in loader.migrated_apps:
        raise NoDjangoCode(f"the app {app} has no migrations: makemigrations {app} comes first")
    found: list[str] = [name for _app, name in loader.graph.leaf_nodes(app)]
    if len(found) != 1:
        raise NoDjangoCode(
            f"the app {app} has {len(found)} newest migrations: makemigrations --merge comes first"
        )
    return found[0]


def _loader() -> MigrationLoader:
    """Every app's migrations as they are on disk, read again when the apps or their migrations' files change."""
    global _last  # noqa: PLW0603 - reading them takes time, and they change with a deployment
    state = (
        tuple(models_by_table()),
        repr(settings.MIGRATION_MODULES),
        tuple((one.label, _files(one)) for one in apps.get_app_configs() if not third_party(one)),
    )
    with _lock:
        if _last is None or _last[0] != state:
            _last = (state, MigrationLoader(None))
        return _last[1]


def _files(app: AppConfig) -> tuple[str, ...]:
    folder = Path(app.path) / "migrations"
    return tuple(sorted(one.name for one in folder.glob("*.py")))


def third_party(app: AppConfig) -> bool:
    """Whether its code is somebody else's package: a file that is written there is lost with its next version."""
    return app.name == "dbvigil" or not _INSTALLED.isdisjoint(Path(app.path).parts)


def own_app() -> str | None:
    """The first app of the project that a migration can be added to."""
    for one in apps.get_app_configs():
        if third_party(one):
            continue
        try:
            leaf(one.label)
        except NoDjangoCode:
            continue
        return one.label
    return None
