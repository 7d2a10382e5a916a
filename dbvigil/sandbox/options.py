"""Command lines: server options with small, fast defaults that a caller can override one by one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dbvigil.sandbox.binaries import ServerBinary

Options = Mapping[str, str | int | None]
"""Server options by name, with or without hyphens for underscores; None is an option that takes no value."""

# A test server may lose its last second when the machine loses power; in exchange a commit syncs no disk.
_COMMON: Options = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "ON",
    "innodb-buffer-pool-size": "32M",
    # Nothing waits for a disk, but what is committed survives a killed process: log and tables agree after it.
    "innodb-flush-log-at-trx-commit": 2,
    "sync-binlog": 0,
    # Asynchronous I/O slots are few for the whole machine and a test run starts many servers.
    "innodb-use-native-aio": "OFF",
}
_BY_FLAVOR: dict[str, Options] = {
    "mysql": {"mysqlx": "OFF", "innodb-redo-log-capacity": "16M"},
    "mariadb": {"innodb-log-file-size": "16M"},
}


def merged(*layers: Options) -> dict[str, str | int | None]:
    """The layers as one, later ones winning, names in the hyphen form."""
    return {name.replace("_", "-"): value for layer in layers for name, value in layer.items()}


def defaults(flavor: str) -> dict[str, str | int | None]:
    """The options that every server here starts from."""
    return merged(_COMMON, _BY_FLAVOR[flavor])


def command(binary: ServerBinary, datadir: Path, options: Options) -> list[str]:
    """The whole command line that runs a server on `datadir`."""
    chosen = merged(options)
    if binary.flavor == "mysql" and "log-bin" not in chosen:
        chosen.setdefault("skip-log-bin", None)  # MySQL writes a binary log unless told not to
    flags = [f"--{name}" if value is None else f"--{name}={value}" for name, value in chosen.items()]
    return [
        *binary.server,
        "--no-defaults",
        # Only root is asked for a user; anyone else's server simply runs as themselves.
        "--user=root",
        f"--basedir={binary.basedir}",
        f"--lc-messages-dir={binary.messages}",
        f"--character-sets-dir={binary.messages / 'charsets'}",
        f"--plugin-dir={binary.plugins}",
        f"--datadir={datadir}",
        *flags,
    ]
