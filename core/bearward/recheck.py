"""Whether a verification still holds: the one place where everything it depended on is checked again, as a whole.

Rules of this file: pure. Cached tokens, persistent connections and live streams are all checked here, at most
`RECHECK_INTERVAL` seconds after the last time, however busy they are. The decision is the one that `verify_token` would
make about the same token now, except for the signature, which cannot have changed. Another reason is one more line in
`REASONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from bearward.basis import basis_of
from bearward.claims import check_claims, check_times, validity_window
from bearward.errors import AuthError
from bearward.jose.jwk_set import JWKSet
from bearward.principal import Principal, parsed_claims
from bearward.refusals import Refusal
from bearward.trusted_issuer import TrustedIssuer
from bearward.verification import check_header

__all__ = ["REASONS", "RECHECK_INTERVAL", "Standing", "recheck", "seconds_left", "standing_of_stand_in"]

RECHECK_INTERVAL: Final = 30.0
"""The longest time, in seconds, for which a verification is relied on before it is checked again."""


class Standing(NamedTuple):
    """How things stand now for one trusted issuer. That it is trusted is what its `policy` says."""

    policy: TrustedIssuer
    keys: JWKSet | None
    """None while none can be used, which is our trouble and ends no call."""
    check_revocation: Callable[[Principal], None]
    now: float
    """Seconds since the epoch."""
    leeway: float = 0.0
    """Seconds granted beyond the end, and beyond the policy's own leeway."""


def recheck(principal: Principal, standing: Standing) -> None:
    """Raise `AuthError` unless all that the principal's verification rested on still stands."""
    for reason in REASONS:
        reason(principal, standing)


def seconds_left(principal: Principal, standing: Standing) -> float:
    """Seconds until the principal's token expires or grows too old, the leeway included; negative after that."""
    return validity_window(parsed_claims(principal), standing.policy)[1] + standing.leeway - standing.now


def standing_of_stand_in(check_revocation: Callable[[Principal], None], now: float, leeway: float) -> Standing:
    """For a principal that a test set, without a token: it lives until its `exp`, if it has one."""
    policy = TrustedIssuer(
        "urn:bearward:stand-in",
        jwks_uri="https://stand-in.invalid/",
        unsafe_any_audience=True,
        unsafe_allow_no_expiry=True,
    )
    return Standing(policy, None, check_revocation, now, leeway)


def _header_is_allowed(principal: Principal, standing: Standing) -> None:
    basis = basis_of(principal)
    if basis is not None:
        check_header(basis.header, standing.policy)


def _is_within_its_times(principal: Principal, standing: Standing) -> None:
    claims, now = parsed_claims(principal), standing.now
    begins, _ = validity_window(claims, standing.policy)
    # The leeway is for the end alone: a clock that was set back before the beginning is not excused by it.
    check_times(claims, standing.policy, max(now - standing.leeway, min(now, begins)))


def _key_is_published(principal: Principal, standing: Standing) -> None:
    if standing.keys is None:
        return
    basis = basis_of(principal)
    keys = standing.keys.keys if basis is None else standing.keys.candidates(basis.header.alg, basis.header.kid)
    if all(key.thumbprint != principal.key_thumbprint for key in keys):
        raise AuthError(Refusal.KEY_WITHDRAWN)


def _claims_are_accepted(principal: Principal, standing: Standing) -> None:
    # What a token is bound to was proven for the call, or connection, that it let in.
    check_claims(parsed_claims(principal), standing.policy, allow_bound=True)


def _is_not_revoked(principal: Principal, standing: Standing) -> None:
    standing.check_revocation(principal)


REASONS: Final[tuple[Callable[[Principal, Standing], None], ...]] = (
    _header_is_allowed,
    _is_within_its_times,
    _key_is_published,
    _claims_are_accepted,
    _is_not_revoked,
)
"""Each raises `AuthError` if it no longer holds; in the order of `verify_token`."""
