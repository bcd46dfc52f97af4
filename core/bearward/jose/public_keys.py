"""The numbers of a public key in a JWK (RFC 7518 section 6, RFC 8037 section 2, RFC 9964): read, and rejected if they are bad.

Rule of this file: a key that is weak or expensive to use is treated like a malformed one. The cost of one check with a
key is known here, so that code which tries several keys for one token can keep within a budget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bearward.errors import BearwardError
from bearward.jose import base64url
from bearward.jose.post_quantum import COSTS as ML_DSA_COSTS
from bearward.jose.post_quantum import SIGNATURE_LENGTHS, public_key
from bearward.jose.roca import has_roca_fingerprint
from bearward.jose.small_order import has_small_order
from bearward.jose.verifying_key import PublicKey

__all__ = ["READERS", "KeyRejection", "PublicNumbers", "RejectedKeyError"]

_CURVES: dict[str, tuple[ec.EllipticCurve, int]] = {
    "P-256": (ec.SECP256R1(), 32),
    "P-384": (ec.SECP384R1(), 48),
    "P-521": (ec.SECP521R1(), 66),
    "secp256k1": (ec.SECP256K1(), 32),
}
_EDWARDS: dict[str, type[Ed25519PublicKey | Ed448PublicKey]] = {"Ed25519": Ed25519PublicKey, "Ed448": Ed448PublicKey}
_MIN_RSA_BITS, _MAX_RSA_BITS = 2048, 8192
_MAX_RSA_EXPONENT_BITS = 32  # in use are 65537, and 3 and 17
_MAX_COST = 500.0
"""Microseconds: about what one check takes on P-521, the most expensive of the standard's curves."""
_COSTS = {"P-256": 60.0, "P-384": 385.0, "P-521": 460.0, "secp256k1": 290.0, "Ed25519": 100.0, "Ed448": 210.0}


class KeyRejection(Enum):
    """Why a key of a set is not used."""

    NOT_A_KEY = "is not a JSON object with a `kty`"
    UNKNOWN_TYPE = "is of a type or curve that is not known here"
    PRIVATE = "has private members, which a public set must not show"
    SYMMETRIC = "is symmetric, and so no public key"
    NOT_FOR_SIGNATURES = "is not meant for verifying signatures"
    ALGORITHM_UNKNOWN = "is meant for an algorithm that is not known here"
    ALGORITHM_UNFIT = "is meant for an algorithm that its type or curve cannot serve"
    MALFORMED = "has members that are missing or malformed"
    WEAK = "is too weak, or too costly to use"
    CERTIFICATE_UNFIT = "comes with a certificate for another key"
    CERTIFICATE_UNTRUSTED = "comes without a chain of certificates to a configured authority"
    DUPLICATE = "repeats an earlier key"
    SURPLUS = "stands beyond the number of keys that are taken"


class RejectedKeyError(BearwardError, ValueError):
    """A JWK that is not used, with the reason."""

    def __init__(self, reason: KeyRejection) -> None:
        super().__init__(reason.value)
        self.reason = reason


def _octets(member: Mapping[str, Any], name: str) -> bytes:
    text = member.get(name)
    if not isinstance(text, str) or not text:
        raise RejectedKeyError(KeyRejection.MALFORMED)
    try:
        return base64url.decode(text.encode("ascii"))
    except ValueError:
        raise RejectedKeyError(KeyRejection.MALFORMED) from None


PublicNumbers = tuple[PublicKey, dict[str, str], int, float]
"""The key, the members that its thumbprint is of, its signatures' length in octets, the cost of a check."""


def _read_rsa(member: Mapping[str, Any]) -> PublicNumbers:
    n = int.from_bytes(_octets(member, "n"), "big")
    e = int.from_bytes(_octets(member, "e"), "big")
    bits = n.bit_length()
    if not _MIN_RSA_BITS <= bits <= _MAX_RSA_BITS or e < 3 or e.bit_length() > _MAX_RSA_EXPONENT_BITS:
        raise RejectedKeyError(KeyRejection.WEAK)
    cost = _rsa_cost(bits, e)
    if not n & 1 or not e & 1 or cost > _MAX_COST or has_roca_fingerprint(n):
        raise RejectedKeyError(KeyRejection.WEAK)
    try:
        public = rsa.RSAPublicNumbers(e, n).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise RejectedKeyError(KeyRejection.MALFORMED) from None
    return public, {"e": _uint(e), "kty": "RSA", "n": _uint(n)}, (bits + 7) // 8, cost


def _rsa_cost(bits: int, e: int) -> float:
    """One modular multiplication for each bit of the exponent, and one more for each bit that is set."""
    per_multiplication: float = 10.5 * (bits / 8192) ** 1.66
    return (e.bit_length() + e.bit_count()) * per_multiplication


def _read_ec(member: Mapping[str, Any]) -> PublicNumbers:
    crv: str = member["crv"]
    curve, size = _CURVES[crv]
    x, y = _coordinate(member, "x", size), _coordinate(member, "y", size)
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve)
    try:
        public = numbers.public_key()  # raises for a point that is not on the curve
    except (ValueError, UnsupportedAlgorithm):
        raise RejectedKeyError(KeyRejection.MALFORMED) from None
    x_text, y_text = (base64url.encode(octets).decode("ascii") for octets in (x, y))
    return public, {"crv": crv, "kty": "EC", "x": x_text, "y": y_text}, 2 * size, _COSTS[crv]


def _coordinate(member: Mapping[str, Any], name: str, size: int) -> bytes:
    """In the full length of the field, as RFC 7518 section 6.2.1.2 asks.

    Issuers send less where leading octets are zero (Authlib; Glewlwyd with GnuTLS), or one zero octet more, the sign
    of ASN.1. It is the same number, so such a key is as good as any.
    """
    octets = _octets(member, name)
    if len(octets) > size + 1 or len(octets.lstrip(b"\0")) > size:
        raise RejectedKeyError(KeyRejection.MALFORMED)
    return octets.lstrip(b"\0").rjust(size, b"\0")


def _read_okp(member: Mapping[str, Any]) -> PublicNumbers:
    crv: str = member["crv"]
    x = _octets(member, "x")
    try:
        public: PublicKey = _EDWARDS[crv].from_public_bytes(x)
    except (ValueError, UnsupportedAlgorithm):
        raise RejectedKeyError(KeyRejection.MALFORMED) from None
    if has_small_order(crv, x):
        raise RejectedKeyError(KeyRejection.WEAK)
    return public, {"crv": crv, "kty": "OKP", "x": member["x"]}, 2 * len(x), _COSTS[crv]


def _read_akp(member: Mapping[str, Any]) -> PublicNumbers:
    """RFC 9964: the octets of the key in `pub`; `alg`, which is required, is part of its thumbprint."""
    algorithm: str = member["alg"]
    octets = _octets(member, "pub")
    try:
        public = public_key(algorithm, octets)
    except ValueError:
        raise RejectedKeyError(KeyRejection.MALFORMED) from None
    members = {"alg": algorithm, "kty": "AKP", "pub": member["pub"]}
    return public, members, SIGNATURE_LENGTHS[algorithm], ML_DSA_COSTS[algorithm]


READERS: dict[str, Callable[[Mapping[str, Any]], PublicNumbers]] = {
    "RSA": _read_rsa,
    "EC": _read_ec,
    "OKP": _read_okp,
    "AKP": _read_akp,
}


def _uint(number: int) -> str:
    return base64url.encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode("ascii")
