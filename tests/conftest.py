"""What every test may ask for: real servers, a real service, and a home folder that is not the developer's."""

from __future__ import annotations

import os
import tempfile

os.environ["DBVIGIL_HOME"] = tempfile.mkdtemp(prefix="dbvigil-tests-")
for name in [name for name in os.environ if name.startswith("DB_MONITORING_")]:
    del os.environ[name]

pytest_plugins = [
    "tests.support.postgres",
    "tests.support.servers",
    "tests.support.service",
    "tests.support.api",
    "tests.support.web",
]
