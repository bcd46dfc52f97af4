"""How things stand now for those who were let in: what a recheck of a call, a stream or a cached token is made with.

Rule of this file: it collects and does not decide; `recheck` does. Keys that are not available at the moment end no call.
"""

from __future__ import annotations

from collections.abc import Callable

from bearward.basis import basis_of
from bearward.credential_place import CredentialPlace
from bearward.errors import AuthError
from bearward.issuers.registry import Issuers
from bearward.issuers.told_apart import Presented
from bearward.principal import Principal, parsed_claims
from bearward.recheck import RECHECK_INTERVAL, Standing, recheck, seconds_left, standing_of_stand_in
from bearward.refusals import Refusal
from bearward.reporter import concerning
from bearward.revocation.local import Revocations
from bearward.stand_in import is_stand_in

__all__ = ["Standings", "presented_by"]


class Standings:
    """The standing of principals, by the issuers, the keys, the revocations and the clock of one verifier."""

    def __init__(self, issuers: Issuers, revocations: Revocations, now: Callable[[], float]) -> None:
        self._issuers = issuers
        self._revocations = revocations
        self._now = now

    def of(self, principal: Principal, leeway: float) -> Standing:
        """How things stand for the issuer of a call that was admitted; raises `AuthError` (ISSUER_UNTRUSTED)."""
        if is_stand_in(principal):
            return standing_of_stand_in(self._revocations.check, self._now(), leeway)
        try:
            policy, keys = self._issuers.standing(principal.issuer, *presented_by(principal))
            held = keys.current()
        except AuthError as unknown:
            basis = basis_of(principal)
            if unknown.refusal is not Refusal.KEYS_UNAVAILABLE or basis is None:
                raise
            policy, held = basis.policy, None  # nobody can say now whether it is still trusted: our trouble
        jwk_set = None if held is None else held.jwk_set
        return Standing(policy, jwk_set, self._revocations.check, self._now(), leeway)

    def check(self, principal: Principal, leeway: float) -> Standing:
        """The standing of a principal whose token still holds; raises the `AuthError` that its token would meet now."""
        try:
            standing = self.of(principal, leeway)
            recheck(principal, standing)
        except AuthError as ended:
            raise concerning(ended, principal) from None
        return standing

    def seconds_until_recheck(self, principal: Principal, leeway: float) -> float:
        """For how long the principal may be relied on; raises as `check` does."""
        return min(seconds_left(principal, self.check(principal, leeway)), RECHECK_INTERVAL)


def presented_by(principal: Principal) -> tuple[Presented | None, CredentialPlace | None]:
    """What a principal's token said of itself, and where it was found."""
    basis = basis_of(principal)
    if basis is None:
        return None, None
    return Presented(basis.header, parsed_claims(principal)), basis.policy.place
