"""TPC-H at scale factor 0.05, made by tpchgen-cli: 300,000 lines of 75,000 orders. Uniform data. Primary keys, and an index for each
foreign key, as InnoDB demands one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.support.datasets.base import SCHEMA, DataSet, Natural, run
from dbvigil.sandbox import PrivateServer

SCALE = "0.05"
_QUERIES = Path(__file__).parents[3] / "tests" / "recorded" / "statements" / "tpch.sql"
_TABLES = {
    "region": "r_regionkey INT PRIMARY KEY, r_name CHAR(25) NOT NULL, r_comment VARCHAR(152)",
    "nation": "n_nationkey INT PRIMARY KEY, n_name CHAR(25) NOT NULL, n_regionkey INT NOT NULL, n_comment VARCHAR(152), KEY (n_regionkey)",
    "part": """p_partkey INT PRIMARY KEY, p_name VARCHAR(55) NOT NULL, p_mfgr CHAR(25) NOT NULL, p_brand CHAR(10) NOT NULL,
        p_type VARCHAR(25) NOT NULL, p_size INT NOT NULL, p_container CHAR(10) NOT NULL, p_retailprice DECIMAL(15,2) NOT NULL,
        p_comment VARCHAR(23) NOT NULL""",
    "supplier": """s_suppkey INT PRIMARY KEY, s_name CHAR(25) NOT NULL, s_address VARCHAR(40) NOT NULL, s_nationkey INT NOT NULL,
        s_phone CHAR(15) NOT NULL, s_acctbal DECIMAL(15,2) NOT NULL, s_comment VARCHAR(101) NOT NULL, KEY (s_nationkey)""",
    "partsupp": """ps_partkey INT NOT NULL, ps_suppkey INT NOT NULL, ps_availqty INT NOT NULL, ps_supplycost DECIMAL(15,2) NOT NULL,
        ps_comment VARCHAR(199) NOT NULL, PRIMARY KEY (ps_partkey, ps_suppkey), KEY (ps_suppkey)""",
    "customer": """c_custkey INT PRIMARY KEY, c_name VARCHAR(25) NOT NULL, c_address VARCHAR(40) NOT NULL, c_nationkey INT NOT NULL,
        c_phone CHAR(15) NOT NULL, c_acctbal DECIMAL(15,2) NOT NULL, c_mktsegment CHAR(10) NOT NULL,
        c_comment VARCHAR(117) NOT NULL, KEY (c_nationkey)""",
    "orders": """o_orderkey INT PRIMARY KEY, o_custkey INT NOT NULL, o_orderstatus CHAR(1) NOT NULL, o_totalprice DECIMAL(15,2) NOT NULL,
        o_orderdate DATE NOT NULL, o_orderpriority CHAR(15) NOT NULL, o_clerk CHAR(15) NOT NULL, o_shippriority INT NOT NULL,
        o_comment VARCHAR(79) NOT NULL, KEY (o_custkey)""",
    "lineitem": """l_orderkey INT NOT NULL, l_partkey INT NOT NULL, l_suppkey INT NOT NULL, l_linenumber INT NOT NULL,
        l_quantity DECIMAL(15,2) NOT NULL, l_extendedprice DECIMAL(15,2) NOT NULL, l_discount DECIMAL(15,2) NOT NULL,
        l_tax DECIMAL(15,2) NOT NULL, l_returnflag CHAR(1) NOT NULL, l_linestatus CHAR(1) NOT NULL, l_shipdate DATE NOT NULL,
        l_commitdate DATE NOT NULL, l_receiptdate DATE NOT NULL, l_shipinstruct CHAR(25) NOT NULL, l_shipmode CHAR(10) NOT NULL,
        l_comment VARCHAR(44) NOT NULL, PRIMARY KEY (l_orderkey, l_linenumber), KEY (l_partkey, l_suppkey), KEY (l_suppkey)""",
}


def _queries() -> tuple[str, ...]:
    return tuple(text.strip() for text in _QUERIES.read_text().split(";\n") if text.strip())


def _load(server: PrivateServer, seed: int) -> None:
    """Its generator knows one set of rows at each scale; no `seed` changes them."""
    run(server, tuple(f"CREATE TABLE {name} ({columns})" for name, columns in _TABLES.items()))
    with tempfile.TemporaryDirectory() as folder:
        program = Path(sys.executable).with_name("tpchgen-cli")
        subprocess.run([program, "csv", "-s", SCALE, "-o", folder], check=True, capture_output=True)
        with server.connect(database=SCHEMA, local_infile=True) as connection, connection.cursor() as cursor:
            server.execute("SET GLOBAL local_infile = 1")
            for name in _TABLES:
                cursor.execute(
                    f"LOAD DATA LOCAL INFILE '{folder}/{name}.csv' INTO TABLE {name}"
                    " FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' IGNORE 1 LINES"
                )
            connection.commit()
    run(server, (f"ANALYZE TABLE {', '.join(_TABLES)}",))


_NATURAL = (
    Natural(0, "lineitem", ("l_shipdate",)), Natural(2, "orders", ("o_orderdate",)), Natural(2, "customer", ("c_mktsegment",)),
    Natural(2, "orders", ("o_custkey",)), Natural(3, "orders", ("o_orderdate",)), Natural(5, "lineitem", ("l_shipdate",)),
    Natural(5, "lineitem", ("l_quantity",)), Natural(7, "part", ("p_type",)), Natural(7, "lineitem", ("l_partkey",)),
    Natural(9, "lineitem", ("l_returnflag",)), Natural(9, "orders", ("o_orderdate",)), Natural(10, "partsupp", ("ps_suppkey",)),
    Natural(11, "lineitem", ("l_shipmode",)), Natural(11, "lineitem", ("l_receiptdate",)), Natural(13, "lineitem", ("l_shipdate",)),
    Natural(16, "lineitem", ("l_partkey",)), Natural(16, "part", ("p_brand", "p_container")), Natural(18, "lineitem", ("l_partkey",)),
    Natural(19, "lineitem", ("l_partkey", "l_suppkey")), Natural(20, "lineitem", ("l_suppkey",)), Natural(20, "orders", ("o_orderstatus",)),
    Natural(21, "orders", ("o_custkey",)),
)  # fmt: skip

TPCH = DataSet(
    "tpch",
    _load,
    tuple(_TABLES),
    # As they are: its values are a part of the benchmark, and any of them is as frequent as any other.
    _queries(),
    _NATURAL,
)
