"""The runbooks that come with the rules, as pages: what messages link to, for whoever is woken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from dbvigil.pages.base import for_readers, message, page

_PACKAGE = Path(__file__).parents[1]
# In a wheel they are beside the code, in a checkout with the documentation.
_FOLDERS = (_PACKAGE / "runbooks", _PACKAGE.parent / "docs" / "runbooks")
_NEIGHBOR = re.compile(r"([a-z-]+)\.md(?:#.*)?")


@require_safe
@for_readers
def runbook_page(request: HttpRequest, name: str) -> HttpResponse:
    """One runbook, for everyone who is signed in."""
    if name not in names():
        return message(request, 404, "No such runbook", f"There is no runbook {name[:80]}.")
    title, body = _rendered(name)
    return page(request, "runbook.html", {"title": title, "body": body})


@lru_cache(maxsize=1)
def names() -> Sequence[str]:
    """The names of the runbooks there are."""
    return sorted(path.stem for path in _folder().glob("*.md"))


def _folder() -> Path:
    return next(folder for folder in _FOLDERS if folder.is_dir())


@lru_cache(maxsize=64)
def _rendered(name: str) -> tuple[str, SafeString]:
    """Title and body. HTML in the text is shown, not obeyed: the page is as safe as its Markdown."""
    text = (_folder() / f"{name}.md").read_text(encoding="utf-8")
    first, _, rest = text.partition("\n")
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(rest)
    for token in tokens:
        if token.children is not None:
            token.children = _linked(token.children)
    body = reader.renderer.render(tokens, reader.options, {})
    return first.removeprefix("# ").strip(), mark_safe(body)  # noqa: S308 - made of our own Markdown, without its HTML


def _linked(tokens: Sequence[Token]) -> list[Token]:
    """Links to other runbooks lead to their pages; those to the rest of the documentation, which has none here, are plain words."""
    found: list[Token] = []
    dropped = False
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrs.get("href", ""))
            neighbor = _NEIGHBOR.fullmatch(target)
            if neighbor:
                token.attrs["href"] = f"../{neighbor[1]}/"
            dropped = not neighbor and not target.startswith("https://")
            if dropped:
                continue
        elif token.type == "link_close" and dropped:
            dropped = False
            continue
        found.append(token)
    return found
