"""The servers' own programs: where they are, what they are told, and how they end.

An account never stands on a command line or in an environment: it is in a file that has no name, which the program alone inherits.
"""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import IO

from dbvigil import redaction
from dbvigil.backups import plugins
from dbvigil.backups.errors import BackupError, Ended
from dbvigil.sandbox.binaries import RELEASES, find
from dbvigil.sandbox.errors import ServerUnavailable
from dbvigil.targets import Target
from dbvigil.types import ServerInfo

_DUMP = {"mariadb": ("mariadb-dump", "mysqldump"), "mysql": ("mysqldump",)}
_CLIENT = {"mariadb": ("mariadb", "mysql"), "mysql": ("mysql",)}
_PACKAGE = {"mariadb": "mariadb-client", "mysql": "mysql-client"}
_OWNER = {"mariadb": "MariaDB", "mysql": "MySQL"}
_SAID = 4000


@dataclass(frozen=True, slots=True)
class Program:
    """A program of one flavor: the command that runs it, and what it says of its version."""

    flavor: str
    command: tuple[str, ...]
    version: str
    name: str = ""


def flavor_of(info: ServerInfo) -> str:
    """Whose programs a server takes."""
    return "mariadb" if info.is_mariadb else "mysql"


def dump_program(flavor: str) -> Program:
    """The flavor's own dump tool: on PATH, or of a private server. Raises `BackupError`."""
    return _program(flavor, _DUMP[flavor], os.environ.get("PATH", ""))


def client_program(flavor: str) -> Program:
    """The flavor's own client, which reads a dump. Raises `BackupError`."""
    return _program(flavor, _CLIENT[flavor], os.environ.get("PATH", ""))


@lru_cache(maxsize=32)
def _program(flavor: str, names: Sequence[str], path: str) -> Program:
    strange = []
    for name in names:
        found = shutil.which(name, path=path)
        version = version_of([found]) if found else None
        if found and version and ("MariaDB" in version) == (flavor == "mariadb"):
            return Program(flavor, (found,), version)
        if found and version:
            strange.append(f"{found} is {_OWNER['mariadb' if flavor == 'mysql' else 'mysql']}'s")
    for release in RELEASES.values():
        if release.flavor == flavor:
            private = _private(release.name, names)
            if private:
                return Program(flavor, private, version_of(private) or "")
    missing = "; ".join(strange) or f"none of {', '.join(names)} is on PATH"
    raise BackupError(
        f"{_OWNER[flavor]}'s own {names[0]} cannot be found: {missing}; install {_PACKAGE[flavor]} on this machine"
    )


def _private(release: str, names: Sequence[str]) -> tuple[str, ...] | None:
    for name in names:
        try:
            return tuple(find(release).program(name))
        except ServerUnavailable:
            continue
    return None


def version_of(command: Sequence[str]) -> str | None:
    """What the program says of its version; None where it says nothing."""
    try:
        done = subprocess.run(  # noqa: S603 - a program that was found on PATH
            [*command, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # mariadb-backup says it where others complain.
    return (done.stdout.strip() or done.stderr.strip())[:200] if done.returncode == 0 else None


class Stop:
    """Ends the programs that are under way, once: `reason` is then said in their place. Thread-safe."""

    def __init__(self) -> None:
        self.reason = ""
        # A signal may say it in the very thread that holds the lock.
        self._lock = threading.RLock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._then: Callable[[], object] | None = None

    def end(self, reason: str) -> None:
        with self._lock:
            self.reason = self.reason or reason
            for process in tuple(self._running):
                process.kill()
            if self._then is not None:
                self._then()

    def then(self, call: Callable[[], object] | None) -> None:
        """What is called besides when it is said, or at once where it was said already."""
        with self._lock:
            self._then = call
            if call is not None and self.reason:
                call()

    def check(self) -> None:
        """Raises `Ended` where it was said."""
        if self.reason:
            raise Ended(self.reason)

    @contextmanager
    def ends(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        with self._lock:
            self._running.add(process)
            if self.reason:
                process.kill()
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(process)


class Tool:
    """One program while it runs: killed when this process ends, or when `stop` says so.

    Without a `target` it connects to nothing. Of what a talkative program complains about, only the lines that `telling` finds are told.
    """

    def __init__(
        self,
        program: Program,
        target: Target | None,
        arguments: Sequence[str],
        stop: Stop,
        *,
        fed: bool = False,
        encrypted: bool = True,
        telling: re.Pattern[str] | None = None,
    ) -> None:
        dumps = "dump" in program.command[-1]
        self._name = program.name or (_DUMP[program.flavor][0] if dumps else program.flavor)
        self._telling = telling
        self._stop = stop
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the program runs
        options = (
            None if target is None else _option_file(options_of(target, program.flavor, encrypted=encrypted))
        )
        try:
            # Of the program's own configuration files none is read: what they say would hold for people.
            self.process = subprocess.Popen(  # noqa: S603 - the servers' own programs, with arguments of ours
                [
                    *("setpriv", "--pdeathsig", "KILL"),
                    *program.command,
                    *(() if options is None else (f"--defaults-file=/proc/self/fd/{options}",)),
                    *arguments,
                ],
                # What is fed says nothing that anybody reads; what is read is fed nothing.
                stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if fed else subprocess.PIPE,
                stderr=self._said,
                pass_fds=() if options is None else (options,),
                start_new_session=True,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
            )
        except OSError as error:
            self._said.close()
            raise BackupError(f"{self._name} cannot be started: {error.strerror or error}") from None
        finally:
            if options is not None:
                os.close(options)

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The process; it is over when the block ends, however that does."""
        try:
            with self._stop.ends(self.process):
                yield self.process
        except BaseException:
            self.process.kill()
            raise
        finally:
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None and not pipe.closed:
                    _close(pipe)
            self.process.wait()

    def heard(self, start: int) -> bytes:
        """What it has said from byte `start` on, while it runs or after; from the end where `start` is negative."""
        # The program writes at the position of the very same file: it must not be moved.
        descriptor = self._said.fileno()
        size = os.fstat(descriptor).st_size
        start = max(0, size + start) if start < 0 else start
        return os.pread(descriptor, max(0, size - start), start)

    def said(self) -> str:
        """The end of what it complained about, without values."""
        if self._said.closed:
            return ""
        size = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, size - _SAID))
        text = self._said.read().decode(errors="replace")
        self._said.close()
        lines = [line.strip() for line in text.splitlines() if line.strip() and "[Warning]" not in line]
        if self._telling is not None:
            lines = [line for line in lines if self._telling.search(line)]
        return redaction.server_message(" ".join(lines)) or ""

    def failure(self) -> str:
        """Why it failed, in one line; "" where it did not. After `running`."""
        self._stop.check()
        code = self.process.returncode
        if code == 0:
            return ""
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        said = self.said()
        return f"{self._name} {how}: {said}" if said else f"{self._name} {how}"


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        # What was buffered for a program that is gone; its exit code tells.
        return


def _option_file(text: str) -> int:
    """A file of this text that is in memory alone and its owner's alone."""
    descriptor = os.memfd_create("options")
    os.fchmod(descriptor, 0o600)
    os.write(descriptor, text.encode())
    return descriptor


def options_of(target: Target, flavor: str, *, encrypted: bool = True) -> str:
    """The option file of one connection. `encrypted` says whether the server offers TLS, where that is up to it."""
    lines = ["[client]", f"user={_quoted(target.user)}", f"password={_quoted(target.password)}"]
    if target.socket is not None:
        lines.append(f"socket={_quoted(target.socket)}")
    else:
        # By name, "localhost" would be a socket.
        lines += [f"host={_quoted(target.host)}", f"port={target.port}", "protocol=tcp"]
    lines += _tls(target, flavor, encrypted)
    return "\n".join(lines) + "\n"


def _tls(target: Target, flavor: str, encrypted: bool) -> list[str]:
    options, lines = target.tls, []
    verifies = options.mode in ("verify-ca", "verify-identity")
    if flavor == "mysql":
        lines.append(f"ssl-mode={options.mode.upper().replace('-', '_')}")
        if target.allow_public_key or target.is_local:
            lines.append("get-server-public-key")
    elif options.mode == "disabled" or (options.mode == "preferred" and not encrypted):
        lines.append("skip-ssl")
    else:
        # MariaDB's programs know no verification of the certificate alone: the host's name is looked at as well.
        lines += ["ssl", f"ssl-verify-server-cert={int(verifies)}"]
    if flavor == "mariadb" and not verifies:
        lines.append(f"plugin-dir={_quoted(plugins.safe())}")
    authorities = options.ca or (ssl.get_default_verify_paths().cafile if verifies else None)
    for name, path in (("ssl-ca", authorities), ("ssl-cert", options.cert), ("ssl-key", options.key)):
        if path is not None:
            lines.append(f"{name}={_quoted(path)}")
    return lines


def _quoted(text: str) -> str:
    for plain, written in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(plain, written)
    return f'"{text}"'
