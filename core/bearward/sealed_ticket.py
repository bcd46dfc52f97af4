"""A ticket as text: only those who share a secret can write one, or read what it says.

    ticket = BASE64URL(salt || AES-256-GCM(key, nonce = 0, content, associated data = place))
    key    = HMAC-SHA256(HMAC-SHA256(secret, label), salt)

Rules of this file: pure; the caller draws the salt. A salt of 128 random bits makes each key that of one ticket, so that
the constant nonce is never used twice with a key (NIST SP 800-38D section 8). A text that was changed, or is opened in
another place, is not authentic.
"""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bearward.errors import ConfigurationError
from bearward.jose import base64url

__all__ = ["SALT", "TicketSeal"]

SALT: Final = 16
"""Octets."""
_LABEL: Final = b"bearward ticket 1"
_LEAST_SECRET: Final = 16
_NONCE: Final = bytes(12)
_MAX_TICKET: Final = 32 * 1024  # characters: the longest token, as base64url


class TicketSeal:
    """Seals and opens tickets with a secret of at least 16 bytes. Raises `ConfigurationError`.

    >>> seal = TicketSeal(b"0123456789abcdef")
    >>> salt, content = seal.open(seal.seal(b"content", "/chat", bytes(16)), "/chat")
    >>> content
    b'content'
    """

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        if not isinstance(secret, bytes) or len(secret) < _LEAST_SECRET:
            raise ConfigurationError("secret", f"must be at least {_LEAST_SECRET} bytes, the same for the fleet")
        self._key = hmac.digest(secret, _LABEL, "sha256")

    def seal(self, content: bytes, place: str, salt: bytes) -> str:
        """The ticket for `content`, to be opened in `place` only; `salt` is 16 random octets, never used before."""
        sealed = self._cipher(salt).encrypt(_NONCE, content, place.encode("utf-8", "surrogatepass"))
        return base64url.encode(salt + sealed).decode("ascii")

    def open(self, ticket: str, place: str) -> tuple[bytes, bytes]:
        """Salt and content of a ticket for `place`; raise `ValueError` for anything else."""
        if len(ticket) > _MAX_TICKET:
            raise ValueError("not a ticket")
        octets = base64url.decode(ticket)
        salt, sealed = octets[:SALT], octets[SALT:]
        try:
            return salt, self._cipher(salt).decrypt(_NONCE, sealed, place.encode("utf-8", "surrogatepass"))
        except InvalidTag:
            raise ValueError("not a ticket") from None

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._key, salt, "sha256"))

    def __repr__(self) -> str:
        return "<TicketSeal>"
