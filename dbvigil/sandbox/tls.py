"""Certificates for private servers: one authority to trust, one not to, a server and a client certificate."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of PEM files. `ca` signed both `cert` and `client_cert`; `other_ca` signed neither."""

    ca: Path
    cert: Path
    key: Path
    client_cert: Path
    client_key: Path
    other_ca: Path

    @classmethod
    def create(
        cls,
        folder: Path,
        hostnames: Sequence[str] = ("localhost", "127.0.0.1"),
        *,
        now: datetime | None = None,
    ) -> Self:
        """Make all the files in `folder`, valid from a day before `now` for ten years.

        `hostnames` are the names and IP addresses that the server's certificate is good for.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        since = (now or datetime.now(UTC)) - timedelta(days=1)
        authority = _Authority("dbvigil test authority", since)
        stranger = _Authority("unrelated test authority", since)
        server, client = _Leaf("server"), _Leaf("client")
        _write(folder / "ca.pem", authority.certificate)
        _write(folder / "other-ca.pem", stranger.certificate)
        _write(folder / "server.pem", authority.sign(server, since, hostnames))
        _write(folder / "server-key.pem", server.key)
        _write(folder / "client.pem", authority.sign(client, since))
        _write(folder / "client-key.pem", client.key)
        return cls(
            ca=folder / "ca.pem",
            cert=folder / "server.pem",
            key=folder / "server-key.pem",
            client_cert=folder / "client.pem",
            client_key=folder / "client-key.pem",
            other_ca=folder / "other-ca.pem",
        )

    @property
    def server_options(self) -> dict[str, str | int | None]:
        """The server options that make a server show this certificate."""
        return {"ssl-ca": str(self.ca), "ssl-cert": str(self.cert), "ssl-key": str(self.key)}


class _Leaf:
    def __init__(self, purpose: str) -> None:
        self.name = _name(f"dbvigil test {purpose}")
        self.key = ec.generate_private_key(ec.SECP256R1())


class _Authority:
    def __init__(self, name: str, since: datetime) -> None:
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        signing = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True,
            content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        self.certificate = (
            self._builder(self._name, self._key.public_key(), since)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(signing, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def sign(self, leaf: _Leaf, since: datetime, hostnames: Sequence[str] = ()) -> x509.Certificate:
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = (
            self._builder(leaf.name, leaf.key.public_key(), since)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if hostnames:
            names = x509.SubjectAlternativeName([_general_name(hostname) for hostname in hostnames])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, since: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(since + _LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(hostname: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(hostname))
    except ValueError:
        return x509.DNSName(hostname)


def _write(path: Path, content: x509.Certificate | ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    if isinstance(content, x509.Certificate):
        path.write_bytes(content.public_bytes(serialization.Encoding.PEM))
    else:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        path.write_bytes(content.private_bytes(encoding, form, serialization.NoEncryption()))
