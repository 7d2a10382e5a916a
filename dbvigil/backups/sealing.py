"""Encrypted files: read again only whole, in order, and under their key.

This module needs Python and `cryptography` alone, so that a copy of it opens a backup where nothing of dbvigil is left:

    python sealing.py shop-20260131T031500Z-7.sql.gz.sealed < key > shop.sql.gz

A file is MAGIC, 32 bytes of salt, the 8 bytes that name its key, and chunks of 64 KiB, each sealed with AES-256-GCM and thereby 16 bytes
longer; the last one may be shorter, even empty. A file has a key of its own, HKDF-SHA256 of the secret and the salt. A chunk's nonce is
its number and whether it is the last: one that is missing, moved or cut off is noticed as surely as one that was changed. The head is
authenticated with every chunk.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"dbvigil sealed 1\n"
CHUNK = 64 * 1024
SUFFIX = ".sealed"

_SALT = 32
_ID = 8
_TAG = 16
_HEAD = len(MAGIC) + _SALT + _ID


class SealError(Exception):
    """The file is not what was sealed, or not under this key."""


def key_id(secret: str) -> str:
    """16 hexadecimal digits by which a key is known, and nothing of it."""
    return _derived(secret, b"", b"dbvigil backup: name of the key", _ID).hex()


def _derived(secret: str, salt: bytes, purpose: bytes, length: int = 32) -> bytes:
    return HKDF(SHA256(), length, salt or None, purpose).derive(secret.encode())


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


class Sealer:
    """Writes what it is given to `file`, sealed under `secret`; `close` ends it, and leaves `file` open."""

    def __init__(self, file: BinaryIO, secret: str) -> None:
        salt = os.urandom(_SALT)
        self._file = file
        self._head = MAGIC + salt + bytes.fromhex(key_id(secret))
        self._cipher = AESGCM(_derived(secret, salt, b"dbvigil backup: contents"))
        self._number = 0
        self._waiting = bytearray()
        file.write(self._head)

    def write(self, data: bytes) -> None:
        self._waiting += data
        # A full chunk waits until there is more: it may be the last.
        while len(self._waiting) > CHUNK:
            self._seal(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]

    def close(self) -> None:
        self._seal(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last=last), chunk, self._head))
        self._number += 1


def unsealed(file: BinaryIO, secrets: Sequence[str]) -> Iterator[bytes]:
    """What was sealed into `file`, in order. Raises `SealError`, at the latest at the place that is wrong."""
    head = file.read(_HEAD)
    if len(head) < _HEAD or not head.startswith(MAGIC):
        raise SealError("the file is not a sealed one, or cut off at its head")
    name = head[-_ID:].hex()
    secret = next((one for one in secrets if key_id(one) == name), None)
    if secret is None:
        raise SealError(f"it was sealed under key {name}, which is none of those given")
    cipher = AESGCM(_derived(secret, head[len(MAGIC) : -_ID], b"dbvigil backup: contents"))
    number, chunk = 0, file.read(CHUNK + _TAG)
    while True:
        following = file.read(CHUNK + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), chunk, head)
        except InvalidTag:
            raise SealError(f"chunk {number} is changed, or the file ends too early") from None
        if not following:
            return
        number, chunk = number + 1, following


def main(path: str) -> int:
    """Opens the file at `path` with the key on standard input, onto standard output; the exit code."""
    try:
        with open(path, "rb") as file:
            for chunk in unsealed(file, [sys.stdin.readline().strip()]):
                sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    except (SealError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
