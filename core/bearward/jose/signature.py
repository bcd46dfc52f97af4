"""The python-jose boundary: a key that verifies signatures, built once (RFC 7518 section 3, RFC 8037 section 3.1).

Rule of this file: nothing else in bearward imports `jose`, and no exception of python-jose or cryptography leaves it.
ES* and HS* are python-jose's own keys, RS* too but for a shortcut. PS*, EdDSA and ES256K, which it lacks, are subclasses of its `Key` beside it:
`jose.jwk.register_key` would change what every other user of python-jose in the process accepts (see the ADR).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jose import jwk
from jose.backends.base import Key
from jose.backends.cryptography_backend import CryptographyRSAKey

__all__ = ["PublicKey", "VerifyingKey", "verifying_key"]

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey


class VerifyingKey(Protocol):
    """What the rest of bearward sees of a python-jose key."""

    def verify(self, msg: bytes, sig: bytes) -> bool:
        """Whether `sig` is a signature of `msg`; never raises for any octets."""


def verifying_key(algorithm: str, key: PublicKey | bytes) -> VerifyingKey:
    """A python-jose key for one algorithm; `key` is a checked public key, or the secret for HS*."""
    own = _OWN.get(algorithm)
    # The stubs do not say so, but python-jose takes the key objects of cryptography as they are.
    make: Callable[[Any, str], VerifyingKey] = own or jwk.construct
    return make(key, algorithm)


class _RSKey(CryptographyRSAKey):
    """RSASSA-PKCS1-v1_5 by python-jose's own key, with what its `verify` makes anew each time (0.6 us) made once."""

    def __init__(self, key: rsa.RSAPublicKey, algorithm: str) -> None:
        super().__init__(key, algorithm)
        self._hash, self._padding = self.hash_alg(), padding.PKCS1v15()
        self._verify = key.verify

    def verify(self, msg: bytes, sig: bytes) -> bool:
        try:
            self._verify(sig, msg, self._padding, self._hash)
        except InvalidSignature:
            return False
        return True


class _PSKey(Key):
    """RSASSA-PSS: MGF1 with the same hash, the salt as long as the hash (RFC 7518 section 3.5)."""

    def __init__(self, key: rsa.RSAPublicKey, algorithm: str) -> None:
        super().__init__(key, algorithm)
        self._hash = {"PS256": hashes.SHA256(), "PS384": hashes.SHA384(), "PS512": hashes.SHA512()}[algorithm]
        self._padding = padding.PSS(padding.MGF1(self._hash), self._hash.digest_size)
        self._verify = key.verify

    def verify(self, msg: bytes, sig: bytes) -> bool:
        try:
            self._verify(sig, msg, self._padding, self._hash)
        except InvalidSignature:
            return False
        return True


class _EdKey(Key):
    """Ed25519 and Ed448 (RFC 8032): the curve is the key's own."""

    def __init__(self, key: Ed25519PublicKey | Ed448PublicKey, algorithm: str) -> None:
        super().__init__(key, algorithm)
        self._verify = key.verify

    def verify(self, msg: bytes, sig: bytes) -> bool:
        try:
            self._verify(sig, msg)
        except InvalidSignature:
            return False
        return True


class _ES256KKey(Key):
    """ECDSA over secp256k1 (RFC 8812 section 3.2)."""

    _SCHEME = ec.ECDSA(hashes.SHA256())

    def __init__(self, key: ec.EllipticCurvePublicKey, algorithm: str) -> None:
        super().__init__(key, algorithm)
        self._verify = key.verify

    def verify(self, msg: bytes, sig: bytes) -> bool:
        r, s = int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:], "big")
        try:
            self._verify(encode_dss_signature(r, s), msg, self._SCHEME)
        except InvalidSignature:
            return False
        return True


_OWN: dict[str, Any] = {
    "RS256": _RSKey,
    "RS384": _RSKey,
    "RS512": _RSKey,
    "PS256": _PSKey,
    "PS384": _PSKey,
    "PS512": _PSKey,
    "EdDSA": _EdKey,
    "Ed25519": _EdKey,
    "Ed448": _EdKey,
    "ES256K": _ES256KKey,
}
