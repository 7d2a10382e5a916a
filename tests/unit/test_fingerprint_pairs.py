"""A statement and the server's digest of it have one key: as recorded, and (tests/live) on servers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbvigil.queries.fingerprint import canonical, digest_cut, fingerprint, pair_key, server_text
from dbvigil.sandbox import RELEASES
from dbvigil.types import Flavor

FOLDER = Path(__file__).parent.parent / "recorded" / "fingerprint"
DIGESTS: dict[str, dict[str, str]] = {
    release: json.loads((FOLDER / f"{release}.json").read_text()) for release in RELEASES
}


def flavor(release: str) -> Flavor:
    return "mariadb" if release.startswith("mariadb") else "mysql"


@pytest.mark.parametrize("release", DIGESTS)
def test_each_statement_meets_its_digest(release: str) -> None:
    apart = {
        statement: (canonical(statement, flavor(release)), canonical(digest, flavor(release)))
        for statement, digest in DIGESTS[release].items()
        if pair_key(statement, flavor(release)) != pair_key(digest, flavor(release))
    }
    assert apart == {}
    assert len(DIGESTS[release]) > 480


@pytest.mark.parametrize("release", DIGESTS)
def test_what_is_not_the_same_does_not_meet(release: str) -> None:
    """Keys may be coarser than digests where the docstring says so, and hardly so."""
    digests = set(DIGESTS[release].values())
    keys = {pair_key(digest, flavor(release)) for digest in digests}
    assert len(keys) >= 0.94 * len(digests)


def test_flavours_meet_on_what_both_run() -> None:
    mysql, mariadb = DIGESTS["mysql-9.7"], DIGESTS["mariadb-10.11"]
    both = [statement for statement in mysql if statement in mariadb and "/*!" not in statement]
    assert [one for one in both if pair_key(mysql[one], "mysql") != pair_key(mariadb[one], "mariadb")] == []


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        (
            "SELECT A, `b c` FROM T WHERE x=-5 AND y IN (1,2)",
            "select a , `b c` from t where x = ? and y in ( ? )",
        ),
        ("SELECT a - 5, -5, 5 - -5", "select a - ? - ?"),
        ("SELECT a FROM t WHERE b = 'cut", "select a from t where b = ?"),
        ("SELECT /* c */ a -- d\nFROM t;", "select a from t"),
        ("SELECT @secret, @@version", "select @ ? , @@ version"),
        ("SELECT 1; ", "select ?"),
        ("SELECT a FROM t WHERE b = 4711e", "select a from t where b = ?"),
    ],
)
def test_the_third_text(statement: str, text: str) -> None:
    assert canonical(statement) == text


def test_code_for_one_flavour() -> None:
    assert canonical("SELECT /*!80000 a */ FROM t", "mysql") == "select a from t"
    assert canonical("SELECT /*!80000 'a', 5 */ b FROM t", "mariadb") == "select b from t"
    assert canonical("SELECT /*M!100100 a */ FROM t", "mariadb") == "select a from t"
    assert canonical("SELECT /*M!100100 a */ FROM t", "mysql") == "select from t"


def test_a_digest_that_was_cut() -> None:
    assert digest_cut("SELECT `a` , `b` , ...")
    assert digest_cut("SELECT `a` , `b` ...")
    assert not digest_cut("SELECT `a` FROM `t` LIMIT ?, ...")
    assert not digest_cut("SELECT `a` FROM `t` WHERE `b` IN (...) ")


@pytest.mark.parametrize(
    ("digest", "text"),
    [
        ("SELECT `a` , `b` FROM `t` WHERE `c` IN (...) LIMIT ?, ...", "SELECT `a`, `b` FROM `t` WHERE `c` IN (?) LIMIT ?"),
        ("INSERT INTO `s` . `t` ( `a` ) VALUES (...) /* , ... */ ", "INSERT INTO `s`.`t` (`a`) VALUES (?)"),
        ("SELECT ID , COUNT ( * ) FROM `t` WHERE `a` = (unknown) ", "SELECT `id`, COUNT(*) FROM `t` WHERE `a` = ?"),
        ("SELECT `a , b` , `(...)` FROM `t . u`", "SELECT `a , b`, `(...)` FROM `t . u`"),
    ],
)  # fmt: skip
def test_a_digest_as_somebody_would_write_it(digest: str, text: str) -> None:
    assert server_text(digest) == text


def test_its_fingerprint() -> None:
    text, _ = fingerprint(server_text("SELECT `a` FROM `t` WHERE `b` IN (...) ORDER BY `a` ASC LIMIT ?, ..."))
    assert text == "select `a` from `t` where `b` in(?+) order by `a` limit ?"


@pytest.mark.parametrize("release", DIGESTS)
def test_it_keeps_its_key(release: str) -> None:
    for digest in DIGESTS[release].values():
        assert pair_key(server_text(digest)) == pair_key(digest)
