"""A disk that takes its time: a library in front of a server that waits before each flush, while a file says so."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int wait_for(const char *name, int file) {
    const char *slow = getenv("SLOW_DISK");
    int (*flush)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (slow && access(slow, F_OK) == 0) usleep(MICROSECONDS);
    return flush(file);
}
int fsync(int file) { return wait_for("fsync", file); }
int fdatasync(int file) { return wait_for("fdatasync", file); }
"""


class SlowDisk:
    """`within` is what a server is run by; its flushes are slow from `begin` until `end`."""

    def __init__(self, folder: Path, seconds: float = 0.3) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)("a slow disk needs a C compiler")
        self._flag, source, library = folder / "slow", folder / "slow.c", folder / "slow.so"
        source.write_text(_SOURCE)
        flags = ["-shared", "-fPIC", f"-DMICROSECONDS={seconds * 1e6:.0f}"]
        subprocess.run(
            [compiler, *flags, "-o", str(library), str(source), "-ldl"], check=True, capture_output=True
        )
        self.within = ("env", f"LD_PRELOAD={library}", f"SLOW_DISK={self._flag}")

    def begin(self) -> None:
        self._flag.touch()

    def end(self) -> None:
        self._flag.unlink()
