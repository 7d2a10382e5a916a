"""Digests of whole files: sums against a plain reckoning, parts against the whole, limits, gzip, quantiles."""

from __future__ import annotations

import gzip
import json
import math
import random
import shutil
import subprocess
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.slowlog import write_log
from dbvigil.queries.fingerprint.percona import percona_bytes
from dbvigil.queries.slowlog import digest_log
from dbvigil.queries.slowlog.digest import LogDigest, summary
from dbvigil.queries.slowlog.events import read
from dbvigil.queries.slowlog.sketch import bucket, quantile
from dbvigil.queries.slowlog.splitting import key_of
from dbvigil.queries.slowlog.tally import Tally
from tests.support.slowlogs import EPOCH, STATEMENTS, entry

RECORDED = Path(__file__).parents[1] / "recorded" / "slowlog"
SHAPES = [
    b"SELECT * FROM %s WHERE a = %d",
    b"SELECT 'it\\'s; %d', `b%d` FROM t -- end",
    b"INSERT INTO t (a, b) VALUES (%d, 'x'), (%d, 'y')",
    b"SELECT 1 /* %d;\n%d */",
    b"UPDATE t%d SET a = 'b;\n# Time: c' WHERE id = %d",
]


def traffic(path: Path, entries: int, *, kinds: int = 3) -> Path:
    """A log of `entries` entries with all that is inherited from entry to entry."""
    dice = random.Random(7)
    with path.open("wb") as log:
        for number in range(entries):
            statement = dice.choice(SHAPES)
            kind = dice.randrange(kinds)
            statement %= (b"t" + b"x" * kind if b"%s" in statement else kind, dice.randrange(10**6))
            use = f"use db{number % 3};\n" if dice.random() < 0.01 else ""
            log.write(entry(statement, number // 50, seconds=f"{dice.expovariate(100):.6f}", use=use))
    return path


@pytest.mark.parametrize("real", [False, True])
def test_sums(tmp_path: Path, real: bool) -> None:
    log = traffic(tmp_path / "slow.log", 1000)
    if real:
        write_log(log, 1_000_000)
    times: dict[str, list[int]] = defaultdict(list)
    with log.open("rb") as stream:
        for event in read(stream.read):
            times[percona_bytes(event.statement).decode()].append(event.query_time_us)
    digest = digest_log(log, workers=1)
    assert digest.events == sum(map(len, times.values())) >= 1000
    assert {item.fingerprint for item in digest.entries} == set(times)
    for item in digest.entries:
        expected, figures = sorted(times[item.fingerprint]), item.figures
        assert (figures.count, figures.total_time) == (len(expected), sum(expected) / 1e6)
        assert figures.max_time == expected[-1] / 1e6
        assert real or figures.rows_examined == 2 * len(expected)
        p95 = expected[math.ceil(len(expected) * 0.95) - 1] / 1e6
        assert figures.p95_time == pytest.approx(p95, rel=0.02)
        assert item.sample is None
    assert [item.figures.total_time for item in digest.entries] == sorted(
        (item.figures.total_time for item in digest.entries), reverse=True
    )


def without_bursts(digest: LogDigest) -> LogDigest:
    """One that lies across a cut may be counted as two."""
    return replace(digest, entries=[replace(one, burst=None) for one in digest.entries])


@pytest.mark.parametrize("workers", [2, 3, 7])
def test_parts_add_up_to_the_whole(tmp_path: Path, workers: int) -> None:
    log = traffic(tmp_path / "slow.log", 3000)
    parts, whole = (digest_log(log, workers=count, keep_samples=True) for count in (workers, 1))
    assert without_bursts(parts) == without_bursts(whole)


@given(st.lists(STATEMENTS, min_size=4, max_size=40), st.integers(2, 4))
@settings(max_examples=12, deadline=None)
def test_parts_of_hostile_logs_add_up_too(
    tmp_path_factory: pytest.TempPathFactory, statements: list[bytes], workers: int
) -> None:
    log = tmp_path_factory.mktemp("log") / "slow.log"
    log.write_bytes(b"".join(entry(statement, number) for number, statement in enumerate(statements)))
    assert without_bursts(digest_log(log, workers=workers)) == without_bursts(digest_log(log, workers=1))


def test_a_cut_inside_a_statement_is_noticed(tmp_path: Path) -> None:
    log = tmp_path / "slow.log"
    log.write_bytes(
        entry(b"SELECT 0")
        + entry(b"SELECT /*;\n" + entry(b"SELECT 1", seconds="999.000000") * 2000 + b"*/")
        + entry(b"SELECT 2")
    )
    digest = digest_log(log, workers=4)
    assert (digest.events, digest.total_time) == (3, 0.003)


def test_limits(tmp_path: Path) -> None:
    log = traffic(tmp_path / "slow.log", 2000, kinds=40)
    everything, few = digest_log(log), digest_log(log, limit=10)
    assert len(everything.entries) > 40
    assert everything.other is None
    assert (few.events, few.total_time) == (everything.events, everything.total_time)
    assert len(few.entries) == 10
    assert few.other is not None
    assert few.other.figures.count + sum(item.figures.count for item in few.entries) == 2000
    assert digest_log(log, limit=10, workers=3) == few


def test_samples_only_where_asked_for(tmp_path: Path) -> None:
    log = tmp_path / "slow.log"
    log.write_bytes(entry(b"SELECT 1") + entry(b"SELECT 2", seconds="3.000000") + entry(b"SELECT 3"))
    assert [item.sample for item in digest_log(log).entries] == [None]
    assert [item.sample for item in digest_log(log, keep_samples=True).entries] == ["SELECT 2"]


def test_a_span(tmp_path: Path) -> None:
    log = tmp_path / "slow.log"
    log.write_bytes(b"".join(entry(b"SELECT 1", number) for number in range(10)))
    since, until = (datetime.fromtimestamp(EPOCH + number, UTC) for number in (3, 7))
    digest = digest_log(log, since=since, until=until)
    (item,) = digest.entries
    assert digest.events == 4
    assert (item.figures.first_seen, item.figures.seconds) == (since, 3.0)
    assert item.figures.last_seen == datetime.fromtimestamp(EPOCH + 6, UTC)


def test_gzip(tmp_path: Path) -> None:
    log = traffic(tmp_path / "slow.log", 300)
    packed = tmp_path / "slow.log.1.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert digest_log(packed, workers=4) == digest_log(log)


@pytest.mark.parametrize("damage", ["cut", "overwritten", "header", "no more than a beginning"])
def test_gzip_that_is_damaged(tmp_path: Path, damage: str) -> None:
    packed = gzip.compress(traffic(tmp_path / "slow.log", 200).read_bytes())
    middle = len(packed) // 2
    log = tmp_path / "slow.log.gz"
    log.write_bytes(
        {
            "cut": packed[:middle],
            "overwritten": packed[:middle] + b"\xff" * 40 + packed[middle + 40 :],
            "header": packed[:2] + b"\0" + packed[3:],
            "no more than a beginning": packed[:2],
        }[damage]
    )
    with pytest.raises(OSError, match="cut off or damaged"):
        digest_log(log)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest_log(tmp_path / "none")


def test_events_add_up_to_the_same(tmp_path: Path) -> None:
    for log in (traffic(tmp_path / "slow.log", 300), *RECORDED.glob("*.log")):
        tally = Tally(keep_samples=True)
        with log.open("rb") as stream:
            for event in read(stream.read):
                tally.add(event)
        whole = digest_log(log, keep_samples=True)
        assert summary(tally, whole.skipped_bytes) == whole


@given(STATEMENTS, STATEMENTS)
@settings(max_examples=300, deadline=None)
def test_equal_keys_have_equal_fingerprints(one: bytes, other: bytes) -> None:
    for statement in (one, other):
        changed = statement.replace(b"1", b"42").replace(b"'x'", b"'some text'")
        if key_of(changed) == key_of(statement):
            assert percona_bytes(changed) == percona_bytes(statement)


@given(st.lists(st.integers(0, 10**12), min_size=1), st.floats(0.01, 1))
def test_quantiles_are_off_by_two_percent_at_most(times: list[int], share: float) -> None:
    counts: dict[int, int] = defaultdict(int)
    for moment in times:
        counts[bucket(moment)] += 1
    true = sorted(times)[math.ceil(len(times) * share) - 1] / 1e6
    found = quantile(counts, share)
    assert found is not None
    assert found == pytest.approx(true, rel=0.02)


@pytest.mark.skipif(shutil.which("pt-query-digest") is None, reason="pt-query-digest is not installed")
def test_against_pt_query_digest(tmp_path: Path) -> None:
    """The same counts and sums. The fingerprints differ in one literal, which the other tool prints (`0x1F`)."""
    log = tmp_path / "slow.log"
    events = write_log(log, 1_000_000)
    command = ["pt-query-digest", "--output", "json", "--limit", "100%", "--no-version-check", str(log)]
    answer = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    theirs = {
        item["fingerprint"].replace("?f or", "? or"): (
            item["query_count"],
            float(item["metrics"]["Query_time"]["sum"]),
        )
        for item in json.loads(answer[answer.index("{") :])["classes"]
    }
    digest = digest_log(log)
    assert digest.events == events
    ours = {item.fingerprint: (item.figures.count, item.figures.total_time) for item in digest.entries}
    assert ours.keys() == theirs.keys()
    for fingerprint, figures in ours.items():
        assert figures == pytest.approx(theirs[fingerprint]), fingerprint


def test_a_digest_is_a_value(tmp_path: Path) -> None:
    digest = digest_log(traffic(tmp_path / "slow.log", 5))
    assert isinstance(digest, LogDigest)
    assert replace(digest, events=0) != digest
