"""What went wrong, in one line that names the cause and what helps."""

from __future__ import annotations

from django.db import Error as ServiceDatabaseError

from dbvigil.terminal.text import clean

# By what SQLite, PostgreSQL (psycopg) and MySQL say; the first that matches holds.
_REMEDIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("no such table", "no such column", "does not exist", "doesn't exist", "unknown column"),
        "run: python manage.py migrate",
    ),
    (
        ("unable to open database file",),
        "check that its folder exists and that this user may write there",
    ),
    (("locked", "lock wait timeout"), "another process is writing to it; try again in a moment"),
    (("readonly", "read-only", "read only"), "let this user write to the file and to its folder"),
    (("disk is full", "no space left"), "free some space on its disk"),
    (
        ("not a database", "malformed"),
        "the file is damaged or another program's; restore it or point elsewhere",
    ),
    (
        ("access denied", "password authentication failed"),
        "check user and password in DATABASES or DATABASE_URL",
    ),
)
_ELSE = "check that it runs and that DATABASES or DATABASE_URL names it"


def explain(error: Exception) -> str:
    """One line for `error`, fit to print; trouble with the service's own database gets its remedy."""
    text = clean(str(error).strip()) or type(error).__name__
    if not isinstance(error, ServiceDatabaseError):
        return text
    said = text.lower()
    remedy = next((remedy for signs, remedy in _REMEDIES if any(sign in said for sign in signs)), _ELSE)
    return f"the service's own database cannot be used: {text}; {remedy}"
