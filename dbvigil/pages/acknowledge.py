"""Where a message's acknowledge link leads. The signed link is the permission: nobody has to sign in.

Mail scanners and chat previews follow links, so only the form's POST acknowledges.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from dbvigil.alert import Alert
from dbvigil.alerting.links import ExpiredLink, UsedLink
from dbvigil.alerting.service import get_database_alerting
from dbvigil.errors import AlertError, UnknownAlert
from dbvigil.pages.base import message, one_line, page, sentence, some_lines
from dbvigil.pages.facts import facts

LONGEST_NAME = 100
_BY_LINK = "{} (by link)"


@require_http_methods(["GET", "HEAD", "POST"])
@csrf_protect
def acknowledge_page(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows what the link is about, POST takes the alert up (`name` unless signed in, `note`)."""
    try:
        alert = get_database_alerting().get_alert_by_link(token)
    except ExpiredLink as error:
        return _gone(request, error)
    except UsedLink as error:
        by = f" by {error.by}" if error.by else ""
        text = f"A link works once, and the alert has been taken up{by} meanwhile."
        return message(request, 410, "This link was used", text)
    except UnknownAlert as error:
        return message(request, 404, "No such alert", sentence(error.detail))
    except AlertError:
        return message(
            request,
            404,
            "This link leads nowhere",
            "It was not made here, or a part of it got lost on the way.",
        )
    if request.method == "POST":
        return _acknowledge(request, token, alert)
    if alert.resolved_at is not None:
        over = f"{alert.metric} on {alert.database} is over: nothing is left to be taken up."
        return message(request, 410, "It is over", over)
    return _form(request, alert)


def _acknowledge(request: HttpRequest, token: str, alert: Alert) -> HttpResponse:
    note = some_lines(request.POST.get("note", ""))
    if request.user.is_authenticated and request.user.is_active:
        name = request.user.get_username()
    else:
        given = one_line(request.POST.get("name", ""))
        if not given or len(given) > LONGEST_NAME:
            return _form(
                request, alert, "Your name is needed, so that others know who is on it.", given, note
            )
        # On record as what it is: a name that was typed, not a user who signed in.
        name = _BY_LINK.format(given)
    try:
        taken = get_database_alerting().acknowledge_by_link(token, name, note)
    except AlertError as error:
        return _gone(request, error)
    return page(request, "taken.html", {"facts": facts(taken)})


def _form(
    request: HttpRequest, alert: Alert, trouble: str = "", name: str = "", note: str = ""
) -> HttpResponse:
    signed_in = request.user.is_authenticated and request.user.is_active
    values = {
        "facts": facts(alert),
        "user": request.user.get_username() if signed_in else "",
        "trouble": trouble,
        "name": name[:LONGEST_NAME],
        "note": note,
        "longest": LONGEST_NAME,
    }
    return page(request, "acknowledge.html", values, 400 if trouble else 200, form=True)


def _gone(request: HttpRequest, error: AlertError) -> HttpResponse:
    return message(request, 410, "This link works no more", sentence(error.detail))
