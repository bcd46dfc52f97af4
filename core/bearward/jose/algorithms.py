"""The signature algorithms, and which keys may be used with them (RFC 7518 section 3.1, RFC 8037, 8812, 9864, 9964).

Rule of this file: a table. An algorithm belongs to one type of key, and to one curve if the type has curves, so that no
key is ever used for another purpose than its own (RFC 8725 sections 3.1 and 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from bearward.jose.post_quantum import ML_DSA, SIGNATURE_LENGTHS

__all__ = ["ALGORITHMS", "ASYMMETRIC", "OPT_IN", "SYMMETRIC", "Algorithm", "algorithms_for"]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A JWS algorithm: its exact name, the `kty` and (if any) `crv` of its keys, its signature's length in octets."""

    name: str
    kty: str
    crvs: tuple[str, ...] = ()
    signature_length: int | None = None
    """None if the key decides: the length of the modulus for RSA, that of the curve for EdDSA."""


_ROWS = (
    *(Algorithm(name, "RSA") for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    Algorithm("ES256", "EC", ("P-256",), 64),
    Algorithm("ES384", "EC", ("P-384",), 96),
    Algorithm("ES512", "EC", ("P-521",), 132),
    Algorithm("ES256K", "EC", ("secp256k1",), 64),
    Algorithm("EdDSA", "OKP", ("Ed25519", "Ed448")),
    Algorithm("Ed25519", "OKP", ("Ed25519",), 64),
    Algorithm("Ed448", "OKP", ("Ed448",), 114),
    *(Algorithm(name, "AKP", (), length) for name, length in SIGNATURE_LENGTHS.items()),
    Algorithm("HS256", "oct", (), 32),
    Algorithm("HS384", "oct", (), 48),
    Algorithm("HS512", "oct", (), 64),
)

ALGORITHMS: dict[str, Algorithm] = {row.name: row for row in _ROWS}

SYMMETRIC = frozenset({"HS256", "HS384", "HS512"})
"""Only with a configured secret, never from a JWK Set (RFC 8725 section 2.1)."""

OPT_IN = frozenset({"ES256K"}) | ML_DSA
"""Allowed where a policy names it."""

ASYMMETRIC = tuple(row.name for row in _ROWS if row.name not in SYMMETRIC | OPT_IN)
"""What a policy allows unless it says otherwise."""


def algorithms_for(kty: str, crv: str | None) -> frozenset[str]:
    """The algorithms that a key of this type and curve can serve.

    >>> sorted(algorithms_for("OKP", "Ed448"))
    ['Ed448', 'EdDSA']
    """
    return frozenset(row.name for row in _ROWS if row.kty == kty and (not row.crvs or crv in row.crvs))
