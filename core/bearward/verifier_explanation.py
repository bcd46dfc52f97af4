"""The explanation of a token by what a verifier holds: its issuers, their keys as they are now, its revocations.

Rule of this file: it looks, and changes nothing: no key is fetched, no proof is recorded, no token is cached. What it needs
is imported when it is asked for the first time, which in production is never.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bearward.access import Access
from bearward.credential_place import CredentialPlace
from bearward.dpop.policy import DPoP
from bearward.errors import AuthError, KeysNeededError
from bearward.issuer_checks import flag
from bearward.issuers.registry import Issuers
from bearward.jose.compact import UnverifiedToken
from bearward.jose.jwk_set import JWKSet
from bearward.jwks.store import IssuerKeys
from bearward.possession import Presented
from bearward.refusals import Refusal
from bearward.revocation.local import Revocations
from bearward.trusted_issuer import TrustedIssuer

if TYPE_CHECKING:
    from bearward.explanation.report import Explanation

__all__ = ["TokenExplanation"]


class TokenExplanation:
    """How `Verifier` explains; a class of its own for the length of the file only."""

    _issuers: Issuers
    now: Callable[[], float]
    dpop: DPoP | None
    revocations: Revocations

    def _explain_if(self, explain: bool, unsafe_explain_remote: bool) -> None:  # noqa: FBT001
        flag("explain", explain)
        flag("unsafe_explain_remote", unsafe_explain_remote)
        self.explains: bool = explain
        """Whether a refusal carries its explanation, check by check: for development, on loopback."""
        self.unsafe_explain_remote: bool = unsafe_explain_remote
        """Whether it does so beyond loopback, where anybody may learn what is configured."""

    def explain(
        self,
        token: str,
        *,
        place: CredentialPlace | None = None,
        presented: Presented | None = None,
        access: Access | None = None,
        refused: AuthError | None = None,
        show_claims: bool = False,
    ) -> Explanation:
        """Every check of `token` by what this verifier holds, without awaiting: for people, and in development only.

        `place` is where the token was found, `presented` what came with it, `access` the rule that it was used under,
        and `refused` the refusal that it met; each None where it is not known. Values of claims are hidden without
        `show_claims`. What an explanation says of the settings is more than a caller may know in production.

        >>> from bearward import Verifier
        >>> login = TrustedIssuer("https://login.example", audience="https://api.example")
        >>> Verifier(login).explain("abc").code
        'token_malformed'
        """
        from bearward.explanation.context import Context
        from bearward.explanation.explain import explain_in
        from bearward.explanation.wording import Wording

        held: dict[str, IssuerKeys] = {}

        def policy_of(issuer: str, unverified: UnverifiedToken) -> TrustedIssuer:
            try:
                policy, held[issuer] = self._issuers.known(issuer, unverified, place)
            except KeysNeededError:  # only a resolver knows
                raise AuthError(Refusal.KEYS_UNAVAILABLE) from None
            return policy

        def keys_of(policy: TrustedIssuer) -> JWKSet | None:
            current = held[policy.issuer].current()
            return None if current is None else current.jwk_set

        context = Context(
            issuers=self._issuers.configured,
            policy_of=policy_of,
            keys=keys_of,
            now=self.now(),
            place=place,
            presented=presented,
            dpop=self.dpop,
            check_revoked=self.revocations.check,
            access=access,
            wording=Wording(show_claims),
        )
        return explain_in(token, context, refused)
