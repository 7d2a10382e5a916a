"""Records what others make of our statements, for tests/unit/test_fingerprint_*.py.

    python -m tests.recorded.fingerprint.record percona       pt-query-digest, which must be installed
    python -m tests.recorded.fingerprint.record [release …]   the digests of real servers

Statements are ours: `statements.json` for all, `special.json` for pt-query-digest besides.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from dbvigil.sandbox import RELEASES, PrivateServer, find
from tests.recorded.fingerprint import percona_tool
from tests.recorded.fingerprint.digests import FOLDER, STATEMENTS, digests


def main() -> None:
    for name in sys.argv[1:] or ["percona", *RELEASES]:
        found = _percona() if name == "percona" else _digests(name)
        path = FOLDER / f"{name}.json"
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        print(path.name, len(found))


def _digests(release: str) -> dict[str, str]:
    with (
        tempfile.TemporaryDirectory() as folder,
        PrivateServer(find(release), Path(folder) / "server") as server,
    ):
        return digests(server)


def _percona() -> dict[str, list[str]]:
    """By statement: the fingerprint, and its ID."""
    tool = percona_tool.installed()
    if tool is None:
        sys.exit("pt-query-digest is not installed")
    special = json.loads((FOLDER / "special.json").read_text())
    statements = list(dict.fromkeys([*special, *STATEMENTS]))
    answers = percona_tool.fingerprints(tool, [statement.encode() for statement in statements])
    return {
        statement: [text.decode(), query_id]
        for statement, (text, query_id) in zip(statements, answers, strict=True)
    }


if __name__ == "__main__":
    main()
