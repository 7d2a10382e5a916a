"""The real pt-query-digest, asked for fingerprints."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path

SCRIPT = Path(__file__).with_name("pt_fingerprints.pl")


def installed() -> str | None:
    """The tool's path, None where Percona Toolkit is not installed."""
    return shutil.which("pt-query-digest")


def fingerprints(tool: str, statements: Sequence[bytes]) -> list[tuple[bytes, str]]:
    """For each statement the text and the last 16 digits of its checksum. Raises CalledProcessError where the tool fails."""
    if not statements:
        return []
    answer = subprocess.run(
        ["perl", str(SCRIPT), tool],
        input=b"".join(b64encode(statement) + b"\n" for statement in statements),
        capture_output=True,
        check=True,
        timeout=120,
    )
    lines = [line.split(b" ") for line in answer.stdout.splitlines()]
    return [(b64decode(text), checksum.decode()[-16:]) for text, checksum in lines]
