"""The verification of a token against an issuer's policy and keys: a pure function of (token, policy, keys, now).

Rules of this file: no I/O, no clock, no logging; there is one order of checks, whether keys are held or not. Until a
signature has been verified, a refusal reveals only form, algorithm, type and times, never anything else about the
policy: whoever wrote an unsigned token learns neither an audience nor the name of a claim from it.
"""

from __future__ import annotations

from bearward.basis import Basis
from bearward.claims import check_claims, check_times, claims_pass
from bearward.errors import AuthError
from bearward.jose.compact import JOSEHeader, UnverifiedToken
from bearward.jose.jwk_set import JWKSet
from bearward.jose.jws import find_signing_key
from bearward.principal import Principal
from bearward.refusals import Refusal
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["KeyNotHeldError", "check_header", "verify_token"]


_fast_new = tuple.__new__  # a NamedTuple's own constructor is one more call


class KeyNotHeldError(AuthError):
    """No held key signed the token, but a newer key set could have one that did: fetch it, or refuse.

    Raised only for a token that would pass if its signature were good; no other is worth a fetch.
    """


def verify_token(
    token: UnverifiedToken, policy: TrustedIssuer, keys: JWKSet | None, now: float, *, allow_bound: bool = False
) -> Principal:
    """The principal of `token`; `policy` is that of its `iss`, `now` is in seconds since the epoch.

    `keys` is None while none are held. With `allow_bound` a token with `cnf` passes, and its caller must check the
    confirmation.

    Raises:
        KeyNotHeldError: as said there; it is an `AuthError` with KEYS_UNAVAILABLE where no keys are held.
        AuthError: the token is refused, and no other keys could change that or are worth a fetch.
    """
    check_header(token.header, policy)
    check_times(token.claims, policy, now)
    key = Refusal.KEYS_UNAVAILABLE if keys is None else find_signing_key(token, keys)
    if isinstance(key, Refusal):
        # The issuer may have put another key under the same `kid`, or have a newer one for a token that names none. But a
        # `kid` that is held, with a key for other algorithms, settles it.
        could_help = key is not Refusal.KEY_UNSUITABLE or token.header.kid is None
        worth_a_fetch = could_help and claims_pass(token.claims, policy, allow_bound=allow_bound)
        raise (KeyNotHeldError if worth_a_fetch else AuthError)(key)
    check_claims(token.claims, policy, allow_bound=allow_bound)
    return Principal.from_verified_claims(
        token.claims, key.thumbprint, _fast_new(Basis, (token.header, policy)), policy.claim_names
    )


def check_header(header: JOSEHeader, policy: TrustedIssuer) -> None:
    """Raise `AuthError` unless the policy allows the token's `alg` (compared exactly) and `typ`."""
    if header.alg not in policy.algorithms:
        raise AuthError(Refusal.ALGORITHM_NOT_ALLOWED)
    if header.typ not in policy.token_types:
        raise AuthError(Refusal.TOKEN_TYPE_NOT_ALLOWED)
