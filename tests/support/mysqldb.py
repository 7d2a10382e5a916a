"""Django's MySQL backend without a compiled driver."""

from __future__ import annotations

import sys

import pymysql


def use_pymysql() -> None:
    """Makes Django's MySQL backend use PyMySQL.

    Its modules get their second names here: imported again under those, they would replace the exceptions
    that everybody else has imported.
    """
    pymysql.install_as_MySQLdb()
    for name, module in list(sys.modules.items()):
        if name.startswith("pymysql."):
            sys.modules.setdefault(name.replace("pymysql", "MySQLdb", 1), module)
