"""Tokens that count once: assertions by which a client authenticates (RFC 7523 section 3, rule 7).

Rules of this file: pure. A use is recorded last, after everything else was decided, in the memory that DPoP proofs have;
it is known by issuer and `jti`, until the token has expired. Such a token is never remembered as verified, and one that
lives for more than a day is refused (RFC 7523 section 3, rule 4): a store that a fleet shares keeps nothing for so long as
an issuer may write, and who may sign could otherwise fill the memory for years.
"""

from __future__ import annotations

from hashlib import sha256

from bearward.claims import validity_window
from bearward.dpop.proof import MAX_JTI, Proof
from bearward.errors import AuthError, RecordNeededError
from bearward.principal import Principal, parsed_claims
from bearward.refusals import Refusal
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["UseNeededError", "refusal_of_use", "use_of"]

_LONGEST = 86_400.0
"""Seconds that a token may still live when it is used."""
_REFUSALS = {
    Refusal.DPOP_REPLAYED: Refusal.TOKEN_REPLAYED,
    Refusal.DPOP_PROOF_EXPIRED: Refusal.TOKEN_EXPIRED,
    Refusal.DPOP_UNAVAILABLE: Refusal.REPLAY_UNAVAILABLE,
}


class UseNeededError(RecordNeededError):
    """A token is good, and its use must be recorded in a store that a fleet shares, which is awaited."""

    def __init__(self, principal: Principal, use: Proof) -> None:
        super().__init__(principal)
        self.principal: Principal = principal
        self.use = use


def use_of(principal: Principal, policy: TrustedIssuer, now: float) -> Proof:
    """The use of a verified token; raises `AuthError`.

    CLAIM_MALFORMED: its `jti` names nothing. CLAIM_MISMATCH: it lives too long for its use to be remembered.
    """
    claims = parsed_claims(principal)
    identifier: str = claims["jti"]
    if not identifier or len(identifier) > MAX_JTI:
        raise AuthError(Refusal.CLAIM_MALFORMED, claim="jti")
    expires = validity_window(claims, policy)[1]
    if expires - policy.leeway > now + _LONGEST:
        raise AuthError(Refusal.CLAIM_MISMATCH, claim="exp")
    # No thumbprint of a key is like it, whatever an issuer calls itself.
    issuer = sha256(principal.issuer.encode("utf-8", "surrogatepass")).hexdigest()
    return Proof(f"iss-{issuer}", identifier, now, expires)


def refusal_of_use(error: AuthError) -> AuthError:
    """What the memory of uses says, as it is said of a token."""
    refusal = _REFUSALS.get(error.refusal)
    return error if refusal is None else AuthError(refusal, retry_after=error.retry_after)
