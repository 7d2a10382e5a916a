"""Renders templates in a process that is held to its time and memory. Started by `templates`; reads JSON, answers JSON.

Apart from Jinja2 it knows nothing of the house: what it cannot import, a template cannot reach.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

_MEMORY = 256 * 1024 * 1024


def _confine(seconds: float) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    whole = max(1, round(seconds))
    resource.setrlimit(resource.RLIMIT_CPU, (whole, whole))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # No process and no thread can be started from here.
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _rendered(part: str, source: str, context: dict[str, Any], most: int) -> str:
    from jinja2 import StrictUndefined  # noqa: PLC0415 - a file that is started finds Jinja2 before it is confined
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    environment = ImmutableSandboxedEnvironment(autoescape=part == "html", undefined=StrictUndefined)
    found = []
    size = 0
    for piece in environment.from_string(source).generate(**context):
        size += len(piece.encode("utf-8", "replace"))
        if size > most:
            raise OverflowError(f"it makes more than {most // 1024} KiB of text")
        found.append(piece)
    return "".join(found)


def _line(error: BaseException) -> int | None:
    """The line of the template at which an error came up."""
    number: int | None = getattr(error, "lineno", None)
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            number = trace.tb_lineno
        trace = trace.tb_next
    return number


def main() -> None:
    asked = json.load(sys.stdin)
    import jinja2.sandbox  # noqa: F401, PLC0415 - before the memory is limited

    _confine(asked["seconds"])
    rendered = {}
    for part, source in asked["sources"].items():
        try:
            rendered[part] = _rendered(part, source, asked["context"], asked["output"])
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a template can raise anything, and its author wants to read it
            line = _line(error)
            where = f" line {line}" if line is not None else ""
            said = str(error) or type(error).__name__
            json.dump({"error": f"{part}{where}: {said}"}, sys.stdout)
            return
    json.dump({"rendered": rendered}, sys.stdout)


if __name__ == "__main__":
    main()
