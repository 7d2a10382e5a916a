"""Following a log that grows, is rotated, truncated and written while it is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbvigil.queries.slowlog import Position, follow
from dbvigil.queries.slowlog.follow import LOOKAHEAD, at_end
from tests.support.slowlogs import STATEMENTS, entry


class Follower:
    """Reads on each call what is new; its position goes through JSON, as it does where a process is started anew."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.position: Position | None = None

    def __call__(self, limit: int = 1 << 20) -> list[bytes]:
        found, position = follow(self.log, self.position, limit=limit)
        self.position = Position.from_dict(json.loads(json.dumps(position.to_dict())))
        return [event.statement for event in found]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "slow.log"
    path.write_bytes(b"")
    return path


def write(log: Path, *statements: bytes) -> None:
    with log.open("ab") as stream:
        for statement in statements:
            stream.write(entry(statement))


def test_what_is_new(log: Path) -> None:
    new = Follower(log)
    assert new() == []
    write(log, b"SELECT 1", b"SELECT 2")
    assert new() == [b"SELECT 1", b"SELECT 2"]
    assert new() == []
    write(log, b"SELECT 3")
    assert new() == [b"SELECT 3"]


@given(st.lists(STATEMENTS, min_size=1, max_size=4), st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_an_entry_that_is_being_written_is_left(
    tmp_path_factory: pytest.TempPathFactory, statements: list[bytes], step: int
) -> None:
    log = tmp_path_factory.mktemp("log") / "slow.log"
    log.write_bytes(b"")
    new, found = Follower(log), list[bytes]()
    text = b"".join(entry(statement) for statement in statements)
    for place in range(0, len(text), step):
        with log.open("ab") as stream:
            stream.write(text[place : place + step])
        found += new()
    assert found == statements


def test_what_entries_leave_to_later_ones(log: Path) -> None:
    log.write_bytes(entry(b"SELECT 1", use="use shop;\n"))
    _, position = follow(log)
    write(log, b"SELECT 2")
    (event,), _ = follow(log, position)
    assert event.schema == "shop"


def test_rotation_by_rename(log: Path) -> None:
    new = Follower(log)
    write(log, b"SELECT 1")
    assert new() == [b"SELECT 1"]
    write(log, b"SELECT 2")
    log.rename(log.with_suffix(".1"))
    assert new() == [b"SELECT 2"]
    # The server writes to the file that it has open until it is told to open another.
    write(log.with_suffix(".1"), b"SELECT 3")
    log.write_bytes(b"")
    assert new() == [b"SELECT 3"]
    write(log.with_suffix(".1"), b"SELECT 4")
    write(log, b"SELECT 5")
    assert new() == [b"SELECT 4", b"SELECT 5"]
    write(log, b"SELECT 6")
    assert new() == [b"SELECT 6"]


def test_rotation_into_a_file_that_is_gone(log: Path) -> None:
    new = Follower(log)
    write(log, b"SELECT 1")
    new()
    kept = log.with_suffix(".kept")
    log.rename(kept)
    moved = log.parent / "elsewhere"
    moved.mkdir()
    kept.rename(moved / "slow.log")
    assert new() == []
    write(log, b"SELECT 2")
    assert new() == [b"SELECT 2"]


def test_truncation(log: Path) -> None:
    new = Follower(log)
    write(log, b"SELECT 1", b"SELECT 2")
    new()
    log.write_bytes(b"")
    assert new() == []
    write(log, b"SELECT 3")
    assert new() == [b"SELECT 3"]


def test_truncation_that_has_grown_beyond(log: Path) -> None:
    new = Follower(log)
    write(log, b"SELECT 1")
    new()
    with log.open("r+b") as stream:
        stream.truncate()
    write(log, b"SELECT 'another'", b"SELECT 2", b"SELECT 3")
    assert new() == [b"SELECT 'another'", b"SELECT 2", b"SELECT 3"]


def test_a_call_reads_so_much_and_no_more(log: Path) -> None:
    new = Follower(log)
    write(log, *(b"SELECT %d" % number for number in range(1000)))
    first = new(limit=10_000)
    assert 40 < len(first) < 60
    rest = [statement for _ in range(30) for statement in new(limit=10_000)]
    assert first + rest == [b"SELECT %d" % number for number in range(1000)]


def test_a_statement_that_is_never_closed_is_not_waited_for_for_ever(log: Path) -> None:
    new = Follower(log)
    write(log, b"SELECT /* oops", b"SELECT 1")
    assert new() == []
    write(log, b"SELECT '" + b"x" * LOOKAHEAD + b"'", b"SELECT 2")
    assert [statement[:14] for statement in new(2 * LOOKAHEAD)] == [
        b"SELECT /* oops",
        b"SELECT 1",
        b"SELECT 'xxxxxx",
        b"SELECT 2",
    ]


def test_from_the_end(log: Path) -> None:
    write(log, b"SELECT 1")
    position = at_end(log)
    write(log, b"SELECT 2")
    found, _ = follow(log, position)
    assert [event.statement for event in found] == [b"SELECT 2"]


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        follow(tmp_path / "none")
