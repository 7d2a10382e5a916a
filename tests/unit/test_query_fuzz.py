"""What reads other people's texts, on recorded ones that were damaged: no exception, no literal that stays, no work that grows faster than
the text. `make fuzz` runs these, and the other tests of their kind, for as long as it is told."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dbvigil.errors import NotExplainable
from dbvigil.queries.explain import changes, explainable, read_plan
from dbvigil.queries.figures import Figures
from dbvigil.queries.fingerprint import DIALECTS, canonical, fingerprint, pair_key, server_text
from dbvigil.queries.parse import parse
from dbvigil.queries.plan import Plan
from dbvigil.queries.rules import check
from dbvigil.queries.rules.base import Subject
from dbvigil.queries.slowlog import Position, digest_log, follow, read
from dbvigil.redaction import server_message, statement
from dbvigil.types import Flavor
from tests.support.explain_attacks import ATTACKS
from tests.support.mutations import DAMAGED_LOGS, DAMAGED_STATEMENTS, DAMAGED_TEXTS, STATEMENTS, damaged
from tests.support.shop_schema import SHOP

SECRET = "zqzqsecret"
PLANS: tuple[dict[str, Any], ...] = tuple(
    document
    for release in ("mariadb-10.11", "mariadb-11.8", "mysql-9.7")
    for forms in json.loads(
        (Path(__file__).parents[1] / f"recorded/explain/{release}.json").read_text()
    ).values()
    for document in forms.values()
)
FLAVORS: st.SearchStrategy[Flavor] = st.sampled_from(("mysql", "mariadb"))


# -- statements


@given(DAMAGED_STATEMENTS)
def test_a_damaged_statement_has_fingerprints(data: bytes) -> None:
    for dialect in DIALECTS:
        text, identity = fingerprint(data, dialect)
        assert re.fullmatch("[0-9A-F]{16}", identity)
        assert fingerprint(data, dialect) == (text, identity)
    for flavor in ("mysql", "mariadb"):
        assert len(pair_key(data, flavor)) == 16
    server_text(data.decode("utf-8", "replace"))


_TEXT = re.compile(r"'(?:[^'\\]|\\.|'')*'")


@given(st.sampled_from([sql for sql in STATEMENTS if _TEXT.search(sql)]), FLAVORS, st.floats(0, 1))
def test_no_text_of_a_recorded_statement_stays(sql: str, flavor: Flavor, share: float) -> None:
    marked = _TEXT.sub(f"'{SECRET}'", sql)
    marked = marked[: int(len(marked) * share)]
    for dialect in DIALECTS:
        assert "zqzq" not in fingerprint(marked, dialect)[0]
    assert "zqzq" not in canonical(marked, flavor)
    assert "zqzq" not in (statement(marked) or "")


@given(DAMAGED_TEXTS, FLAVORS, st.booleans())
def test_a_damaged_statement_upsets_no_rule(sql: str, flavor: Flavor, redacted: bool) -> None:
    version = (8, 4, 0) if flavor == "mysql" else (10, 11, 0)
    figures = Figures(100, 10.0, rows_examined=1_000_000, rows_sent=10, no_index_used=100, full_joins=100)
    for text in (sql, fingerprint(sql)[0], canonical(sql, flavor)):
        subject = Subject(text, parse(text), flavor, version, SHOP, figures=figures, redacted=redacted)
        for rule, finding in check(subject):
            assert finding.detail, rule.id


@given(damaged([sql.encode() for sql in (*ATTACKS, *STATEMENTS)]))
def test_a_damaged_statement_is_judged_or_refused(data: bytes) -> None:
    sql = data.decode("utf-8", "replace")
    try:
        sent = explainable(sql).sql
    except NotExplainable as refusal:
        assert "\n" not in str(refusal)
        return
    assert sent.lstrip("( \t\r\n\f\v").upper().startswith(("SELECT", "WITH"))
    assert explainable(sent).sql.split() == sent.split()


@given(DAMAGED_TEXTS)
def test_a_damaged_statement_is_shown_in_one_bounded_line(sql: str) -> None:
    for shown in (statement(sql), server_message(sql)):
        assert shown is not None
        assert not re.search(r"[\r\n]", shown)
    assert len(statement(sql) or "") <= 500


# -- logs


@given(DAMAGED_LOGS, st.integers(1, 5000))
def test_a_damaged_log_is_read_alike_in_any_pieces_and_ways(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, size: int
) -> None:
    assume(not data.startswith(b"\x1f\x8b"))  # that would be a compressed log
    log = tmp_path_factory.mktemp("log") / "slow.log"
    log.write_bytes(data)
    whole = list(read(io.BytesIO(data).read))
    assert list(read(data[place : place + size] for place in range(0, len(data), size))) == whole
    digest = digest_log(log, workers=1)
    assert digest.events == len(whole)
    json.dumps([entry.fingerprint for entry in digest.entries])


@given(DAMAGED_LOGS, DAMAGED_LOGS, st.integers(0, 1000))
def test_a_damaged_log_is_followed(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, after: bytes, share: int
) -> None:
    """Whatever is appended, or takes the place of what there was: each call ends, goes on, and never reads an entry twice."""
    log = tmp_path_factory.mktemp("log") / "slow.log"
    cut = len(before) * share // 1000
    position: Position | None = None
    seen = []
    for piece in (before[:cut], before[cut:]):
        with log.open("ab") as stream:
            stream.write(piece)
        found, position = follow(log, position)
        assert 0 <= position.offset <= log.stat().st_size
        seen += found
    assert len(seen) <= len(list(read([before]))) + 1
    log.write_bytes(after)
    _, position = follow(log, position)
    assert 0 <= position.offset <= len(after)


# -- plans

ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4) | st.sampled_from(["ALL", "ref", "1e999", "-1", "NaN"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["table", "rows", "nested_loop", "query_block", "inputs"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@st.composite
def damaged_plans(draw: st.DrawFn) -> Plan:
    """Of a recorded document in which parts were dropped, replaced by anything, or moved elsewhere."""
    document = copy.deepcopy(draw(st.sampled_from(PLANS)))
    for _ in range(draw(st.integers(0, 5))):
        inside = [(place, key) for place in _containers(document) for key in _keys(place)]
        if not inside:
            break
        place, key = draw(st.sampled_from(inside))
        other, from_key = draw(st.sampled_from(inside))
        match draw(st.sampled_from(("drop", "odd", "move"))):
            case "drop":
                del place[key]
            case "odd":
                place[key] = draw(ODD)
            case _:
                place[key] = copy.deepcopy(other[from_key])
    return read_plan(document, draw(FLAVORS))


def _containers(value: Any) -> list[Any]:
    found, waiting = [], [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list):
            found.append(one)
            waiting += one.values() if isinstance(one, dict) else one
    return found


def _keys(container: Any) -> list[Any]:
    return list(container) if isinstance(container, dict) else list(range(len(container)))


@given(damaged_plans(), damaged_plans(), st.sampled_from(STATEMENTS), FLAVORS)
def test_a_damaged_plan_is_read_compared_and_judged(
    before: Plan, after: Plan, sql: str, flavor: Flavor
) -> None:
    json.dumps(before.to_dict())
    for line in changes(before, after):
        assert line
    for _, finding in check(Subject(sql, parse(sql), flavor, (9, 7, 0), SHOP, after)):
        assert finding.detail


# -- work

LENGTH = 1 << 16
UNITS = (
    " ", "'", "''", '"', "\\", "'\\", "\\'", "/*", "/*!", "/*! a", "/*!a*/", "/*+", "*/", "#", "#\n", "-- ", "--", "`", "``", "`a", "$",
    "$$", "$a$", "$a", "0", "1.", ".1", "1e", "0x", "a", "a ", "_a'", "x'", "?", "?,", "? , ", "1,", "'a',", "query:", "on query ",
    "query", "key '", "key: '", ": ", "\n", "é", "\0", "(", "a'b", "Error '",
)  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_redaction_takes_time_by_the_length(unit: str) -> None:
    """Each takes a part of a second; where there were a square in it, these lengths would take hours, and the test's limit ends it."""
    text = unit * (LENGTH // len(unit))
    for beginning in ("", "'", "/*!", "Error '", "key "):
        for end in ("", "'", "*/"):
            statement(beginning + text + end)
            server_message(beginning + text + end)


@pytest.mark.parametrize(
    "unit",
    [
        "(", "a OR ", "NOT ", "-", "1 + ", "a, ", "a.", "SELECT (", "CASE WHEN a THEN ", "a IN (", "UNION SELECT 1 ", ", b",
        "WITH a AS (", "'a' ",
    ],
)  # fmt: skip
def test_what_is_parsed_is_bounded(unit: str) -> None:
    for beginning in ("SELECT ", "SELECT a FROM t WHERE ", "INSERT INTO t VALUES "):
        with contextlib.suppress(NotExplainable):
            explainable(beginning + unit * (LENGTH // len(unit)))
        text = beginning + unit * ((16 << 10) // len(unit)) + "1"
        subject = Subject(text, parse(text), schema=SHOP)
        assert check(subject) is not None
