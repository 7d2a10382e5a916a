"""Data folders: prepared once for each server version, then copied for each new server."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from dbvigil.sandbox import options
from dbvigil.sandbox.binaries import ServerBinary
from dbvigil.sandbox.cache import building, cache_folder
from dbvigil.sandbox.errors import SandboxError

# What mariadb-install-db feeds to the server. The script itself is not used: it cannot run a server that
# needs a loader in front of it.
_MARIADB_SCRIPTS = (
    ("mariadb_system_tables.sql", "mysql_system_tables.sql"),
    ("mariadb_performance_tables.sql", "mysql_performance_tables.sql"),
    ("mariadb_system_tables_data.sql", "mysql_system_tables_data.sql"),
    ("fill_help_tables.sql",),
    ("maria_add_gis_sp_bootstrap.sql",),
    ("mariadb_sys_schema.sql", "mysql_sys_schema.sql"),
)
# No password, so root must be reachable through the socket only, whose folder is the owner's alone.
_ONLY_LOCAL_ROOT = b"DELETE FROM mysql.global_priv WHERE User IN ('', 'root') AND Host <> 'localhost';\n"


def copy_to(binary: ServerBinary, datadir: Path) -> None:
    """Make `datadir`: fresh, its root without a password and allowed in through the socket only."""
    source = _template(binary)
    datadir.parent.mkdir(parents=True, exist_ok=True)
    # GNU cp shares the blocks where the file system can, and leaves the empty parts of log files as holes.
    draft = datadir.with_name(f"{datadir.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    copy = ["cp", "--archive", "--reflink=auto", "--sparse=always", str(source), str(draft)]
    _run(copy, "copying the data folder")
    draft.rename(datadir)


def _template(binary: ServerBinary) -> Path:
    version = re.sub(r"[^\w.-]", "_", binary.version_text)
    target = cache_folder() / "templates" / f"{binary.name}-{version}"
    if not target.exists():
        with building(target) as draft:
            if draft is not None:
                _initialize(binary, draft)
    return target


def _initialize(binary: ServerBinary, datadir: Path) -> None:
    chosen = options.defaults(binary.flavor)
    if binary.flavor == "mysql":
        command = [*options.command(binary, datadir, chosen), "--initialize-insecure"]
        _run(command, "initializing the data folder")
        # The server makes a new identity when it finds none; two servers with one identity cannot replicate.
        (datadir / "auto.cnf").unlink()
        return
    found = [_first_existing(binary.messages, names) for names in _MARIADB_SCRIPTS]
    script = b"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
    script += b"\n".join(path.read_bytes() for path in found) + b"\nUSE mysql;\n" + _ONLY_LOCAL_ROOT
    command = [*options.command(binary, datadir, chosen), "--bootstrap", "--max-allowed-packet=8M"]
    _run(command, "initializing the data folder", script)
    version = ".".join(map(str, binary.version))
    (datadir / "mysql_upgrade_info").write_text(f"{version}-MariaDB", encoding="utf-8")


def _first_existing(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise SandboxError(f"none of {', '.join(names)} is in {folder}")


def _run(command: list[str], purpose: str, standard_input: bytes = b"") -> None:
    done = subprocess.run(command, input=standard_input, capture_output=True, timeout=180, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace").strip()[-1000:]
        raise SandboxError(f"{purpose} failed with exit code {done.returncode}: {said}")
