"""Tokens and settings for a policy, whoever its issuer is: what a `TrustedIssuer`, or a profile, would accept.

Rule of this file: pure. The policy says what its tokens look like; nothing of any vendor is repeated here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

from bearward.issuers.tenants import TenantIssuers
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["choose_algorithm", "claims_for", "header_type", "with_keys_at"]

_TIMES: Final = frozenset({"iat", "nbf", "exp", "auth_time"})
_Trusted = TypeVar("_Trusted", bound=TrustedIssuer | TenantIssuers)


def with_keys_at(policy: _Trusted, jwks_uri: str) -> _Trusted:
    """The same policy, with the keys of another JWK Set: everything else about its tokens stays.

    >>> real = TrustedIssuer("https://login.example", audience="https://api.example")
    >>> with_keys_at(real, "http://127.0.0.1:1234/jwks").issuer
    'https://login.example'
    """
    moved: Any = _tenants_at(policy, jwks_uri) if isinstance(policy, TenantIssuers) else _issuer_at(policy, jwks_uri)
    return cast("_Trusted", moved)


def _tenants_at(policy: TenantIssuers, jwks_uri: str) -> object:
    rebuild = policy.__reduce__()[0]
    return rebuild.func(
        *rebuild.args, **{**rebuild.keywords, "jwks": None, "pem_uri": None, "metadata_uri": None, "jwks_uri": jwks_uri}
    )


def _issuer_at(policy: TrustedIssuer, jwks_uri: str) -> TrustedIssuer:
    options = replace(policy.jwks_options, jwks_file=None, sources=())
    algorithms = {"algorithms": frozenset[str]()} if policy.symmetric_keys else {}
    changes: dict[str, Any] = {
        "jwks": None,
        "pem_uri": None,
        "metadata_uri": None,
        "jwks_uri": jwks_uri,
        "symmetric_keys": (),
        **algorithms,
    }
    return replace(policy, jwks_options=options, **changes)


def choose_algorithm(policy: TrustedIssuer, available: Iterable[str]) -> str | None:
    """The first algorithm that the policy allows; None if it allows none of them."""
    return next((alg for alg in available if alg in policy.algorithms), None)


def header_type(policy: TrustedIssuer, usual: str) -> str | None:
    """The `typ` of its tokens: the usual one if it is accepted, None for a header without."""
    if usual in policy.token_types:
        return usual
    return next((name for name in ("JWT", None) if name in policy.token_types), next(iter(policy.token_types)))


def claims_for(policy: TrustedIssuer, now: int) -> dict[str, Any]:
    """The claims, beside the usual ones, that the policy asks for; None takes a claim away."""
    spiffe = policy.issuer.startswith("spiffe://")
    claims: dict[str, Any] = {"iss": None if spiffe else policy.issuer}
    if spiffe:
        claims["sub"] = f"{policy.issuer}/subject"
    claims["aud"] = min(policy.audience, default=None)
    if policy.client_ids:
        claims[policy.client_claim or "client_id"] = min(policy.client_ids)
    if policy.authorized_parties:
        claims["azp"] = min(policy.authorized_parties)
    for name in (*policy.required_claims, *tuple(policy.subject_claim)[:1]):
        if name not in claims and name not in ("exp", "sub", "aud", "iat", "jti", "client_id"):
            claims[name] = now if name in _TIMES else f"a {name}"
    claims.update({name: next(iter(accepted)) for name, accepted in policy.expected_claims.items()})
    return claims | dict.fromkeys(policy.refused_claims)
