"""What every test may ask for: real servers, a real service, and a home folder that is not the developer's."""

from __future__ import annotations

import os
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

# Removed when the run ends.
_HOME = tempfile.TemporaryDirectory(prefix="dbvigil-tests-", ignore_cleanup_errors=True)
os.environ["DBVIGIL_HOME"] = _HOME.name
for name in [name for name in os.environ if name.startswith(("DB_", "DATABASE_URL"))]:
    del os.environ[name]

# A loaded machine may take long for one example, and to think of one. CI tries the same examples each time, so that a change is judged by
# the change; developers' runs look for new ones.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("developer", _PATIENT)
settings.register_profile("ci", _PATIENT, derandomize=True)
# For `make fuzz`: where a test does not say how many examples it needs, many.
settings.register_profile("fuzz", _PATIENT, max_examples=1000)
settings.load_profile("ci" if os.environ.get("CI") else "developer")
if os.environ.get("CI"):
    # Some values are taken from the constants of our modules that are loaded: those that a worker's files before this one happened to use.
    providers._get_local_constants = lambda: providers._local_constants

pytest_plugins = [
    "tests.support.disks",
    "tests.support.postgres",
    "tests.support.receiver",
    "tests.support.rendering",
    "tests.support.servers",
    "tests.support.service",
    "tests.support.api",
    "tests.support.web",
]
