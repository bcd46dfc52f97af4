"""The checks of claims, in the order of `check_claims`: only those that the issuer's settings ask for.

Rules of this file: pure; the functions of `bearward.claims` decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

from bearward import claims as single
from bearward.errors import AuthError
from bearward.explanation.context import Reader, judged
from bearward.explanation.near_misses import audience_hint
from bearward.explanation.report import Check
from bearward.explanation.wording import names, shown
from bearward.refusals import Refusal
from bearward.typed_claims import claims_as

__all__ = ["claim_checks"]


def claim_checks(reader: Reader) -> list[Check]:
    """Every check of claims that is asked for."""
    return [*_always(reader), *_further(reader)]


def _always(reader: Reader) -> Iterator[Check]:
    claims, policy = reader.token.claims, reader.policy
    missing = [name for name in policy.required_claims if name not in claims]
    if policy.required_claims:
        yield judged(
            "required claims",
            ", ".join(policy.required_claims),
            f"no {', '.join(missing)}" if missing else "all of them",
            lambda: _check_required(missing),
            "have the issuer send it: look at its settings (scopes, claim mappers)",
        )
    yield judged(
        "audience",
        _audience_asked(reader),
        _audience_found(reader),
        lambda: single.check_audience(claims, policy),
        lambda error: _audience_hint(error, reader),
    )
    yield judged("names", "strings in sub and jti", _names_found(claims), lambda: _check_strings(claims))
    if policy.sender != "any" or "cnf" in claims:
        yield judged(
            "confirmation",
            _SENDERS[policy.sender] if reader.context.allow_bound else "no cnf, as no proof of possession is offered",
            "cnf: the token is bound to a key" if "cnf" in claims else "no cnf: a bearer token",
            lambda: _check_confirmation(reader),
            _sender_hint,
        )


_SENDERS = {
    "any": "a bearer token, or one that is bound to a key",
    "bearer": "a bearer token",
    "constrained": "a token that is bound to a key (cnf)",
}


def _check_required(missing: list[str]) -> None:
    if missing:
        raise AuthError(Refusal.CLAIM_MISSING, claim=missing[0])


def _check_strings(claims: dict[str, Any]) -> None:
    for name in ("sub", "jti"):
        if type(claims.get(name, "")) is not str:
            raise AuthError(Refusal.CLAIM_MALFORMED, claim=name)


def _check_confirmation(reader: Reader) -> None:
    if "cnf" in reader.token.claims or reader.policy.sender == "constrained":
        single.check_sender(reader.token.claims, reader.policy, allow_bound=reader.context.allow_bound)


def _sender_hint(error: AuthError) -> str:
    if error.refusal is Refusal.TOKEN_SENDER_CONSTRAINED:
        return "its sender must prove a key (DPoP or a client certificate), and the service must accept such proofs"
    return "have the issuer bind its tokens to a key (RFC 9449, RFC 8705)"


def _names_found(claims: dict[str, Any]) -> str:
    wrong = [name for name in ("sub", "jti") if type(claims.get(name, "")) is not str]
    return f"{' and '.join(wrong)} of another type" if wrong else "strings, if they are there"


def _audience_asked(reader: Reader) -> str:
    policy = reader.policy
    if policy.unsafe_any_audience:
        return "any (unsafe_any_audience)"
    return names(policy.audience) if policy.audience else "no aud, or an empty one"


def _audience_found(reader: Reader) -> str:
    audience = reader.token.claims.get("aud")
    if isinstance(audience, str):
        return reader.context.wording.or_hidden(audience, reader.policy.audience)
    ours = [name for name in audience if name in reader.policy.audience] if _are_names(audience) else []
    return f"{shown(ours[0])} among others" if ours else reader.value("aud")


def _are_names(audience: object) -> TypeGuard[list[str]]:
    return isinstance(audience, list) and all(isinstance(name, str) for name in audience)


def _audience_hint(error: AuthError, reader: Reader) -> str:
    if error.refusal is Refusal.CLAIM_MALFORMED:
        return "aud must be a string or an array of strings"
    if error.refusal is Refusal.CLAIM_MISSING:
        return "have the issuer name this service in aud; for one that sends none, client_ids"
    audience = reader.token.claims.get("aud")
    given = [audience] if isinstance(audience, str) else [name for name in audience or () if isinstance(name, str)]
    near = audience_hint(given[:16], reader.policy.audience, reader.policy.client_ids)
    if near or "nonce" not in reader.token.claims:
        return near or "the token was issued for another service: ask the issuer for one for this audience"
    return "it has a nonce, so it is an ID token, meant for a client: send the access token"


def _further(reader: Reader) -> Iterator[Check]:
    """What most issuers need nothing of."""
    claims, policy = reader.token.claims, reader.policy
    if policy.client_ids:
        name = policy.client_claim or ("client_id" if "client_id" in claims else "azp")
        yield judged(
            "client", names(policy.client_ids), reader.value(name), lambda: single.check_client(claims, policy)
        )
    if policy.expected_claims:
        asked = "; ".join(f"{name}: {names(map(shown, values))}" for name, values in policy.expected_claims.items())
        said = "; ".join(f"{name}: {_expected(reader, name)}" for name in policy.expected_claims)
        yield judged("expected claims", asked, said, lambda: single.check_expected(claims, policy))
    if policy.refused_claims:
        there = sorted(name for name in policy.refused_claims if name in claims)
        yield judged(
            "refused claims",
            f"no {names(policy.refused_claims)}",
            ", ".join(there) or "none of them",
            lambda: single.check_refused(claims, policy),
            "a claim that tokens of another kind have, such as the nonce of an ID token: send the access token",
        )
    yield from _named(reader)


def _named(reader: Reader) -> Iterator[Check]:
    claims, policy = reader.token.claims, reader.policy
    naming = policy.claim_names
    if naming is not None and (naming.subject or naming.issuer is not None):
        asked = f"a caller in {names(naming.subject)}" if naming.subject else f"sub below {naming.issuer}, and no iss"
        said = "one" if naming.subject and naming.subject_of(claims) is not None else reader.value("sub")
        yield judged("caller", asked, said, lambda: single.check_names(claims, naming))
    if policy.authorized_parties:
        yield judged(
            "authorized party",
            names(policy.authorized_parties),
            reader.value("azp"),
            lambda: single.check_authorized_party(claims, policy),
        )
    kind = policy.claims_type
    if kind is not None:
        yield judged("type of the claims", kind.__name__, "", lambda: claims_as(claims, kind))


def _expected(reader: Reader, name: str) -> str:
    claims = reader.token.claims
    return (
        reader.context.wording.or_hidden(claims[name], reader.policy.expected_claims[name])
        if name in claims
        else "none"
    )
