"""Which key of a set signed a compact JWS (RFC 7515 section 5.2).

Rules of this file: only a key of the set that is bound to the header's `alg` can verify a signature; nothing in the
token selects a key except its `kid`. The cost of one token is bounded, whatever keys an issuer publishes: candidates
are tried in the set's order while their checks stay within a budget, and always at least one.
"""

from __future__ import annotations

from collections.abc import Iterator

from bearward.jose.compact import UnverifiedToken
from bearward.jose.jwk import VerificationKey
from bearward.jose.jwk_set import JWKSet
from bearward.refusals import Refusal

__all__ = ["find_signing_key"]

_BUDGET = 800.0
"""Microseconds of a core for the checks of one token: 40 keys of RSA-2048, 13 on P-256, two on P-384, one on P-521."""
_BUDGET_OF_LONG_PAYLOAD = 400.0
_LONG_PAYLOAD = 4096
"""In octets. To parse more takes up to half a millisecond, if its author means it to."""


def find_signing_key(token: UnverifiedToken, keys: JWKSet) -> VerificationKey | Refusal:
    """The key of `keys` that signed `token`, or why there is none: KEY_UNKNOWN, KEY_UNSUITABLE or SIGNATURE_INVALID.

    The refusal is returned, not raised, since the caller has another question before it is one.
    """
    algorithm, kid = token.header.alg, token.header.kid
    candidates = keys.candidates(algorithm, kid)
    for key in candidates if len(candidates) == 1 else _within_budget(candidates, token):
        if key.verify(algorithm, token.signing_input, token.signature):
            return key
    if kid is not None and not keys.holds(kid):
        return Refusal.KEY_UNKNOWN
    return Refusal.SIGNATURE_INVALID if candidates else Refusal.KEY_UNSUITABLE


def _within_budget(candidates: tuple[VerificationKey, ...], token: UnverifiedToken) -> Iterator[VerificationKey]:
    left = _BUDGET if len(token.payload) <= _LONG_PAYLOAD else _BUDGET_OF_LONG_PAYLOAD
    length, first = len(token.signature), True
    for key in candidates:
        if key.signature_length != length:  # cannot be its signature, which costs nothing to see
            continue
        left -= key.cost
        if left < 0 and not first:
            return
        first = False
        yield key
