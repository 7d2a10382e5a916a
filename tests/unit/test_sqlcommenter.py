"""Who sends a statement, written into it: text, parameters, and the middleware around requests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.queries.comments import caller
from dbvigil.queries.fingerprint import fingerprint
from dbvigil.sqlcommenter import SqlCommenter, _execute, commented, with_comment

READ = "SELECT a FROM t WHERE b = 1"
TAGS = {"controller": "shop:basket", "route": "basket/<int:id>/", "application": "shop"}
COMMENT = "/*application='shop',controller='shop%3Abasket',route='basket/%3Cint%3Aid%3E/'*/"


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        (READ, READ + COMMENT),
        (f"{READ} ;\n", f"{READ}{COMMENT} ;\n"),
        (f"{READ} /* mine */", f"{READ} /* mine */"),
        ("SELECT /*+ NO_ICP(t) */ a FROM t", "SELECT /*+ NO_ICP(t) */ a FROM t" + COMMENT),
    ],
)
def test_a_comment_at_the_end(sql: str, written: str) -> None:
    assert with_comment(sql, TAGS, parameters=False) == written
    assert with_comment(sql, {}, parameters=False) == sql


def test_the_fingerprint_stays_the_same() -> None:
    written = with_comment(READ, TAGS, parameters=False)
    for dialect in ("percona", "go-mysql"):
        assert fingerprint(written, dialect) == fingerprint(READ, dialect)


def test_with_parameters_percent_signs_are_doubled() -> None:
    sql = with_comment("SELECT a FROM t WHERE b = %s", TAGS, parameters=True)
    assert sql % "'x'" == "SELECT a FROM t WHERE b = 'x'" + COMMENT


@given(st.dictionaries(st.sampled_from(["controller", "route", "task"]), st.text(max_size=80)))
def test_no_value_leaves_its_comment(tags: Mapping[str, str]) -> None:
    text = {name: value.encode("utf-8", "replace").decode() for name, value in tags.items()}
    written = with_comment(READ, text, parameters=False)
    rest = written.removeprefix(READ)
    assert not rest or (rest.startswith("/*") and rest.find("*/") == len(rest) - 2)
    assert "\n" not in rest and ";" not in rest
    if text.get("task", "").isalpha() and text["task"].isascii():
        assert f"task={text['task']}" in caller(written)


def sent(sql: Any, params: Any = None, *, many: bool = False) -> Any:
    """What reaches the driver."""
    return _execute(lambda text, *_: text, sql, params, many, {})


def test_only_within_a_context() -> None:
    assert sent(READ) == READ
    with commented(task="mail"):
        assert caller(sent(READ)) == "application=service task=mail"
        with commented(job="inner"):
            assert caller(sent(READ)) == "application=service task=mail job=inner"
        assert sent("INSERT INTO t VALUES (%s)", [(1,)], many=True) == "INSERT INTO t VALUES (%s)"
    assert sent(READ) == READ

    @commented(task="decorated")
    def work() -> Any:
        return sent(READ)

    assert caller(work()) == "application=service task=decorated"


@pytest.mark.parametrize("name", ["", "Task", "a b", "a='x'*/ --", "9"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a tag"), commented(**{name: "x"}):
        pass


def request() -> HttpRequest:
    made = RequestFactory().get("/basket/7/")
    made.resolver_match = SimpleNamespace(view_name="shop:basket", route="basket/<int:id>/")  # type: ignore[assignment]
    return made


def answer(middleware: SqlCommenter, asked: HttpRequest) -> HttpResponse:
    middleware.process_view(asked, answer, (), {})
    return HttpResponse(sent(READ))


TOLD = "application=service controller=shop:basket route=basket/<int:id>/"


def test_within_a_request_the_view_is_named() -> None:
    middleware = SqlCommenter(lambda asked: answer(middleware, asked))
    assert caller(middleware(request()).content) == TOLD
    assert sent(READ) == READ


def test_an_error_ends_it_too() -> None:
    def fails(asked: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        SqlCommenter(fails)(request())
    assert sent(READ) == READ


async def test_in_an_async_stack_requests_do_not_mix() -> None:
    async def view(asked: HttpRequest) -> HttpResponse:
        middleware.process_view(asked, answer, (), {})
        await asyncio.sleep(0)
        # The ORM works in another thread, with a copy of the context.
        return HttpResponse(await asyncio.to_thread(sent, READ))

    middleware = SqlCommenter(view)
    other = request()
    other.resolver_match = SimpleNamespace(view_name="other", route="other/")  # type: ignore[assignment]
    found = await asyncio.gather(middleware(request()), middleware(other), middleware(request()))
    assert [caller(one.content) for one in found] == [
        TOLD,
        "application=service controller=other route=other/",
        TOLD,
    ]
    assert sent(READ) == READ
