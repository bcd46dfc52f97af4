"""One JWK of an issuer's set: usable to verify signatures, or rejected with the reason (RFC 7517, RFC 7518 section 6).

Rule of this file: a key is taken for exactly the algorithms that its type, its curve and its own `alg`, `use` and
`key_ops` allow (RFC 8725 section 3.2). An odd key is rejected, never a reason to lose the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bearward.errors import BearwardError, ConfigurationError
from bearward.jose import base64url
from bearward.jose.algorithms import ALGORITHMS, SYMMETRIC, algorithms_for
from bearward.jose.certificates import certificate_matches
from bearward.jose.roca import has_roca_fingerprint
from bearward.jose.signature import PublicKey, VerifyingKey, verifying_key
from bearward.jose.small_order import has_small_order

__all__ = ["KeyRejection", "RejectedKeyError", "SymmetricKey", "VerificationKey", "read_key"]

_CURVES: dict[str, tuple[ec.EllipticCurve, int]] = {
    "P-256": (ec.SECP256R1(), 32),
    "P-384": (ec.SECP384R1(), 48),
    "P-521": (ec.SECP521R1(), 66),
    "secp256k1": (ec.SECP256K1(), 32),
}
_EDWARDS: dict[str, type[Ed25519PublicKey | Ed448PublicKey]] = {"Ed25519": Ed25519PublicKey, "Ed448": Ed448PublicKey}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_MIN_RSA_BITS, _MAX_RSA_BITS, _MAX_RSA_EXPONENT_BITS = 2048, 8192, 256
_MAX_KID = 1024


class KeyRejection(Enum):
    """Why a key of a set is not used."""

    NOT_A_KEY = "is no JSON object with a `kty`"
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


@dataclass(frozen=True, slots=True)
class SymmetricKey:
    """A secret that is shared with an issuer, for one of HS256, HS384, HS512; never shown, never from a JWK Set.

    Raises `ConfigurationError` for a secret shorter than the hash (RFC 7518 section 3.2).
    """

    secret: bytes = field(repr=False)
    algorithm: str = "HS256"
    kid: str | None = None

    def __post_init__(self) -> None:
        """Refuse an algorithm that is not symmetric and a secret that is too short."""
        if self.algorithm not in SYMMETRIC:
            raise ConfigurationError("symmetric_keys.algorithm", f"must be among {', '.join(sorted(SYMMETRIC))}")
        least = ALGORITHMS[self.algorithm].signature_length or 0
        if not isinstance(self.secret, bytes) or len(self.secret) < least:
            raise ConfigurationError("symmetric_keys.secret", f"must be at least {least} bytes for {self.algorithm}")
        if b"-----BEGIN " in self.secret or b"ssh-rsa" in self.secret:
            raise ConfigurationError("symmetric_keys.secret", "must be a secret, and no key or certificate in PEM")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VerificationKey:
    """A public key that may verify signatures; immutable, `repr` shows only its type and thumbprint."""

    kid: str | None
    kty: str
    crv: str | None
    algorithms: frozenset[str]
    thumbprint: str
    """RFC 7638, SHA-256."""
    signature_length: int
    """In octets, exact."""
    _public: PublicKey | bytes
    _verifying: dict[str, VerifyingKey]

    @classmethod
    def symmetric(cls, key: SymmetricKey) -> VerificationKey:
        """The key of a configured secret."""
        return cls(
            kid=key.kid,
            kty="oct",
            crv=None,
            algorithms=frozenset({key.algorithm}),
            thumbprint=_thumbprint({"k": base64url.encode(key.secret).decode("ascii"), "kty": "oct"}),
            signature_length=ALGORITHMS[key.algorithm].signature_length or 0,
            _public=key.secret,
            _verifying={},
        )

    def verify(self, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's, made with `algorithm` (one of `algorithms`), over `signing_input`."""
        if len(signature) != self.signature_length:
            return False
        key = self._verifying.get(algorithm)
        if key is None:
            key = self._verifying[algorithm] = verifying_key(algorithm, self._public)
        return key.verify(signing_input, signature)

    def __repr__(self) -> str:
        return f"<VerificationKey {self.crv or self.kty} {self.thumbprint}>"


def read_key(member: object, *, certified: bool = False) -> VerificationKey:
    """Make a key of one member of a JWK Set's `keys`; raise `RejectedKeyError` for one that cannot be used.

    With `certified` it needs an `x5c` whose first certificate can be read, and is for this key.
    """
    if not isinstance(member, Mapping) or not isinstance(member.get("kty"), str):
        raise RejectedKeyError(KeyRejection.NOT_A_KEY)
    kty, crv, kid = member["kty"], member.get("crv"), member.get("kid")
    _reject_private_members(member, kty)
    _check_use(member)
    algorithms = _algorithms(member, kty, crv)
    if kid is not None and (not isinstance(kid, str) or len(kid) > _MAX_KID):
        raise RejectedKeyError(KeyRejection.MALFORMED)
    public, members, length = _READERS[kty](member)
    _check_certificate(member, public, certified=certified)
    return VerificationKey(
        kid=kid,
        kty=kty,
        crv=crv if kty != "RSA" else None,
        algorithms=algorithms,
        thumbprint=_thumbprint(members),
        signature_length=length,
        _public=public,
        _verifying={},
    )


def _reject_private_members(member: Mapping[str, Any], kty: str) -> None:
    if kty == "oct":
        raise RejectedKeyError(KeyRejection.SYMMETRIC)
    if kty not in _READERS:
        raise RejectedKeyError(KeyRejection.UNKNOWN_TYPE)
    if not _PRIVATE.isdisjoint(member):
        raise RejectedKeyError(KeyRejection.PRIVATE)


def _check_use(member: Mapping[str, Any]) -> None:
    """RFC 7517 sections 4.2 and 4.3: `use`, and `key_ops` without repeats."""
    use, operations = member.get("use"), member.get("key_ops")
    if use is not None and use != "sig":
        raise RejectedKeyError(KeyRejection.NOT_FOR_SIGNATURES)
    if operations is None:
        return
    if not isinstance(operations, list | tuple) or any(not isinstance(name, str) for name in operations):
        raise RejectedKeyError(KeyRejection.MALFORMED)
    if len(set(operations)) != len(operations):
        raise RejectedKeyError(KeyRejection.MALFORMED)
    if "verify" not in operations:
        raise RejectedKeyError(KeyRejection.NOT_FOR_SIGNATURES)


def _algorithms(member: Mapping[str, Any], kty: str, crv: object) -> frozenset[str]:
    algorithm = member.get("alg")
    possible = algorithms_for(kty, crv if isinstance(crv, str) else None)
    if not possible:
        raise RejectedKeyError(KeyRejection.UNKNOWN_TYPE)
    if algorithm is None:
        return possible
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise RejectedKeyError(KeyRejection.ALGORITHM_UNKNOWN)
    if algorithm not in possible:
        raise RejectedKeyError(KeyRejection.ALGORITHM_UNFIT)
    if kty == "OKP":
        return possible  # RFC 9864 section 2.2: `EdDSA` and the curve's own name are the same algorithm
    return frozenset({algorithm})


def _octets(member: Mapping[str, Any], name: str) -> bytes:
    text = member.get(name)
    if not isinstance(text, str) or not text:
        raise RejectedKeyError(KeyRejection.MALFORMED)
    try:
        return base64url.decode(text.encode("ascii"))
    except ValueError:
        raise RejectedKeyError(KeyRejection.MALFORMED) from None


def _read_rsa(member: Mapping[str, Any]) -> tuple[PublicKey, dict[str, str], int]:
    n = int.from_bytes(_octets(member, "n"), "big")
    e = int.from_bytes(_octets(member, "e"), "big")
    bits = n.bit_length()
    if not _MIN_RSA_BITS <= bits <= _MAX_RSA_BITS or e < 3 or e.bit_length() > _MAX_RSA_EXPONENT_BITS:
        raise RejectedKeyError(KeyRejection.WEAK)
    if not n & 1 or not e & 1 or has_roca_fingerprint(n):
        raise RejectedKeyError(KeyRejection.WEAK)
    try:
        public = rsa.RSAPublicNumbers(e, n).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise RejectedKeyError(KeyRejection.MALFORMED) from None
    return public, {"e": _uint(e), "kty": "RSA", "n": _uint(n)}, (bits + 7) // 8


def _read_ec(member: Mapping[str, Any]) -> tuple[PublicKey, dict[str, str], int]:
    crv: str = member["crv"]
    curve, size = _CURVES[crv]
    x, y = _coordinate(member, "x", size), _coordinate(member, "y", size)
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve)
    try:
        public = numbers.public_key()  # raises for a point that is not on the curve
    except (ValueError, UnsupportedAlgorithm):
        raise RejectedKeyError(KeyRejection.MALFORMED) from None
    x_text, y_text = (base64url.encode(octets).decode("ascii") for octets in (x, y))
    return public, {"crv": crv, "kty": "EC", "x": x_text, "y": y_text}, 2 * size


def _coordinate(member: Mapping[str, Any], name: str, size: int) -> bytes:
    """In the full length of the field, as RFC 7518 section 6.2.1.2 asks.

    Issuers send less where leading octets are zero (Authlib; Glewlwyd with GnuTLS), or one zero octet more, the sign
    of ASN.1. It is the same number, so such a key is as good as any.
    """
    octets = _octets(member, name)
    if len(octets) > size + 1 or len(octets.lstrip(b"\0")) > size:
        raise RejectedKeyError(KeyRejection.MALFORMED)
    return octets.lstrip(b"\0").rjust(size, b"\0")


def _read_okp(member: Mapping[str, Any]) -> tuple[PublicKey, dict[str, str], int]:
    crv: str = member["crv"]
    x = _octets(member, "x")
    try:
        public: PublicKey = _EDWARDS[crv].from_public_bytes(x)
    except (ValueError, UnsupportedAlgorithm):
        raise RejectedKeyError(KeyRejection.MALFORMED) from None
    if has_small_order(crv, x):
        raise RejectedKeyError(KeyRejection.WEAK)
    return public, {"crv": crv, "kty": "OKP", "x": member["x"]}, 2 * len(x)


_READERS = {"RSA": _read_rsa, "EC": _read_ec, "OKP": _read_okp}


def _uint(number: int) -> str:
    return base64url.encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode("ascii")


def _thumbprint(members: dict[str, str]) -> str:
    """RFC 7638 section 3: the required members, sorted, without white space."""
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return base64url.encode(sha256(canonical).digest()).decode("ascii")


def _check_certificate(member: Mapping[str, Any], public: PublicKey, *, certified: bool) -> None:
    """RFC 7517 section 4.7: the key in the first certificate of `x5c` must be the key of the JWK.

    A chain that cannot be read (none at all, a certificate that is odd to a parser) contradicts nothing: the key's own
    members count, and they come from the same document. Where keys count by their certificates it is not enough.
    """
    same = certificate_matches(member.get("x5c"), public)
    if same is None and certified:
        raise RejectedKeyError(KeyRejection.CERTIFICATE_UNTRUSTED)
    if same is False:
        raise RejectedKeyError(KeyRejection.CERTIFICATE_UNFIT)
