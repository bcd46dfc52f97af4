"""The check of the issuer: whether an `iss` is trusted, and which configured one is near it.

Rules of this file: pure. `policy_among` answers for a list of issuers what a verifier answers for its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bearward.claims import issuer_claim
from bearward.credential_place import CredentialPlace
from bearward.errors import AuthError
from bearward.explanation.context import Context, judged
from bearward.explanation.near_misses import issuer_hint
from bearward.explanation.report import Check
from bearward.explanation.wording import names
from bearward.issuers.tenants import TenantIssuers
from bearward.issuers.told_apart import policy_for
from bearward.jose.compact import UnverifiedToken
from bearward.refusals import Refusal
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["check_issuer", "policy_among"]

_LONGEST = 1024


def policy_among(
    issuers: Sequence[TrustedIssuer | TenantIssuers], place: CredentialPlace | None
) -> Callable[[str, UnverifiedToken], TrustedIssuer]:
    """Which settings a token is judged by, among `issuers`, if it was found in `place`."""

    def policy_of(issuer: str, token: UnverifiedToken) -> TrustedIssuer:
        explicit = [one for one in issuers if isinstance(one, TrustedIssuer) and one.issuer == issuer]
        found = policy_for(explicit, token) if explicit else _tenant(issuers, issuer)
        if found is None or found.place != place:
            raise AuthError(Refusal.ISSUER_UNTRUSTED)
        return found

    return policy_of


def check_issuer(token: UnverifiedToken, context: Context) -> tuple[Check, TrustedIssuer | None]:
    """The check, and the issuer's settings if it is trusted."""
    found: list[TrustedIssuer] = []
    issuer = token.claims.get("iss")

    def check() -> None:
        found.append(context.policy_of(issuer_claim(token.claims), token))

    known = [_name(one) for one in context.issuers]
    said = context.wording.or_hidden(issuer, known) if "iss" in token.claims else "no iss"
    line = judged("issuer", names(known), said, check, lambda error: _hint(issuer, context, error))
    return line, found[0] if found else None


def _hint(issuer: object, context: Context, error: AuthError) -> str:
    if error.refusal is Refusal.KEYS_UNAVAILABLE:
        return "a resolver must be asked about this issuer, and was not"
    if not isinstance(issuer, str):
        return "every token must name its issuer in iss, a string"
    if any(isinstance(one, TrustedIssuer) and one.issuer == issuer for one in context.issuers):
        return "the issuer is trusted, but its tokens are expected in another place of the request"
    near = issuer_hint(issuer, (one.issuer for one in context.issuers if isinstance(one, TrustedIssuer)))
    return (
        near
        or _tenant_hint(issuer, context.issuers)
        or "no configured issuer is similar: is the token from another environment?"
    )


def _tenant_hint(issuer: str, issuers: Sequence[TrustedIssuer | TenantIssuers]) -> str:
    """By which little an `iss` misses a template of tenants."""
    if len(issuer) > _LONGEST:
        return ""
    for tenants in issuers:
        if not isinstance(tenants, TenantIssuers):
            continue
        before, _, after = tenants.template.rstrip("/").partition("{tenant}")
        shape = re.compile(f"{re.escape(before)}([^/]+){re.escape(after)}/?", re.IGNORECASE)
        match = shape.fullmatch(issuer)
        if match is None:
            continue
        meant = tenants.template.replace("{tenant}", match[1])
        if meant == issuer:
            return f"it is of the form {tenants.template}, but its tenant is not among tenants"
        return issuer_hint(issuer, [meant]).replace(meant, tenants.template)
    return ""


def _tenant(issuers: Sequence[TrustedIssuer | TenantIssuers], issuer: str) -> TrustedIssuer | None:
    found = (one.issuer_for(issuer) for one in issuers if isinstance(one, TenantIssuers))
    return next((trusted for trusted in found if trusted is not None), None)


def _name(one: TrustedIssuer | TenantIssuers) -> str:
    return one.issuer if isinstance(one, TrustedIssuer) else one.template
