"""Proof of possession: tokens that are bound to a client certificate (RFC 8705 section 3).

Rule of this file: a token with `cnf` is worth nothing by itself. An adapter that knows the peer's certificate proves
the binding here; every other confirmation method is refused, since nothing here could check it.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest

from bearward.errors import AuthError, Refusal
from bearward.jose import base64url
from bearward.principal import Principal

__all__ = ["check_certificate", "is_bound"]

_CERTIFICATE = "x5t#S256"


def is_bound(principal: Principal) -> bool:
    """Whether the principal's token is bound to a key (has a `cnf` claim, RFC 7800)."""
    return "cnf" in principal.claims


def check_certificate(principal: Principal, certificate: bytes | None) -> None:
    """Raise `AuthError` (TOKEN_SENDER_CONSTRAINED) unless the DER `certificate` is the one the token is bound to.

    A principal whose token is not bound passes.
    """
    if not is_bound(principal):
        return
    confirmation = principal.claims["cnf"]
    expected = confirmation.get(_CERTIFICATE) if isinstance(confirmation, Mapping) else None
    if certificate is None or not isinstance(expected, str) or len(confirmation) != 1 or not expected.isascii():
        raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
    if not compare_digest(base64url.encode(sha256(certificate).digest()), expected.encode("ascii")):
        raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
