"""How the password is proved to a server: which of the server's wishes are met, and on what kind of line.

A server names the method, and may change it in the middle. So a stranger in its place could ask for the
password itself: in clear text, or wrapped in an RSA key of the stranger's own. What is not listed here is
refused, whenever it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

from asyncmy import auth

from dbvigil.errors import InsecureConnection

NATIVE = "mysql_native_password"
CACHING_SHA2 = "caching_sha2_password"
SHA256 = "sha256_password"
CLEAR = "mysql_clear_password"
ED25519 = "client_ed25519"

_FULL_AUTHENTICATION = b"\x04"
_FAST_AUTHENTICATION_SUCCEEDED = b"\x03"
_NONCE_LENGTH = 20

_VERIFY = "set ssl-mode=verify-identity with the server's ssl-ca"


@dataclass(frozen=True, slots=True)
class Line:
    """What is known about the way to the server.

    `proven`: TLS, and certificate and host name are verified. `encrypted`: TLS, verified or not. `socket`: a
    unix socket. `trusted`: nobody else can be listening there (this machine), or the operator accepts any RSA
    key that is offered (get-server-public-key=1).
    """

    proven: bool
    encrypted: bool
    socket: bool
    trusted: bool


class Exchange:
    """One authentication, from the first answer to the server's OK. Pure: packets' payloads in and out."""

    def __init__(self, password: bytes, nonce: bytes, line: Line) -> None:
        self._password = password
        self._nonce = nonce[:_NONCE_LENGTH]
        self._line = line
        self._awaits_key = False
        self.plugin = CACHING_SHA2

    def first(self, plugin: str) -> bytes:
        """The answer that goes with the greeting, which names the server's default `plugin`.

        The account may have another, and the server then asks again. So only methods that reveal nothing are
        answered at once; `self.plugin` is the one that was.
        """
        self.plugin = NATIVE if plugin in ("", NATIVE) else CACHING_SHA2
        return self._scramble()

    def switch(self, plugin: str, data: bytes) -> bytes:
        """The answer to a request to change to `plugin`; raises InsecureConnection."""
        self.plugin = plugin
        self._nonce = data[:_NONCE_LENGTH]
        self._awaits_key = False
        if plugin in (NATIVE, CACHING_SHA2):
            return self._scramble()
        if plugin == ED25519:
            return self._ed25519(data)
        if plugin == SHA256:
            if not self._password:
                return b"\0"
            self._require_trust()
            return self._in_clear() if self._line.encrypted else self._ask_for_key(b"\x01")
        if plugin == CLEAR:
            if not self._line.proven:
                raise InsecureConnection(
                    "the server wants the password in clear text and has not proved who it is",
                    f"{_VERIFY}, or give the account another authentication plugin",
                )
            return self._in_clear()
        raise InsecureConnection(
            f"the server asks for the authentication plugin {plugin[:64]!r}, which is refused",
            "give the account mysql_native_password, caching_sha2_password, sha256_password or ed25519",
        )

    def more(self, data: bytes) -> bytes | None:
        """The answer to further data for the current plugin; None where the server's next word is awaited.

        Raises InsecureConnection.
        """
        if self._awaits_key:
            self._awaits_key = False
            return self._wrapped(data)
        if self.plugin == CACHING_SHA2 and data == _FAST_AUTHENTICATION_SUCCEEDED:
            return None
        if self.plugin == CACHING_SHA2 and data == _FULL_AUTHENTICATION:
            self._require_trust()
            if self._line.encrypted or self._line.socket:
                return self._in_clear()
            return self._ask_for_key(b"\x02")
        raise InsecureConnection(
            f"the server's part in {self.plugin} is not as it should be",
            "check that it is a MySQL or MariaDB server",
        )

    def _scramble(self) -> bytes:
        if self.plugin == NATIVE:
            return bytes(auth.scramble_native_password(self._password, self._nonce))
        return bytes(auth.scramble_caching_sha2(self._password, self._nonce))

    def _ed25519(self, data: bytes) -> bytes:
        try:
            return bytes(auth.ed25519_password(self._password, data))
        except RuntimeError:
            raise InsecureConnection(
                "the account uses ed25519, for which the Python package PyNaCl is missing", "install PyNaCl"
            ) from None

    def _require_trust(self) -> None:
        if not (self._line.proven or self._line.socket or self._line.trusted):
            raise InsecureConnection(
                f"{self.plugin} needs the password itself and the server has not proved who it is",
                f"{_VERIFY}, or get-server-public-key=1 to accept whatever answers at this address",
            )

    def _in_clear(self) -> bytes:
        return self._password + b"\0"

    def _ask_for_key(self, request: bytes) -> bytes:
        self._awaits_key = True
        return request

    def _wrapped(self, key: bytes) -> bytes:
        try:
            return bytes(auth.sha2_rsa_encrypt(self._password, self._nonce, key))
        except (ValueError, TypeError, AttributeError):
            raise InsecureConnection(
                "what the server offers as its RSA key is none", "check that it is a MySQL or MariaDB server"
            ) from None
