"""Every exception dbvigil raises on purpose.

DbvigilError
├── ConfigurationError        a setting, target or threshold that cannot be used; names the field
├── UnknownDatabase           an alias that is not monitored
├── UnknownMetric             a metric that is not in the catalogue
├── HistoryError              history that cannot be asked for in this way
├── AlertError                something that cannot be done with an alert, a suppression or a window; names the field
│   ├── UnknownAlert          an alert there is not
│   ├── UnknownChannel        a channel nobody made
│   ├── UnknownThreshold      a threshold nobody has set
│   ├── UnknownSuppression    a suppression there is not
│   └── UnknownWindow         a maintenance window there is not
├── RecoveryError             a recovery action that there is not, or that cannot be asked for so; names the field
│   └── RecoveryRefused       one that must not act now: switched off, cooling down, or its bounds are reached
├── NotExplainable            a statement that is not sent for EXPLAIN; says why
├── MonitorError              the monitor cannot do what was asked (not running, did not answer in time)
└── ServerError               a monitored server; one line with cause and remedy
    ├── ServerUnreachable     refused, no route, unknown host, closed in the handshake
    ├── ServerTimeout         accepted but did not answer within the limit
    ├── AccessDenied          wrong user or password, or the account may not connect from here
    ├── InsecureConnection    TLS asked for and not had, or the server wants the password in clear text
    ├── TooManyConnections    the server has no free connection for the monitor
    ├── ConnectionLost        the connection broke during a statement
    └── StatementFailed       the server refused one statement; carries its error code
        ├── MissingPrivilege  the account lacks a grant; names it
        └── MissingObject     a table, column or variable this server does not have
"""

from __future__ import annotations


class DbvigilError(Exception):
    """Base of every error that dbvigil raises on purpose."""


class ConfigurationError(DbvigilError):
    """A value that cannot be used.

    `field` names the setting or key, `given` is the value as far as it may be shown, `allowed` says what
    would be right.
    """

    def __init__(self, field: str, given: object, allowed: str) -> None:
        super().__init__(f"{field}: {given!r} is not allowed; {allowed}")
        self.field = field
        self.given = given
        self.allowed = allowed


class UnknownDatabase(DbvigilError):
    """An alias that is not monitored; `known` lists those that are."""

    def __init__(self, database: str, known: tuple[str, ...]) -> None:
        names = ", ".join(known) or "none"
        super().__init__(f"no monitored database is named {database!r}; known: {names}")
        self.database = database
        self.known = known


class UnknownMetric(DbvigilError):
    """A metric name that the catalogue does not have."""

    def __init__(self, metric: str) -> None:
        super().__init__(f"no metric is named {metric!r}; the catalogue lists them all")
        self.metric = metric


class HistoryError(DbvigilError):
    """A history query that cannot be answered as asked; `field` names the parameter at fault."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


class AlertError(DbvigilError):
    """What was asked cannot be done with this alert, suppression or window; `field` names what was given."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


class UnknownAlert(AlertError):
    """An alert that there is not."""

    def __init__(self, number: int) -> None:
        super().__init__("alert_id", f"there is no alert {number}")


class UnknownChannel(AlertError):
    """A channel that nobody made."""

    def __init__(self, name: str) -> None:
        super().__init__("name", f"no channel that was made here is named {name!r}")


class UnknownThreshold(AlertError):
    """A threshold that nobody has set."""

    def __init__(self, metric: str, database: str | None) -> None:
        where = f"for {database}" if database else "for every database"
        super().__init__("metric", f"no threshold of {metric} was set {where}: there is nothing to reset")


class UnknownSuppression(AlertError):
    """A suppression that there is not."""

    def __init__(self, number: int) -> None:
        super().__init__("suppression_id", f"there is no suppression {number}")


class UnknownWindow(AlertError):
    """A maintenance window that there is not; `field` names what it was looked for by."""

    def __init__(self, field: str, given: object) -> None:
        super().__init__(field, f"there is no maintenance window {given!r}")


class RecoveryError(DbvigilError):
    """A recovery that cannot be asked for in this way; `field` names what was given."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


class RecoveryRefused(RecoveryError):
    """An action that must not act now; `retry_seconds` is when it may, where time alone helps."""

    def __init__(self, detail: str, retry_seconds: float | None = None) -> None:
        super().__init__("action", detail)
        self.retry_seconds = retry_seconds


class MonitorError(DbvigilError):
    """The monitor cannot do what was asked."""


class NotExplainable(DbvigilError):
    """A statement that is not sent for EXPLAIN; `reason` says why, without quoting its literals."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not explained: {reason}")
        self.reason = reason


class ServerError(DbvigilError):
    """Trouble with a monitored server: a cause and a remedy, in one line, never with a secret in it."""

    def __init__(self, cause: str, remedy: str = "", *, code: int | None = None) -> None:
        super().__init__(f"{cause}; {remedy}" if remedy else cause)
        self.cause = cause
        self.remedy = remedy
        self.code = code


class ServerUnreachable(ServerError):
    """No connection: refused, no route, unknown host, or closed during the handshake."""


class ServerTimeout(ServerError):
    """The server accepted but did not answer within the time limit."""


class AccessDenied(ServerError):
    """The server refuses this user, password or client host."""


class InsecureConnection(ServerError):
    """TLS was asked for and cannot be had, or the server wants a password that would travel unprotected."""


class TooManyConnections(ServerError):
    """Every connection of the server, or of the monitor's account, is taken."""


class ConnectionLost(ServerError):
    """The connection broke while a statement ran."""


class StatementFailed(ServerError):
    """The server answered one statement with an error; `code` is its number."""


class MissingPrivilege(StatementFailed):
    """The monitor's account lacks a grant that this statement needs."""


class MissingObject(StatementFailed):
    """A table, column or variable that this server does not have."""
