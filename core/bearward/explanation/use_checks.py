"""The checks beyond the token itself: revocation, proof of possession, and the access rule.

Rules of this file: pure; they are judged only for a token that is right so far, as in a verification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

from bearward.errors import AuthError, CheckNeededError
from bearward.explanation.context import Context, judged, not_reached
from bearward.explanation.near_misses import scope_hint
from bearward.explanation.report import Check
from bearward.explanation.wording import shown
from bearward.possession import check_sender
from bearward.principal import Principal, parsed_claims
from bearward.refusals import Refusal
from bearward.sender import binding_of

__all__ = ["check_use", "use_checks"]

_Check = Callable[[Principal, Context], None]

_REVOCATION = "not to be revoked"


def use_checks(principal: Principal | None, context: Context) -> Iterator[Check]:
    """The lines of the checks that are asked for; none is reached without a principal."""
    for name, asked, check in _asked_for(context):
        if principal is None or (check is check_rule and _asks_elsewhere(principal, context)):
            yield not_reached(name, asked)
        else:
            found = _found(principal, context) if check is check_rule else ""
            yield _said(judged(name, asked, found, partial(check, principal, context), partial(_hint, principal)))


def check_use(principal: Principal, context: Context) -> None:
    """Raise `AuthError` by the first of these checks that is wrong; what a rule asks elsewhere is not looked at."""
    for _, _, check in _asked_for(context):
        with suppress(CheckNeededError):
            check(principal, context)


def _asks_elsewhere(principal: Principal, context: Context) -> bool:
    """Whether the rule depends on an asynchronous check of the service's own, which no explanation makes."""
    try:
        check_rule(principal, context)
    except CheckNeededError:
        return True
    except AuthError:
        pass
    return False


def _asked_for(context: Context) -> Iterator[tuple[str, str, _Check]]:
    """Name of each check that is asked for, what it asks, and the check itself, in order."""
    if context.dpop is not None and context.dpop.required:
        yield "bound token", "a token that is bound to a key, since DPoP is required", check_bound
    if context.check_revoked is not None:
        yield "revocation", "a token that was not revoked", check_revocation
    if context.presented is not None:
        yield (
            "proof of possession",
            f"the proof that the scheme {context.presented.scheme.value} needs",
            check_possession,
        )
    if context.access is not None:
        yield "access rule", repr(context.access), check_rule


def check_bound(principal: Principal, _context: Context) -> None:
    """Raise `AuthError` where DPoP is required and the token is bound to nothing."""
    if "cnf" not in parsed_claims(principal):
        raise AuthError(Refusal.SENDER_CONSTRAINT_REQUIRED)


def check_revocation(principal: Principal, context: Context) -> None:
    """Raise `AuthError` if the token was revoked, or that is not known."""
    if context.check_revoked is not None:
        context.check_revoked(principal)


def check_possession(principal: Principal, context: Context) -> None:
    """Raise `AuthError` unless its sender is proven to be its owner."""
    if context.presented is not None:
        check_sender(parsed_claims(principal), context.presented, context.dpop, context.now)


def check_rule(principal: Principal, context: Context) -> None:
    """Raise `AuthError` unless the access rule lets the caller in."""
    if context.presented is not None:
        principal = principal.proven_by(binding_of(parsed_claims(principal)))
    refusal = None if context.access is None else context.access.refusal(principal, context.now, context.parameters)
    if refusal is not None:
        raise refusal


def _said(line: Check) -> Check:
    """The same line, which says what was found where nothing but the outcome can be said."""
    if line.found:
        return line
    return replace(line, found="as expected" if line.refusal is None else line.refusal.message)


def _found(principal: Principal, context: Context) -> str:
    scopes, rights = principal.scopes, principal.rights
    if context.wording.show_claims:
        return f"scopes {shown(sorted(scopes))}" + ("" if rights == scopes else f", rights {shown(sorted(rights))}")
    needed = set() if context.access is None else set(context.access.scopes)
    missing = sorted(needed - scopes)
    return f"{len(scopes)} scopes" + (f", without {', '.join(missing)}" if missing else "")


def _hint(principal: Principal, error: AuthError) -> str:
    if error.refusal is Refusal.SCOPE_INSUFFICIENT:
        near = scope_hint(sorted(principal.scopes)[:_MOST_SCOPES], error.scopes)
        return near or "ask the issuer for the scope, and grant it to the client there"
    return _HINTS.get(error.refusal, "")


_MOST_SCOPES = 200
_HINTS = {
    Refusal.TOKEN_REVOKED: "get a new token; what was revoked is in the list of revocations",
    Refusal.REVOCATION_UNAVAILABLE: "the store of revocations cannot be reached",
    Refusal.TOKEN_SENDER_CONSTRAINED: "send it with the scheme DPoP and a proof, or over the client's certificate",
    Refusal.TOKEN_NOT_BOUND: "send it with the scheme Bearer, or have the issuer bind it to the key (cnf)",
    Refusal.SENDER_CONSTRAINT_REQUIRED: "ask the issuer for a token that is bound to a key (RFC 9449)",
    Refusal.CREDENTIALS_MISSING: "this service does not offer the scheme",
    Refusal.CHECK_FAILED: "one of the service's own checks refused the caller; the code says which",
    Refusal.NO_RULE: "the rule refuses everyone: write another for this route or method",
    Refusal.CLAIM_INSUFFICIENT: "the claim that grants it is missing or has another value",
    Refusal.AUTHENTICATION_INSUFFICIENT: "the user must log in again, or with stronger means (acr, max_age)",
}
