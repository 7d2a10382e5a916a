"""Fingerprints of texts that a server may have cut, and whose sql_mode nobody knows."""

from __future__ import annotations

from dbvigil import redaction
from dbvigil.queries.fingerprint.percona import percona_bytes
from dbvigil.queries.fingerprint.query_id import query_id


def certain(text: str | None) -> tuple[str | None, str | None]:
    """The fingerprint and its query ID; None for both where there is no text.

    Where it is not certain which part of the text is a string, the fingerprint ends there, and has no ID.
    """
    if not text or not text.strip():
        return None, None
    clear = redaction.is_clear(text)
    data = percona_bytes(
        (text if clear else redaction.statement(text) or "")
        .strip()
        .removesuffix(";")
        .encode("utf-8", "surrogatepass")
    )
    return data.decode("utf-8", "replace"), query_id(data) if clear else None
