"""Makes the pictures of the command in docs/images: what it really prints about the demo shop, as SVG.

`python scripts/terminal_pictures.py` starts the demo's servers and a monitor in a temporary folder, lets them run for
about a minute, holds up the replica for a few seconds so that there is something to see, and looks.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from service.demo.shop import DemoShop  # noqa: E402 - found only with the root on the path

_IMAGES = ROOT / "docs" / "images"
_COMMAND = (sys.executable, "manage.py", "database_monitor")
_WIDTH, _HEIGHT = 100, 24
_SAMPLES_SECONDS = 60
_LAG_SHOWN = 7.0
_TOP_LEFT = b"\x1b[H"


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="dbvigil-pictures-") as folder,
        DemoShop(Path(folder) / "demo") as shop,
    ):
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "service.settings",
            "DBVIGIL_HOME": folder,
            "DB_MONITORING_TARGETS": " ".join(f"{alias}={url}" for alias, url in shop.urls.items()),
            "COLORTERM": "truecolor",
            "TERM": "xterm-256color",
        }
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
        monitor = subprocess.Popen([*_COMMAND, "start", "--interval", "1"], cwd=ROOT, env=environment)
        try:
            time.sleep(_SAMPLES_SECONDS)
            with closing(shop.replica.connect()) as connection, connection.cursor() as cursor:
                cursor.execute("FLUSH TABLES WITH READ LOCK")
                while (_lag(environment) or 0.0) < _LAG_SHOWN:
                    time.sleep(0.2)
                save("status", "database_monitor status --watch", screen(environment))
            save("metrics", "database_monitor metrics --hours 0.02", metrics(environment))
        finally:
            monitor.terminate()
            monitor.wait()


def _lag(environment: Mapping[str, str]) -> float | None:
    done = subprocess.run(
        [*_COMMAND, "metrics", "--database", "shop-replica", "--json"],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
    )
    lag: float | None = json.loads(done.stdout)["databases"]["shop-replica"]["replication_lag"]
    return lag


def screen(environment: Mapping[str, str]) -> str:
    """The newest whole frame of the live view, on a terminal of its own."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _HEIGHT, _WIDTH, 0, 0))
    process = subprocess.Popen(
        [*_COMMAND, "status", "--watch"],
        cwd=ROOT,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    shown = b""
    # Each frame begins at the top left corner: the one before the last beginning is whole.
    while shown.count(_TOP_LEFT) < 4:
        shown += os.read(ours, 65536)
    os.write(ours, b"q")
    os.close(theirs)
    # Linux says EIO when the other side has closed the terminal.
    with contextlib.suppress(OSError):
        while os.read(ours, 65536):
            continue
    process.wait()
    os.close(ours)
    return shown.split(_TOP_LEFT)[-2].decode().replace("\r", "")


def metrics(environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [*_COMMAND, "metrics", "--database", "shop", "--hours", "0.02", "--force-color"],
        cwd=ROOT,
        env={**environment, "COLUMNS": str(_WIDTH)},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def save(name: str, title: str, shown: str) -> None:
    """Writes docs/images/NAME.svg from what was shown, escape codes and all."""
    console = Console(
        record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text.from_ansi(shown.rstrip("\n")), no_wrap=True, crop=True)
    _IMAGES.mkdir(parents=True, exist_ok=True)
    path = _IMAGES / f"{name}.svg"
    path.write_text(console.export_svg(title=title, unique_id=f"dbvigil-{name}"))
    print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
