"""One JWK of an issuer's set: usable to verify signatures, or rejected with the reason (RFC 7517, RFC 7518 section 6).

Rule of this file: a key is accepted for exactly the algorithms that its type, its curve and its own `alg`, `use` and
`key_ops` allow (RFC 8725 section 3.2). An odd key is rejected, and never affects the others.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from bearward.errors import ConfigurationError
from bearward.jose import base64url
from bearward.jose.algorithms import ALGORITHMS, SYMMETRIC, algorithms_for
from bearward.jose.certificates import certificate_matches
from bearward.jose.key_material import is_key_material
from bearward.jose.public_keys import READERS, KeyRejection, RejectedKeyError
from bearward.jose.signature import verifying_key
from bearward.jose.verifying_key import PublicKey, VerifyingKey

__all__ = ["KeyRejection", "RejectedKeyError", "SymmetricKey", "VerificationKey", "read_key"]

_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_SECRET_COST = 3.0
_MAX_KID = 1024


@dataclass(frozen=True, slots=True)
class SymmetricKey:
    """A secret that is shared with an issuer, for one of HS256, HS384, HS512; never shown, never from a JWK Set.

    Raises `ConfigurationError` for a secret shorter than the hash (RFC 7518 section 3.2), and for a public key, a private
    key or a certificate in any form that is known here.
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
        if is_key_material(self.secret):
            raise ConfigurationError("symmetric_keys.secret", "must be random octets, not a key or certificate")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VerificationKey:
    """A public key that may verify signatures; immutable, `repr` shows only its type and thumbprint."""

    kid: str | None
    kty: str
    crv: str | None
    algorithms: frozenset[str]
    thumbprint: str
    """RFC 7638, SHA-256. Of a shared secret a name that this process made up, since section 7 forbids to disclose it."""
    signature_length: int
    """In octets, exact."""
    cost: float
    """Of one check, about, in microseconds of a core."""
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
            thumbprint=_name_of_secret(key.secret),
            signature_length=ALGORITHMS[key.algorithm].signature_length or 0,
            cost=_SECRET_COST,
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


_USES = ("sig", "jwt-svid")
"""`jwt-svid`: a key of a SPIFFE bundle that signs JWTs (SPIFFE Trust Domain and Bundle, section 4.2.2)."""


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
    public, members, length, cost = READERS[kty](member)
    _check_certificate(member, public, certified=certified)
    return VerificationKey(
        kid=kid,
        kty=kty,
        crv=crv if kty != "RSA" else None,
        algorithms=algorithms,
        thumbprint=_thumbprint(members),
        signature_length=length,
        cost=cost,
        _public=public,
        _verifying={},
    )


def _reject_private_members(member: Mapping[str, Any], kty: str) -> None:
    if kty == "oct":
        raise RejectedKeyError(KeyRejection.SYMMETRIC)
    if kty not in READERS:
        raise RejectedKeyError(KeyRejection.UNKNOWN_TYPE)
    if not _PRIVATE.isdisjoint(member):
        raise RejectedKeyError(KeyRejection.PRIVATE)


def _check_use(member: Mapping[str, Any]) -> None:
    """RFC 7517 sections 4.2 and 4.3: `use`, and `key_ops` without repeats."""
    use, operations = member.get("use"), member.get("key_ops")
    if use is not None and use not in _USES:
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
        if kty == "AKP":
            raise RejectedKeyError(KeyRejection.MALFORMED)  # RFC 9964: `alg` is required
        return possible
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise RejectedKeyError(KeyRejection.ALGORITHM_UNKNOWN)
    if algorithm not in possible:
        raise RejectedKeyError(KeyRejection.ALGORITHM_UNFIT)
    if kty == "OKP":
        return possible  # RFC 9864 section 2.2: `EdDSA` and the curve's own name are the same algorithm
    return frozenset({algorithm})


def _thumbprint(members: dict[str, str]) -> str:
    """RFC 7638 section 3: the required members, sorted, without white space."""
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return base64url.encode(sha256(canonical).digest()).decode("ascii")


_NAMING_KEY = ChaCha20Poly1305.generate_key()  # 32 random octets, others in each process


def _name_of_secret(secret: bytes) -> str:
    """A name for logs, health and revocation in this process: guesses cannot be tested without the key that made it."""
    return "secret:" + base64url.encode(hmac.digest(_NAMING_KEY, secret, "sha256")[:16]).decode("ascii")


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
