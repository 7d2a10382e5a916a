"""What every page shares: its frame, its headers, and what a person may write into a form."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import resolve_url
from django.template import Context, Engine
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse

# An engine of our own: the host project's may load no app templates, or be another language.
_ENGINE = Engine(dirs=[str(Path(__file__).parents[1] / "templates" / "dbvigil" / "pages")])

_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    # No other site is told an address. `no-referrer` would keep it from this one too, and browsers then send `Origin: null` with a
    # form, which Django's check against forgery refuses.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
_PLACES = (
    ("Slow queries", "dbvigil:dbvigil-slow-queries"),
    ("Locks", "dbvigil:dbvigil-locks"),
    ("Replication", "dbvigil:dbvigil-replication"),
    ("Connections", "dbvigil:dbvigil-connections"),
    ("Recovery", "dbvigil:dbvigil-recovery"),
    ("Backups", "dbvigil:dbvigil-backups"),
)
P = ParamSpec("P")
_LINE_BREAKS = ("\n", "\t")


def for_readers(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """`view` for every active user; anybody else is led to where one signs in."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated or not request.user.is_active:
            return redirect_to_login(request.get_full_path(), resolve_url(settings.LOGIN_URL))
        return view(request, *args, **kwargs)

    return guarded


def page(
    request: HttpRequest, template: str, values: Mapping[str, Any], status: int = 200, *, form: bool = False
) -> HttpResponse:
    """One page; `form`: it has one, which needs its token."""
    style = static("dbvigil/pages.css")
    context = {
        **values,
        "style": style,
        "csrf_token": get_token(request) if form else "",
        "signed_in": request.user.get_username() if request.user.is_authenticated else "",
        "account": _account(),
        "places": _places() if request.user.is_authenticated else (),
        "here": request.path,
    }
    content = _ENGINE.get_template(template).render(Context(context))
    answer = HttpResponse(content, status=status, content_type="text/html; charset=utf-8", headers=_HEADERS)
    answer["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {_origin(style)}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return answer


def message(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    """A page that only says something."""
    return page(request, "message.html", {"title": title, "text": text}, status)


def sentence(text: str) -> str:
    """A line of an error as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def one_line(text: str) -> str:
    """What a person wrote, on one line, without characters that cannot be seen."""
    return " ".join(_visible(text, ()).split())


def some_lines(text: str) -> str:
    """The same with its line breaks."""
    return _visible(text.replace("\r\n", "\n").replace("\r", "\n"), _LINE_BREAKS).strip()


def _visible(text: str, kept: tuple[str, ...]) -> str:
    # Direction marks and control characters would let a name look like another one.
    return "".join(
        " " if character.isspace() and character not in kept else character
        for character in text
        if character in kept or character.isspace() or unicodedata.category(character)[0] != "C"
    )


def _places() -> list[tuple[str, str]]:
    """The pages to go to from any other; none where a project has included them under a name of its own."""
    try:
        return [(text, reverse(name)) for text, name in _PLACES]
    except NoReverseMatch:
        return []


def _account() -> str:
    """Where whoever is signed in signs out: a page of the stand-alone service. A host project has its own, which we do not know."""
    try:
        return reverse("dbvigil-sign-in")
    except NoReverseMatch:
        return ""


def _origin(address: str) -> str:
    """Where static files come from, as a policy has it."""
    parts = urlsplit(address)
    return f"{parts.scheme or 'https'}://{parts.netloc}" if parts.netloc else "'self'"
