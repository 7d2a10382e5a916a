"""TLS as a target asks for it."""

from __future__ import annotations

import ssl

from dbvigil.errors import InsecureConnection
from dbvigil.targets import TlsOptions


def context(options: TlsOptions) -> ssl.SSLContext | None:
    """The context for one connection; None where the mode is `disabled`.

    Without a `ca` the verifying modes trust the system's authorities. Raises InsecureConnection for files
    that cannot be used.
    """
    if options.mode == "disabled":
        return None
    result = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    result.check_hostname = options.mode == "verify-identity"
    if options.mode in ("preferred", "required"):
        result.verify_mode = ssl.CERT_NONE
    elif options.ca is None:
        result.load_default_certs()
    else:
        try:
            result.load_verify_locations(options.ca)
        except OSError as error:
            raise _unusable("ssl-ca", options.ca, error) from None
    if options.cert is not None:
        try:
            # Without a password of our own, OpenSSL would ask for one on the terminal.
            result.load_cert_chain(options.cert, options.key, password=b"")
        except OSError as error:
            raise _unusable("ssl-cert", options.cert, error) from None
    return result


def _unusable(name: str, path: str, error: OSError) -> InsecureConnection:
    reason = "it is no usable PEM file" if isinstance(error, ssl.SSLError) else error.strerror
    return InsecureConnection(f"{name} {path} cannot be used: {reason}", "give a readable PEM file")
