"""Signing keys for tests: generated in milliseconds, published as JWKs (RFC 7517), never disclosed.

Rule of this file: the private part is used by `sign` and appears nowhere else: not in a `repr`, not in a JWK.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearward.jose.base64url import encode
from bearward.jose.post_quantum import ML_DSA
from bearward.jose.verifying_key import PublicKey
from bearward.testing.signing import CURVES, PrivateKey, new_ml_dsa_key, sign

__all__ = ["SigningKey"]

_REQUIRED_MEMBERS = {
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "AKP": ("alg", "kty", "pub"),
}
_CURVE_NAMES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}


class SigningKey:
    """A key of one algorithm and its `kid`.

    >>> key = SigningKey.generate("ES256", kid="k1")
    >>> key
    <SigningKey ES256 'k1'>
    >>> sorted(key.public_jwk())
    ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']
    """

    __slots__ = ("_private", "alg", "kid")

    alg: Final[str]
    """The JWS algorithm that it signs by."""
    kid: Final[str]
    """Its `kid`: the RFC 7638 thumbprint unless another was asked for."""

    def __init__(self, private: PrivateKey, alg: str, kid: str | None = None) -> None:
        self._private = private
        self.alg = alg
        self.kid = self.thumbprint if kid is None else kid

    @classmethod
    def generate(cls, alg: str = "RS256", *, kid: str | None = None, bits: int = 2048) -> SigningKey:
        """A new key for `alg`; `bits` is the size of an RSA modulus. `EdDSA` gives an Ed25519 key.

        Raises `ValueError` for an algorithm that signs with no private key of its own.
        """
        return cls(_new_private_key(alg, bits), alg, kid)

    @classmethod
    def symmetric(cls, secret: bytes, alg: str = "HS256", *, kid: str = "secret") -> SigningKey:
        """A shared secret as a key; it has no public part."""
        return cls(bytes(secret), alg, kid)

    def sign(self, message: bytes, alg: str | None = None) -> bytes:
        """The signature of `message`, by another algorithm of the same type of key if `alg` says so."""
        return sign(self.alg if alg is None else alg, self._private, message)

    def public_jwk(self, **members: Any) -> dict[str, Any]:
        """The public key as a JWK, `members` added or replaced; a member that is None is left out.

        Raises `ValueError` for a shared secret, which must not be published.
        """
        jwk = {"use": "sig", "alg": self.alg, "kid": self.kid, **self._material(), **members}
        return {name: value for name, value in jwk.items() if value is not None}

    def public_pem(self) -> bytes:
        """The public key as PEM, the octets that the HS256 confusion attack uses as a secret."""
        return self._public().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def public_der(self) -> bytes:
        """The public key as DER (`SubjectPublicKeyInfo`)."""
        return self._public().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def thumbprint(self) -> str:
        """The SHA-256 thumbprint of the key (RFC 7638)."""
        material = self._material()
        members = {name: material[name] for name in _REQUIRED_MEMBERS[material["kty"]]}
        canonical = json.dumps(members, separators=(",", ":"), sort_keys=True)
        return _text(hashlib.sha256(canonical.encode()).digest())

    def __repr__(self) -> str:
        return f"<SigningKey {self.alg} {self.kid!r}>"

    def __reduce__(self) -> str:
        raise TypeError("a SigningKey is not pickled: its private part stays in this process")

    def _public(self) -> PublicKey:
        if isinstance(self._private, bytes):
            raise ValueError("a shared secret has no public part")
        return self._private.public_key()

    def _material(self) -> dict[str, str]:
        """`kty` and the members that carry the public key (RFC 7518 section 6, RFC 8037 section 2)."""
        public = self._public()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return {"kty": "RSA", "n": _integer(numbers.n), "e": _integer(numbers.e)}
        if isinstance(public, ec.EllipticCurvePublicKey):
            point, length = public.public_numbers(), (public.key_size + 7) // 8
            crv = _CURVE_NAMES[public.curve.name]
            return {"kty": "EC", "crv": crv, "x": _integer(point.x, length), "y": _integer(point.y, length)}
        if self.alg in ML_DSA:
            return {"kty": "AKP", "alg": self.alg, "pub": _text(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}
        crv = "Ed25519" if isinstance(public, ed25519.Ed25519PublicKey) else "Ed448"
        return {"kty": "OKP", "crv": crv, "x": _text(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}


def _new_private_key(alg: str, bits: int) -> PrivateKey:
    if alg[:2] in ("RS", "PS"):
        return rsa.generate_private_key(public_exponent=65537, key_size=bits)
    if alg in CURVES:
        return ec.generate_private_key(CURVES[alg])
    if alg in ("EdDSA", "Ed25519"):
        return ed25519.Ed25519PrivateKey.generate()
    if alg == "Ed448":
        return ed448.Ed448PrivateKey.generate()
    if alg in ML_DSA:
        return new_ml_dsa_key(alg)
    raise ValueError(f"no private key can be made for {alg!r}")


def _integer(number: int, length: int | None = None) -> str:
    size = (number.bit_length() + 7) // 8 if length is None else length
    return _text(number.to_bytes(size, "big"))


def _text(octets: bytes) -> str:
    return encode(octets).decode("ascii")
