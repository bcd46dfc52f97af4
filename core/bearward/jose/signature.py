"""The python-jose boundary: a key that verifies signatures, built once (RFC 7518 section 3, RFC 8037 section 3.1).

Rule of this file: nothing else in bearward imports `jose`, and no exception of python-jose or cryptography leaves it.
Every algorithm has a subclass of python-jose's `Key`, except HS*, which uses its own. They are not registered with
python-jose: `jose.jwk.register_key` would change what every other user of python-jose in the process accepts (see the
ADR).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jose import jwk
from jose.backends.base import Key
from jose.backends.cryptography_backend import CryptographyRSAKey

from bearward.jose import aws_lc
from bearward.jose.ecdsa_der import to_der
from bearward.jose.post_quantum import MLDSAPublicKey
from bearward.jose.verifying_key import PublicKey, VerifyingKey

__all__ = ["verifying_key"]


def verifying_key(algorithm: str, key: PublicKey | bytes) -> VerifyingKey:
    """A key for one algorithm; `key` is a checked public key, or the secret for HS*.

    It is python-jose's, verifying by `cryptography`, or in front of that one of AWS-LC where that is in use.
    """
    own = _KEY_CLASSES.get(algorithm)
    # The stubs do not say so, but python-jose takes the key objects of cryptography as they are.
    make: Callable[[Any, str], VerifyingKey] = own or jwk.construct
    verifying = make(key, algorithm)
    return verifying if isinstance(key, bytes) else aws_lc.in_front_of(verifying, algorithm, key)


class _RSKey(CryptographyRSAKey):
    """RSASSA-PKCS1-v1_5 by python-jose's own key; what its `verify` recreates on each call (0.6 us) is created once."""

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


class _PlainKey(Key):
    """Ed25519 and Ed448 (RFC 8032), and ML-DSA (RFC 9964): the key decides everything, and there is no pre-hash."""

    def __init__(self, key: Ed25519PublicKey | Ed448PublicKey | MLDSAPublicKey, algorithm: str) -> None:
        super().__init__(key, algorithm)
        self._verify = key.verify

    def verify(self, msg: bytes, sig: bytes) -> bool:
        try:
            self._verify(sig, msg)
        except InvalidSignature:
            return False
        return True


class _ESKey(Key):
    """ECDSA (RFC 7518 section 3.4, RFC 8812 section 3.2): r and s, each in the full length of the curve's order.

    python-jose's own key takes 4 us to make a DER signature of r and s; writing its few octets takes 0.3.
    """

    def __init__(self, key: ec.EllipticCurvePublicKey, algorithm: str) -> None:
        super().__init__(key, algorithm)
        digest = {"ES384": hashes.SHA384(), "ES512": hashes.SHA512()}.get(algorithm, hashes.SHA256())
        self._scheme = ec.ECDSA(digest)
        self._verify = key.verify

    def verify(self, msg: bytes, sig: bytes) -> bool:
        try:
            self._verify(to_der(sig), msg, self._scheme)
        except InvalidSignature:
            return False
        return True


_KEY_CLASSES: dict[str, Any] = {
    "RS256": _RSKey,
    "RS384": _RSKey,
    "RS512": _RSKey,
    "PS256": _PSKey,
    "PS384": _PSKey,
    "PS512": _PSKey,
    "EdDSA": _PlainKey,
    "Ed25519": _PlainKey,
    "Ed448": _PlainKey,
    "ML-DSA-44": _PlainKey,
    "ML-DSA-65": _PlainKey,
    "ML-DSA-87": _PlainKey,
    "ES256": _ESKey,
    "ES384": _ESKey,
    "ES512": _ESKey,
    "ES256K": _ESKey,
}
