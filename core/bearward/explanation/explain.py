"""An explanation of one token: the order of checks, which is that of a verification.

Rules of this file: pure. What is decided is decided by `verify_token` and what follows it; the lines beside it come from
the same functions, asked one by one. Should the two ever differ, the last line gives the decision's own reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bearward.access import Access
from bearward.claims import issuer_claim
from bearward.credential_place import CredentialPlace
from bearward.dpop.policy import DPoP
from bearward.errors import AuthError
from bearward.explanation.claim_checks import claim_checks
from bearward.explanation.context import Context, Reader, not_reached
from bearward.explanation.form_checks import read
from bearward.explanation.issuer_check import check_issuer, policy_among
from bearward.explanation.key_checks import key_checks
from bearward.explanation.report import Check, Explanation, Verdict
from bearward.explanation.time_checks import header_checks, time_checks
from bearward.explanation.use_checks import check_use, use_checks
from bearward.explanation.wording import Wording, names
from bearward.issuers.tenants import TenantIssuers
from bearward.jose.compact import UnverifiedToken
from bearward.jose.jwk_set import JWKSet
from bearward.placed_form import parse_placed
from bearward.possession import Presented
from bearward.principal import Principal
from bearward.trusted_issuer import TrustedIssuer
from bearward.verification import verify_token

__all__ = ["explain", "explain_in"]

_WITH_A_POLICY = ("algorithm", "type", "expiry", "not before", "issued at", "key", "signature", "claims")
"""What is judged by the settings of an issuer, so that nothing can be said without one."""


def explain(
    token: str,
    issuers: Sequence[TrustedIssuer | TenantIssuers],
    *,
    keys: Callable[[TrustedIssuer], JWKSet | None],
    now: float,
    place: CredentialPlace | None = None,
    presented: Presented | None = None,
    dpop: DPoP | None = None,
    check_revoked: Callable[[Principal], None] | None = None,
    access: Access | None = None,
    parameters: Mapping[str, Any] | None = None,
    show_claims: bool = False,
) -> Explanation:
    """Every check of `token` in the order of a verification, with what was asked, what was found, and a verdict.

    `keys` gives the key set of an issuer, None where none is held. `now` is in seconds since the epoch. `place` is where
    the token was found, None for `Authorization`. `presented` is what came with it, None where only the token is known:
    one that is bound to a key is then refused. `check_revoked` raises `AuthError` for a revoked token. `access` is the
    rule that it was used under, with the `parameters` of the path. Values of claims are hidden without `show_claims`.

    Raises nothing: any text has an explanation. See `docs/command-line.md`.

    >>> from bearward import TrustedIssuer
    >>> login = TrustedIssuer("https://login.example", audience="https://api.example")
    >>> explained = explain("Bearer abc", [login], keys=lambda issuer: None, now=0.0)
    >>> explained.code, explained.first_wrong.hint
    ('token_malformed', 'it begins with bearer: give the token alone')
    """
    return explain_in(
        token,
        Context(
            issuers=issuers,
            policy_of=policy_among(issuers, place),
            keys=keys,
            now=now,
            place=place,
            presented=presented,
            dpop=dpop,
            check_revoked=check_revoked,
            access=access,
            parameters=parameters,
            wording=Wording(show_claims),
        ),
    )


def explain_in(token: str, context: Context, refused: AuthError | None = None) -> Explanation:
    """The explanation of a token in a context; `refused` is the refusal that it met, where it met one."""
    principal, error = _decide(token, context)
    error = refused or error
    checks = [*_checks(token, context, principal)]
    explanation = Explanation(tuple(checks), None if error is None else error.refusal, error.claim if error else None)
    first = explanation.first_wrong
    if error is None or (first is not None and first.refusal is error.refusal):
        return explanation
    line = Check("request", "nothing else wrong", error.refusal.message, Verdict.WRONG, "", error.refusal, error.claim)
    return Explanation((*checks, line), explanation.refusal, explanation.claim)


def _decide(token: str, context: Context) -> tuple[Principal | None, AuthError | None]:
    """What a verification decides: the principal, also of a token that only what follows refuses, and the refusal."""
    principal = None
    try:
        unverified = parse_placed(token, context.place)
        policy = context.policy_of(issuer_claim(unverified.claims), unverified)
        principal = verify_token(unverified, policy, context.keys(policy), context.now, allow_bound=context.allow_bound)
        check_use(principal, context)
    except AuthError as error:
        return principal, error
    return principal, None


def _checks(token: str, context: Context, principal: Principal | None) -> list[Check]:
    checks, unverified = read(token, context.place)
    if unverified is None:
        known = names(one.issuer if isinstance(one, TrustedIssuer) else one.template for one in context.issuers)
        checks += [not_reached("issuer", known), *_unjudged()]
    else:
        checks += _judged_by_issuer(unverified, context)
    return [*checks, *use_checks(principal, context)]


def _judged_by_issuer(token: UnverifiedToken, context: Context) -> list[Check]:
    line, policy = check_issuer(token, context)
    if policy is None:
        return [line, *_unjudged()]
    reader = Reader(token, policy, context)
    return [line, *header_checks(reader), *time_checks(reader), *key_checks(reader), *claim_checks(reader)]


def _unjudged() -> list[Check]:
    return [not_reached(name, "what the issuer's settings say") for name in _WITH_A_POLICY]
