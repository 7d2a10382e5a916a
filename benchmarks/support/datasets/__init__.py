"""Data and statements on which index advice is tried."""

from __future__ import annotations

from benchmarks.support.datasets.base import SCHEMA, DataSet
from benchmarks.support.datasets.desk import DESK
from benchmarks.support.datasets.rental import RENTAL
from benchmarks.support.datasets.shop import SHOP
from benchmarks.support.datasets.tpch import TPCH

SETS = {one.name: one for one in (SHOP, RENTAL, TPCH, DESK)}

__all__ = ["SCHEMA", "SETS", "DataSet"]
