"""What every test may ask for: real servers, a real service, and a home folder that is not the developer's."""

from __future__ import annotations

import os
import tempfile

# Removed when the run ends.
_HOME = tempfile.TemporaryDirectory(prefix="dbvigil-tests-", ignore_cleanup_errors=True)
os.environ["DBVIGIL_HOME"] = _HOME.name
for name in [name for name in os.environ if name.startswith(("DB_", "DATABASE_URL"))]:
    del os.environ[name]

pytest_plugins = [
    "tests.support.postgres",
    "tests.support.receiver",
    "tests.support.servers",
    "tests.support.service",
    "tests.support.api",
    "tests.support.web",
]
