"""Addresses in messages: an alert's page, its runbook, and a signed one where it can be acknowledged once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.core import signing
from django.urls import NoReverseMatch, reverse

from dbvigil.alerts.shipped import OTHER_RUNBOOK, RUNBOOK_OF
from dbvigil.catalogue import BY_NAME
from dbvigil.errors import AlertError

_SALT = "dbvigil.acknowledge"
_VALID_SECONDS = 7 * 86_400


class ExpiredLink(AlertError):
    """A link that was good once."""

    def __init__(self) -> None:
        super().__init__("token", "this link is more than a week old")


class UsedLink(AlertError):
    """A link that was good for one acknowledgement; `by` is who has taken the alert up."""

    def __init__(self, by: str) -> None:
        super().__init__("token", "this link was used before")
        self.by = by


@dataclass(frozen=True, slots=True)
class Signed:
    """What a link says: the alert, and how often it had been acknowledged when the link was made."""

    alert: int
    generation: int


def links_of(base_url: str, alert: Mapping[str, Any], at: datetime, runbooks: str = "") -> Mapping[str, str]:
    """`{"page", "runbook", "acknowledge"}` of an alert's body as it stood at `at`, absolute; the same at every call.

    None of this site's where it is not known under which address people reach it; without "acknowledge" where it is over, without
    "runbook" where there is none, a sample with nothing but that. `runbooks` is where the operator's own are (see `runbook_at`).
    """
    root = base_url.rstrip("/")
    found = {}
    runbook = runbook_at(runbooks, str(alert["metric"]))
    if runbook.startswith("/"):
        runbook = root + runbook if root else ""
    if runbook:
        found["runbook"] = runbook
    if not root or not alert["id"]:
        return found
    try:
        token = sign(alert["id"], alert["acknowledgements"], at)
        found["page"] = root + reverse("dbvigil:dbvigil-alert", args=(alert["id"],))
        if alert["resolved_at"] is None:
            found["acknowledge"] = root + reverse("dbvigil:dbvigil-acknowledge", args=(token,))
    except NoReverseMatch:
        # The host project has not included the pages.
        return found
    return found


def runbook_at(runbooks: str, metric: str) -> str:
    """Where the runbook for alerts on `metric` is, "" where there is none: its path on this site, or by `runbooks` an address elsewhere,
    with `{runbook}` (its name here) and `{metric}` filled in.
    """
    name = runbook_of(metric)
    if runbooks:
        if not name and "{runbook}" in runbooks:
            return ""
        return runbooks.replace("{runbook}", name).replace(
            "{metric}", quote(metric, safe="", errors="replace")
        )
    try:
        return reverse("dbvigil:dbvigil-runbook", args=(name,)) if name else ""
    except NoReverseMatch:
        return ""


def runbook_of(metric: str) -> str:
    """The name of the runbook for alerts on `metric`, empty where there is none: alerts of a program's own, and of dbvigil about itself."""
    return RUNBOOK_OF.get(metric, OTHER_RUNBOOK if metric in BY_NAME else "")


def sign(alert: int, generation: int, at: datetime) -> str:
    """A token that is good for a week from `at`. It is the same whenever it is made: a message's bytes are to be."""
    return signing.Signer(salt=_SALT).sign_object([alert, generation, int(at.timestamp())])


def read(token: str) -> Signed:
    """Raises `ExpiredLink` for one that is too old, `AlertError` for one that was not made here."""
    try:
        alert, generation, at = signing.Signer(salt=_SALT).unsign_object(token)
        signed = Signed(int(alert), int(generation))
    except (signing.BadSignature, ValueError, TypeError):
        raise AlertError("token", "this link was not made here, or was cut off") from None
    if time.time() - at > _VALID_SECONDS:
        raise ExpiredLink
    return signed
