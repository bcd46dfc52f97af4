"""The explanation of a token by what a verifier holds: its issuers, their keys as they are now, its revocations.

Rule of this file: it looks, and changes nothing: no key is fetched, no proof is recorded, no token is cached.
"""

from __future__ import annotations

from collections.abc import Callable

from bearward.access import Access
from bearward.credential_place import CredentialPlace
from bearward.dpop.policy import DPoP
from bearward.errors import AuthError, KeysNeededError, Refusal
from bearward.explanation.context import Context
from bearward.explanation.explain import explain_in
from bearward.explanation.report import Explanation
from bearward.explanation.wording import Wording
from bearward.issuers.registry import Issuers
from bearward.jose.compact import UnverifiedToken
from bearward.jose.jwk_set import JWKSet
from bearward.jwks.store import IssuerKeys
from bearward.possession import Presented
from bearward.principal import Principal
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["explain_by"]


def explain_by(
    issuers: Issuers,
    token: str,
    *,
    now: float,
    dpop: DPoP | None,
    check_revoked: Callable[[Principal], None],
    place: CredentialPlace | None,
    presented: Presented | None,
    access: Access | None,
    refused: AuthError | None,
    show_claims: bool,
) -> Explanation:
    """The explanation of `token` by the trusted issuers of a verifier; the rest is as for `Verifier.explain`."""
    held: dict[str, IssuerKeys] = {}

    def policy_of(issuer: str, unverified: UnverifiedToken) -> TrustedIssuer:
        try:
            policy, held[issuer] = issuers.known(issuer, unverified, place)
        except KeysNeededError:  # only a resolver knows
            raise AuthError(Refusal.KEYS_UNAVAILABLE) from None
        return policy

    def keys_of(policy: TrustedIssuer) -> JWKSet | None:
        current = held[policy.issuer].current()
        return None if current is None else current.jwk_set

    context = Context(
        issuers=issuers.configured,
        policy_of=policy_of,
        keys=keys_of,
        now=now,
        place=place,
        presented=presented,
        dpop=dpop,
        check_revoked=check_revoked,
        access=access,
        wording=Wording(show_claims),
    )
    return explain_in(token, context, refused)
