"""A compact JWS against a set of keys: which key signed it (RFC 7515 section 5.2).

Rule of this file: a signature counts only by a key of the set that is bound to the header's `alg`; nothing in the
token chooses a key beyond its `kid`.
"""

from __future__ import annotations

from bearward.errors import Refusal
from bearward.jose.compact import UnverifiedToken
from bearward.jose.jwk import VerificationKey
from bearward.jose.jwk_set import JWKSet

__all__ = ["find_signing_key"]


def find_signing_key(token: UnverifiedToken, keys: JWKSet) -> VerificationKey | Refusal:
    """The key of `keys` that signed `token`, or why there is none: KEY_UNKNOWN, KEY_UNSUITABLE or SIGNATURE_INVALID.

    The refusal is returned, not raised, since the caller has another question before it is one.
    """
    algorithm, kid, _ = token.header
    for key in (candidates := keys.candidates(algorithm, kid)):
        if key.verify(algorithm, token.signing_input, token.signature):
            return key
    if kid is not None and not keys.holds(kid):
        return Refusal.KEY_UNKNOWN
    return Refusal.SIGNATURE_INVALID if candidates else Refusal.KEY_UNSUITABLE
