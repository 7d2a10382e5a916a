"""Index candidates proved by execution on real servers: what helps is verified, what harms never is, and the source is only read."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from dbvigil.errors import ConfigurationError
from dbvigil.private_servers import remove
from dbvigil.queries.proof import Budget, verify
from dbvigil.queries.proof.budget import Purse
from dbvigil.queries.proof.copying import copy, make_tables
from dbvigil.queries.proof.growing import two_sizes
from dbvigil.queries.proof.place import sandbox_for
from dbvigil.queries.proof.sampling import plan_sample
from dbvigil.queries.schema import Schema
from dbvigil.queries.schema_reader import read_schema
from dbvigil.queries.workload import Candidate, Proof, WorkloadQuery
from dbvigil.sandbox import PrivateServer
from dbvigil.server import Server
from dbvigil.targets import parse_url
from tests.support.servers import PrivateServers

USER, PASSWORD, DATABASE = "prover", "prover-1", "proved"
TABLES = (
    """CREATE TABLE customers (id INT PRIMARY KEY, region VARCHAR(20) NOT NULL, secret VARBINARY(20), born DATE NULL,
        old VARCHAR(20) CHARACTER SET latin1, exact DOUBLE, flags BIT(3)) ENGINE=InnoDB""",
    """CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, customer_id INT NOT NULL, status VARCHAR(10) NOT NULL, code INT NOT NULL,
        total DECIMAL(10,2) NOT NULL, twice DECIMAL(11,2) GENERATED ALWAYS AS (total * 2) STORED, note CHAR(60) NOT NULL,
        seen DATETIME NULL, KEY customer (customer_id),
        CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id)) ENGINE=InnoDB""",
)
DIGITS = "(SELECT 0 AS d" + "".join(f" UNION ALL SELECT {digit}" for digit in range(1, 10)) + ")"
NUMBERS = (
    f"SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS n FROM {DIGITS} a, {DIGITS} b, {DIGITS} c, {DIGITS} e"
)
CUSTOMERS = rf"""INSERT INTO customers
    SELECT n + 1, CONCAT('r', n % 7), X'00ff27', IF(n % 3, NULL, '0000-00-00'), IF(n % 5, 'café\\\'', ''), n / 7, b'101'
      FROM ({NUMBERS}) x WHERE n < 2000"""
# Nine of ten orders are done, the other states are rare; a tenth of all orders are the first customer's. Of `code` there are two rows each.
ORDERS = f"""INSERT INTO orders (customer_id, status, code, total, note, seen)
    SELECT IF(n % 10 = 0, 1, 1 + n * 7 % 2000), IF(n % 10 < 9, 'done', CONCAT('s', n % 97)), n * 7919 % 10007, n / 100, REPEAT('né', 20),
           DATE_ADD('2024-01-01', INTERVAL n MINUTE)
      FROM (SELECT m.n + 10000 * k.d AS n FROM ({NUMBERS}) m, (SELECT 0 AS d UNION ALL SELECT 1) k) x"""
BY_CODE = "SELECT id, total FROM orders WHERE code = ?"
BY_STATUS = "SELECT SUM(total) FROM orders WHERE status = ?"
FIRST_PAGE = "SELECT id, note FROM orders WHERE total > ? ORDER BY code LIMIT 40"
OF_REGION = (
    "SELECT c.region, SUM(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id"
    " WHERE c.region = ? GROUP BY c.region"
)
FAN_OUT = (
    "SELECT c.id AS id, COUNT(o.id) AS number FROM {schema}.customers c"
    " LEFT JOIN {schema}.orders o ON o.customer_id = c.id GROUP BY c.id"
)
READING = {"Com_select", "Com_set_option", "Com_show_create_table", "Com_show_variables", "Com_show_status"}


def fill(server: PrivateServer) -> None:
    server.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
    with server.connect(database=DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = ''")
        for text in (*TABLES, CUSTOMERS, ORDERS, "ANALYZE TABLE customers, orders"):
            cursor.execute(text)
    server.create_user(USER, PASSWORD, (f"SELECT ON {DATABASE}.*",))


@pytest.fixture(scope="module")
def proved(any_server: PrivateServer) -> Iterator[PrivateServer]:
    fill(any_server)
    yield any_server
    any_server.execute(f"DROP DATABASE {DATABASE}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where private servers are made during one test."""
    place = tmp_path / "t"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def nothing_left(folder: Path) -> bool:
    commands = []
    for child in psutil.Process().children(recursive=True):
        # One that has ended meanwhile is not left.
        with suppress(psutil.NoSuchProcess):
            commands.append(" ".join(child.cmdline()))
    return not list(folder.iterdir()) and not any(str(folder) in command for command in commands)


def candidate(table: str, *columns: str, serves: tuple[str, ...] = ("q1",)) -> Candidate:
    return Candidate(DATABASE, table, tuple((one, False) for one in columns), serves, "ddl", "rollback")


def query(sql: str, query_id: str = "q1", *samples: str) -> WorkloadQuery:
    return WorkloadQuery(query_id, sql, DATABASE, samples=samples)


def monitored(server: PrivateServer) -> Server:
    return Server(parse_url("t", server.url(USER, PASSWORD)))


async def known(server: Server) -> Schema:
    return await read_schema(server, {("", "orders"), ("", "customers")}, default=DATABASE)


def clocked(proof: Proof) -> bool:
    """Whether nothing but the clock keeps a verdict back, as it does on a machine that is busy with other tests."""
    return proof.outcome == "estimated" and any(
        words in proof.reason for words in ("by the clock", "may become")
    )


async def proofs(
    server: PrivateServer, workload: list[WorkloadQuery], candidates: list[Candidate], **options: Any
) -> list[Proof]:
    source = monitored(server)
    try:
        schema = await known(source)
        given = {"budget": Budget(load_share=100)} | options
        for _ in range(3):
            found = await verify(source, workload, candidates, schema, **given)
            if not any(map(clocked, found)):
                break
        return found
    finally:
        await source.close()


def counters(server: PrivateServer) -> dict[str, int]:
    """How many statements of each kind the server was sent."""
    rows = server.execute("SHOW GLOBAL STATUS LIKE 'Com\\_%'")
    return {
        row["Variable_name"]: int(row["Value"])
        for row in rows
        if row["Variable_name"] != "Com_admin_commands"
    }


async def test_an_index_that_helps_is_verified(proved: PrivateServer, folder: Path) -> None:
    before = counters(proved)
    (proof,) = await proofs(proved, [query(BY_CODE)], [candidate("orders", "code")])
    assert proof.outcome == "verified", proof
    assert proof.speed_up is not None and proof.speed_up > 5
    assert proof.interval is not None and proof.interval[0] <= proof.speed_up <= proof.interval[1]
    assert proof.before is not None and proof.after is not None
    assert proof.before["rows_read"] >= 20_000 and proof.after["rows_read"] <= 10
    assert {case["case"] for case in proof.queries[0]["cases"]} == {"hot", "median", "cold"}
    assert all(case["used"] and case["same_rows"] for case in proof.queries[0]["cases"])
    assert proof.sample is not None and (proof.sample["rows"], proof.sample["share"]) == (20_000, 100)
    assert proof.build_seconds is not None and proof.build_seconds > 0
    assert proof.cost is not None and 20_000 <= proof.cost["rows_read"] <= 20_100
    grown = {name for name, value in counters(proved).items() if value > before.get(name, 0)}
    assert grown <= READING, grown
    assert nothing_left(folder)


async def test_several_candidates_in_one_sandbox(proved: PrivateServer, folder: Path) -> None:
    workload = [query(BY_CODE), query(FIRST_PAGE, "q3")]
    wanted = [
        candidate("orders", "code"),
        candidate("orders", "nonesuch"),
        candidate("nowhere", "code"),
        candidate("orders", "status", serves=("q3",)),
    ]
    misleading, refused, unknown, useless = await proofs(proved, workload, wanted)
    # It finds the rows of one code, and misleads the server where a page is asked for in its order.
    assert misleading.outcome in ("harmful", "estimated"), misleading
    assert misleading.speed_up is not None and misleading.speed_up > 5
    assert (refused.outcome, unknown.outcome) == ("untested", "untested")
    assert "1072" in refused.reason and "nowhere" in unknown.reason
    assert useless.outcome == "no_gain", useless
    assert nothing_left(folder)


async def test_a_folder_that_cannot_be_removed_is_told(
    tmp_path: Path, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Nobody removes the place where a disk is mounted.
    await remove(PrivateServer("mariadb-10.11", tmp_path / "server"), small_disk)
    assert f"{small_disk} has rows of a monitored server in it and cannot be removed" in caplog.text
    await remove(PrivateServer("mariadb-10.11", tmp_path / "server"), tmp_path / "never-made")
    assert len(caplog.records) == 1


async def test_an_index_on_a_value_that_most_rows_have(proved: PrivateServer) -> None:
    (proof,) = await proofs(proved, [query(BY_STATUS)], [candidate("orders", "status")])
    hot = next(case for case in proof.queries[0]["cases"] if case["case"] == "hot")
    # MySQL uses it for nine tenths of the table, which takes several times as long; MariaDB leaves it alone.
    assert hot["used"] is (proved.flavor == "mysql")
    assert proof.outcome == ("harmful" if hot["used"] else "verified"), proof


async def test_another_statement_that_becomes_slower(proved: PrivateServer) -> None:
    workload = [query("SELECT id FROM orders WHERE status = 'none' AND code > 3"), query(BY_STATUS, "q2")]
    (proof,) = await proofs(proved, workload, [candidate("orders", "status")])
    rows = {row["query_id"]: row for row in proof.queries}
    assert (rows["q1"]["serves"], rows["q2"]["serves"]) == (True, False)
    if proved.flavor == "mysql":
        assert proof.outcome == "harmful" and "q2" in proof.reason, proof
    else:
        assert proof.outcome == "verified", proof


async def test_joined_rows_stay_together_arrive_as_they_were_and_grow(
    proved: PrivateServer, folder: Path
) -> None:
    source = monitored(proved)
    sql = "SELECT *, HEX(secret) AS h, CAST(born AS CHAR) AS b, HEX(old) AS o, HEX(flags) AS f FROM {}.customers WHERE id = {}"
    try:
        schema = await known(source)
        purse = Purse(source, Budget(rows=8_000, load_share=100))
        plan = plan_sample([query(OF_REGION)], list(schema.tables.values()), schema, 8_000)
        async with sandbox_for(source, [DATABASE]) as place:
            await make_tables(purse, place.server, plan, place.small, place.big)
            copied = await copy(purse, place.server, plan, place.small)
            await two_sizes(place.server, plan, copied, place.small, place.big, place.own)
            assert 0.2 < copied.share < 0.5
            assert 4_000 < sum(copied.rows.values()) <= purse.rows_read <= 8_000
            counts = fan_out(proved.execute(FAN_OUT.format(schema=DATABASE)))
            found = fan_out(await place.server.rows(FAN_OUT.format(schema=place.small[DATABASE])))
            assert len(found) >= 300
            assert found.items() <= counts.items()
            many = await place.server.rows(
                f"SELECT id FROM {place.small[DATABASE]}.customers ORDER BY id LIMIT 20"
            )
            for row in many:
                here = await place.server.rows(sql.format(place.small[DATABASE], row["id"]))
                assert here == await source.rows(sql.format(DATABASE, row["id"]))
            # Grown, every customer of the strides that were read is there, with as many orders as one of them, and no order is without.
            grown = fan_out(await place.server.rows(FAN_OUT.format(schema=place.big[DATABASE])))
            assert grown.keys() <= counts.keys()
            assert len(grown) >= 0.8 * len(counts)
            assert set(grown.values()) <= set(found.values())
            (orders,) = await place.server.rows(
                f"SELECT COUNT(*) AS number, COUNT(DISTINCT id) AS ids FROM {place.big[DATABASE]}.orders"
            )
            assert orders["number"] == orders["ids"] == sum(grown.values())
    finally:
        await source.close()
    assert nothing_left(folder)


async def test_a_table_whose_numbers_have_no_room_does_not_grow(proved: PrivateServer) -> None:
    proved.execute(
        f"CREATE TABLE {DATABASE}.marks (id TINYINT UNSIGNED PRIMARY KEY, customer_id INT NOT NULL, KEY (customer_id))"
    )
    source = monitored(proved)
    try:
        proved.execute(f"INSERT INTO {DATABASE}.marks SELECT id, 1 FROM {DATABASE}.customers WHERE id <= 200")
        proved.execute(f"ANALYZE TABLE {DATABASE}.marks")
        schema = await read_schema(
            source, {("", "marks"), ("", "customers"), ("", "orders")}, default=DATABASE
        )
        purse = Purse(source, Budget(rows=8_000, load_share=100))
        joined = OF_REGION.replace("WHERE", "JOIN marks m ON m.customer_id = c.id WHERE")
        plan = plan_sample([query(joined)], list(schema.tables.values()), schema, 8_000)
        async with sandbox_for(source, [DATABASE]) as place:
            await make_tables(purse, place.server, plan, place.small, place.big)
            copied = await copy(purse, place.server, plan, place.small)
            await two_sizes(place.server, plan, copied, place.small, place.big, place.own)
            (marks,) = await place.server.rows(f"SELECT COUNT(*) AS n FROM {place.big[DATABASE]}.marks")
            (customers,) = await place.server.rows(
                f"SELECT COUNT(*) AS n FROM {place.big[DATABASE]}.customers"
            )
        assert (marks["n"], copied.loose) == (200, {(DATABASE, "marks")})
        assert customers["n"] > 1_500
    finally:
        await source.close()
        proved.execute(f"DROP TABLE {DATABASE}.marks")


def fan_out(rows: list[dict[str, Any]]) -> dict[int, int]:
    """How many orders each customer has."""
    return {row["id"]: row["number"] for row in rows}


async def test_the_budget_is_kept(proved: PrivateServer) -> None:
    source = monitored(proved)
    schema = await known(source)
    before = rows_read(proved)
    try:
        budget = Budget(rows=5_000, load_share=100)
        (proof,) = await verify(
            source, [query(BY_CODE)], [candidate("orders", "code")], schema, budget=budget
        )
    finally:
        await source.close()
    taken = rows_read(proved) - before
    assert proof.cost is not None
    assert 3_000 < taken <= 5_000
    assert taken <= proof.cost["rows_read"] <= 5_000
    assert proof.outcome in ("verified", "estimated"), proof
    assert proof.sample is not None and 10 < proof.sample["share"] < 30


def rows_read(server: PrivateServer) -> int:
    """Rows that the engine has read for everybody; where it does not say, those that were found by an index."""
    if server.flavor == "mysql":
        rows = server.execute("SHOW GLOBAL STATUS LIKE 'Innodb_rows_read'")
    else:
        rows = server.execute(
            "SHOW GLOBAL STATUS WHERE Variable_name IN ('Handler_read_key', 'Handler_read_next', 'Handler_read_first')"
        )
    return sum(int(row["Value"]) for row in rows)


async def test_too_small_a_budget_and_too_little_time(proved: PrivateServer) -> None:
    wanted = [candidate("orders", "code")]
    (proof,) = await proofs(proved, [query(BY_CODE)], wanted, budget=Budget(rows=3, load_share=100))
    assert proof.outcome == "untested" and "budget" in proof.reason
    (proof,) = await proofs(proved, [query(BY_CODE)], wanted, seconds_in_sandbox=0.001)
    assert proof.outcome == "untested" and "time in the sandbox" in proof.reason


async def test_no_value_is_told(proved: PrivateServer) -> None:
    text = "SELECT id, total FROM orders WHERE status = {} AND code = {}"
    workload = [
        query(text.format("?", "?"), "q1", text.format("'s96'", 7919)),
        query("SELECT id FROM orders WHERE ? = note + 1", "q2"),
    ]
    found = await proofs(
        proved, workload, [candidate("orders", "code", "status"), candidate("orders", "note", serves=("q2",))]
    )
    assert found[0].queries[0]["cases"][0]["case"] == "sample 1"
    assert found[1].outcome == "untested"
    for value in ("s96", "7919", "né", "6EC3A9", "733936", "646F6E65"):
        assert value not in repr(found)


@pytest.mark.parametrize("moment", ["starting", "copying", "trying"])
async def test_a_cancelled_proof_leaves_nothing(mariadb: PrivateServer, folder: Path, moment: str) -> None:
    fill(mariadb)
    reached = asyncio.Event()

    def hear(what: str, share: float) -> None:
        if what.startswith(moment):
            reached.set()

    try:
        work = asyncio.create_task(
            proofs(mariadb, [query(BY_CODE)], [candidate("orders", "code")], progress=hear)
        )
        await asyncio.wait_for(reached.wait(), 60)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    finally:
        mariadb.execute(f"DROP DATABASE {DATABASE}")
    assert nothing_left(folder)


async def test_a_server_that_dies(private_server: PrivateServers, folder: Path) -> None:
    server = private_server("mariadb-10.11")
    fill(server)

    def hear(what: str, share: float) -> None:
        if what.startswith("copying"):
            server.kill()

    (proof,) = await proofs(server, [query(BY_CODE)], [candidate("orders", "code")], progress=hear)
    assert proof.outcome == "untested"
    assert "connection" in proof.reason or "refused" in proof.reason
    assert nothing_left(folder)


async def test_a_server_named_for_it(
    proved: PrivateServer, private_server: PrivateServers, folder: Path
) -> None:
    named = private_server(proved.binary.name)
    named.create_user("trier", "trier-1", (r"ALL ON `dbvigil\_proof\_%%`.*",))
    url, wanted = named.url("trier", "trier-1"), [candidate("orders", "code")]
    (proof,) = await proofs(proved, [query(BY_CODE)], wanted, sandbox=url)
    assert proof.outcome == "verified", proof
    assert named.execute("SHOW DATABASES LIKE 'dbvigil%'") == []
    assert nothing_left(folder)
    itself = proved.url(USER, PASSWORD)
    for own in (itself, itself.replace("127.0.0.1", "localhost")):
        with pytest.raises(ConfigurationError, match=r"DB_SANDBOX_URL.*monitored"):
            await proofs(proved, [query(BY_CODE)], wanted, sandbox=own)
    with pytest.raises(ConfigurationError, match=r"DB_SANDBOX_URL.*monitored as other"):
        await proofs(proved, [query(BY_CODE)], wanted, sandbox=url, forbidden=[parse_url("other", url)])
