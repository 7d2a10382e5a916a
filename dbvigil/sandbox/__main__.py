"""`python -m dbvigil.sandbox list` and `python -m dbvigil.sandbox install RELEASE...`."""

from __future__ import annotations

import argparse
import sys

from dbvigil.sandbox.binaries import RELEASES, find
from dbvigil.sandbox.errors import SandboxError, ServerUnavailable
from dbvigil.sandbox.install import install


def main(arguments: list[str] | None = None) -> int:
    """Runs one action; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dbvigil.sandbox", description="Private servers.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="which servers can be run on this machine")
    fetch = actions.add_parser("install", help="fetch servers that this machine does not have")
    fetch.add_argument("release", nargs="+", choices=sorted(RELEASES))
    chosen = parser.parse_args(arguments)
    if chosen.action == "list":
        for name in RELEASES:
            print(f"{name:<15}{_state(name)}")
        return 0
    for name in chosen.release:
        try:
            binary = install(name)
        except SandboxError as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{name}: {binary.version_text} in {binary.root}")
    return 0


def _state(name: str) -> str:
    try:
        binary = find(name)
    except ServerUnavailable as error:
        return str(error)
    return f"{binary.version_text} in {binary.root}"


if __name__ == "__main__":
    sys.exit(main())
