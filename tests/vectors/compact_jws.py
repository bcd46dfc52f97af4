"""The layer below tokens, as the published vectors test it: a compact JWS with any payload (RFC 7515 section 5.2)."""

from __future__ import annotations

from collections.abc import Collection

from bearward.errors import AuthError
from bearward.jose.compact import UnverifiedToken, split
from bearward.jose.jwk_set import JWKSet
from bearward.jose.jws import find_signing_key
from bearward.refusals import Refusal

__all__ = ["verify_jws"]


def verify_jws(token: str, keys: JWKSet, algorithms: Collection[str]) -> bytes:
    """The payload of a compact JWS, whatever it is, once its signature is verified; raise `AuthError`.

    `algorithms` is the allow-list, compared exactly. No claim is looked at.
    """
    header, payload, signing_input, signature = split(token)
    if header.alg not in algorithms:
        raise AuthError(Refusal.ALGORITHM_NOT_ALLOWED)
    found = find_signing_key(UnverifiedToken(header, {}, payload, signing_input, signature), keys)
    if isinstance(found, Refusal):
        raise AuthError(found)
    return payload
