"""Writes into each statement who sends it, so that slow queries name the view: SELECT … /*controller='shop.views.basket',route='…'*/

    MIDDLEWARE = [..., "dbvigil.sqlcommenter.SqlCommenter"]

    with commented(task="send_mail"):        # a Celery task, a management command; also as a decorator
        ...

The form is sqlcommenter's. Only what is the same for every execution by one view is written, never an id or a user, so that servers and
tools go on seeing one kind of statement. Statements to MySQL and MariaDB alone are changed; one that has a comment of its own is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.http import HttpRequest
from django.http.response import HttpResponseBase

Tags = tuple[tuple[str, str], ...]

_tags: ContextVar[dict[str, str]] = ContextVar("dbvigil_sqlcommenter")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,30}")
_LONGEST_VALUE = 200


class SqlCommenter:
    """Middleware, for sync and async stacks: statements say which view and route sent them, once the view is known.

    What other middleware asks before that names the application alone.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        _watch()
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self._later(request)
        with commented():
            return self._get_response(request)

    async def _later(self, request: HttpRequest) -> HttpResponseBase:
        with commented():
            answer: HttpResponseBase = await self._get_response(request)
            return answer

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        match, tags = request.resolver_match, _tags.get(None)
        if match is not None and tags is not None:
            # The request's own dictionary, which other threads and tasks of it have too.
            tags.update(controller=match.view_name, route=match.route)


@contextmanager
def commented(**tags: str) -> Iterator[None]:
    """Within it statements carry `tags`, by preference `task` or `job`. Raises ValueError for what is no name of a tag."""
    for name in tags:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:40]!r} is no name of a tag; allowed: lower-case letters, digits and _")
    _watch()
    token = _tags.set({"application": _application(), **_tags.get({}), **tags})
    try:
        yield
    finally:
        _tags.reset(token)


def with_comment(sql: str, tags: Mapping[str, str], *, parameters: bool) -> str:
    """`sql` with `tags` in a comment at its end; as it is where it has one already. `parameters`: `%` will be taken for a place of one."""
    text = sql.rstrip("; \t\r\n")
    if not tags or text.endswith("*/"):
        return sql
    comment = _comment(tuple(sorted(tags.items())))
    if parameters:
        comment = comment.replace("%", "%%")
    # Without a space: what is left of a comment must not make another fingerprint.
    return text + comment + sql[len(text) :]


@lru_cache(maxsize=2_000)
def _comment(tags: Tags) -> str:
    pairs = ",".join(f"{name}='{quote(value[:_LONGEST_VALUE])}'" for name, value in tags if value)
    return f"/*{pairs}*/" if pairs else ""


def _execute(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Mapping[str, Any]
) -> Any:
    tags = _tags.get(None)
    # Drivers make one INSERT of many where its text ends as they expect.
    if tags and not many and isinstance(sql, str):
        sql = with_comment(sql, tags, parameters=params is not None)
    return execute(sql, params, many, context)


def _wrap(connection: BaseDatabaseWrapper) -> None:
    if connection.vendor == "mysql" and _execute not in connection.execute_wrappers:
        # In front: where another wrapper is taken away again, that is the last one.
        connection.execute_wrappers.insert(0, _execute)


def _connected(sender: Any, connection: BaseDatabaseWrapper, **more: Any) -> None:
    _wrap(connection)


def _watch() -> None:
    """From now on in this thread and in connections that are made; doing it again is harmless."""
    _listen()
    for connection in connections.all(initialized_only=True):
        _wrap(connection)


@cache
def _listen() -> None:
    connection_created.connect(_connected, dispatch_uid="dbvigil.sqlcommenter")


def _application() -> str:
    return str(settings.ROOT_URLCONF).split(".")[0]
