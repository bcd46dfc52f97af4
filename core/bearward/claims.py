"""The rules for the claims of a token (RFC 7519 section 4.1, RFC 8725 section 3), against one issuer's policy.

Rule of this file: pure; one `now` per verification (seconds since the epoch). A check passes or raises;
there is no way to ignore its result. `check_claims` puts the single checks in order; `bearward.explanation` calls them
one by one, in that same order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bearward.claim_names import ClaimNames
from bearward.errors import AuthError
from bearward.refusals import Refusal
from bearward.spiffe import trust_domain_of
from bearward.trusted_issuer import TrustedIssuer
from bearward.typed_claims import claims_as

__all__ = [
    "check_audience",
    "check_authorized_party",
    "check_claims",
    "check_client",
    "check_expected",
    "check_names",
    "check_refused",
    "check_sender",
    "check_times",
    "claims_pass",
    "issuer_claim",
    "validity_window",
]

_NUMERIC = frozenset({int, float})  # by exact type: JSON's true and false are no NumericDate
_MAX_NUMERIC_DATE = 1e300  # seconds: any finite date is one (RFC 7519 section 2), but a sum with it must not overflow
_MAX_EXACT_FLOAT = 1 << 53  # seconds: an integer below is a float without loss, and needs no further look


def issuer_claim(claims: Mapping[str, Any]) -> str:
    """The `iss` claim, still unverified; without one the trust domain of a SPIFFE ID in `sub`.

    Raises `AuthError` where there is neither, or `iss` is no string.
    """
    issuer = claims.get("iss")
    if type(issuer) is not str:
        domain = trust_domain_of(claims.get("sub")) if "iss" not in claims else None
        if domain is not None:
            return domain
        refusal = Refusal.CLAIM_MALFORMED if "iss" in claims else Refusal.CLAIM_MISSING
        raise AuthError(refusal, claim="iss")
    return issuer


def check_times(claims: Mapping[str, Any], policy: TrustedIssuer, now: float) -> None:
    """Raise `AuthError` unless `now` is within the times that the claims name (RFC 7519 sections 4.1.4 to 4.1.6).

    Refusals: TOKEN_EXPIRED, TOKEN_NOT_YET_VALID, TOKEN_ISSUED_IN_FUTURE, TOKEN_TOO_OLD, CLAIM_MALFORMED.

    May be checked before the signature: most tokens that are refused have expired, the refusal reveals no more than the
    time of day, and it costs a fifth of verifying.
    """
    leeway = policy.leeway
    # The usual good token passes here; the rules below judge the rest, and would have passed it too.
    expires = claims.get("exp")
    if type(expires) is not int or not 0 < expires < _MAX_EXACT_FLOAT or now >= expires + leeway:
        _check_expiry(claims, leeway, now)
    if "nbf" in claims and now < _date(claims, "nbf") - policy.max_clock_lead:
        raise AuthError(Refusal.TOKEN_NOT_YET_VALID)
    issued = claims.get("iat")
    if (
        type(issued) is not int
        or not 0 < issued < _MAX_EXACT_FLOAT
        or now < issued - policy.max_clock_lead
        or policy.max_token_age is not None
    ):
        _check_issued_at(claims, policy, now)


def check_claims(claims: Mapping[str, Any], policy: TrustedIssuer, *, allow_bound: bool = False) -> None:
    """Raise `AuthError` unless the claims are complete, are meant for this audience and say what `policy` asks for.

    Refusals: AUDIENCE_MISMATCH, CLAIM_MISSING, CLAIM_MALFORMED, CLAIM_MISMATCH, TOKEN_SENDER_CONSTRAINED,
    SENDER_CONSTRAINT_REQUIRED.
    """
    for name in policy.required_claims:
        if name not in claims:
            raise AuthError(Refusal.CLAIM_MISSING, claim=name)
    audience = claims.get("aud")
    if type(audience) is not str or audience not in policy.audience:
        check_audience(claims, policy)
    if type(claims.get("sub", "")) is not str or type(claims.get("jti", "")) is not str:
        raise AuthError(Refusal.CLAIM_MALFORMED, claim="jti" if type(claims.get("sub", "")) is str else "sub")
    if "cnf" in claims or policy.sender == "constrained":
        check_sender(claims, policy, allow_bound=allow_bound)
    if policy.has_further_rules:
        _check_further(claims, policy)


def validity_window(claims: Mapping[str, Any], policy: TrustedIssuer) -> tuple[float, float]:
    """From when until when the claims are within their times, leeway included, in seconds since the epoch."""
    leeway, issued = policy.leeway, claims.get("iat", 0)
    ends = claims.get("exp", math.inf)
    if policy.max_token_age is not None:
        ends = min(ends, issued + policy.max_token_age)
    return max(claims.get("nbf", 0), issued) - policy.max_clock_lead, ends + leeway


def claims_pass(claims: Mapping[str, Any], policy: TrustedIssuer, *, allow_bound: bool = False) -> bool:
    """Whether the claims would pass if only the signature were good."""
    try:
        check_claims(claims, policy, allow_bound=allow_bound)
    except AuthError:
        return False
    return True


def _check_expiry(claims: Mapping[str, Any], leeway: float, now: float) -> None:
    if "exp" in claims and now >= _date(claims, "exp") + leeway:
        raise AuthError(Refusal.TOKEN_EXPIRED)


def _check_issued_at(claims: Mapping[str, Any], policy: TrustedIssuer, now: float) -> None:
    if "iat" not in claims:
        return
    issued = _date(claims, "iat")
    if now < issued - policy.max_clock_lead:
        raise AuthError(Refusal.TOKEN_ISSUED_IN_FUTURE)
    if policy.max_token_age is not None and now >= issued + policy.max_token_age + policy.leeway:
        raise AuthError(Refusal.TOKEN_TOO_OLD)


def _date(claims: Mapping[str, Any], name: str) -> int | float:
    date: int | float = claims[name]
    if type(date) not in _NUMERIC or not -_MAX_NUMERIC_DATE < date < _MAX_NUMERIC_DATE:
        raise AuthError(Refusal.CLAIM_MALFORMED, claim=name)
    return date


def check_audience(claims: Mapping[str, Any], policy: TrustedIssuer) -> None:
    """RFC 7519 section 4.1.3: one of the token's audiences must be one of ours, where it names any."""
    audience = claims.get("aud", ())
    if type(audience) is str:
        if audience in policy.audience:
            return
        audience = (audience,)
    elif not audience and type(audience) in (tuple, list):  # some issuers send an empty array where they mean none
        _check_no_audience(claims, policy)
        return
    elif type(audience) is not list or any(type(name) is not str for name in audience):
        raise AuthError(Refusal.CLAIM_MALFORMED, claim="aud")
    if not policy.unsafe_any_audience and not any(name in policy.audience for name in audience):
        raise AuthError(Refusal.AUDIENCE_MISMATCH)


def _check_no_audience(claims: Mapping[str, Any], policy: TrustedIssuer) -> None:
    if policy.audience:
        raise AuthError(Refusal.CLAIM_MALFORMED if "aud" in claims else Refusal.CLAIM_MISSING, claim="aud")


def check_sender(claims: Mapping[str, Any], policy: TrustedIssuer, *, allow_bound: bool) -> None:
    """RFC 7800: whoever presents a token that is bound to a key must prove that key, which is for the gate to see."""
    if "cnf" not in claims:
        raise AuthError(Refusal.SENDER_CONSTRAINT_REQUIRED)
    if not allow_bound or policy.sender == "bearer":
        raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)


def check_client(claims: Mapping[str, Any], policy: TrustedIssuer) -> None:
    """Raise `AuthError` unless the token was issued to one of the accepted clients."""
    name = policy.client_claim
    client = claims.get("client_id", claims.get("azp")) if name is None else claims.get(name)
    if client is None:
        raise AuthError(Refusal.CLAIM_MISSING, claim=name or "client_id")
    if type(client) is not str:
        raise AuthError(Refusal.CLAIM_MALFORMED, claim=name or "client_id")
    if client not in policy.client_ids:
        raise AuthError(Refusal.CLAIM_MISMATCH, claim=name or "client_id")


def check_expected(claims: Mapping[str, Any], policy: TrustedIssuer) -> None:
    """Raise `AuthError` unless each of these claims has one of its accepted values."""
    for name, accepted in policy.expected_claims.items():
        if name not in claims:
            raise AuthError(Refusal.CLAIM_MISSING, claim=name)
        held = claims[name]
        if not any(held == value and type(held) is type(value) for value in accepted):
            raise AuthError(Refusal.CLAIM_MISMATCH, claim=name)


def _check_further(claims: Mapping[str, Any], policy: TrustedIssuer) -> None:
    """What most issuers need nothing of; the order of the checks is the order in which claims are missed."""
    if policy.client_ids:
        check_client(claims, policy)
    check_expected(claims, policy)
    check_refused(claims, policy)
    if policy.claim_names is not None:
        check_names(claims, policy.claim_names)
    if policy.authorized_parties:
        check_authorized_party(claims, policy)
    if policy.claims_type is not None:
        claims_as(claims, policy.claims_type)


def check_refused(claims: Mapping[str, Any], policy: TrustedIssuer) -> None:
    """Raise `AuthError` (CLAIM_MISMATCH) if a claim is there that must not be."""
    for name in policy.refused_claims:
        if name in claims:
            raise AuthError(Refusal.CLAIM_MISMATCH, claim=name)


def check_names(claims: Mapping[str, Any], names: ClaimNames) -> None:
    """Raise `AuthError` unless the claims that name the caller, and vouch for a trust domain, are there."""
    if names.subject and names.subject_of(claims) is None:
        raise AuthError(Refusal.CLAIM_MISSING, claim=names.subject[0])
    if names.issuer is not None:
        _check_trust_domain(claims, names.issuer)


def check_authorized_party(claims: Mapping[str, Any], policy: TrustedIssuer) -> None:
    """OpenID Connect Core section 3.1.3.7, rules 4 and 5: who asked for the token, where it is for several."""
    party = claims.get("azp")
    if party is None:
        audience = claims.get("aud")
        if isinstance(audience, list) and len(audience) > 1:
            raise AuthError(Refusal.CLAIM_MISSING, claim="azp")
    elif type(party) is not str:
        raise AuthError(Refusal.CLAIM_MALFORMED, claim="azp")
    elif party not in policy.authorized_parties:
        raise AuthError(Refusal.CLAIM_MISMATCH, claim="azp")


def _check_trust_domain(claims: Mapping[str, Any], domain: str) -> None:
    """A trust domain speaks for its own workloads, and its name is no `iss` that anybody may write."""
    if "iss" in claims:
        raise AuthError(Refusal.CLAIM_MISMATCH, claim="iss")
    if trust_domain_of(claims.get("sub")) != domain:
        raise AuthError(Refusal.CLAIM_MISMATCH, claim="sub")
