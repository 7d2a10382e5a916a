"""What the servers' error codes mean to a monitor: kind of error, cause, remedy.

Codes below 2000 are common to MySQL and MariaDB; from 3000 on they are MySQL's and from 4000 MariaDB's, but for
those that say otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from dbvigil.errors import (
    AccessDenied,
    InsecureConnection,
    MissingObject,
    MissingPrivilege,
    ServerError,
    StatementFailed,
    TooManyConnections,
)

# Kind, cause, remedy; {user} is the account's name.
Meaning = tuple[type[ServerError], str, str]

_EXPIRED: Meaning = (
    AccessDenied,
    "the password of {user} has expired",
    "set a new one: ALTER USER … IDENTIFIED BY …",
)
_LOCKED: Meaning = (AccessDenied, "the account {user} is locked", "unlock it: ALTER USER … ACCOUNT UNLOCK")
_USED_UP: Meaning = (
    TooManyConnections,
    "{user} has used up a limit of its account",
    "raise it: ALTER USER … WITH MAX_USER_CONNECTIONS …, MAX_QUERIES_PER_HOUR …",
)

WRONG_PASSWORD = 1045

CONNECTING: dict[int, Meaning] = {
    1040: (
        TooManyConnections,
        "every connection of the server is taken",
        "raise max_connections, or see what holds them (SHOW PROCESSLIST)",
    ),
    WRONG_PASSWORD: (
        AccessDenied,
        "the server refuses user {user} with this password from this host",
        "check user, password and the hosts that the account is for",
    ),
    1129: (
        AccessDenied,
        "the server has blocked this host after too many broken connections",
        "run FLUSH HOSTS (MySQL: TRUNCATE performance_schema.host_cache) and look for what broke them",
    ),
    1130: (
        AccessDenied,
        "the server has no account for clients from this host",
        "create {user} for this host's address",
    ),
    1203: (
        TooManyConnections,
        "{user} has as many connections as its account, or max_user_connections, allows",
        "raise the limit, or give the monitor an account of its own",
    ),
    1226: _USED_UP,
    1251: (
        AccessDenied,
        "the server wants a method of authentication that is refused as unsafe",
        "give the account caching_sha2_password, or on MariaDB mysql_native_password",
    ),
    1524: (
        AccessDenied,
        "the server does not have the authentication plugin of {user}",
        "load the plugin, or give the account another one",
    ),
    1698: (
        AccessDenied,
        "the account {user} has no password and is for the system user of that name, through the socket",
        "give the account a password, or make another account for the monitor",
    ),
    1820: _EXPIRED,
    1862: _EXPIRED,
    3118: _LOCKED,
    3159: (
        InsecureConnection,
        "the server takes encrypted connections only",
        "set ssl-mode=required, or better ssl-ca with the server's authority",
    ),
    3955: (
        AccessDenied,
        "the account {user} is blocked after too many wrong passwords",
        "wait, or unlock it: ALTER USER … ACCOUNT UNLOCK",
    ),
    4151: _LOCKED,
}
"""Refusals of a connection."""

GONE = frozenset({1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1927, 2006, 2013, 2055, 4031})
"""The connection has ended, or the server is about to end it: shutdown, KILL, idle for too long (4031 MySQL)."""

_NO_OBJECT = "this server does not have it"
_TIME_LIMIT = "the statement's time limit was reached: the server is overloaded, or has very much to read"

# Kind and remedy: the cause is what the server said about the statement.
_STATEMENTS: dict[int, tuple[type[StatementFailed], str]] = {
    **dict.fromkeys((1044, 1142, 1143, 1227, 1345, 1370, 1419, 3619), (MissingPrivilege, "")),
    **dict.fromkeys((1049, 1051, 1054, 1109, 1146, 1193, 1286, 1305), (MissingObject, _NO_OBJECT)),
    1205: (
        StatementFailed,
        "another session holds a lock on what is read; look for long transactions and metadata locks",
    ),
    1317: (StatementFailed, "somebody killed the statement"),
    1969: (StatementFailed, _TIME_LIMIT),
    3024: (StatementFailed, _TIME_LIMIT),
}


def connecting(code: int, user: str) -> ServerError | None:
    """What `code` means as the answer to a connection; None where it is not known."""
    if code not in CONNECTING:
        return None
    kind, cause, remedy = CONNECTING[code]
    return kind(cause.format(user=repr(user)), remedy.format(user=repr(user)), code=code)


def statement(code: int, said: str, user: str) -> ServerError:
    """What `code` means as the answer to a statement; `said` is the server's message."""
    if code in (1226, 1820, 1862):
        return connecting(code, user) or StatementFailed(said, code=code)
    kind, remedy = _STATEMENTS.get(code, (StatementFailed, ""))
    return kind(said, _grant(said) if kind is MissingPrivilege else remedy, code=code)


_NAMED_GRANTS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    # 1227: Access denied; you need (at least one of) the SUPER, REPLICA MONITOR privilege(s) for this operation
    (
        re.compile(r"you need \(at least one of\) the (.+?) privilege"),
        lambda match: f"GRANT {re.split(' or |, ', match[1])[-1]} ON *.* TO",
    ),
    # 1142, 1143 on MariaDB: SELECT command denied to user … for table `performance_schema`.`threads`
    (
        re.compile(r"(\w+) command denied to user .* for (?:column '.+' in )?table `(.+?)`\.`(.+?)`"),
        lambda match: f"GRANT {match[1]} ON {match[2]}.{match[3]} TO",
    ),
    # … and on MySQL: … for table 'threads', whatever its schema
    (
        re.compile(r"(\w+) command denied to user .* for (?:column '.+' in )?table '(.+?)'"),
        lambda match: f"GRANT {match[1]} on its schema, or on the table {match[2]} alone, TO",
    ),
    # 1044: Access denied for user 'u'@'h' to database 'sys'
    (re.compile(r"to database '(.+?)'"), lambda match: f"GRANT SELECT ON {match[1]}.* TO"),
    # 1370: execute command denied to user 'u'@'h' for routine 'sys.f'
    (
        re.compile(r"(\w+) command denied to user .* for routine '(.+?)'"),
        lambda match: f"GRANT {match[1].upper()} ON FUNCTION {match[2]} TO",
    ),
    # 1345, of a view: ANALYZE/EXPLAIN/SHOW can not be issued; lacking privileges for underlying table
    (
        re.compile(r"lacking privileges for underlying table"),
        lambda match: "GRANT SELECT, SHOW VIEW on the view's schema, and on those that it reads, TO",
    ),
)


def _grant(said: str) -> str:
    for pattern, words in _NAMED_GRANTS:
        match = pattern.search(said)
        if match:
            return f"{words(match)} the monitor's account"
    return "give the monitor's account the grants that the docs list"
