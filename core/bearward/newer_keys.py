"""A token that the held keys refuse: whether newer keys could help, and whose token it was.

Rule of this file: what is refused names an issuer only if that is configured, or published keys once, and a key only if
the issuer publishes one of that name; so no caller can invent either.
"""

from __future__ import annotations

from bearward.errors import AuthError, KeysNeededError
from bearward.jose.compact import UnverifiedToken
from bearward.jwks.store import HeldKeys, IssuerKeys, MissAction
from bearward.refusals import Refusal
from bearward.verification import KeyNotHeldError

__all__ = ["refusal_or_fetch", "refused_by"]


def refusal_or_fetch(
    refused: AuthError, token: UnverifiedToken, keys: IssuerKeys, held: HeldKeys | None
) -> AuthError | KeysNeededError:
    """The refusal of a token, or `KeysNeededError` where newer keys could help and the store would look for them now."""
    refused_by(keys, held, refused, token.header.kid)
    if held is None:
        if isinstance(refused, KeyNotHeldError):
            return KeysNeededError()
        if refused.refusal is Refusal.KEYS_UNAVAILABLE:  # as if it had been worth a fetch that failed
            return refused_by(keys, held, AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=keys.retry_after()))
    elif isinstance(refused, KeyNotHeldError):
        action = keys.decide_on_miss(token.header.kid, held.generation)
        return refused if action is MissAction.UNKNOWN else KeysNeededError(held.generation, refused)
    return refused


def refused_by(keys: IssuerKeys, held: HeldKeys | None, refused: AuthError, kid: str | None = None) -> AuthError:
    """The same refusal, saying whose token it was and which of the issuer's keys it names, as far as that is no invention."""
    if not keys.is_unproven:
        refused.issuer = keys.issuer
        if kid is not None and held is not None and held.jwk_set.holds(kid):
            refused.kid = kid
    return refused
