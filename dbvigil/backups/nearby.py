"""Whether a server's files are on this machine, and where."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from dbvigil.backups.errors import BackupError
from dbvigil.errors import ServerError
from dbvigil.server import Server
from dbvigil.targets import Target

PLACES = """SHOW GLOBAL VARIABLES WHERE Variable_name IN
    ('hostname', 'datadir', 'pid_file', 'innodb_data_home_dir', 'innodb_data_file_path', 'innodb_undo_directory',
     'innodb_encrypt_tables', 'innodb_encrypt_log', 'aria_encrypt_tables')"""
UPTIME = "SHOW GLOBAL STATUS LIKE 'Uptime'"

_SLACK_SECONDS = 60.0
"""A machine's clock may have been set since the server was started."""
_ENCRYPTION = ("innodb_encrypt_tables", "innodb_encrypt_log", "aria_encrypt_tables")


async def data_folder(server: Server, clock: Callable[[], float] = time.time) -> Path:
    """The data folder of `server`, all of whose files are in it and can be read here. Raises `BackupError` that says what is not so.

    A server elsewhere may well name a folder that is there on this machine too, and is another's: that the process which the server's pid
    file names is as old as the server says of itself is what tells the two apart.
    """
    places = {row["Variable_name"]: str(row["Value"]) for row in await server.rows(PLACES)}
    uptime = float((await server.rows(UPTIME))[0]["Value"])
    why = await asyncio.to_thread(_against, places, clock() - uptime)
    if why:
        raise BackupError(f"the files of {server.target.address} cannot be copied from here: {why}")
    return Path(places["datadir"])


async def is_near(target: Target) -> bool:
    """Whether its files can be copied from here; False where it cannot be asked."""
    server = Server(target)
    try:
        await server.connect()
        await data_folder(server)
    except (BackupError, ServerError):
        return False
    finally:
        await server.close()
    return True


def _against(places: Mapping[str, str], started: float) -> str:
    """What speaks against it; "" for nothing."""
    if places["hostname"] != socket.gethostname():
        return f"it runs on {places['hostname']}, and this is {socket.gethostname()}"
    folder = Path(places["datadir"])
    try:
        # The folder with the accounts is the one that is closed most tightly.
        first = next((entry.path for entry in os.scandir(folder / "mysql") if entry.is_file()), None)
        if first is None:
            return f"{folder} is no server's data folder"
        with open(first, "rb"):
            pass
    except OSError as error:
        return f"{error.filename}: {error.strerror}; its data folder has to be readable for this process"
    return _is_another(folder / places["pid_file"], started) or _spread(folder, places)


def _is_another(pid_file: Path, started: float) -> str:
    try:
        number = int(pid_file.read_text(encoding="ascii"))
        created = psutil.Process(number).create_time()
    except OSError as error:
        return f"its pid file {pid_file}: {error.strerror}"
    except ValueError:
        return f"its pid file {pid_file} holds no number"
    except psutil.NoSuchProcess:
        return f"the process that its pid file {pid_file} names is not on this machine"
    if abs(created - started) > _SLACK_SECONDS:
        return f"the process that its pid file {pid_file} names is another server's"
    return ""


def _spread(folder: Path, places: Mapping[str, str]) -> str:
    """A copy whose parts lie elsewhere would be opened there: by a server that is to prove it, over the monitored one's own files."""
    ciphered = [name for name in _ENCRYPTION if places.get(name, "OFF") != "OFF"]
    if ciphered:
        return f"they are encrypted at rest ({', '.join(ciphered)}), and opened by keys that are not known"
    for name in ("innodb_data_home_dir", "innodb_undo_directory"):
        if places.get(name) and (folder / places[name]).resolve() != folder.resolve():
            return f"{name} {places[name]} is outside of {folder}"
    if "/" in places.get("innodb_data_file_path", ""):
        return f"innodb_data_file_path {places['innodb_data_file_path']} leads outside of {folder}"
    outside = outlying(folder)
    return f"{outside} leads outside of {folder} (DATA DIRECTORY)" if outside else ""


def outlying(folder: Path) -> Path | None:
    """A table or schema below `folder` whose files are elsewhere: a link, or InnoDB's own kind of it."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            if name.endswith(".isl") or path.is_symlink():
                return path
    return None
