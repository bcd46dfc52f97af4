"""A compact JWS against a set of keys: which key signed it, and the octets that it signed (RFC 7515 section 5.2).

Rule of this file: a signature counts only by a key of the set that is bound to the header's `alg`; nothing in the
token chooses a key beyond its `kid`.
"""

from __future__ import annotations

from collections.abc import Collection

from bearward.errors import AuthError, Refusal
from bearward.jose.compact import UnverifiedToken, split
from bearward.jose.jwk import VerificationKey
from bearward.jose.jwk_set import JWKSet

__all__ = ["find_signing_key", "signing_key", "verify_jws"]


def verify_jws(token: str, keys: JWKSet, algorithms: Collection[str]) -> bytes:
    """The payload of a compact JWS, whatever it is, once its signature is verified; raise `AuthError`.

    `algorithms` is the allow-list, compared exactly. This is the layer below tokens: no claim is looked at.

    >>> keys = JWKSet.parse(b'{"keys": [{"kty": "OKP", "crv": "Ed25519", '
    ...                     b'"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}')
    >>> token = (
    ...     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6d"
    ...     "WbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    ... )
    >>> verify_jws(token, keys, {"EdDSA"})
    b'Example of Ed25519 signing'
    """
    header, payload, signing_input, signature = split(token)
    if header.alg not in algorithms:
        raise AuthError(Refusal.ALGORITHM_NOT_ALLOWED)
    signing_key(UnverifiedToken(header, {}, payload, signing_input, signature), keys)
    return payload


def signing_key(token: UnverifiedToken, keys: JWKSet) -> VerificationKey:
    """The key of `keys` that signed `token`; raise `AuthError` (KEY_UNKNOWN, KEY_UNSUITABLE, SIGNATURE_INVALID)."""
    key = find_signing_key(token, keys)
    if isinstance(key, Refusal):
        raise AuthError(key)
    return key


def find_signing_key(token: UnverifiedToken, keys: JWKSet) -> VerificationKey | Refusal:
    """The same, answering the refusal instead: for who has another question before it is one."""
    algorithm, kid, _ = token.header
    for key in (candidates := keys.candidates(algorithm, kid)):
        if key.verify(algorithm, token.signing_input, token.signature):
            return key
    if kid is not None and not keys.holds(kid):
        return Refusal.KEY_UNKNOWN
    return Refusal.SIGNATURE_INVALID if candidates else Refusal.KEY_UNSUITABLE
