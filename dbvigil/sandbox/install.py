"""Fetch a server that this machine's distribution does not have, into the cache.

Debian's `sid` suite has newer servers than Debian stable. Their packages, with every library they need down
to the C library, are fetched by apt itself with a configuration of its own, so signatures are checked against
Debian's keyring and the machine's packages are not touched. They are unpacked, not installed. The mirror is
the one that this machine's apt already uses. No root is needed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from dbvigil.sandbox.binaries import RELEASES, Release, ServerBinary, cached_root, find, unpacked
from dbvigil.sandbox.cache import building
from dbvigil.sandbox.errors import ServerUnavailable

SUITE = "sid"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# Needed by the packages' maintenance scripts only; no server program loads them.
_SCRIPTS_ONLY = re.compile(r"(perl|libperl|libgdbm|libdb5|libc-gconv)[^_]*_")
_DOCUMENTATION = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "var", "etc")


def install(name: str) -> ServerBinary:
    """Make sure that a release can be run, fetching it if need be; returns it.

    Safe to call from several processes at once. Raises ServerUnavailable.
    """
    release = RELEASES.get(name)
    if release is None or not release.packages:
        return find(name)
    try:
        return find(name)
    except ServerUnavailable:
        pass  # not here yet, which is what this function is for
    with building(cached_root(release)) as draft:
        if draft is not None:
            _fetch(release, draft)
    return find(name)


def mirror() -> str:
    """The Debian mirror that apt on this machine uses, as a URL ending in "/".

    Asked of apt, not parsed out of its files, so every way of writing a source works.
    """
    answer = _run(["apt-get", "update", "--print-uris"], "apt does not say which mirror it uses")
    addresses: list[tuple[str, str]] = re.findall(
        r"^'([^']+/)dists/([^/']+)/InRelease'", answer, re.MULTILINE
    )
    codename = _os_release("VERSION_CODENAME")
    for address, suite in addresses:
        if suite in (codename, "stable", "testing", "unstable", SUITE):
            return address
    raise ServerUnavailable(SUITE, "apt has no source for this machine's own release", "is this Debian?")


def _fetch(release: Release, root: Path) -> None:
    """Unpack the packages of `release` into `root`; raises ServerUnavailable."""
    if not KEYRING.exists():
        remedy = "run `apt-get install debian-archive-keyring`"
        raise ServerUnavailable(release.name, f"{KEYRING} is missing", remedy)
    with tempfile.TemporaryDirectory(prefix="dbvigil-apt-") as scratch:
        configuration = _apt_configuration(Path(scratch))
        environment = {**os.environ, "APT_CONFIG": str(configuration), "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update"], f"the package list of {SUITE} cannot be fetched", environment)
        fetch = ["apt-get", "install", "--yes", "--download-only", "--no-install-recommends"]
        _run([*fetch, *release.packages], f"the packages of {release.name} cannot be fetched", environment)
        for package in sorted(Path(scratch, "archives").glob("*.deb")):
            if not _SCRIPTS_ONLY.match(package.name):
                _run(["dpkg-deb", "--extract", str(package), str(root)], f"{package.name} cannot be unpacked")
    for folder in _DOCUMENTATION:
        shutil.rmtree(root / folder, ignore_errors=True)
    binary = unpacked(release, root)
    wanted = ".".join(map(str, release.series))
    if binary is None or binary.version[:2] != release.series:
        found = binary.version_text if binary else "no runnable server"
        remedy = "name the new release in dbvigil/sandbox/binaries.py"
        raise ServerUnavailable(release.name, f"{SUITE} now has {found}, not {wanted}", remedy)


def _apt_configuration(scratch: Path) -> Path:
    """An apt configuration that knows one suite and no installed package, with this machine's proxies."""
    for folder in ("state/lists/partial", "archives/partial", "parts"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "status").touch()
    sources = scratch / "debian.sources"
    stanza = f"Types: deb\nURIs: {mirror()}\nSuites: {SUITE}\nComponents: main\nSigned-By: {KEYRING}\n"
    sources.write_text(stanza, encoding="utf-8")
    machine = _run(["apt-config", "dump"], "apt's configuration cannot be read")
    kept = [line for line in machine.splitlines() if line.startswith("Acquire::")]
    own = {
        # The machine's own configuration files are left out: their hooks are meant for its own packages.
        "Dir::Etc::Parts": scratch / "parts",
        "Dir::Etc::Main": "/dev/null",
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": scratch / "parts",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": scratch / "parts",
        "Dir::State": scratch / "state",
        "Dir::State::status": scratch / "status",
        "Dir::Cache": scratch,
        "Dir::Cache::archives": scratch / "archives",
        "APT::Sandbox::User": "",
        # Whatever the machine's own settings allow, nothing unsigned is fetched here.
        "Acquire::AllowInsecureRepositories": "false",
        "Acquire::AllowWeakRepositories": "false",
        "APT::Get::AllowUnauthenticated": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    configuration = scratch / "apt.conf"
    lines = [*kept, *(f'{key} "{value}";' for key, value in own.items())]
    configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return configuration


def _os_release(key: str) -> str:
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if name == key:
            return value.strip('"')
    return ""


def _run(command: list[str], failure: str, environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=600, check=False
        )
    except FileNotFoundError:
        raise ServerUnavailable(
            SUITE, f"{command[0]} is not on this machine", "this works on Debian only"
        ) from None
    if done.returncode != 0:
        raise ServerUnavailable(SUITE, failure, done.stderr.strip()[-500:] or f"exit code {done.returncode}")
    return done.stdout
