"""The types between a checked public key and what verifies signatures with it.

Rule of this file: types alone; which library verifies is decided in `bearward.jose.signature`.
"""

from __future__ import annotations

from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bearward.jose.post_quantum import MLDSAPublicKey

__all__ = ["PublicKey", "VerifyingKey"]

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey | MLDSAPublicKey


class VerifyingKey(Protocol):
    """What the rest of bearward sees of a key of some library."""

    def verify(self, msg: bytes, sig: bytes) -> bool:
        """Whether `sig` is a signature of `msg`; never raises for any octets."""
