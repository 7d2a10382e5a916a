"""The folder that one private server lives in."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from dbvigil.sandbox import template
from dbvigil.sandbox.binaries import ServerBinary
from dbvigil.sandbox.errors import SandboxError

# The kernel's limit for a socket path is 107 bytes, the servers' own limits are a little lower.
_LONGEST_SOCKET_PATH = 100


class Home:
    """Data folder, log and socket of one server, under `folder`, which belongs to that server alone.

    `data` is a data folder on the same disk that becomes this server's; without it, a fresh one is made.
    """

    def __init__(self, folder: Path, binary: ServerBinary, data: Path | None = None) -> None:
        self.folder = folder.resolve()
        self.datadir = self.folder / "data"
        # MariaDB empties its folder for temporary tables when it starts: two servers must not share one.
        self.temporary = self.folder / "tmp"
        self.error_log = self.folder / "error.log"
        self.pid_file = self.folder / "server.pid"
        # Says whose folder this is, so that nothing else is ever started on or removed.
        self._marker = self.folder / "private-server"
        self._binary = binary
        self._data = data
        self._socket_folder: Path | None = None

    @property
    def socket(self) -> Path:
        """In the home, or in a short folder of its own where the home's path is too long for a socket."""
        preferred = self.folder / "s.sock"
        if len(os.fsencode(preferred)) <= _LONGEST_SOCKET_PATH:
            return preferred
        if self._socket_folder is None:
            self._socket_folder = Path(tempfile.mkdtemp(prefix="dbvigil-"))
        return self._socket_folder / "s.sock"

    def prepare(self) -> None:
        """Claim the folder and give it a data folder if it has none; raises SandboxError if taken."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._marker.exists():
            owner = self._marker.read_text(encoding="utf-8")
            if owner != self._binary.name:
                raise SandboxError(f"{self.folder} holds the data of {owner}, not of {self._binary.name}")
        elif any(self.folder.iterdir()):
            raise SandboxError(f"{self.folder} is not empty, and destroy() would remove all of it")
        else:
            self._marker.write_text(self._binary.name, encoding="utf-8")
        # The administrator has no password: who can reach the socket is the administrator.
        self.folder.chmod(0o700)
        self.temporary.mkdir(exist_ok=True)
        if self.datadir.exists():
            return
        if self._data is None:
            template.copy_to(self._binary, self.datadir)
        else:
            self._data.rename(self.datadir)

    def remove(self) -> None:
        """Remove the folder with all that is in it, if it is a server's home."""
        if self._marker.exists():
            shutil.rmtree(self.folder)
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None

    def log_size(self) -> int:
        """Where the error log ends now, in bytes."""
        return self.error_log.stat().st_size if self.error_log.exists() else 0

    def log_tail(self, start: int, length: int = 1500) -> str:
        """The last `length` characters that were logged since the log was `start` bytes long."""
        if not self.error_log.exists():
            return "it wrote no log"
        with open(self.error_log, "rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace").strip()[-length:]
