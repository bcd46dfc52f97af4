"""The JOSE header of a DPoP proof: the key it carries, and the algorithm (RFC 9449 section 4.2).

Rules of this file: pure. The caller chooses the key of a proof, so it is checked against bounds before anything is
computed with it: RSA of 2048 to 4096 bits with a short exponent, three NIST curves, Ed25519. It must be public and
asymmetric, and fit the algorithm. Other members that point to a key are ignored: `kid`, `jku`, `x5u` and `x5c`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from bearward.dpop.policy import CURVES
from bearward.errors import AuthError
from bearward.jose.base64url import decode
from bearward.jose.compact import media_type
from bearward.jose.jwk import RejectedKeyError, VerificationKey, read_key
from bearward.jose.strict_json import HEADER_LIMITS, parse_object
from bearward.refusals import Refusal

__all__ = ["ProofHeader", "read_header"]

_TYPE = "dpop+jwt"
_MAX_EXPONENT = 6  # characters of base64url: four octets
_MAX_MODULUS = 683  # characters of base64url: 512 octets


class ProofHeader(NamedTuple):
    """What a verification needs of a proof's header."""

    alg: str
    key: VerificationKey


def read_header(segment: str, algorithms: Collection[str]) -> ProofHeader:
    """Algorithm and key of a proof whose header is `segment`; raise `AuthError`.

    `segment` is that of a well-formed compact JWS. Refusals: DPOP_PROOF_MALFORMED, DPOP_PROOF_TYPE_NOT_ALLOWED,
    DPOP_ALGORITHM_NOT_ALLOWED, DPOP_KEY_INVALID.
    """
    try:
        members = parse_object(decode(segment), HEADER_LIMITS)
    except ValueError:
        raise AuthError(Refusal.DPOP_PROOF_MALFORMED) from None
    typ, alg = members.get("typ"), members.get("alg")
    if not isinstance(typ, str) or media_type(typ) != _TYPE:
        raise AuthError(Refusal.DPOP_PROOF_TYPE_NOT_ALLOWED)
    if not isinstance(alg, str) or alg not in algorithms:
        raise AuthError(Refusal.DPOP_ALGORITHM_NOT_ALLOWED)
    return ProofHeader(alg, _key(members.get("jwk"), alg))


def _key(jwk: object, alg: str) -> VerificationKey:
    if not isinstance(jwk, dict) or not _is_bounded(jwk):
        raise AuthError(Refusal.DPOP_KEY_INVALID)
    try:
        key = read_key(jwk)
    except RejectedKeyError:
        raise AuthError(Refusal.DPOP_KEY_INVALID) from None
    if alg not in key.algorithms:
        raise AuthError(Refusal.DPOP_KEY_INVALID)
    return key


def _is_bounded(jwk: dict[str, Any]) -> bool:
    """Whether using the key costs little; `read_key` then sees to all else."""
    if jwk.get("kty") != "RSA":
        curve = jwk.get("crv")
        return isinstance(curve, str) and curve in CURVES
    modulus, exponent = jwk.get("n"), jwk.get("e")
    if not isinstance(modulus, str) or not isinstance(exponent, str):
        return False
    return len(modulus) <= _MAX_MODULUS and len(exponent) <= _MAX_EXPONENT
