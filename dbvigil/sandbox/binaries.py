"""Which servers can be run here, and how.

A release is first looked for on the host (the packages `HOST_PACKAGES`), then in the cache, where
`dbvigil.sandbox.install` unpacks the releases that Debian stable does not have.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dbvigil.sandbox.cache import cache_folder
from dbvigil.sandbox.errors import ServerUnavailable

HOST_PACKAGES = ("mariadb-server-core", "mariadb-client-core")
"""Debian packages for MariaDB on the host: programs only; no service is set up and nothing is started."""


@dataclass(frozen=True, slots=True)
class Release:
    """A line of servers that the tests know by name.

    `packages` are what a cached copy is made of; empty means that only the host can have it.
    """

    name: str
    flavor: str
    series: tuple[int, int]
    program: str
    packages: tuple[str, ...] = ()


RELEASES: dict[str, Release] = {
    release.name: release
    for release in (
        Release("mariadb-10.11", "mariadb", (10, 11), "mariadbd"),
        Release("mysql-9.7", "mysql", (9, 7), "mysqld", ("mysql-server-core", "mysql-client-core")),
        Release("mariadb-11.8", "mariadb", (11, 8), "mariadbd", HOST_PACKAGES),
    )
}


@dataclass(frozen=True, slots=True)
class ServerBinary:
    """The programs of one server, ready to run.

    `prefix` goes in front of every program: empty on the host; for a cached copy its own dynamic loader and
    libraries, so that a newer distribution's programs run on an older one without root or chroot.
    `root` is the folder that holds `usr`.
    """

    name: str
    flavor: str
    version: tuple[int, int, int]
    version_text: str
    root: Path
    prefix: tuple[str, ...]

    @property
    def basedir(self) -> Path:
        return self.root / "usr"

    @property
    def messages(self) -> Path:
        """Where the error messages and the system tables' SQL files are."""
        folders = (self.basedir / "share" / "mariadb", self.basedir / "share" / "mysql")
        return next(folder for folder in folders if (folder / "english" / "errmsg.sys").exists())

    @property
    def plugins(self) -> Path:
        return self.basedir / "lib" / "mysql" / "plugin"

    @property
    def server(self) -> list[str]:
        """The command that runs the server, to which options are added."""
        return self.program(RELEASES[self.name].program)

    def program(self, name: str) -> list[str]:
        """The command that runs a program of this server, such as `mysqldump`; raises ServerUnavailable."""
        for folder in ("sbin", "bin"):
            path = self.basedir / folder / name
            if path.exists():
                return [*self.prefix, str(path)]
        raise ServerUnavailable(self.name, f"no program {name} in {self.basedir}", "install its package")


def find(name: str) -> ServerBinary:
    """The programs of a release by its name; raises ServerUnavailable with what is missing and the remedy."""
    release = RELEASES.get(name)
    if release is None:
        raise ServerUnavailable(name, "no such release is known", f"known are {', '.join(RELEASES)}")
    host = _probe(release, Path("/"), ())
    if host is not None and host.version[:2] == release.series:
        return host
    if release.packages:
        copy = unpacked(release, cached_root(release))
        if copy is not None:
            return copy
        remedy = f"run `python -m dbvigil.sandbox install {name}`"
        raise ServerUnavailable(name, f"it is neither on this machine nor in {cache_folder()}", remedy)
    found = f"this machine has {host.version_text}" if host else f"{release.program} is not installed"
    raise ServerUnavailable(name, found, f"run `apt-get install {' '.join(HOST_PACKAGES)}` on Debian 12")


def cached_root(release: Release) -> Path:
    """Where the cached copy of a release is, or would be."""
    return cache_folder() / "servers" / release.name


def unpacked(release: Release, root: Path) -> ServerBinary | None:
    """The server unpacked under `root`, run through that folder's own loader; None if there is none."""
    loaders = sorted(root.glob("usr/lib*/ld-linux*.so.*")) + sorted(root.glob("usr/lib/*/ld-linux*.so.*"))
    libraries = sorted(root.glob("usr/lib/*-linux-gnu*"))
    if not loaders or not libraries:
        return None
    # The host's library cache is ignored: it would offer the host's libraries to a program built for others.
    prefix = (str(loaders[0]), "--inhibit-cache", "--library-path", ":".join(map(str, libraries)))
    return _probe(release, root, prefix)


def _probe(release: Release, root: Path, prefix: tuple[str, ...]) -> ServerBinary | None:
    program = root / "usr" / "sbin" / release.program
    if not program.exists():
        return None
    command = [*prefix, str(program), "--no-defaults", "--version"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    match = re.search(r"\b(?:Ver|from) ((\d+)\.(\d+)\.(\d+)\S*)", answer.stdout)
    if match is None:
        said = answer.stderr.strip()[-300:]
        raise ServerUnavailable(release.name, f"{program} does not tell its version", said or "reinstall it")
    text, *numbers = match.groups()
    major, minor, patch = map(int, numbers)
    return ServerBinary(release.name, release.flavor, (major, minor, patch), text, root, prefix)
