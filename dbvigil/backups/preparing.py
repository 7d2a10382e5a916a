"""A copy of a server's files, unpacked and made ready for a server to be started on it."""

from __future__ import annotations

import configparser
import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import psutil

from dbvigil.backups.copying import TELLING, backup_program, stream_program
from dbvigil.backups.errors import BackupError
from dbvigil.backups.nearby import outlying
from dbvigil.backups.programs import Stop, Tool
from dbvigil.backups.restoring import feed
from dbvigil.types import ServerInfo

LAYOUT = ("innodb_page_size", "innodb_data_file_path", "innodb_undo_tablespaces")
"""What of the copied server's settings a server must have to open its files."""

_TAIL = 4096
_SERVERS = ("mariadbd", "mysqld")


def prepare(
    info: ServerInfo,
    backup: Iterable[bytes],
    folder: Path,
    stop: Stop,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Unpacks the stream into `folder`, which is there and empty, and applies the log that came with it. Blocks.

    Raises `BackupError`, and what reading `backup` raises; the folder then holds a part.
    """
    program, streamer = backup_program(info), stream_program()
    feed(Tool(streamer, None, ("-x", "-C", str(folder)), stop, fed=True), backup, progress)
    outside = outlying(folder)
    if outside is not None:
        raise BackupError(
            f"{outside.relative_to(folder)} leads outside of the copy: no server is started on it, for it might be another's"
        )
    # Of the file that came along only what says how the files are laid out: it names paths too, which are the copied server's.
    own = [f"--{name.replace('_', '-')}={value}" for name, value in layout(folder).items()]
    options = ("--no-defaults", "--prepare", f"--target-dir={folder}", "--use-memory=256M", *own)
    tool = Tool(program, None, options, stop, telling=TELLING)
    with tool.running() as process:
        process.wait()
    tail = tool.heard(-_TAIL)
    failure = tool.failure()
    if failure:
        raise BackupError(failure)
    if not tail.rstrip().endswith(b"completed OK!"):
        raise BackupError(f"{program.name} --prepare did not say 'completed OK!' at its end")


def layout(folder: Path) -> Mapping[str, str]:
    """The options without which no server opens the files in `folder`, by name."""
    read = configparser.ConfigParser(interpolation=None)
    read.read(folder / "backup-my.cnf", encoding="utf-8")
    found = {name: read["mysqld"][name] for name in LAYOUT if read.has_option("mysqld", name)}
    return {**found, "innodb_undo_directory": "./"}


@contextlib.contextmanager
def fresh(folder: Path) -> Iterator[None]:
    """`folder` is new or empty, and nobody's; what was put there is removed where the block fails. Raises `BackupError`."""
    try:
        made = not folder.exists()
        if not made and any(folder.iterdir()):
            raise BackupError(f"{folder} is not empty: a copy is unpacked into a new folder alone")
        owner = _owner(folder.resolve())
        if owner is not None:
            raise BackupError(
                f"{folder} belongs to a server that runs (process {owner}): nothing is unpacked there"
            )
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise BackupError(f"{folder} cannot be used: {error.strerror or error}") from None
    try:
        yield
    except BaseException:
        for path in tuple(folder.iterdir()):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        if made:
            folder.rmdir()
        raise


def _owner(folder: Path) -> int | None:
    """The server whose data folder this is, or is in: a server's process stands in its data folder."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if any(name in process.name() for name in _SERVERS):
                stands = Path(process.cwd())
                if folder == stands or stands in folder.parents:
                    return process.pid
    return None
