"""E-mail, by Django's mail settings: one message an alert event, to each recipient by itself."""

from __future__ import annotations

import logging
import smtplib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend

from dbvigil.channels import mail, masks, smtp, templates
from dbvigil.channels.base import Notice, Outcome
from dbvigil.channels.text import compose

logger = logging.getLogger("dbvigil.alerts")

STEP_SECONDS = 8.0
"""For one word of the mail server."""
TOTAL_SECONDS = 20.0
"""For one attempt, everybody included. Shorter than the lease on a message, so that no other worker sends it meanwhile."""


@dataclass(frozen=True, slots=True)
class Email:
    """Recipients' addresses. Each gets a message of its own, with the same Message-ID, and sees nobody else's address."""

    recipients: Sequence[str] = field(repr=False)
    name: str = "email"
    rate: float = 60.0
    bundles: bool = False
    custom: Mapping[str, templates.Source] = field(default_factory=dict, repr=False)
    step_seconds: float = STEP_SECONDS
    total_seconds: float = TOTAL_SECONDS

    @property
    def fingerprint(self) -> str:
        return masks.fingerprint("email", *self.recipients, *templates.mark(self.custom))

    def shown(self) -> Mapping[str, Any]:
        return {"name": self.name, "kind": "email", "target": masks.addresses(self.recipients)}

    def send(self, notice: Notice) -> Outcome:
        """Delivered where the mail server took it for anybody: those who were refused must not hold up the others' next messages."""
        message = compose(notice)
        own = templates.words(self.custom, message, notice)
        sender = str(settings.DEFAULT_FROM_EMAIL)
        about = mail.headers(notice, mail.domain_of(sender))
        subject, text = own.subject(message), own.text(message, 60_000)
        page = own.parts.get("html") or mail.html(message, notice.at)

        def letter(recipient: str, connection: BaseEmailBackend) -> EmailMultiAlternatives:
            made = EmailMultiAlternatives(
                subject, text, sender, [recipient], connection=connection, headers=dict(about)
            )
            made.attach_alternative(page, "text/html")
            return made

        deadline = time.monotonic() + self.total_seconds
        connection = smtp.connection(deadline, self.step_seconds)
        refusals: list[_Refusal] = []
        untried = 0
        try:
            for place, recipient in enumerate(self.recipients):
                left = len(self.recipients) - place
                if time.monotonic() > deadline:
                    untried = left
                    break
                refusal = _one(letter(recipient, connection), connection)
                if refusal is None:
                    continue
                refusals.append(refusal)
                if refusal.everybody:
                    untried = left - 1
                    break
        finally:
            _close(connection)
        return own.told(_outcome(len(self.recipients), refusals, untried))


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why one recipient got nothing. `everybody`: the next one would fare no better now."""

    detail: str
    permanent: bool
    everybody: bool = False


def _one(letter: EmailMultiAlternatives, connection: BaseEmailBackend) -> _Refusal | None:
    """Sends one letter, on a new connection where the old one was dropped. The texts of errors quote addresses and are not repeated."""
    try:
        try:
            letter.send()
        except smtplib.SMTPServerDisconnected as error:
            _close(connection)
            if isinstance(error.__context__, TimeoutError):
                # smtplib calls it disconnected when it hung up itself, on a server that said nothing.
                raise TimeoutError from None
            letter.send()
    except smtplib.SMTPRecipientsRefused as error:
        return _said(max((code for code, _ in error.recipients.values()), default=0))
    except smtplib.SMTPAuthenticationError as error:
        return _Refusal(
            f"the mail server did not accept the login ({error.smtp_code})", False, everybody=True
        )
    except smtplib.SMTPSenderRefused as error:
        # Settings are wrong, here or there: they can be put right before the message is given up.
        return _Refusal(f"the mail server refused the sender ({error.smtp_code})", False, everybody=True)
    except smtplib.SMTPConnectError as error:
        return _Refusal(f"the mail server accepts no connections ({error.smtp_code})", False, everybody=True)
    except smtplib.SMTPResponseException as error:
        return _said(error.smtp_code)
    except smtplib.SMTPServerDisconnected:
        _close(connection)
        return _Refusal("the mail server dropped the connection", False, everybody=True)
    except TimeoutError:
        _close(connection)
        return _Refusal("the mail server did not answer in time", False, everybody=True)
    except ConnectionRefusedError:
        return _Refusal("the mail server refused the connection", False, everybody=True)
    except (OSError, smtplib.SMTPException) as error:
        _close(connection)
        return _Refusal(f"the mail server could not be used ({type(error).__name__})", False, everybody=True)
    except Exception as error:  # noqa: BLE001
        # A backend of the host project may raise what it likes; its text may quote its credentials.
        logger.debug("the mail backend failed with %s", type(error).__name__)
        return _Refusal(f"the mail backend failed ({type(error).__name__})", False, everybody=True)
    return None


def _said(code: int) -> _Refusal:
    if 500 <= code < 600:
        return _Refusal(f"the mail server refused it ({code})", True)
    return _Refusal(f"the mail server put it off ({code})", False)


def _outcome(count: int, refusals: Sequence[_Refusal], untried: int) -> Outcome:
    sent = count - len(refusals) - untried
    why = "; ".join(dict.fromkeys(refusal.detail for refusal in refusals)) or "out of time"
    if sent == count:
        return Outcome(True, f"taken by the mail server for {count} recipient{'s' if count != 1 else ''}")
    if sent:
        return Outcome(True, f"taken for {sent} of {count} recipients; not for {count - sent}: {why}")
    if not count:
        return Outcome(False, "there is no recipient", permanent=True)
    permanent = not untried and all(refusal.permanent for refusal in refusals)
    return Outcome(False, why, permanent=permanent)


def _close(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except (OSError, smtplib.SMTPException):
        logger.debug("the connection to the mail server was gone before it was closed")
