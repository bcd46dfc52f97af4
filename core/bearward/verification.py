"""The verification of a token against an issuer's policy and keys: a pure function of (token, keys, policy, now).

Rule of this file: no I/O, no clock, no logging. A `Principal` comes out, or an `AuthError`.
"""

from __future__ import annotations

from bearward.claims import check_claims, check_times
from bearward.errors import AuthError, Refusal
from bearward.jose.compact import UnverifiedToken
from bearward.jose.jwk_set import JWKSet
from bearward.jose.jws import find_signing_key, signing_key
from bearward.principal import Principal
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["check_header", "find_signing_key", "newer_keys_could_help", "verify_token"]


def verify_token(
    token: UnverifiedToken, policy: TrustedIssuer, keys: JWKSet, now: float, *, allow_bound: bool = False
) -> Principal:
    """The principal that `token` speaks for; `policy` is the one of its `iss`, `now` in seconds since the epoch.

    Raises `AuthError`. With `allow_bound` a token with `cnf` passes, and its caller must check the confirmation.
    """
    check_header(token, policy)
    check_times(token.claims, policy, now)
    key = signing_key(token, keys)
    check_claims(token.claims, policy, allow_bound=allow_bound)
    return Principal.from_verified_claims(token.claims, key.thumbprint)


def check_header(token: UnverifiedToken, policy: TrustedIssuer) -> None:
    """Raise `AuthError` unless the policy allows the token's `alg` (compared exactly) and `typ`."""
    if token.header.alg not in policy.algorithms:
        raise AuthError(Refusal.ALGORITHM_NOT_ALLOWED)
    if token.header.typ not in policy.token_types:
        raise AuthError(Refusal.TOKEN_TYPE_NOT_ALLOWED)


def newer_keys_could_help(token: UnverifiedToken, keys: JWKSet) -> bool:
    """Whether the token may have been signed with a key that `keys` does not hold yet.

    A `kid` that the set holds settles it; a token without a `kid` may always stem from a newer key.
    """
    kid = token.header.kid
    return kid is None or not keys.holds(kid)
