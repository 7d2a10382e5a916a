"""An alert's page: all that is known about it, for everyone who is signed in; staff take it up here."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from dbvigil import conf
from dbvigil.alerting.links import runbook_at
from dbvigil.alerting.service import get_database_alerting
from dbvigil.errors import AlertError
from dbvigil.pages.base import for_readers, message, page, sentence, some_lines
from dbvigil.pages.facts import facts


@require_http_methods(["GET", "HEAD", "POST"])
@csrf_protect
@for_readers
def alert_page(request: HttpRequest, alert_id: int) -> HttpResponse:
    """GET shows it, POST takes it up (staff, `note`)."""
    user = request.user
    alert = get_database_alerting().get_alert(alert_id)
    if alert is None:
        return message(request, 404, "No such alert", f"There is no alert {alert_id}.")
    may = user.is_staff or user.is_superuser
    if request.method == "POST":
        if not may:
            return message(request, 403, "Not allowed", "Staff take alerts up.")
        try:
            get_database_alerting().acknowledge_alert(
                alert_id, user.get_username(), some_lines(request.POST.get("note", ""))
            )
        except AlertError as error:
            return message(request, 409, "Over already", sentence(error.detail))
        return HttpResponseRedirect(request.path)
    form = may and alert.resolved_at is None
    runbook = runbook_at(conf.load().alerts.runbook_url, alert.metric)
    return page(request, "alert.html", {"facts": facts(alert), "form": form, "runbook": runbook}, form=form)
