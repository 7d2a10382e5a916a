"""The sign-in page of the stand-alone service, for everyone with an account; the admin's own is for staff alone."""

from __future__ import annotations

import hashlib
import math
import time
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from dbvigil.api.throttling import Rate
from dbvigil.pages.base import message, page

# Whoever knows a password needs one try. The lock is on a name from an address: nobody locks out others from elsewhere.
_BY_NAME = Rate("sign-in-name", 10, 300)
_BY_ADDRESS = Rate("sign-in-address", 100, 300)


class SignIn(LoginView):
    """GET shows the form, or who is signed in already; POST (`username`, `password`, `next`) signs in and leads to `next`.

    `next` leads to this site only; to the first page where it leads elsewhere.
    """

    next_page = "/"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            values = {"out": reverse("dbvigil-sign-out"), "next": self.get_redirect_url()}
            return page(request, "signed_in.html", values, form=True)
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        wait = _wait(request)
        if wait is not None:
            minutes = math.ceil(wait / 60)
            again = f"Try again in {minutes} minute{'s' if minutes > 1 else ''}."
            answer = message(request, 429, "Too many tries", again)
            answer["Retry-After"] = str(math.ceil(wait))
            return answer
        return super().post(request, *args, **kwargs)

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        form: AuthenticationForm = context["form"]
        longest = form.fields["username"].max_length  # type: ignore[attr-defined]  # a CharField
        values = {
            "name": form.data.get("username", "")[:longest],
            "next": self.get_redirect_url(),
            "wrong": form.is_bound,
            "longest": longest,
        }
        return page(self.request, "sign_in.html", values, 400 if form.is_bound else 200, form=True)


class SignOut(LogoutView):
    """POST signs out."""

    next_page = "dbvigil-sign-in"


def _wait(request: HttpRequest) -> float | None:
    """Counts one try; seconds to wait where there were too many."""
    # The peer's address, not X-Forwarded-For, which anyone can write.
    address, now = request.META.get("REMOTE_ADDR", ""), time.time()
    name = request.POST.get("username", "").casefold()
    key = hashlib.sha256(f"{address}\n{name}".encode("utf-8", "replace")).hexdigest()
    waits = (_BY_NAME.wait(key, now), _BY_ADDRESS.wait(f"address:{address}", now))
    return max((wait for wait in waits if wait is not None), default=None)
